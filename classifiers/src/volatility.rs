//! How soon the answer to a question changes, and so how long it may be kept.
//!
//! Three linear heads over hashed words, pairs and cue classes tell how likely the answer changes within a day, within a week,
//! or never. The threshold for "within a week" is set for recall: a stale answer costs more than a second call. Cue words
//! alone find too little at too high a price; the model alone does not know questions unlike its training data. So the cues
//! are features of the model, and outside its domain they decide together with a finite default.

pub mod artifact;
mod cues;
pub mod dataset;
mod features;
pub mod train;

use std::fmt;
use std::time::Duration;

use crate::learned::features::{HALF, Visit, norm};
use crate::learned::gate::{Form, Reading};
use crate::text::{self, Word};
use crate::weights::ArtifactError;
use artifact::Artifact;

/// The shipped weights. Provenance, licence and the training command: `classifiers/weights/README.md`.
static SHIPPED: &[u8] = include_bytes!("../weights/volatility-v1.bin");

/// How soon an answer changes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Volatility {
    /// Within hours or a day.
    Day,
    /// Within a week.
    Week,
    /// Within months or years.
    Year,
    /// Never.
    Never,
    /// Unlike anything the model knows, and without a cue.
    Unsure,
}

impl Volatility {
    /// How long an answer may be kept, before jitter: one minute, ten minutes, six hours, seven days, and one hour in doubt.
    #[must_use]
    pub const fn ttl(self) -> Duration {
        Duration::from_secs(match self {
            Self::Day => 60,
            Self::Week => 10 * 60,
            Self::Year => 6 * 3600,
            Self::Never => 7 * 24 * 3600,
            Self::Unsure => 3600,
        })
    }

    /// Stable name: `day`, `week`, `year`, `never`, `unsure`.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Day => "day",
            Self::Week => "week",
            Self::Year => "year",
            Self::Never => "never",
            Self::Unsure => "unsure",
        }
    }

    /// Whether the answer is expected to change within a week.
    #[must_use]
    pub const fn is_short_lived(self) -> bool {
        matches!(self, Self::Day | Self::Week)
    }
}

/// What is said about one question.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Judgement {
    /// The class, which decides how long to keep the answer.
    pub volatility: Volatility,
    /// Probability that the answer changes within a day, 0..=1; calibrated inside the domain, as the next two.
    pub within_day: f32,
    /// Probability that it changes within a week.
    pub within_week: f32,
    /// Probability that it never changes.
    pub never: f32,
    /// How unlike the training questions this one is: above 1 is outside.
    pub unfamiliarity: f32,
    pub(crate) raw_week: f32,
}

/// From this probability on a short-lived answer is kept for a minute rather than ten: the error costs nine minutes of
/// staleness one way and a few calls the other.
const DAY_FROM: f32 = 0.35;

/// From this probability on an answer is kept for days. High, because a wrong "never" is stale for a week.
const NEVER_FROM: f32 = 0.7;

/// From this unfamiliarity on the model's suspicion means nothing either; between 1 and this it still counts, for caution.
const FAR: f32 = 4.0;

/// Judges questions. Pure, bounded time, no allocation.
#[derive(Clone)]
pub struct VolatilityScorer {
    artifact: Artifact,
}

impl VolatilityScorer {
    /// Over a loaded artefact.
    #[must_use]
    pub fn new(artifact: Artifact) -> Self {
        Self { artifact }
    }

    /// Over the weights that come with this crate.
    ///
    /// # Errors
    /// Only if the crate was built with a damaged weight file.
    pub fn shipped() -> Result<Self, ArtifactError> {
        Artifact::load(SHIPPED).map(Self::new)
    }

    /// Judges the last user turn of a request.
    #[must_use]
    pub fn judge(&self, question: &str) -> Judgement {
        let mut pass = self.pass();
        let shape = text::read(question, |word| pass.push(word));
        pass.conclude(&Form::of(&shape))
    }

    /// Judges a question that somebody else reads.
    pub(crate) fn pass(&self) -> Pass<'_> {
        let sums =
            Sums { artifact: &self.artifact, heads: [0; HEADS], square: 0, reading: Reading::default() };
        Pass(features::Grams::new(sums))
    }
}

/// One question on its way past.
pub(crate) struct Pass<'a>(features::Grams<Sums<'a>>);

impl Pass<'_> {
    /// The next word.
    #[inline]
    pub(crate) fn push(&mut self, word: Word) {
        self.0.push(word);
    }

    /// The judgement, once all words have passed; `form` is that of the whole text.
    pub(crate) fn conclude(&self, form: &Form) -> Judgement {
        let sums = &self.0.visitor;
        let artifact = sums.artifact;
        let norm = norm(sums.square);
        let raw: [f32; HEADS] = std::array::from_fn(|at| {
            let head = &artifact.heads[at];
            let structure: f32 =
                head.structure.iter().zip(&form.structure).map(|(weight, value)| weight * value).sum();
            head.bias + head.scale * sums.heads[at] as f32 * HALF / norm + structure
        });
        let unfamiliarity = artifact.gate.unfamiliarity(&sums.reading, form);
        artifact.interpret(raw, unfamiliarity, self.0.cues.is_now())
    }
}

impl fmt::Debug for VolatilityScorer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("VolatilityScorer")
            .field("name", &self.artifact.provenance().name)
            .finish_non_exhaustive()
    }
}

/// The questions asked of an answer.
pub(crate) const HEADS: usize = 3;
pub(crate) const DAY: usize = 0;
pub(crate) const WEEK: usize = 1;
pub(crate) const NEVER: usize = 2;

impl Artifact {
    fn interpret(&self, raw: [f32; HEADS], unfamiliarity: f32, now: bool) -> Judgement {
        let [within_day, within_week, never] =
            std::array::from_fn(|at| self.heads[at].probability.at(raw[at]));
        let flagged = raw[WEEK] >= self.flag_from && unfamiliarity <= FAR;
        let volatility = if flagged {
            if within_day >= DAY_FROM { Volatility::Day } else { Volatility::Week }
        } else if unfamiliarity > 1.0 {
            if now { Volatility::Week } else { Volatility::Unsure }
        } else if never >= NEVER_FROM {
            Volatility::Never
        } else {
            Volatility::Year
        };
        Judgement { volatility, within_day, within_week, never, unfamiliarity, raw_week: raw[WEEK] }
    }
}

struct Sums<'a> {
    artifact: &'a Artifact,
    heads: [i32; HEADS],
    square: i32,
    reading: Reading,
}

impl Visit for Sums<'_> {
    fn gram(&mut self, bucket: usize, halves: i32) {
        let weights = &self.artifact.words[bucket];
        for (sum, &weight) in self.heads.iter_mut().zip(weights) {
            *sum += halves * i32::from(weight);
        }
        self.square += halves * halves;
    }

    fn word(&mut self, bucket: usize) {
        self.artifact.gate.read(&mut self.reading, bucket);
    }
}

#[cfg(test)]
mod tests;
