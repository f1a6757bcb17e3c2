//! Ridge regression over sparse rows, by conjugate gradients. Deterministic: one thread, fixed order.

use super::features::STRUCTURE;

/// Sparse rows with a few dense columns.
#[derive(Clone, Debug)]
pub(crate) struct Matrix {
    width: usize,
    starts: Vec<usize>,
    buckets: Vec<u32>,
    values: Vec<f32>,
    dense: Vec<[f32; STRUCTURE]>,
}

impl Matrix {
    /// No rows yet, of `width` sparse columns.
    pub(crate) fn new(width: usize) -> Self {
        Self { width, starts: vec![0], buckets: Vec::new(), values: Vec::new(), dense: Vec::new() }
    }

    /// Adds a row.
    pub(crate) fn push(&mut self, sparse: impl Iterator<Item = (usize, f32)>, dense: [f32; STRUCTURE]) {
        for (bucket, value) in sparse {
            self.buckets.push(bucket as u32);
            self.values.push(value);
        }
        self.starts.push(self.buckets.len());
        self.dense.push(dense);
    }

    fn row(&self, row: usize) -> impl Iterator<Item = (usize, f32)> {
        let range = self.starts[row]..self.starts[row + 1];
        self.buckets[range.clone()]
            .iter()
            .map(|&bucket| bucket as usize)
            .zip(self.values[range].iter().copied())
    }

    /// Multiplies each row by a factor.
    fn weigh(&mut self, factor: impl Fn(usize) -> f32) {
        for row in 0..self.dense.len() {
            let factor = factor(row);
            self.values[self.starts[row]..self.starts[row + 1]].iter_mut().for_each(|value| *value *= factor);
            self.dense[row].iter_mut().for_each(|value| *value *= factor);
        }
    }

    /// What `head` says of a row.
    pub(crate) fn predict(&self, row: usize, head: &Head) -> f64 {
        let sparse: f32 = self.row(row).map(|(bucket, value)| value * head.sparse[bucket]).sum();
        let dense: f32 = self.dense[row].iter().zip(&head.dense).map(|(value, weight)| value * weight).sum();
        f64::from(head.bias + sparse + dense)
    }
}

/// A fitted linear function of the features as they come.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Head {
    pub(crate) bias: f32,
    pub(crate) sparse: Vec<f32>,
    pub(crate) dense: [f32; STRUCTURE],
}

impl Head {
    /// `self − other`, term by term.
    pub(crate) fn minus(mut self, other: &Self) -> Self {
        self.bias -= other.bias;
        self.sparse.iter_mut().zip(&other.sparse).for_each(|(mine, other)| *mine -= other);
        self.dense.iter_mut().zip(&other.dense).for_each(|(mine, other)| *mine -= other);
        self
    }
}

/// Rare words deserve more freedom than common ones: columns are scaled by (1 + ln(n / df))^0.8, worth 0.004 of APGR.
const RARITY_POWER: f32 = 0.8;

/// Standardised structure columns enter at this scale: beside rows of unit length they are strongly shrunk, so that length
/// is used as far as it helps and cannot drown the words.
const DENSE_SCALE: f32 = 0.03;

/// Added to the deviation of a structure column, so that a column that hardly varies is not blown up.
const DENSE_FLOOR: f32 = 0.05;

/// Ends the iteration: the residual relative to the target.
const TOLERANCE: f64 = 1e-4;

/// Iterations at most. 15-40 are usual.
const ITERATIONS: usize = 200;

/// Minimises Σ weight · (target − head(row))² + λ‖w‖² over `rows` of `matrix`, in the scaled columns; the bias is the mean
/// target. `label` gives a row's target and weight.
pub(crate) fn solve(
    matrix: &Matrix,
    rows: &[usize],
    penalty: f64,
    label: impl Fn(usize) -> (f64, f64),
) -> Head {
    let sums =
        rows.iter().map(|&row| label(row)).fold((0.0, 0.0), |sums, (y, w)| (sums.0 + y * w, sums.1 + w));
    let mean = sums.0 / f64::max(sums.1, 1e-9);
    let wanted: Vec<f64> =
        rows.iter().map(|&row| label(row)).map(|(y, weight)| (y - mean) * weight.sqrt()).collect();
    let mut scaled = Scaled::of(matrix, rows);
    scaled.matrix.weigh(|at| label(rows[at]).1.sqrt() as f32);
    let dual = scaled.conjugate_gradients(&wanted, penalty);
    scaled.into_head(&dual, mean)
}

