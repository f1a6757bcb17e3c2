//! The learned scorer: what the strong model would gain on this prompt, and whether the training data can tell.
//!
//! A linear model over hashed words and structure ([`features`]) is regressed on the *gain* — the strong model's score minus
//! the weak one's — because that is what a route buys; "the weak model fails" is another question, and trains a worse router.
//! The raw prediction is calibrated three ways on held-out rows: to the expected gain, to a rank (the complexity), and to how
//! often the cheaper or the dearer choice is as good as the other (the confidence). A [`gate::Gate`] says whether the prompt is
//! like the training data; where it is not, the structural heuristic answers and the assessment says
//! [`Domain::Outside`].

pub mod artifact;
pub mod calibrate;
pub mod features;
pub mod gate;
pub(crate) mod ridge;
pub mod train;

use std::fmt;

use router_core::score::{Assessment, Domain, Prompt, Scorer};

use crate::heuristic::StructureScorer;
use crate::text::{self, Shape};
use crate::volatility::{Judgement, VolatilityScorer};
use crate::weights::ArtifactError;
use artifact::Artifact;
use features::{Grams, HALF, STRUCTURE, Visit, norm};
use gate::{Form, Reading};

/// Where the default bands divide "internal" from "hybrid"; the confidence is about this choice.
const FIRST_BAND: f32 = 0.4;

/// Outside its domain nothing is calibrated: the heuristic's confidence counts half.
const OUTSIDE_CONFIDENCE: f32 = 0.5;

/// The shipped weights. Provenance, licences and the training command: `classifiers/weights/README.md`.
static SHIPPED: &[u8] = include_bytes!("../weights/complexity-v1.bin");

/// Scores with learned weights inside their domain and by structure outside it.
///
/// Immutable; to use other weights, build another one and swap it. A prompt costs one pass over its bytes (at most
/// [`HEAD_BYTES`](crate::text::HEAD_BYTES) + [`TAIL_BYTES`](crate::text::TAIL_BYTES) of the question) and no allocation.
#[derive(Clone)]
pub struct LearnedScorer {
    artifact: Artifact,
    name: String,
}

/// Everything the model says about a prompt, whether or not the gate lets it be used.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Prediction {
    /// Expected gain of the strong model, −1..=1, calibrated.
    pub gain: f32,
    /// Rank of that gain, 0..=1: what the score would be with the gate ignored.
    pub complexity: f32,
    /// Probability that the band's first choice answers at least as well as the other model, calibrated: at or under 0.4 that
    /// the weak model does, above it that the strong one does.
    pub confidence: f32,
    /// How unlike the training data the prompt is: above 1 the gate closes.
    pub unfamiliarity: f32,
}

impl Prediction {
    /// Whether the prompt is like the training data.
    #[must_use]
    pub fn is_inside(&self) -> bool {
        self.unfamiliarity <= 1.0
    }
}

impl LearnedScorer {
    /// A scorer over a loaded artefact.
    #[must_use]
    pub fn new(artifact: Artifact) -> Self {
        let name = format!("{}-{:08x}", artifact.provenance().name, artifact.checksum() as u32);
        Self { artifact, name }
    }

    /// A scorer over the weights that come with this crate.
    ///
    /// # Errors
    /// Only if the crate was built with a damaged weight file.
    pub fn shipped() -> Result<Self, ArtifactError> {
        Artifact::load(SHIPPED).map(Self::new)
    }

    /// The weights in use.
    #[must_use]
    pub fn artifact(&self) -> &Artifact {
        &self.artifact
    }

    /// What the model says about the question of `prompt`, gate and surroundings ignored.
    #[must_use]
    pub fn predict(&self, prompt: &Prompt<'_>) -> Prediction {
        self.scan(prompt.question).prediction
    }

    /// [`score`](Scorer::score) and the judgement of `volatility` for one reading of the question.
    #[must_use]
    pub fn score_with(&self, prompt: &Prompt<'_>, volatility: &VolatilityScorer) -> (Assessment, Judgement) {
        let (mut grams, mut pass) = (self.grams(), volatility.pass());
        let shape = text::read(prompt.question, |word| {
            grams.push(word);
            pass.push(word);
        });
        let form = Form::of(&shape);
        let judgement = pass.conclude(&form);
        (self.assess(&self.conclude(&grams.visitor(), shape, &form), prompt), judgement)
    }

