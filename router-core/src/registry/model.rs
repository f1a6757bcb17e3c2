//! A model as one provider serves it.

use std::fmt;

use crate::capability::Capabilities;
use crate::ids::{ModelId, ProviderId};
use crate::money::Usd;
use crate::tariff::Tariff;
use crate::tokens::TokenUsage;

/// Whether a model has a price.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Pricing {
    /// Known prices.
    Priced(Tariff),
    /// Unknown, which is not free: cost limits refuse such a model and the metrics count it.
    Unpriced,
}

impl Pricing {
    /// What `usage` costs, where that is known.
    #[must_use]
    pub fn cost(&self, usage: &TokenUsage) -> Option<Usd> {
        match self {
            Self::Priced(tariff) => Some(tariff.cost(usage)),
            Self::Unpriced => None,
        }
    }

    /// The most that a request can cost, where that is known; see [`Tariff::worst_case`].
    #[must_use]
    pub fn worst_case(&self, prompt_tokens: u64, completion_tokens: u64) -> Option<Usd> {
        match self {
            Self::Priced(tariff) => Some(tariff.worst_case(prompt_tokens, completion_tokens)),
            Self::Unpriced => None,
        }
    }
}

/// Where a model's price comes from.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum PriceSource {
    /// Its entry in the policy states it.
    #[default]
    Policy,
    /// The built-in catalogue knows a model of its upstream name.
    Catalogue,
    /// Nobody knows it: the policy's ceiling for such models is charged.
    Ceiling,
    /// Nobody knows it.
    Nobody,
}

impl PriceSource {
    /// The name in receipts and in the policy in force.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Policy => "policy",
            Self::Catalogue => "catalogue",
            Self::Ceiling => "ceiling",
            Self::Nobody => "nobody",
        }
    }
}

/// What is known of one of the models that an [`UpstreamModel::AsRequested`] entry stands for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Listed {
    /// What it costs.
    pub pricing: Pricing,
    /// Answer tokens at most, where known.
    pub max_output_tokens: Option<u64>,
}

/// Where to look such models up: a catalogue, and whose models of it are meant.
#[derive(Clone, Copy)]
pub struct PriceList {
    /// The catalogue's name for the provider, where it knows it.
    pub seller: Option<&'static str>,
    /// Finds a model by seller and name. Called for every such request: at most a microsecond.
    pub find: fn(Option<&'static str>, &str) -> Option<&'static Listed>,
}

impl fmt::Debug for PriceList {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "PriceList({:?})", self.seller)
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
    /// Who says so.
    pub price_source: PriceSource,
    /// Where the prices of the models are that it stands for, if it stands for many.
    pub price_list: Option<PriceList>,
    /// Prompt and answer tokens that fit, where known.
    pub context_tokens: Option<u64>,
    /// Answer tokens at most, where known.
    pub max_output_tokens: Option<u64>,
    /// How able it is; higher is better. Only compared, never computed with.
    pub tier: u8,
    /// What it can do.
    pub capabilities: Capabilities,
}

impl Model {
    /// What is known of the model of this name where the entry stands for many.
    fn listed(&self, requested: &str) -> Option<&'static Listed> {
        let list = self.price_list?;
        (list.find)(list.seller, requested)
    }

    /// What it costs, and who says so. `requested` is the name that the caller used, which an entry for many models goes by.
    #[must_use]
    pub fn pricing_of(&self, requested: &str) -> (&Pricing, PriceSource) {
        match self.listed(requested) {
            Some(listed) => (&listed.pricing, PriceSource::Catalogue),
            None => (&self.pricing, self.price_source),
        }
    }

    /// Answer tokens at most, where known; see [`pricing_of`](Self::pricing_of).
    #[must_use]
    pub fn max_output_of(&self, requested: &str) -> Option<u64> {
        self.listed(requested).map_or(self.max_output_tokens, |listed| listed.max_output_tokens)
    }
}
