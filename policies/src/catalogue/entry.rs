//! One model of the catalogue.

use router_core::tariff::{Tariff, Tier};
use router_core::{Capabilities, Capability, Listed, Prices, Pricing, TokenPrice};
use serde::Deserialize;

/// What a model is asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// Messages in, a message out.
    Chat,
    /// A text in, its continuation out.
    Completion,
    /// A text in, a vector out.
    Embedding,
}

/// One model as one provider sells it.
#[derive(Clone, Debug, Deserialize)]
#[serde(from = "Row")]
pub struct Entry {
    /// The provider's name for it.
    pub name: Box<str>,
    /// The catalogue's name for the provider.
    pub provider: Box<str>,
    /// What it is asked for.
    pub kind: Kind,
    /// Prices of its token classes.
    pub tariff: Tariff,
    /// Writing to the provider's cache for longer than its shortest time, where that costs something else.
    pub long_cache_write: Option<TokenPrice>,
    /// Spoken input, where that costs something else.
    pub audio_input: Option<TokenPrice>,
    /// Spoken output, where that costs something else.
    pub audio_output: Option<TokenPrice>,
    /// Tokens of the longest prompt.
    pub max_input: Option<u64>,
    /// Tokens of the longest answer.
    pub max_output: Option<u64>,
    /// Tokens of prompt and answer together, where that is another figure than `max_input`.
    pub context: Option<u64>,
    /// What it can do. Streaming is taken for granted of all but embeddings.
    pub capabilities: Capabilities,
    /// When its provider retires or has retired it, `YYYY-MM-DD`.
    pub retires: Option<Box<str>>,
    /// The sources gave different prices, and the dearer ones are here.
    pub disputed: bool,
    /// Price and longest answer, for entries that stand for many models.
    pub listed: Listed,
}

/// An entry as the file has it. Prices are dollars per million tokens; an absent one costs what
/// [`Prices::flat`] says.
#[derive(Deserialize)]
struct Row {
    id: Box<str>,
    provider: Box<str>,
    kind: Kind,
    #[serde(flatten)]
    prices: RowPrices,
    audio_input: Option<f64>,
    audio_output: Option<f64>,
    #[serde(default)]
    tiers: Vec<RowTier>,
    max_input: Option<u64>,
    max_output: Option<u64>,
    context: Option<u64>,
    #[serde(default)]
    can: Vec<Box<str>>,
    retires: Option<Box<str>>,
    #[serde(default)]
    disputed: bool,
}

#[derive(Deserialize)]
struct RowPrices {
    input: f64,
    output: f64,
    cached_input: Option<f64>,
    cache_write: Option<f64>,
    cache_write_long: Option<f64>,
    reasoning: Option<f64>,
}

#[derive(Deserialize)]
struct RowTier {
    above: u64,
    #[serde(flatten)]
    prices: RowPrices,
}

impl From<&RowPrices> for Prices {
    fn from(row: &RowPrices) -> Self {
        let price = TokenPrice::per_million;
        let flat = Self::flat(price(row.input), price(row.output));
        Self {
            cached_input: row.cached_input.map_or(flat.cached_input, price),
            cache_write: row.cache_write.map_or(flat.cache_write, price),
            reasoning: row.reasoning.map_or(flat.reasoning, price),
            ..flat
        }
    }
}

impl From<Row> for Entry {
    fn from(row: Row) -> Self {
        let tiers =
            row.tiers.iter().map(|tier| Tier { above: tier.above, prices: Prices::from(&tier.prices) });
        let listed = row.can.iter().filter_map(|name| Capability::from_name(name));
        let streams = (row.kind != Kind::Embedding).then_some(Capability::Streaming);
        let tariff = Tariff::new(Prices::from(&row.prices), tiers.collect());
        let pricing = Pricing::Priced(tariff.clone());
        Self {
            listed: Listed { pricing, max_output_tokens: row.max_output },
            tariff,
            capabilities: listed.chain(streams).collect(),
            name: row.id,
            provider: row.provider,
            kind: row.kind,
            long_cache_write: row.prices.cache_write_long.map(TokenPrice::per_million),
            audio_input: row.audio_input.map(TokenPrice::per_million),
            audio_output: row.audio_output.map(TokenPrice::per_million),
            max_input: row.max_input,
            max_output: row.max_output,
            context: row.context,
            retires: row.retires,
            disputed: row.disputed,
        }
    }
}

impl Entry {
    /// Tokens of prompt and answer together that fit, where known.
    #[must_use]
    pub fn context_tokens(&self) -> Option<u64> {
        self.context.or(self.max_input)
    }
}
