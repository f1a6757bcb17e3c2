//! Tokens by class, and what they cost.

use crate::money::{TokenPrice, Usd, round_up};

/// Tokens of one request by price class. The classes are disjoint: `input` excludes what was read from
/// or written to the provider's prefix cache, `output` excludes reasoning.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct TokenUsage {
    /// Prompt tokens that were neither read from nor written to the provider's cache.
    pub input: u64,
    /// Prompt tokens that the provider read from its cache.
    pub cached_input: u64,
    /// Prompt tokens that the provider wrote to its cache.
    pub cache_write: u64,
    /// Answer tokens the caller sees.
    pub output: u64,
    /// Answer tokens spent on hidden reasoning.
    pub reasoning: u64,
}

impl TokenUsage {
    /// All prompt tokens.
    #[must_use]
    pub const fn prompt(&self) -> u64 {
        self.input.saturating_add(self.cached_input).saturating_add(self.cache_write)
    }

    /// All answer tokens.
    #[must_use]
    pub const fn completion(&self) -> u64 {
        self.output.saturating_add(self.reasoning)
    }
}

/// Prices of one model by token class.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Prices {
    /// Uncached prompt tokens.
    pub input: TokenPrice,
    /// Prompt tokens read from the provider's cache.
    pub cached_input: TokenPrice,
    /// Prompt tokens written to the provider's cache.
    pub cache_write: TokenPrice,
    /// Answer tokens.
    pub output: TokenPrice,
    /// Hidden reasoning tokens.
    pub reasoning: TokenPrice,
}

impl Prices {
    /// Prices from the two every model has; cached input and cache writes cost as input, reasoning as output.
    #[must_use]
    pub const fn flat(input: TokenPrice, output: TokenPrice) -> Self {
        Self { input, cached_input: input, cache_write: input, output, reasoning: output }
    }

    /// What `usage` costs, rounded up to a nano-dollar.
    #[must_use]
    pub fn cost(&self, usage: &TokenUsage) -> Usd {
        let picos = [
            self.input.total(usage.input),
            self.cached_input.total(usage.cached_input),
            self.cache_write.total(usage.cache_write),
            self.output.total(usage.output),
            self.reasoning.total(usage.reasoning),
        ];
        round_up(picos.into_iter().fold(0, u128::saturating_add))
    }
}
