//! The structural heuristic: how hard a request looks, judged without having seen any label.
//!
//! It reads the request once and weighs what it is made of: length, numbers and formulas, code, items, parts, words that
//! bind, words that name demanding work, words of small talk. No single count decides. Everyday requests (set an alarm,
//! where is my card) come out at 0.2-0.35; examination questions, competition problems and programming tasks at 0.5-0.9.
//!
//! It orders requests coarsely: how simple they plainly are. It is not a judge of which of two hard problems is harder;
//! that is learned from outcomes. It is the fallback wherever a learned score is not to be trusted.

mod weights;

use router_core::score::{Assessment, Prompt, Scorer};

use crate::text::{self, Shape};

/// Scores by structure alone. Microseconds, no allocation; time is bounded for prompts of any length.
#[derive(Clone, Copy, Debug, Default)]
pub struct StructureScorer;

impl StructureScorer {
    /// The score of a text that has already been read; `prompt` gives what stands around it.
    #[must_use]
    pub fn assess(shape: &Shape, prompt: &Prompt<'_>) -> Assessment {
        let terms = weights::terms(shape, prompt);
        let sum: f32 = terms.iter().map(|(_, value)| value).sum();
        let mut assessment = Assessment::new(weights::squash(sum), weights::confidence(sum));
        for (name, value) in terms {
            assessment.push_term(name, value);
        }
        assessment
    }

    /// The terms for what stands around the question: earlier turns and instructions; tools, images and a schema.
    pub(crate) fn surroundings(prompt: &Prompt<'_>) -> (f32, f32) {
        (weights::conversation(prompt), weights::request(prompt))
    }

    /// Sum of the terms of a question that stands alone.
    pub(crate) fn sum(shape: &Shape) -> f32 {
        weights::terms(shape, &Prompt::default()).iter().map(|(_, value)| value).sum()
    }

    /// Sum of terms → score.
    pub(crate) fn squash(sum: f32) -> f32 {
        weights::squash(sum)
    }

    /// Score → sum of terms.
    pub(crate) fn unsquash(score: f32) -> f32 {
        weights::unsquash(score)
    }
}

impl Scorer for StructureScorer {
    fn score(&self, prompt: &Prompt<'_>) -> Assessment {
        Self::assess(&text::read(prompt.question, |_| {}), prompt)
    }

    fn name(&self) -> &str {
        "structure-1"
    }
}

#[cfg(test)]
mod tests;
