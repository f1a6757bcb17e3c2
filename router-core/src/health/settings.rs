//! How a provider's health is judged, and how big a request is.

use crate::breaker::BreakerSettings;
use crate::concurrency::ConcurrencySettings;

use super::PenaltySettings;

/// How the health of one provider is judged. Part of the policy; the state it is applied to outlives it.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct HealthSettings {
    /// When to stop trying, and how to return.
    pub breaker: BreakerSettings,
    /// What a rate limit costs.
    pub penalty: PenaltySettings,
    /// How many attempts at a time.
    pub concurrency: ConcurrencySettings,
}

/// The size of a request, estimated before it is sent.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Size {
    /// Prompt tokens: a longer prompt may take longer to its first token.
    pub prompt_tokens: u32,
    /// Answer tokens that the provider sets aside against its token quota: the request's own maximum, or
    /// an estimate.
    pub answer_tokens: u32,
}

/// Prompt tokens that take as long to read as everything else before the first token. Hosted models answer
/// short prompts in 0.3-0.5 s and read 4,000-8,000 tokens a second, which puts it near 2,000. Candidates
/// for one request share this constant, so an error in it cancels out of their comparison.
const PROMPT_TOKENS_PER_BASE: f32 = 2_000.0;

/// Answer tokens that take as long to write as an empty prompt's first token: 0.4 s at the 50 tokens a
/// second that is usual for hosted models.
const ANSWER_TOKENS_PER_BASE: f32 = 20.0;

impl Size {
    /// A request of this many prompt tokens, with nothing known about its answer.
    #[must_use]
    pub const fn of_prompt(prompt_tokens: u32) -> Self {
        Self { prompt_tokens, answer_tokens: 0 }
    }

    /// All tokens that count against a token quota.
    #[must_use]
    pub const fn tokens(self) -> u32 {
        self.prompt_tokens.saturating_add(self.answer_tokens)
    }

    /// The time to this prompt's first token over that of an empty one.
    pub(super) fn first_token_work(self) -> f32 {
        1.0 + self.prompt_tokens as f32 / PROMPT_TOKENS_PER_BASE
    }

    /// The time to the end of an answer of that length over the time to an empty prompt's first token.
    pub(super) fn answer_work(self, answer_tokens: u32) -> f32 {
        self.first_token_work() + answer_tokens as f32 / ANSWER_TOKENS_PER_BASE
    }
}
