//! From a raw score to a probability, a gain or a rank.

/// A piecewise linear function. Outside its knots it keeps the first or last value.
#[derive(Clone, Debug, PartialEq)]
pub struct Curve {
    knots: Vec<(f32, f32)>,
}

/// Most knots of a curve; more would follow noise.
pub const MAX_KNOTS: usize = 128;

impl Curve {
    /// A curve through these knots.
    ///
    /// # Errors
    /// Says what is wrong unless there are 1 to [`MAX_KNOTS`] finite knots whose x rises.
    pub fn try_new(knots: Vec<(f32, f32)>) -> Result<Self, &'static str> {
        if knots.is_empty() || knots.len() > MAX_KNOTS {
            return Err("a curve has too few or too many knots");
        }
        if knots.iter().any(|(x, y)| !x.is_finite() || !y.is_finite()) {
            return Err("a curve has a knot that is not a number");
        }
        if knots.windows(2).any(|pair| pair[0].0 >= pair[1].0) {
            return Err("the knots of a curve are out of order");
        }
        Ok(Self { knots })
    }

    /// The curve that is `y` everywhere.
    #[must_use]
    pub fn constant(y: f32) -> Self {
        Self { knots: vec![(0.0, y)] }
    }

    /// Its value at `x`.
    #[must_use]
    pub fn at(&self, x: f32) -> f32 {
        let right = self.knots.partition_point(|knot| knot.0 <= x);
        match (right.checked_sub(1).and_then(|left| self.knots.get(left)), self.knots.get(right)) {
            (Some(a), Some(b)) => a.1 + (b.1 - a.1) * (x - a.0) / (b.0 - a.0),
            (Some(last), None) => last.1,
            (None, first) => first.map_or(0.0, |first| first.1),
        }
    }

    /// Whether it never falls.
    #[must_use]
    pub fn is_rising(&self) -> bool {
        self.knots.windows(2).all(|pair| pair[0].1 <= pair[1].1)
    }

    /// The knots, x rising.
    #[must_use]
    pub fn knots(&self) -> &[(f32, f32)] {
        &self.knots
    }

    /// The rising curve nearest to the pairs (x, y) in least squares, over equally filled bins of x: isotonic regression by
    /// pooling adjacent violators (Barlow et al., 1972), then linear between the centres.
    ///
    /// Bins hold at least 50 pairs, so that one odd answer cannot make a step.
    #[must_use]
    pub fn isotonic(pairs: &[(f64, f64)]) -> Self {
        let mut pools: Vec<Pool> = Vec::new();
        for pool in bins(pairs, MAX_BINS) {
            push_pool(&mut pools, pool);
        }
        Self::through(pools.iter().map(|pool| (pool.x, pool.y)))
    }

    /// The mean y of equally filled bins of x, wherever it goes; a quarter of the bins, for nothing else smooths it.
    #[must_use]
    pub fn binned(pairs: &[(f64, f64)]) -> Self {
        Self::through(bins(pairs, MAX_BINS / 4).iter().map(|pool| (pool.x, pool.y)))
    }

    /// Ranks: the share of `scores` at or below x, smoothed over a grid of quantiles and kept inside 0.01..=0.99.
    #[must_use]
    pub fn rank(scores: &[f64]) -> Self {
        let mut sorted = scores.to_vec();
        sorted.sort_by(f64::total_cmp);
        let Some(last) = sorted.len().checked_sub(1) else { return Self::constant(0.5) };
        let steps = MAX_BINS.min(last.max(1));
        Self::through((0..=steps).map(|step| {
            let share = step as f64 / steps as f64;
            (sorted[(share * last as f64).round() as usize], 0.01 + 0.98 * share)
        }))
    }

    /// A curve through points in order of x; points with the same x (as `f32`) are merged into their mean.
    fn through(points: impl Iterator<Item = (f64, f64)>) -> Self {
        let mut knots: Vec<(f32, f32)> = Vec::new();
        let mut merged = 1.0;
        for (x, y) in points {
            let (x, y) = (x as f32, y as f32);
            match knots.last_mut() {
                Some(last) if x <= last.0 => {
                    merged += 1.0;
                    last.1 += (y - last.1) / merged;
                }
                _ => {
                    merged = 1.0;
                    knots.push((x, y));
                }
            }
        }
        Self::try_new(knots).unwrap_or_else(|_| Self::constant(0.5))
    }
}