/// The chosen rows with their columns scaled.
struct Scaled {
    matrix: Matrix,
    columns: Vec<f32>,
    mean: [f32; STRUCTURE],
    scale: [f32; STRUCTURE],
}

impl Scaled {
    fn of(matrix: &Matrix, rows: &[usize]) -> Self {
        let columns = column_scales(matrix, rows);
        let (mean, scale) = dense_scales(matrix, rows);
        let mut scaled = Matrix::new(matrix.width);
        for &row in rows {
            let mut dense = matrix.dense[row];
            for (at, value) in dense.iter_mut().enumerate() {
                *value = (*value - mean[at]) * scale[at];
            }
            scaled.push(matrix.row(row).map(|(bucket, value)| (bucket, value * columns[bucket])), dense);
        }
        Self { matrix: scaled, columns, mean, scale }
    }

    /// Solves (X·Xᵀ + λ) a = y; the weights are then Xᵀ·a.
    fn conjugate_gradients(&self, wanted: &[f64], penalty: f64) -> Vec<f64> {
        let mut solution = vec![0.0; wanted.len()];
        let mut residual = wanted.to_vec();
        let mut direction = residual.clone();
        let mut norm = dot(&residual, &residual);
        let enough = norm * TOLERANCE * TOLERANCE;
        for _ in 0..ITERATIONS {
            if norm <= enough || norm == 0.0 {
                break;
            }
            let image = self.apply(&direction, penalty);
            let step = norm / dot(&direction, &image);
            for at in 0..wanted.len() {
                solution[at] += step * direction[at];
                residual[at] -= step * image[at];
            }
            let next = dot(&residual, &residual);
            for (direction, residual) in direction.iter_mut().zip(&residual) {
                *direction = residual + next / norm * *direction;
            }
            norm = next;
        }
        solution
    }

    fn apply(&self, dual: &[f64], penalty: f64) -> Vec<f64> {
        let weights = self.weights(dual);
        (0..dual.len()).map(|row| self.matrix.predict(row, &weights) + penalty * dual[row]).collect()
    }

    /// Xᵀ·a.
    fn weights(&self, dual: &[f64]) -> Head {
        let mut head = Head { bias: 0.0, sparse: vec![0.0; self.matrix.width], dense: [0.0; STRUCTURE] };
        for (row, &share) in dual.iter().enumerate() {
            for (bucket, value) in self.matrix.row(row) {
                head.sparse[bucket] += value * share as f32;
            }
            for (weight, value) in head.dense.iter_mut().zip(&self.matrix.dense[row]) {
                *weight += value * share as f32;
            }
        }
        head
    }

    /// Undoes the scaling, so that the head works on raw features.
    fn into_head(self, dual: &[f64], mean: f64) -> Head {
        let mut head = self.weights(dual);
        head.sparse.iter_mut().zip(&self.columns).for_each(|(weight, scale)| *weight *= scale);
        let mut bias = mean as f32;
        for at in 0..STRUCTURE {
            head.dense[at] *= self.scale[at];
            bias -= head.dense[at] * self.mean[at];
        }
        Head { bias, ..head }
    }
}

fn column_scales(matrix: &Matrix, rows: &[usize]) -> Vec<f32> {
    let mut scales = vec![0.0f32; matrix.width];
    for &row in rows {
        matrix.row(row).for_each(|(bucket, _)| scales[bucket] += 1.0);
    }
    let n = rows.len() as f32;
    for scale in &mut scales {
        *scale = (1.0 + ((n + 1.0) / (*scale + 1.0)).ln()).powf(RARITY_POWER);
    }
    let norm =
        |row: usize| matrix.row(row).map(|(bucket, value)| (value * scales[bucket]).powi(2)).sum::<f32>();
    let total: f64 = rows.iter().map(|&row| f64::from(norm(row))).sum();
    let size = (total / f64::from(n.max(1.0))).sqrt().max(1e-9) as f32;
    scales.iter_mut().for_each(|scale| *scale /= size);
    scales
}

