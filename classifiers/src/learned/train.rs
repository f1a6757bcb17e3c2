//! Fitting a model to labelled prompts. The same rows in the same order give the same bytes.

use thiserror::Error;

use super::artifact::Artifact;
use super::calibrate::Curve;
use super::features::{self, BUCKETS, Collected, HALF, STRUCTURE, norm};
use super::gate::background::Background;
use super::gate::{Form, Gate, Sample};
use super::ridge::{self, Head, Matrix};
use crate::dataset::Row;
use crate::shuffle;
use crate::weights::{Provenance, fnv1a, fnv1a_from};

/// Parts for the held-out predictions that everything is calibrated on.
pub const INNER_FOLDS: usize = 4;

/// λ. Flat between 4 and 10 from 700 to 14,000 rows (5-fold APGR on MMLU, MMLU-Pro and MATH moves by less than 0.004).
const PENALTY: f64 = 6.0;

/// An assumed score stands for the mean of many answers, where an observed one is a single answer with all its luck.
const ASSUMED_WEIGHT: f64 = 8.0;

/// How to fit.
#[derive(Clone, Debug)]
pub struct Options {
    /// Name of the weights, shown in receipts.
    pub name: String,
    /// Sources and licences, kept in the file.
    pub note: String,
    /// Share of the traffic to serve that is simpler than any training row, 0..1. The complexity of a training row is its rank
    /// above that share. 0 where the rows are the traffic itself.
    pub simple_share: f32,
    /// Seed of the inner shuffle.
    pub seed: u64,
}

impl Default for Options {
    fn default() -> Self {
        Self { name: "complexity".into(), note: String::new(), simple_share: 0.0, seed: 0 }
    }
}

/// Why no model can be fitted.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
pub enum TrainError {
    /// Too little to learn from.
    #[error("{rows} rows are too few to train on: at least {INNER_FOLDS} are needed")]
    TooFew {
        /// Rows there are.
        rows: usize,
    },
    /// Outcomes of one model only: nothing to compare.
    #[error("no row tells how the {0} model did")]
    OneSided(&'static str),
}

/// Rows turned into features once, for any number of fits.
pub struct Corpus {
    matrix: Matrix,
    samples: Vec<Sample>,
    labels: Vec<Label>,
    background: Background,
}

#[derive(Clone, Copy)]
struct Label {
    weak: Option<f64>,
    strong: Option<f64>,
    assumed: bool,
    digest: u64,
}

impl Label {
    fn gain(&self) -> Option<f64> {
        Some(self.strong? - self.weak?)
    }
}

/// Fits a model to `rows`.
///
/// # Errors
/// If there are too few rows, or none for one of the models.
pub fn fit(rows: &[Row], options: &Options) -> Result<Artifact, TrainError> {
    let corpus = Corpus::new(rows);
    corpus.fit(&(0..rows.len()).collect::<Vec<_>>(), options)
}

impl Corpus {
    /// Computes the features of every row.
    #[must_use]
    pub fn new(rows: &[Row]) -> Self {
        let mut corpus = Self {
            matrix: Matrix::new(BUCKETS),
            samples: Vec::with_capacity(rows.len()),
            labels: rows.iter().map(label).collect(),
            background: Background::shipped(),
        };
        for row in rows {
            corpus.push(&row.prompt);
        }
        corpus
    }

    fn push(&mut self, prompt: &str) {
        let mut collected = Collected::default();
        let shape = features::visit(prompt, &mut collected);
        let structure = features::structure(&shape);
        let norm = norm(collected.grams.iter().map(|gram| gram.1 * gram.1).sum());
        let unit = |(bucket, halves): (usize, i32)| (bucket, halves as f32 * HALF / norm);
        self.matrix.push(collected.grams.into_iter().map(unit), structure);
        self.samples.push(Sample { words: collected.words, form: Form::of(&shape) });
    }

    /// Fits a model to some of the rows, given by index.
    ///
    /// # Errors
    /// If there are too few rows, or none for one of the models.
    pub fn fit(&self, rows: &[usize], options: &Options) -> Result<Artifact, TrainError> {
        if rows.len() < INNER_FOLDS {
            return Err(TrainError::TooFew { rows: rows.len() });
        }
        let order: Vec<usize> =
            shuffle::permutation(rows.len(), options.seed).into_iter().map(|at| rows[at]).collect();
        let folds = shuffle::folds(&order, INNER_FOLDS);
        let head = self.head(rows)?;
        let held_out = self.held_out(&folds)?;
        let gate = Gate::fit(&self.samples, &order, &self.background);
        Ok(self.assemble(rows, &head, &held_out, gate, options))
    }

