//! A model as one provider serves it.

use crate::capability::Capabilities;
use crate::ids::{ModelId, ProviderId};
use crate::money::Usd;
use crate::tokens::{Prices, TokenUsage};

/// Whether a model has a price.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Pricing {
    /// Known prices.
    Priced(Prices),
    /// Unknown, which is not free: cost limits refuse such a model and the metrics count it.
    Unpriced,
}

impl Pricing {
    /// What `usage` costs, where that is known.
    #[must_use]
    pub fn cost(&self, usage: &TokenUsage) -> Option<Usd> {
        match self {
            Self::Priced(prices) => Some(prices.cost(usage)),
            Self::Unpriced => None,
        }
    }
}

/// The model name the provider is asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum UpstreamModel {
    /// This one.
    Named(Box<str>),
    /// Whatever the caller named: the entry stands for all models of a provider.
    AsRequested,
}

/// A model entry of the policy, compiled.
#[derive(Clone, Debug)]
pub struct Model {
    /// Its id, stable across reloads while name, provider and upstream name stay.
    pub id: ModelId,
    /// Its name in the policy, and for callers.
    pub name: Box<str>,
    /// Who serves it.
    pub provider: ProviderId,
    /// What the provider calls it.
    pub upstream_model: UpstreamModel,
    /// What it costs.
    pub pricing: Pricing,
    /// Prompt and answer tokens that fit, where known.
    pub context_tokens: Option<u64>,
    /// Answer tokens at most, where known.
    pub max_output_tokens: Option<u64>,
    /// How able it is; higher is better. Only compared, never computed with.
    pub tier: u8,
    /// What it can do.
    pub capabilities: Capabilities,
}
