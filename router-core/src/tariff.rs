//! Prices that depend on how long the prompt is.
//!
//! Several providers charge more for a request whose prompt exceeds a length (128k, 200k, 272k tokens). In
//! every published scheme the dearer price then holds for the *whole* request, answer included, so a tier is
//! a full set of [`Prices`] and choosing one is a comparison of integers before the usual sum.

use crate::money::{TokenPrice, Usd};
use crate::tokens::{Prices, TokenUsage};

/// The prices of one model for every prompt length. One without tiers costs one comparison more than
/// [`Prices`] alone.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tariff {
    base: Prices,
    /// Ascending by `above`; at most a handful.
    tiers: Box<[Tier]>,
}

/// The prices of a request whose prompt is longer than `above` tokens.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Tier {
    /// The longest prompt, all classes together, that is still charged at the tier below.
    pub above: u64,
    /// What every token of such a request costs.
    pub prices: Prices,
}

impl Tariff {
    /// Prices that switch to those of the highest tier which the prompt exceeds. The order of `tiers` is
    /// immaterial; of two with the same threshold the later one counts.
    #[must_use]
    pub fn new(base: Prices, mut tiers: Vec<Tier>) -> Self {
        tiers.sort_by_key(|tier| tier.above);
        Self { base, tiers: tiers.into_boxed_slice() }
    }

    /// The prices in force for a prompt of `prompt_tokens`.
    #[must_use]
    pub fn at(&self, prompt_tokens: u64) -> &Prices {
        let tier = self.tiers.iter().rev().find(|tier| prompt_tokens > tier.above);
        tier.map_or(&self.base, |tier| &tier.prices)
    }

    /// What `usage` costs, rounded up to a nano-dollar.
    #[must_use]
    pub fn cost(&self, usage: &TokenUsage) -> Usd {
        self.at(usage.prompt()).cost(usage)
    }

    /// The most that a request can cost whose prompt has `prompt_tokens` and whose answer at most
    /// `completion_tokens`: every prompt token at the dearest prompt price (a provider may decide to write its
    /// cache, which some charge at twice the input price), every answer token at the dearest answer price, both of the dearest tier that a
    /// prompt of up to that length can fall under.
    ///
    /// `prompt_tokens` must itself be an upper bound: an estimate belongs here with its margin.
    #[must_use]
    pub fn worst_case(&self, prompt_tokens: u64, completion_tokens: u64) -> Usd {
        let reached = self.tiers.iter().filter(|tier| prompt_tokens > tier.above).map(|tier| &tier.prices);
        let (mut prompt, mut answer) = (TokenPrice::default(), TokenPrice::default());
        for prices in reached.chain([&self.base]) {
            prompt = prompt.max(prices.input).max(prices.cached_input).max(prices.cache_write);
            answer = answer.max(prices.output).max(prices.reasoning);
        }
        let usage = TokenUsage { input: prompt_tokens, output: completion_tokens, ..TokenUsage::default() };
        Prices::flat(prompt, answer).cost(&usage)
    }

    /// Whether no token of any tier costs anything: a model that is free, not one whose price is unknown.
    #[must_use]
    pub fn is_free(&self) -> bool {
        let free = |prices: &Prices| *prices == Prices::flat(TokenPrice::default(), TokenPrice::default());
        free(&self.base) && self.tiers.iter().all(|tier| free(&tier.prices))
    }

    /// The prices of prompts below every tier.
    #[must_use]
    pub const fn base(&self) -> &Prices {
        &self.base
    }

    /// The tiers, ascending.
    #[must_use]
    pub fn tiers(&self) -> &[Tier] {
        &self.tiers
    }
}

impl From<Prices> for Tariff {
    fn from(base: Prices) -> Self {
        Self { base, tiers: Box::default() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn prices(input: f64, output: f64) -> Prices {
        Prices::flat(TokenPrice::per_million(input), TokenPrice::per_million(output))
    }

    #[test]
    fn the_dearer_price_holds_for_the_whole_request_above_the_threshold() {
        let tariff =
            Tariff::new(prices(1.25, 10.0), vec![Tier { above: 200_000, prices: prices(2.5, 15.0) }]);
        let cost = |input, cached_input| {
            tariff.cost(&TokenUsage { input, cached_input, output: 1_000_000, ..TokenUsage::default() })
        };

        assert_eq!(cost(200_000, 0), Usd::from_dollars(0.25 + 10.0));
        assert_eq!(cost(200_001, 0), Usd::from_nanos(200_001 * 2_500 + 15_000_000_000));
        assert_eq!(cost(1, 200_000), cost(200_001, 0), "cached tokens count towards the length");
    }

    #[test]
    fn tiers_may_come_in_any_order() {
        let (near, far) =
            (Tier { above: 10, prices: prices(2.0, 2.0) }, Tier { above: 20, prices: prices(3.0, 3.0) });
        let tariff = Tariff::new(prices(1.0, 1.0), vec![far, near]);

        assert_eq!([10, 11, 20, 21].map(|n| tariff.at(n).input.picos() / 1_000_000), [1, 2, 2, 3]);
    }

    #[test]
    fn no_split_of_the_tokens_costs_more_than_the_worst_case() {
        let base = Prices {
            cached_input: TokenPrice::per_million(0.3),
            cache_write: TokenPrice::per_million(6.0),
            reasoning: TokenPrice::per_million(20.0),
            ..prices(3.0, 15.0)
        };
        // The second tier is cheaper: a prompt that turns out shorter than its bound must be covered as well.
        let tiers = [(500, prices(6.0, 22.5)), (5_000, prices(1.0, 2.0))];
        let tiers = tiers.map(|(above, prices)| Tier { above, prices });
        let tariff = Tariff::new(base, tiers.to_vec());

        for prompt in [0, 1, 499, 500, 501, 9_999] {
            for cached_input in [0, prompt / 3, prompt] {
                let rest = prompt - cached_input;
                for (input, cache_write) in [(rest, 0), (0, rest), (rest - rest / 2, rest / 2)] {
                    for (output, reasoning) in [(0, 0), (700, 0), (0, 700), (350, 350)] {
                        let usage = TokenUsage { input, cached_input, cache_write, output, reasoning };
                        assert!(tariff.cost(&usage) <= tariff.worst_case(prompt, 700), "{usage:?}");
                        assert!(tariff.cost(&usage) <= tariff.worst_case(9_999, 700), "{usage:?}");
                    }
                }
            }
        }
    }

    #[test]
    fn free_is_not_the_same_as_cheap() {
        assert!(Tariff::from(prices(0.0, 0.0)).is_free());
        assert!(!Tariff::from(prices(0.0, 0.001)).is_free());
    }
}
