//! What a provider says it counted, in one shape.
//!
//! Providers disagree on what their numbers include, and a wrong guess is money:
//!
//! | shape | cached input | reasoning |
//! |---|---|---|
//! | OpenAI chat, completions, responses | inside the prompt | inside the completion |
//! | xAI and others behind the OpenAI shape | inside the prompt | *beside* the completion; only `total_tokens` tells |
//! | Gemini behind the OpenAI shape | inside the prompt | nowhere but in `total_tokens` |
//! | DeepSeek, Moonshot | inside the prompt, under names of their own | inside the completion |
//! | Anthropic | beside `input_tokens`, reads and writes apart | inside `output_tokens` |
//! | Gemini | inside `promptTokenCount` | beside `candidatesTokenCount` |
//!
//! [`Counts`] holds the numbers as they were sent; [`Counts::usage`] makes the classes disjoint.

mod count;
mod counts;
mod normalize;

use router_core::TokenUsage;

pub use count::CountFault;
pub use counts::Counts;

/// Tokens of one answer, by price class, with the parts that some price lists treat apart.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Usage {
    /// Disjoint classes, all at the price of the model that was asked.
    pub tokens: TokenUsage,
    /// The part of `tokens.cache_write` that was written for an hour rather than five minutes (Anthropic
    /// prices it higher).
    pub cache_write_1h: u64,
    /// The part of the prompt that was audio.
    pub audio_input: u64,
    /// The part of the completion that was audio.
    pub audio_output: u64,
    /// Tokens that other models spent on this answer (an advisor, a first model that declined half-way);
    /// they are not in `tokens`.
    pub aside: Vec<Aside>,
    /// A number that was ignored because it cannot be true; the others stand.
    pub ignored: Option<UsageFault>,
}

/// What another model than the one that was asked spent on an answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Aside {
    /// Its name, where the provider tells.
    pub model: Option<Box<str>>,
    /// What it spent.
    pub tokens: TokenUsage,
}

impl Usage {
    /// Adds what a further message in the same answer used.
    pub fn add(&mut self, other: Self) {
        add_tokens(&mut self.tokens, &other.tokens);
        self.cache_write_1h = self.cache_write_1h.saturating_add(other.cache_write_1h);
        self.audio_input = self.audio_input.saturating_add(other.audio_input);
        self.audio_output = self.audio_output.saturating_add(other.audio_output);
        self.aside.extend(other.aside);
        self.ignored = self.ignored.or(other.ignored);
    }
}

fn add_tokens(sum: &mut TokenUsage, more: &TokenUsage) {
    sum.input = sum.input.saturating_add(more.input);
    sum.cached_input = sum.cached_input.saturating_add(more.cached_input);
    sum.cache_write = sum.cache_write.saturating_add(more.cache_write);
    sum.output = sum.output.saturating_add(more.output);
    sum.reasoning = sum.reasoning.saturating_add(more.reasoning);
}

/// A usage report that cannot be true. A fault in the prompt or completion count voids the report: the
/// answer is then to be counted as if none had been sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum UsageFault {
    /// One number is impossible.
    #[error("usage field {field}: {fault}")]
    Count {
        /// Its name in the provider's shape.
        field: &'static str,
        /// What is wrong with it.
        fault: CountFault,
    },
    /// There are completion tokens but no prompt tokens.
    #[error("usage without prompt tokens")]
    NoPrompt,
    /// The report is not an object of numbers.
    #[error("usage that cannot be read")]
    Malformed,
}

#[cfg(test)]
mod tests;
