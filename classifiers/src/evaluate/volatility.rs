//! How well short-lived answers are recognised.

use serde::Serialize;
use thiserror::Error;

use super::ranks::auc;
use crate::learned::train::{Options, TrainError};
use crate::volatility::VolatilityScorer;
use crate::volatility::dataset::{Changes, Question};
use crate::volatility::train;
use crate::weights::ArtifactError;

/// The figures for "changes within a week", with the names they are published under; undefined is `null`.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Report {
    /// Questions.
    pub n: usize,
    /// Area under the ROC curve of the score.
    pub auc: Option<f64>,
    /// Share of the short-lived questions that are recognised at the shipped setting.
    pub recall: Option<f64>,
    /// Share of all questions that are taken for short-lived.
    pub flagged: Option<f64>,
}

/// Why an evaluation cannot be run.
#[derive(Debug, Error, PartialEq)]
pub enum EvaluateError {
    /// The model could not be fitted.
    #[error(transparent)]
    Train(#[from] TrainError),
    /// The shipped weights cannot be read.
    #[error(transparent)]
    Shipped(#[from] ArtifactError),
}

/// Evaluates on `data` the shipped weights, or those fitted to `train`.
///
/// # Errors
/// If no model can be fitted.
pub fn run(data: &[Question], train: Option<&[Question]>) -> Result<Report, EvaluateError> {
    let scorer = match train {
        Some(questions) => VolatilityScorer::new(train::fit(questions, &Options::default())?),
        None => VolatilityScorer::shipped()?,
    };
    Ok(report(&scorer, data))
}

/// Evaluates one scorer.
#[must_use]
pub fn report(scorer: &VolatilityScorer, data: &[Question]) -> Report {
    let judged: Vec<(f32, bool, bool)> = data
        .iter()
        .map(|question| {
            let judgement = scorer.judge(&question.question);
            (judgement.raw_week, judgement.volatility.is_short_lived(), question.changes <= Changes::AWeek)
        })
        .collect();
    let truly = judged.iter().filter(|row| row.2).count();
    let found = judged.iter().filter(|row| row.1 && row.2).count();
    let flagged = judged.iter().filter(|row| row.1).count();
    let share = |part: usize, whole: usize| if whole == 0 { None } else { Some(part as f64 / whole as f64) };
    Report {
        n: data.len(),
        auc: auc(&judged.iter().map(|row| (row.0, row.2)).collect::<Vec<_>>()),
        recall: share(found, truly),
        flagged: share(flagged, data.len()),
    }
}