/// Rows in a bin at least.
const BIN_ROWS: usize = 50;

/// Bins at most: with 14,000 rows a bin's mean gain has a standard error of about 0.025.
const MAX_BINS: usize = 40;

struct Pool {
    x: f64,
    y: f64,
    weight: f64,
}

impl Pool {
    fn of(pairs: &[(f64, f64)]) -> Self {
        let weight = pairs.len() as f64;
        let sum = pairs.iter().fold((0.0, 0.0), |sum, pair| (sum.0 + pair.0, sum.1 + pair.1));
        Self { x: sum.0 / weight.max(1.0), y: sum.1 / weight.max(1.0), weight }
    }

    fn join(&mut self, other: &Self) {
        let weight = self.weight + other.weight;
        self.x = (self.x * self.weight + other.x * other.weight) / weight.max(1.0);
        self.y = (self.y * self.weight + other.y * other.weight) / weight.max(1.0);
        self.weight = weight;
    }
}

fn bins(pairs: &[(f64, f64)], most: usize) -> Vec<Pool> {
    let mut sorted = pairs.to_vec();
    sorted.sort_by(|a, b| a.0.total_cmp(&b.0));
    let (rows, bins) = (sorted.len(), (sorted.len() / BIN_ROWS).clamp(1, most));
    (0..bins).map(|bin| Pool::of(&sorted[bin * rows / bins..(bin + 1) * rows / bins])).collect()
}

fn push_pool(pools: &mut Vec<Pool>, mut pool: Pool) {
    while pools.last().is_some_and(|last| last.y >= pool.y) {
        if let Some(last) = pools.pop() {
            pool.join(&last);
        }
    }
    pools.push(pool);
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn rising_data_is_followed() {
        let pairs: Vec<_> =
            (0..1000).map(|i| (f64::from(i) / 1000.0, f64::from(i % 2) * f64::from(i) / 500.0)).collect();
        let curve = Curve::isotonic(&pairs);
        assert!((curve.at(0.5) - 0.5).abs() < 0.05, "{}", curve.at(0.5));
        assert!(curve.at(0.9) > curve.at(0.1) + 0.6);
    }

    #[test]
    fn falling_data_becomes_its_mean() {
        let pairs: Vec<_> = (0..1000).map(|i| (f64::from(i), 1.0 - f64::from(i) / 1000.0)).collect();
        let curve = Curve::isotonic(&pairs);
        assert_eq!(curve.knots().len(), 1);
        assert!((curve.at(3.0) - 0.5).abs() < 0.01);
    }

    #[test]
    fn ranks_are_shares() {
        let curve = Curve::rank(&(0..=1000).map(f64::from).collect::<Vec<_>>());
        assert!((curve.at(250.0) - 0.255).abs() < 0.01);
        assert_eq!(curve.at(-5.0), 0.01);
        assert_eq!(curve.at(5000.0), 0.99);
        assert_eq!(Curve::rank(&[]).at(1.0), 0.5);
        assert_eq!(Curve::rank(&[7.0; 90]).knots().len(), 1, "no spread, no ranks");
    }

    #[test]
    fn odd_knots_are_refused() {
        for knots in [vec![], vec![(0.0, 1.0), (0.0, 2.0)], vec![(f32::NAN, 0.0)]] {
            assert!(Curve::try_new(knots).is_err());
        }
        let falling = Curve::try_new(vec![(0.0, 1.0), (1.0, 0.5)]).unwrap();
        assert!(!falling.is_rising());
    }

    #[test]
    fn bins_follow_what_falls() {
        let pairs: Vec<_> = (0..1000).map(|i| (f64::from(i), 1.0 - f64::from(i) / 1000.0)).collect();
        let curve = Curve::binned(&pairs);
        assert!((curve.at(250.0) - 0.75).abs() < 0.01 && !curve.is_rising());
    }

    proptest! {
        #[test]
        fn fitted_curves_never_fall(pairs in prop::collection::vec((-2.0..2.0, -1.0..1.0), 0..600), a in -3f32..3.0, b in -3f32..3.0) {
            let (low, high) = if a <= b { (a, b) } else { (b, a) };
            let curve = Curve::isotonic(&pairs);
            prop_assert!(curve.at(low) <= curve.at(high));
            let rank = Curve::rank(&pairs.iter().map(|pair| pair.0).collect::<Vec<_>>());
            prop_assert!(rank.at(low) <= rank.at(high));
        }
    }
}