    /// A linear head on the gain. Where rows know one side only, each model gets a head of its own, and the gain is their
    /// difference: less exact, but outcomes of served traffic are like that.
    fn head(&self, rows: &[usize]) -> Result<Head, TrainError> {
        let label = |row: usize| &self.labels[row];
        if rows.iter().all(|&row| label(row).gain().is_some()) {
            return Ok(self.solve(rows, |label| label.gain()));
        }
        let weak: Vec<usize> = rows.iter().copied().filter(|&row| label(row).weak.is_some()).collect();
        let strong: Vec<usize> = rows.iter().copied().filter(|&row| label(row).strong.is_some()).collect();
        if weak.is_empty() || strong.is_empty() {
            return Err(TrainError::OneSided(if weak.is_empty() { "weak" } else { "strong" }));
        }
        Ok(self.solve(&strong, |label| label.strong).minus(&self.solve(&weak, |label| label.weak)))
    }

    fn solve(&self, rows: &[usize], target: fn(&Label) -> Option<f64>) -> Head {
        let weight = |row: usize| if self.labels[row].assumed { ASSUMED_WEIGHT } else { 1.0 };
        ridge::solve(&self.matrix, rows, PENALTY, |row| {
            (target(&self.labels[row]).unwrap_or(0.0), weight(row))
        })
    }

    /// Each row with the raw score of a head that has not seen it.
    fn held_out(&self, folds: &[Vec<usize>]) -> Result<Vec<(usize, f64)>, TrainError> {
        let mut scores = Vec::new();
        for (at, fold) in folds.iter().enumerate() {
            let mut rest: Vec<usize> = shuffle::all_but(folds, at);
            rest.sort_unstable();
            let head = self.head(&rest)?;
            scores.extend(fold.iter().map(|&row| (row, self.matrix.predict(row, &head))));
        }
        Ok(scores)
    }

    fn assemble(
        &self,
        rows: &[usize],
        head: &Head,
        held_out: &[(usize, f64)],
        gate: Gate,
        options: &Options,
    ) -> Artifact {
        let observed: Vec<(f64, f64)> = held_out
            .iter()
            .filter(|(row, _)| !self.labels[*row].assumed)
            .filter_map(|&(row, score)| Some((score, self.labels[row].gain()?)))
            .collect();
        let share = |holds: fn(f64) -> bool| {
            let pairs: Vec<_> =
                observed.iter().map(|&(x, gain)| (x, f64::from(u8::from(holds(gain))))).collect();
            if pairs.is_empty() { Curve::constant(0.5) } else { Curve::binned(&pairs) }
        };
        let (scale, words) = quantise(&head.sparse);
        Artifact {
            provenance: self.provenance(rows, options),
            checksum: 0,
            bias: head.bias,
            scale,
            words,
            structure: head.dense,
            gain: gain_curve(&observed, held_out),
            rank: Curve::rank(&held_out.iter().map(|&(_, score)| score).collect::<Vec<_>>()),
            weak_holds: share(|gain| gain <= 0.0),
            strong_holds: share(|gain| gain >= 0.0),
            simple_share: options.simple_share.clamp(0.0, 0.99),
            gate,
        }
        .sealed()
    }

    fn provenance(&self, rows: &[usize], options: &Options) -> Provenance {
        let digest = rows
            .iter()
            .fold(fnv1a(b""), |hash, &row| fnv1a_from(hash, &self.labels[row].digest.to_le_bytes()));
        Provenance {
            name: options.name.clone(),
            rows: rows.len(),
            assumed: rows.iter().filter(|&&row| self.labels[row].assumed).count(),
            data: format!("{digest:016x}"),
            note: options.note.clone(),
        }
    }
}

/// Without one observed gain (outcomes that know one side each), the raw score is taken at its word.
fn gain_curve(observed: &[(f64, f64)], held_out: &[(usize, f64)]) -> Curve {
    if observed.is_empty() {
        let pairs: Vec<_> = held_out.iter().map(|&(_, score)| (score, score.clamp(-1.0, 1.0))).collect();
        return Curve::isotonic(&pairs);
    }
    Curve::isotonic(observed)
}

/// One byte a weight. Full scale is the largest weight but for one in 2,000, which is cut: rare words carry the extremes.
pub(crate) fn quantise(weights: &[f32]) -> (f32, Vec<i8>) {
    let mut sizes: Vec<f32> = weights.iter().map(|weight| weight.abs()).filter(|size| *size > 0.0).collect();
    sizes.sort_by(f32::total_cmp);
    let full = sizes.get(sizes.len().saturating_sub(1 + sizes.len() / 2000)).copied().unwrap_or(1.0);
    let scale = full / 127.0;
    (scale, weights.iter().map(|weight| (weight / scale).round().clamp(-127.0, 127.0) as i8).collect())
}

fn label(row: &Row) -> Label {
    let mut digest = fnv1a(row.id.as_bytes());
    digest = fnv1a_from(digest, row.prompt.as_bytes());
    for score in [row.weak_score, row.strong_score] {
        digest = fnv1a_from(digest, &score.unwrap_or(-1.0).to_le_bytes());
    }
    let (weak, strong) = (row.weak_score.map(f64::from), row.strong_score.map(f64::from));
    Label { weak, strong, assumed: row.assumed, digest }
}

const _: () = assert!(STRUCTURE <= 64 && features::FAMILIAR_BITS <= 16);

#[cfg(test)]
mod tests;
