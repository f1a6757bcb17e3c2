//! Sentence embeddings in a byte per dimension.
//!
//! Scaling each vector by its largest component and rounding to −127..=127 changes the cosine of two 384-dimensional
//! sentence embeddings by less than 0.005, an eighth of what separates the scores that matter, for a quarter of the
//! memory of `f32`.

use thiserror::Error;

/// A vector that cannot be used.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum BadVector {
    /// No dimension at all, or more than 4,096.
    #[error("an embedding has 1 to 4096 dimensions, not {0}")]
    Dimensions(usize),
    /// A component is infinite or no number.
    #[error("an embedding has a component that is no number")]
    NotFinite,
    /// All components are zero, or so small that they vanish.
    #[error("an embedding is zero")]
    Zero,
}

/// A sentence embedding, rounded.
#[derive(Clone, Debug, PartialEq)]
pub struct Vector {
    components: Box<[i8]>,
    /// 1 / length of `components` as they are.
    inverse_length: f32,
}

impl Vector {
    /// Rounds an embedding; its length does not matter.
    ///
    /// # Errors
    /// Vectors that are empty, too long, zero or not finite.
    pub fn try_new(embedding: &[f32]) -> Result<Self, BadVector> {
        if embedding.is_empty() || embedding.len() > 4096 {
            return Err(BadVector::Dimensions(embedding.len()));
        }
        if !embedding.iter().all(|x| x.is_finite()) {
            return Err(BadVector::NotFinite);
        }
        let largest = embedding.iter().fold(0.0f32, |most, x| most.max(x.abs()));
        if largest < f32::MIN_POSITIVE * 128.0 {
            return Err(BadVector::Zero);
        }
        // In range by construction, so the conversion does not saturate.
        let components: Box<[i8]> = embedding.iter().map(|x| (x / largest * 127.0).round() as i8).collect();
        let inverse_length = 1.0 / (dot(&components, &components) as f32).sqrt();
        Ok(Self { components, inverse_length })
    }

    /// How many dimensions.
    #[must_use]
    pub fn dimensions(&self) -> usize {
        self.components.len()
    }

    /// The cosine of two vectors; `None` if their dimensions differ, as after a change of model.
    #[must_use]
    pub fn cosine(&self, other: &Self) -> Option<f32> {
        (self.dimensions() == other.dimensions()).then(|| {
            dot(&self.components, &other.components) as f32 * self.inverse_length * other.inverse_length
        })
    }

    /// Bytes on the heap.
    #[must_use]
    pub fn bytes(&self) -> usize {
        self.components.len()
    }
}

/// The dot product. Written so that the compiler turns it into vector instructions of the baseline target: partial sums
/// per lane, in 32 bits, which 4,096 products of 127² fit into.
fn dot(a: &[i8], b: &[i8]) -> i32 {
    const LANES: usize = 32;
    let (chunks_a, chunks_b) = (a.chunks_exact(LANES), b.chunks_exact(LANES));
    let (rest_a, rest_b) = (chunks_a.remainder(), chunks_b.remainder());
    let mut sums = [0i32; LANES / 2];
    for (x, y) in chunks_a.zip(chunks_b) {
        for lane in 0..LANES / 2 {
            // Pairs, because that is what one multiply-add instruction takes.
            sums[lane] += i32::from(i16::from(x[2 * lane]) * i16::from(y[2 * lane]))
                + i32::from(i16::from(x[2 * lane + 1]) * i16::from(y[2 * lane + 1]));
        }
    }
    let rest: i32 = rest_a.iter().zip(rest_b).map(|(&x, &y)| i32::from(x) * i32::from(y)).sum();
    sums.iter().sum::<i32>() + rest
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn bad_vectors_are_told_apart() {
        assert_eq!(Vector::try_new(&[]), Err(BadVector::Dimensions(0)));
        assert_eq!(Vector::try_new(&[0.0; 5000]), Err(BadVector::Dimensions(5000)));
        assert_eq!(Vector::try_new(&[1.0, f32::NAN]), Err(BadVector::NotFinite));
        assert_eq!(Vector::try_new(&[1.0, f32::INFINITY]), Err(BadVector::NotFinite));
        assert_eq!(Vector::try_new(&[0.0; 384]), Err(BadVector::Zero));
        assert_eq!(Vector::try_new(&[1e-45; 384]), Err(BadVector::Zero));
    }

    #[test]
    fn a_changed_dimension_has_no_cosine() {
        let (short, long) = (Vector::try_new(&[1.0; 3]).unwrap(), Vector::try_new(&[1.0; 4]).unwrap());
        assert_eq!(short.cosine(&long), None);
    }

    proptest! {
        #[test]
        fn rounding_moves_the_cosine_by_little(seed in any::<u64>()) {
            let mut rng = fastrand::Rng::with_seed(seed);
            let a: Vec<f32> = (0..384).map(|_| rng.f32() - 0.5).collect();
            let b: Vec<f32> = a.iter().map(|x| x + 0.4 * (rng.f32() - 0.5)).collect();
            let exact = |x: &[f32], y: &[f32]| x.iter().zip(y).map(|(x, y)| x * y).sum::<f32>();
            let cosine = exact(&a, &b) / (exact(&a, &a) * exact(&b, &b)).sqrt();
            let rounded = Vector::try_new(&a).unwrap().cosine(&Vector::try_new(&b).unwrap()).unwrap();
            prop_assert!((cosine - rounded).abs() < 0.005, "{cosine} {rounded}");
        }

        #[test]
        fn every_length_is_summed_whole(values in proptest::collection::vec(any::<i8>(), 1..200)) {
            let plain: i32 = values.iter().map(|&x| i32::from(x) * i32::from(x)).sum();
            prop_assert_eq!(dot(&values, &values), plain);
        }
    }
}
