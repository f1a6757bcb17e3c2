//! Routing quality of the complexity score.

use serde::Serialize;
use thiserror::Error;

use super::curve::{Curve, Pair, THRESHOLDS};
use crate::dataset::Row;
use crate::learned::LearnedScorer;
use crate::learned::train::{Corpus, Options as TrainOptions, TrainError};
use crate::shuffle;
use crate::weights::ArtifactError;
use router_core::score::Prompt;

/// Points of a curve that is drawn.
const PLOT_POINTS: usize = 101;

/// A complexity above this is routed to the strong model when `gated_accuracy` is computed: the default hybrid band.
const STRONG_ABOVE: f32 = 0.4;

/// Bins of the prediction for the calibration error.
const CALIBRATION_BINS: usize = 10;

/// Which rows train and which are scored.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Split {
    /// The shipped weights as they are, or those trained on the separate training rows, score every row.
    Whole,
    /// Cross-validation in this many parts, shuffled with seed 0; figures over the pooled held-out scores.
    Folds(usize),
    /// For each seed from 0: train on `labels` random rows, score the rest; figures are means.
    Labels {
        /// Training rows.
        labels: usize,
        /// Repetitions.
        seeds: u64,
    },
}

/// The figures, with the names they are published under. Shares and accuracies are 0..=1; undefined is `null`.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Report {
    /// Rows in the data.
    pub n: usize,
    /// Mean score of the weak model.
    pub weak_accuracy: f64,
    /// Mean score of the strong model.
    pub strong_accuracy: f64,
    /// Area under quality recovered against share of strong calls.
    pub apgr: Option<f64>,
    /// Its standard deviation over the seeds; only with [`Split::Labels`].
    #[serde(skip_serializing_if = "Option::is_none")]
    pub apgr_sd: Option<f64>,
    /// Share of strong calls that recovers half of the gain.
    pub cpt50: Option<f64>,
    /// Share of strong calls that recovers 80 % of the gain.
    pub cpt80: Option<f64>,
    /// APGR of the ranking by true gain.
    pub oracle_apgr: Option<f64>,
    /// APGR of the ranking by prompt length.
    pub length_apgr: Option<f64>,
    /// Mean |predicted − observed gain| over ten equally filled bins of the prediction.
    pub calibration_error: Option<f64>,
    /// Share of prompts that the gate sends to the strong model.
    pub gated_share: Option<f64>,
    /// Mean score of the routed set: gated prompts strong, the others strong above complexity 0.4.
    pub gated_accuracy: Option<f64>,
}

/// Curves for a plot, at 101 shares of strong calls.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Curves {
    /// Of the score.
    pub scorer: Option<Curve>,
    /// Of the prompt's length.
    pub length: Option<Curve>,
    /// Of the true gain.
    pub oracle: Option<Curve>,
}

