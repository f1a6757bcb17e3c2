//! The seam between a decision and whatever judges how hard a prompt is.

use std::fmt;
use std::time::Duration;

/// What a scorer may look at. Digested once per request; text is decoded, unescaped UTF-8.
#[derive(Clone, Copy, Debug, Default)]
pub struct Prompt<'a> {
    /// The last user turn: all of its text parts, joined by a line feed.
    pub question: &'a str,
    /// The system prompt.
    pub system: &'a str,
    /// Every other turn, in order, joined by a line feed.
    pub history: &'a str,
    /// User turns, the last one included.
    pub turns: u32,
    /// Tools the model may call.
    pub tools: u32,
    /// Images attached to any turn.
    pub images: u32,
    /// Whether the answer must follow a JSON schema (or be JSON).
    pub json_schema: bool,
    /// Whether the last message carries a tool's result, so that a tool loop is open.
    pub tool_loop: bool,
}

impl<'a> Prompt<'a> {
    /// A request that consists of one user turn.
    #[must_use]
    pub fn of_question(question: &'a str) -> Self {
        Self { question, turns: 1, ..Self::default() }
    }
}

/// Whether a trained scorer has seen prompts like this one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum Domain {
    /// The scorer has no notion of a domain (the heuristic).
    #[default]
    Unbounded,
    /// Like the training data: the learned score stands.
    Inside,
    /// Unlike the training data: the learned score was not used.
    Outside,
}

/// One addend of a score, for the receipt.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Term {
    /// Stable name, snake_case.
    pub name: &'static str,
    /// Signed contribution to the score before it is clamped or calibrated.
    pub value: f32,
}

/// Most terms that an assessment can hold.
pub const MAX_TERMS: usize = 16;

/// How hard a prompt is, with the reasons. Plain data: no allocation.
#[derive(Clone, Copy, PartialEq)]
pub struct Assessment {
    complexity: f32,
    /// How sure the scorer is of the band, 0..=1, calibrated where the scorer was trained.
    pub confidence: f32,
    /// Whether the prompt looked like the training data.
    pub domain: Domain,
    terms: [Term; MAX_TERMS],
    len: u8,
}

impl Assessment {
    /// An assessment with this complexity, clamped into 0..=1 (NaN becomes 0.5, the middle).
    #[must_use]
    pub fn new(complexity: f32, confidence: f32) -> Self {
        Self {
            complexity: if complexity.is_nan() { 0.5 } else { complexity.clamp(0.0, 1.0) },
            confidence: if confidence.is_nan() { 0.0 } else { confidence.clamp(0.0, 1.0) },
            domain: Domain::Unbounded,
            terms: [Term { name: "", value: 0.0 }; MAX_TERMS],
            len: 0,
        }
    }

    /// Adds a reason; reasons beyond [`MAX_TERMS`] are dropped.
    pub fn push_term(&mut self, name: &'static str, value: f32) {
        if let Some(slot) = self.terms.get_mut(usize::from(self.len)) {
            *slot = Term { name, value };
            self.len += 1;
        }
    }

    /// 0 trivial … 1 as hard as it gets.
    #[must_use]
    pub fn complexity(&self) -> f32 {
        self.complexity
    }

    /// The reasons, in the order the scorer gave them.
    #[must_use]
    pub fn terms(&self) -> &[Term] {
        &self.terms[..usize::from(self.len)]
    }
}

impl fmt::Debug for Assessment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Assessment")
            .field("complexity", &self.complexity)
            .field("confidence", &self.confidence)
            .field("domain", &self.domain)
            .field("terms", &self.terms())
            .finish()
    }
}

/// Judges how hard a prompt is. Pure: the same prompt gets the same assessment, in bounded time.
///
/// Implementations: the structural heuristic and the learned model of `router-classifiers`.
pub trait Scorer: Send + Sync + fmt::Debug {
    /// Scores one prompt. Never panics; any text is welcome.
    fn score(&self, prompt: &Prompt<'_>) -> Assessment;

    /// How long an answer to this question may be kept, by how soon such answers change; `None` where the scorer cannot tell.
    fn keeps_for(&self, question: &str) -> Option<Duration> {
        let _ = question;
        None
    }

    /// Both at once, for scorers that read the question once for the two.
    fn judge(&self, prompt: &Prompt<'_>) -> (Assessment, Option<Duration>) {
        (self.score(prompt), self.keeps_for(prompt.question))
    }

    /// Name and version, for receipts and `/policy`.
    fn name(&self) -> &str;
}
