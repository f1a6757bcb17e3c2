//! Fitting the volatility model. The same questions in the same order give the same bytes.

use super::artifact::{Artifact, Head};
use super::dataset::{Changes, Question};
use super::features::{self, BUCKETS};
use super::{DAY, HEADS, NEVER, WEEK};
use crate::learned::calibrate::Curve;
use crate::learned::features::{Collected, HALF, norm, structure};
use crate::learned::gate::background::Background;
use crate::learned::gate::{Form, Gate, Sample};
use crate::learned::ridge::{self, Matrix};
use crate::learned::train::{Options, TrainError, quantise};
use crate::shuffle;
use crate::weights::{Provenance, fnv1a, fnv1a_from};

/// Held-out recall at which the flag is set. 95 % is wanted on new questions; the rest is room for the luck of a sample of a
/// few hundred.
pub const FLAG_RECALL: f64 = 0.96;

/// Parts for the held-out scores.
const INNER_FOLDS: usize = 5;

/// Fits a model. Only the name and the note of `options` are used beside the seed.
///
/// # Errors
/// If there are fewer questions than inner folds.
pub fn fit(questions: &[Question], options: &Options) -> Result<Artifact, TrainError> {
    if questions.len() < INNER_FOLDS {
        return Err(TrainError::TooFew { rows: questions.len() });
    }
    let corpus = Corpus::new(questions);
    let order = shuffle::permutation(questions.len(), options.seed);
    let folds = shuffle::folds(&order, INNER_FOLDS);
    let fits: [Fit; HEADS] = std::array::from_fn(|head| corpus.fit_head(head, &order, &folds));
    let flag_from = flag_threshold(&fits[WEEK].held_out);
    let words = (0..BUCKETS).map(|bucket| std::array::from_fn(|at| fits[at].words[bucket])).collect();
    let gate = Gate::fit(&corpus.samples, &order, &Background::shipped());
    Ok(Artifact {
        provenance: provenance(questions, options),
        words,
        heads: fits.map(|fit| fit.head),
        flag_from,
        gate,
    })
}

struct Corpus {
    matrix: Matrix,
    samples: Vec<Sample>,
    changes: Vec<Changes>,
}

struct Fit {
    words: Vec<i8>,
    head: Head,
    /// Raw score and truth of each question, scored by a head that has not seen it.
    held_out: Vec<(f64, f64)>,
}

impl Corpus {
    fn new(questions: &[Question]) -> Self {
        let mut corpus = Self {
            matrix: Matrix::new(BUCKETS),
            samples: Vec::with_capacity(questions.len()),
            changes: questions.iter().map(|question| question.changes).collect(),
        };
        for question in questions {
            let mut collected = Collected::default();
            let (shape, _) = features::visit(&question.question, &mut collected);
            let norm = norm(collected.grams.iter().map(|gram| gram.1 * gram.1).sum());
            let unit = |(bucket, halves): (usize, i32)| (bucket, halves as f32 * HALF / norm);
            corpus.matrix.push(collected.grams.into_iter().map(unit), structure(&shape));
            corpus.samples.push(Sample { words: collected.words, form: Form::of(&shape) });
        }
        corpus
    }

    fn truth(&self, head: usize, row: usize) -> f64 {
        let changes = self.changes[row];
        f64::from(u8::from(match head {
            DAY => changes <= Changes::ADay,
            NEVER => changes == Changes::Never,
            _ => changes <= Changes::AWeek,
        }))
    }

    fn fit_head(&self, head: usize, order: &[usize], folds: &[Vec<usize>]) -> Fit {
        let solve =
            |rows: &[usize]| ridge::solve(&self.matrix, rows, PENALTY, |row| (self.truth(head, row), 1.0));
        let mut held_out = Vec::with_capacity(order.len());
        for (at, fold) in folds.iter().enumerate() {
            let rest: Vec<usize> = shuffle::all_but(folds, at);
            let fitted = solve(&rest);
            held_out
                .extend(fold.iter().map(|&row| (self.matrix.predict(row, &fitted), self.truth(head, row))));
        }
        let fitted = solve(order);
        let (scale, words) = quantise(&fitted.sparse);
        let probability = Curve::isotonic(&held_out);
        Fit { words, head: Head { bias: fitted.bias, scale, structure: fitted.dense, probability }, held_out }
    }
}

/// λ: 3,600 short questions; AUC is flat between 0.3 and 1.
const PENALTY: f64 = 0.7;

/// The score that [`FLAG_RECALL`] of the held-out short-lived questions reach.
fn flag_threshold(held_out: &[(f64, f64)]) -> f32 {
    let mut scores: Vec<f64> = held_out.iter().filter(|pair| pair.1 > 0.5).map(|pair| pair.0).collect();
    scores.sort_by(f64::total_cmp);
    let missed = ((1.0 - FLAG_RECALL) * scores.len() as f64) as usize;
    // Without one short-lived question nothing is flagged.
    scores.get(missed).map_or(f32::MAX, |&score| score as f32)
}

fn provenance(questions: &[Question], options: &Options) -> Provenance {
    let digest = questions.iter().fold(fnv1a(b""), |hash, question| {
        fnv1a_from(fnv1a_from(hash, question.question.as_bytes()), &[question.changes as u8])
    });
    Provenance {
        name: options.name.clone(),
        rows: questions.len(),
        assumed: 0,
        data: format!("{digest:016x}"),
        note: options.note.clone(),
    }
}