/// Why an evaluation cannot be run.
#[derive(Debug, Error, PartialEq)]
pub enum EvaluateError {
    /// More parts than rows, or fewer than two parts.
    #[error("{rows} rows cannot be split into {folds} folds: 2 to {rows} are possible")]
    Folds {
        /// Rows in the data.
        rows: usize,
        /// Parts asked for.
        folds: usize,
    },
    /// No rows would be left to test on, or no seed asked for.
    #[error(
        "{labels} labels and {seeds} seeds do not suit {rows} rows: fewer labels than rows and at least 1 seed are needed"
    )]
    Labels {
        /// Rows in the data.
        rows: usize,
        /// Training rows asked for.
        labels: usize,
        /// Seeds asked for.
        seeds: u64,
    },
    /// The model could not be fitted.
    #[error(transparent)]
    Train(#[from] TrainError),
    /// The shipped weights cannot be read.
    #[error(transparent)]
    Shipped(#[from] ArtifactError),
}

/// Evaluates on `data`; `train` holds separate training rows for [`Split::Whole`]. `progress` is told (fits done, fits in all).
///
/// # Errors
/// If the data does not suit the split or no model can be fitted.
pub fn run(
    data: &[Row],
    train: Option<&[Row]>,
    split: Split,
    progress: &mut dyn FnMut(usize, usize),
) -> Result<(Report, Curves), EvaluateError> {
    match split {
        Split::Whole => whole(data, train, progress),
        Split::Folds(folds) => cross_validated(data, folds, progress),
        Split::Labels { labels, seeds } => few_labels(data, labels, seeds, progress),
    }
}

/// Evaluates one scorer on every row.
#[must_use]
pub fn score_all(scorer: &LearnedScorer, data: &[Row]) -> (Report, Curves) {
    let judged: Vec<Judged> = data.iter().map(|row| Judged::by(scorer, row)).collect();
    summary(data.len(), &judged)
}

fn whole(
    data: &[Row],
    train: Option<&[Row]>,
    progress: &mut dyn FnMut(usize, usize),
) -> Result<(Report, Curves), EvaluateError> {
    let scorer = match train {
        Some(rows) => {
            progress(0, 1);
            let artifact = crate::learned::train::fit(rows, &TrainOptions::default())?;
            progress(1, 1);
            LearnedScorer::new(artifact)
        }
        None => LearnedScorer::shipped()?,
    };
    Ok(score_all(&scorer, data))
}

fn cross_validated(
    data: &[Row],
    folds: usize,
    progress: &mut dyn FnMut(usize, usize),
) -> Result<(Report, Curves), EvaluateError> {
    if folds < 2 || folds > data.len() {
        return Err(EvaluateError::Folds { rows: data.len(), folds });
    }
    let corpus = Corpus::new(data);
    let parts = shuffle::folds(&shuffle::permutation(data.len(), 0), folds);
    let mut judged = Vec::with_capacity(data.len());
    for (at, part) in parts.iter().enumerate() {
        progress(at, folds);
        let scorer = LearnedScorer::new(corpus.fit(&without(data.len(), part), &TrainOptions::default())?);
        judged.extend(part.iter().map(|&row| Judged::by(&scorer, &data[row])));
    }
    progress(folds, folds);
    Ok(summary(data.len(), &judged))
}

fn few_labels(
    data: &[Row],
    labels: usize,
    seeds: u64,
    progress: &mut dyn FnMut(usize, usize),
) -> Result<(Report, Curves), EvaluateError> {
    if labels >= data.len() || seeds == 0 {
        return Err(EvaluateError::Labels { rows: data.len(), labels, seeds });
    }
    let corpus = Corpus::new(data);
    let mut runs = Vec::new();
    for seed in 0..seeds {
        progress(seed as usize, seeds as usize);
        let order = shuffle::permutation(data.len(), seed);
        let (train, test) = order.split_at(labels);
        let scorer = LearnedScorer::new(corpus.fit(train, &TrainOptions::default())?);
        let judged: Vec<Judged> = test.iter().map(|&row| Judged::by(&scorer, &data[row])).collect();
        runs.push(summary(data.len(), &judged));
    }
    progress(seeds as usize, seeds as usize);
    Ok(mean(data.len(), &runs))
}

fn without(n: usize, part: &[usize]) -> Vec<usize> {
    let mut keep = vec![true; n];
    part.iter().for_each(|&row| keep[row] = false);
    (0..n).filter(|&row| keep[row]).collect()
}

/// One test row with what was said about it.
#[derive(Clone, Copy)]
struct Judged {
    pair: Pair,
    bytes: f64,
    complexity: f32,
    gain: f64,
    gated: bool,
}

impl Judged {
    fn by(scorer: &LearnedScorer, row: &Row) -> Self {
        let said = scorer.predict(&Prompt::of_question(&row.prompt));
        Self {
            pair: Pair {
                weak: row.weak_score.unwrap_or_default().into(),
                strong: row.strong_score.unwrap_or_default().into(),
            },
            bytes: row.prompt.len() as f64,
            complexity: said.complexity,
            gain: said.gain.into(),
            gated: !said.is_inside(),
        }
    }

    fn routed(&self) -> f64 {
        if self.gated || self.complexity > STRONG_ABOVE { self.pair.strong } else { self.pair.weak }
    }
}

fn summary(n: usize, judged: &[Judged]) -> (Report, Curves) {
    let pairs: Vec<Pair> = judged.iter().map(|row| row.pair).collect();
    let curve = |score: &dyn Fn(&Judged) -> f64, points| {
        Curve::of(&judged.iter().map(score).collect::<Vec<_>>(), &pairs, points)
    };
    let complexity = |row: &Judged| f64::from(row.complexity);
    let length = |row: &Judged| row.bytes;
    let oracle = |row: &Judged| row.pair.strong - row.pair.weak;
    let scored = curve(&complexity, THRESHOLDS);
    let report = Report {
        n,
        weak_accuracy: mean_of(judged, |row| row.pair.weak).unwrap_or(0.0),
        strong_accuracy: mean_of(judged, |row| row.pair.strong).unwrap_or(0.0),
        apgr: scored.as_ref().map(Curve::area),
        apgr_sd: None,
        cpt50: scored.as_ref().and_then(|curve| curve.share_for(0.5)),
        cpt80: scored.as_ref().and_then(|curve| curve.share_for(0.8)),
        oracle_apgr: curve(&oracle, THRESHOLDS).as_ref().map(Curve::area),
        length_apgr: curve(&length, THRESHOLDS).as_ref().map(Curve::area),
        calibration_error: calibration_error(judged),
        gated_share: mean_of(judged, |row| f64::from(u8::from(row.gated))),
        gated_accuracy: mean_of(judged, Judged::routed),
    };
    let curves = Curves {
        scorer: curve(&complexity, PLOT_POINTS),
        length: curve(&length, PLOT_POINTS),
        oracle: curve(&oracle, PLOT_POINTS),
    };
    (report, curves)
}

fn mean_of(judged: &[Judged], value: impl Fn(&Judged) -> f64) -> Option<f64> {
    if judged.is_empty() { None } else { Some(judged.iter().map(value).sum::<f64>() / judged.len() as f64) }
}

fn calibration_error(judged: &[Judged]) -> Option<f64> {
    if judged.is_empty() {
        return None;
    }
    let mut sorted = judged.to_vec();
    sorted.sort_by(|a, b| a.gain.total_cmp(&b.gain));
    let bins = CALIBRATION_BINS.min(sorted.len());
    let error = |bin: usize| {
        let rows = &sorted[bin * sorted.len() / bins..(bin + 1) * sorted.len() / bins];
        (mean_of(rows, |row| row.gain - (row.pair.strong - row.pair.weak))).unwrap_or(0.0).abs()
    };
    Some((0..bins).map(error).sum::<f64>() / bins as f64)
}

/// The mean of each figure; undefined if it was undefined in any run.
fn mean(n: usize, runs: &[(Report, Curves)]) -> (Report, Curves) {
    let over = |figure: &dyn Fn(&Report) -> Option<f64>| {
        let figures: Option<Vec<f64>> = runs.iter().map(|(report, _)| figure(report)).collect();
        figures.filter(|figures| !figures.is_empty()).map(|figures| average(&figures))
    };
    let apgrs: Option<Vec<f64>> = runs.iter().map(|(report, _)| report.apgr).collect();
    let report = Report {
        n,
        weak_accuracy: over(&|report| Some(report.weak_accuracy)).unwrap_or(0.0),
        strong_accuracy: over(&|report| Some(report.strong_accuracy)).unwrap_or(0.0),
        apgr: over(&|report| report.apgr),
        apgr_sd: apgrs.map(|apgrs| deviation(&apgrs)),
        cpt50: over(&|report| report.cpt50),
        cpt80: over(&|report| report.cpt80),
        oracle_apgr: over(&|report| report.oracle_apgr),
        length_apgr: over(&|report| report.length_apgr),
        calibration_error: over(&|report| report.calibration_error),
        gated_share: over(&|report| report.gated_share),
        gated_accuracy: over(&|report| report.gated_accuracy),
    };
    let mean_curve = |pick: fn(&Curves) -> &Option<Curve>| {
        let curves: Option<Vec<Curve>> = runs.iter().map(|(_, curves)| pick(curves).clone()).collect();
        curves.and_then(|curves| Curve::mean(&curves))
    };
    let curves = Curves {
        scorer: mean_curve(|curves| &curves.scorer),
        length: mean_curve(|curves| &curves.length),
        oracle: mean_curve(|curves| &curves.oracle),
    };
    (report, curves)
}

fn average(values: &[f64]) -> f64 {
    values.iter().sum::<f64>() / values.len().max(1) as f64
}

/// Over the population of seeds that were run.
fn deviation(values: &[f64]) -> f64 {
    let mean = average(values);
    average(&values.iter().map(|value| (value - mean).powi(2)).collect::<Vec<_>>()).sqrt()
}

#[cfg(test)]
mod tests;