    fn grams(&self) -> Grams<Sums<'_>> {
        Grams::new(Sums { artifact: &self.artifact, words: 0, square: 0, reading: Reading::default() })
    }

    fn scan(&self, question: &str) -> Scan {
        let mut grams = self.grams();
        let shape = text::read(question, |word| grams.push(word));
        let form = Form::of(&shape);
        self.conclude(&grams.visitor(), shape, &form)
    }

    fn assess(&self, scan: &Scan, prompt: &Prompt<'_>) -> Assessment {
        if scan.prediction.is_inside() { self.inside(scan, prompt) } else { Self::outside(scan, prompt) }
    }

    fn conclude(&self, sums: &Sums<'_>, shape: Shape, form: &Form) -> Scan {
        let artifact = &self.artifact;
        let words = artifact.scale * sums.words as f32 * HALF / norm(sums.square);
        let structure = dot(&artifact.structure, &form.structure);
        let unfamiliarity = artifact.gate.unfamiliarity(&sums.reading, form);
        let prediction = artifact.interpret(artifact.bias + words + structure, unfamiliarity);
        Scan { shape, words, structure, prediction }
    }

    fn inside(&self, scan: &Scan, prompt: &Prompt<'_>) -> Assessment {
        let Prediction { gain, complexity, confidence, unfamiliarity } = scan.prediction;
        let (conversation, request) = StructureScorer::surroundings(prompt);
        let mut assessment = Assessment::new(shifted(complexity, conversation + request), confidence);
        assessment.domain = Domain::Inside;
        for (name, value) in [
            ("base", self.artifact.bias),
            ("words", scan.words),
            ("structure", scan.structure),
            ("expected_gain", gain),
            ("learned", complexity),
            ("conversation", conversation),
            ("request", request),
            ("unfamiliarity", unfamiliarity),
        ] {
            assessment.push_term(name, value);
        }
        assessment
    }

    fn outside(scan: &Scan, prompt: &Prompt<'_>) -> Assessment {
        let mut assessment = StructureScorer::assess(&scan.shape, prompt);
        assessment.confidence *= OUTSIDE_CONFIDENCE;
        assessment.domain = Domain::Outside;
        assessment.push_term("learned_unused", scan.prediction.complexity);
        assessment.push_term("unfamiliarity", scan.prediction.unfamiliarity);
        assessment
    }
}

impl Scorer for LearnedScorer {
    fn score(&self, prompt: &Prompt<'_>) -> Assessment {
        self.assess(&self.scan(prompt.question), prompt)
    }

    fn name(&self) -> &str {
        &self.name
    }
}

impl fmt::Debug for LearnedScorer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("LearnedScorer").field("name", &self.name).finish_non_exhaustive()
    }
}

/// What one pass found.
struct Scan {
    shape: Shape,
    words: f32,
    structure: f32,
    prediction: Prediction,
}

struct Sums<'a> {
    artifact: &'a Artifact,
    words: i32,
    square: i32,
    reading: Reading,
}

impl Visit for Sums<'_> {
    #[inline]
    fn gram(&mut self, bucket: usize, halves: i32) {
        self.words += halves * i32::from(self.artifact.words[bucket]);
        self.square += halves * halves;
    }

    #[inline]
    fn word(&mut self, bucket: usize) {
        self.artifact.gate.read(&mut self.reading, bucket);
    }
}

impl Artifact {
    fn interpret(&self, raw: f32, unfamiliarity: f32) -> Prediction {
        let complexity = self.simple_share + (1.0 - self.simple_share) * self.rank.at(raw);
        let as_good = if complexity > FIRST_BAND { &self.strong_holds } else { &self.weak_holds };
        Prediction { gain: self.gain.at(raw), complexity, confidence: as_good.at(raw), unfamiliarity }
    }
}

/// Training rows are single questions, so what stands around one is not learned: the heuristic's terms for it move the
/// complexity on the heuristic's scale.
fn shifted(complexity: f32, by: f32) -> f32 {
    if by == 0.0 {
        return complexity;
    }
    StructureScorer::squash(StructureScorer::unsquash(complexity) + by)
}

fn dot(a: &[f32; STRUCTURE], b: &[f32; STRUCTURE]) -> f32 {
    a.iter().zip(b).map(|(a, b)| a * b).sum()
}

#[cfg(test)]
mod tests;
