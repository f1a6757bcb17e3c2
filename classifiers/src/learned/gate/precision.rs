//! Mahalanobis distance in the space of structure.

use crate::learned::features::STRUCTURE;

/// Added to each column's deviation: counts that never varied in training would otherwise judge alone.
const DEVIATION_FLOOR: f32 = 0.1;

/// Added to the diagonal of the correlation matrix, which keeps it well away from singular.
const RIDGE: f64 = 0.05;

/// A mean and the inverse of a covariance.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Precision {
    pub(crate) mean: [f32; STRUCTURE],
    pub(crate) scale: [f32; STRUCTURE],
    pub(crate) inverse: Vec<f32>,
}

impl Precision {
    /// Fits to rows with this mean and deviation.
    pub(super) fn fit(
        rows: &[[f32; STRUCTURE]],
        mean: [f32; STRUCTURE],
        deviation: [f32; STRUCTURE],
    ) -> Self {
        let scale = deviation.map(|deviation| 1.0 / (deviation + DEVIATION_FLOOR));
        let mut covariance = [[0.0f64; STRUCTURE]; STRUCTURE];
        for row in rows {
            let z: [f64; STRUCTURE] = std::array::from_fn(|i| f64::from((row[i] - mean[i]) * scale[i]));
            for (line, zi) in covariance.iter_mut().zip(z) {
                line.iter_mut().zip(z).for_each(|(sum, zj)| *sum += zi * zj);
            }
        }
        let n = rows.len().max(1) as f64;
        for (i, line) in covariance.iter_mut().enumerate() {
            line.iter_mut().for_each(|sum| *sum /= n);
            line[i] += RIDGE;
        }
        Self {
            mean,
            scale,
            inverse: invert(covariance).iter().flatten().map(|&value| value as f32).collect(),
        }
    }

    /// Root mean square of the whitened deviations: about 1 for a row like the others.
    pub(crate) fn distance(&self, row: &[f32; STRUCTURE]) -> f32 {
        let mut z = [0.0f32; STRUCTURE];
        for i in 0..STRUCTURE {
            z[i] = (row[i] - self.mean[i]) * self.scale[i];
        }
        let square: f32 = self
            .inverse
            .chunks_exact(STRUCTURE)
            .zip(&z)
            .map(|(line, zi)| zi * line.iter().zip(&z).map(|(a, b)| a * b).sum::<f32>())
            .sum();
        (square.max(0.0) / STRUCTURE as f32).sqrt()
    }
}

/// Gauss-Jordan elimination; the ridge on the diagonal makes pivoting unnecessary for a positive definite matrix.
fn invert(mut matrix: [[f64; STRUCTURE]; STRUCTURE]) -> [[f64; STRUCTURE]; STRUCTURE] {
    let mut inverse = [[0.0; STRUCTURE]; STRUCTURE];
    for (i, row) in inverse.iter_mut().enumerate() {
        row[i] = 1.0;
    }
    for pivot in 0..STRUCTURE {
        let factor = 1.0 / matrix[pivot][pivot].max(1e-12);
        matrix[pivot].iter_mut().chain(&mut inverse[pivot]).for_each(|value| *value *= factor);
        let (source, result) = (matrix[pivot], inverse[pivot]);
        for row in (0..STRUCTURE).filter(|&row| row != pivot) {
            let factor = matrix[row][pivot];
            for column in 0..STRUCTURE {
                matrix[row][column] -= factor * source[column];
                inverse[row][column] -= factor * result[column];
            }
        }
    }
    inverse
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_inverse_inverts() {
        let entry = |i: usize, j: usize| {
            if i == j { 2.0 } else { 1.0 / (1.0 + (i as f64 - j as f64).abs() * 3.0) }
        };
        let matrix: [[f64; STRUCTURE]; STRUCTURE] =
            std::array::from_fn(|i| std::array::from_fn(|j| entry(i, j)));
        let inverse = invert(matrix);
        for (i, line) in matrix.iter().enumerate() {
            for j in 0..STRUCTURE {
                let value: f64 = line.iter().zip(&inverse).map(|(a, column)| a * column[j]).sum();
                assert!((value - f64::from(u8::from(i == j))).abs() < 1e-9, "{i} {j} {value}");
            }
        }
    }

    #[test]
    fn the_mean_is_near_and_a_stranger_is_far() {
        let rows: Vec<[f32; STRUCTURE]> =
            (0..200).map(|i| std::array::from_fn(|k| ((i * (k + 3)) % 17) as f32)).collect();
        let (mean, deviation) = crate::learned::ridge::moments(rows.iter());
        let precision = Precision::fit(&rows, mean, deviation);
        assert!(precision.distance(&mean) < 1e-3);
        let typical = rows.iter().map(|row| precision.distance(row)).sum::<f32>() / 200.0;
        assert!((0.5..1.5).contains(&typical), "{typical}");
        assert!(precision.distance(&[60.0; STRUCTURE]) > 3.0 * typical);
    }
}
