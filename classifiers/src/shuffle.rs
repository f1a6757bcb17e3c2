//! Reproducible order: the same seed gives the same permutation, on every machine and in every version.

/// splitmix64 (Steele, Lea, Flood: "Fast splittable pseudorandom number generators", 2014).
#[derive(Clone, Debug)]
pub(crate) struct Dice(u64);

impl Dice {
    /// A stream of numbers that depends on the seed alone.
    pub(crate) fn new(seed: u64) -> Self {
        Self(seed)
    }

    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ z >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ z >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ z >> 31
    }

    /// A number in `0..bound`, or 0 for an empty range (Lemire's multiplication; its bias is below 2⁻⁴⁰ here).
    pub(crate) fn below(&mut self, bound: usize) -> usize {
        ((u128::from(self.next()) * bound as u128) >> 64) as usize
    }
}

/// `0..n` in the order that belongs to `seed` (Fisher-Yates).
pub(crate) fn permutation(n: usize, seed: u64) -> Vec<usize> {
    let mut dice = Dice::new(seed);
    let mut order: Vec<usize> = (0..n).collect();
    for at in (1..n).rev() {
        order.swap(at, dice.below(at + 1));
    }
    order
}

/// The rows of `order` in `folds` parts of nearly equal size.
pub(crate) fn folds(order: &[usize], folds: usize) -> Vec<Vec<usize>> {
    let n = order.len();
    (0..folds).map(|fold| order[fold * n / folds..(fold + 1) * n / folds].to_vec()).collect()
}

/// The rows of all folds but one.
pub(crate) fn all_but(folds: &[Vec<usize>], left_out: usize) -> Vec<usize> {
    let others = folds.iter().enumerate().filter(|(at, _)| *at != left_out);
    others.flat_map(|(_, rows)| rows).copied().collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_permutation_holds_everything_once_and_repeats_by_seed() {
        let mut order = permutation(1000, 3);
        assert_eq!(order, permutation(1000, 3));
        assert_ne!(order, permutation(1000, 4));
        order.sort_unstable();
        assert_eq!(order, (0..1000).collect::<Vec<_>>());
        assert!(permutation(0, 1).is_empty());
    }

    #[test]
    fn folds_cover_the_order() {
        let parts = folds(&permutation(103, 0), 5);
        assert!(parts.iter().all(|part| (20..=21).contains(&part.len())));
        let mut all: Vec<_> = parts.concat();
        all.sort_unstable();
        assert_eq!(all, (0..103).collect::<Vec<_>>());
    }
}