fn dense_scales(matrix: &Matrix, rows: &[usize]) -> ([f32; STRUCTURE], [f32; STRUCTURE]) {
    let (mean, deviation) = moments(rows.iter().map(|&row| &matrix.dense[row]));
    (mean, deviation.map(|deviation| DENSE_SCALE / (deviation + DENSE_FLOOR)))
}

/// Mean and standard deviation of each column.
pub(crate) fn moments<'a>(
    rows: impl Iterator<Item = &'a [f32; STRUCTURE]> + Clone,
) -> ([f32; STRUCTURE], [f32; STRUCTURE]) {
    let n = rows.clone().count().max(1) as f64;
    let mut sums = [(0.0f64, 0.0f64); STRUCTURE];
    for row in rows {
        for (sum, &value) in sums.iter_mut().zip(row) {
            sum.0 += f64::from(value);
            sum.1 += f64::from(value) * f64::from(value);
        }
    }
    let mean = sums.map(|sum| sum.0 / n);
    let mut deviation = [0.0; STRUCTURE];
    for at in 0..STRUCTURE {
        deviation[at] = (sums[at].1 / n - mean[at] * mean[at]).max(0.0).sqrt() as f32;
    }
    (mean.map(|mean| mean as f32), deviation)
}

fn dot(a: &[f64], b: &[f64]) -> f64 {
    a.iter().zip(b).map(|(a, b)| a * b).sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Rows with a word that always helps, a word that always hurts and one that says nothing.
    fn example() -> (Matrix, Vec<f64>) {
        let mut matrix = Matrix::new(64);
        let mut target = Vec::new();
        for i in 0..400usize {
            let helpful = i % 2;
            matrix.push([(helpful, 0.7), (10 + i % 7, 0.7)].into_iter(), [0.0; STRUCTURE]);
            target.push(if helpful == 1 { 1.0 } else { 0.0 });
        }
        (matrix, target)
    }

    #[test]
    fn finds_the_words_that_matter() {
        let (matrix, target) = example();
        let rows: Vec<_> = (0..matrix.dense.len()).collect();
        let head = solve(&matrix, &rows, 6.0, |row| (target[row], 1.0));
        assert!((head.bias - 0.5).abs() < 1e-6);
        assert!(matrix.predict(1, &head) > 0.8 && matrix.predict(0, &head) < 0.2);
        assert!(head.sparse[10..17].iter().all(|weight| weight.abs() < 0.1));
        assert!(head.sparse[17..].iter().all(|weight| *weight == 0.0));
    }

    #[test]
    fn the_solution_satisfies_the_normal_equations() {
        let (matrix, target) = example();
        let rows: Vec<_> = (0..matrix.dense.len()).collect();
        let scaled = Scaled::of(&matrix, &rows);
        let wanted: Vec<_> = target.iter().map(|target| target - 0.5).collect();
        let dual = scaled.conjugate_gradients(&wanted, 6.0);
        let image = scaled.apply(&dual, 6.0);
        let error = image.iter().zip(&wanted).map(|(a, b)| (a - b).powi(2)).sum::<f64>().sqrt();
        assert!(error < 1e-3 * dot(&wanted, &wanted).sqrt(), "{error}");
    }

    #[test]
    fn a_constant_target_needs_no_words() {
        let (matrix, _) = example();
        let rows: Vec<_> = (0..matrix.dense.len()).collect();
        let head = solve(&matrix, &rows, 6.0, |_| (0.25, 1.0));
        assert_eq!(head.bias, 0.25);
        assert!(head.sparse.iter().all(|weight| *weight == 0.0));
    }
}
