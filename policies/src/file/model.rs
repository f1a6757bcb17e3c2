//! `[models.NAME]`

use router_core::{Capability, TokenPrice};
use toml::de::DeValue;

use crate::read;
use crate::source::{At, Span};
use crate::table::Table;

/// Words for [`Capability`], but for streaming, which has a key of its own.
const CAPABILITIES: &[(&str, Capability)] =
    &[("tools", Capability::Tools), ("json_schema", Capability::JsonSchema), ("vision", Capability::Vision)];

/// `price = { … }`
#[derive(Clone, Debug, Default)]
pub struct PriceEntry {
    /// Uncached prompt tokens.
    pub input: Option<At<TokenPrice>>,
    /// Prompt tokens read from the provider's cache; default: as input.
    pub cached_input: Option<At<TokenPrice>>,
    /// Prompt tokens written to the provider's cache; default: as input.
    pub cache_write: Option<At<TokenPrice>>,
    /// Answer tokens.
    pub output: Option<At<TokenPrice>>,
    /// Hidden reasoning tokens; default: as output.
    pub reasoning: Option<At<TokenPrice>>,
    /// What a longer prompt costs instead.
    pub tiers: Vec<TierEntry>,
}

/// An element of a list of prices but the first: prices from a prompt length on.
#[derive(Clone, Debug)]
pub struct TierEntry {
    /// The longest prompt that is still charged at the prices before.
    pub above: At<u64>,
    /// The prices.
    pub price: PriceEntry,
}

/// One model, as typed.
#[derive(Clone, Debug, Default)]
pub struct ModelEntry {
    /// Who serves it.
    pub provider: Option<At<String>>,
    /// What the provider calls it; default: the entry's name.
    pub upstream_model: Option<At<String>>,
    /// The entry stands for all models of its provider: the name that the caller used goes upstream. Never
    /// written in a file.
    pub as_requested: bool,
    /// What it costs; absent: unpriced.
    pub price: Option<At<PriceEntry>>,
    /// Prompt and answer tokens that fit.
    pub context: Option<At<u64>>,
    /// Answer tokens at most.
    pub max_output: Option<At<u64>>,
    /// How able it is.
    pub tier: Option<At<u32>>,
    /// What it can do; absent: everything.
    pub capabilities: Option<At<Vec<At<Capability>>>>,
    /// Whether it can stream.
    pub streaming: Option<At<bool>>,
    /// Where the entry begins.
    pub span: Span,
}

impl ModelEntry {
    pub(super) fn read(table: &mut Table<'_, '_>) -> Self {
        Self {
            provider: table.required("provider", read::text),
            upstream_model: table.optional("upstream_model", read::text),
            as_requested: false,
            price: PriceEntry::read_one_or_more(table),
            context: table.optional("context", read::count),
            max_output: table.optional("max_output", read::count),
            tier: table.optional("tier", read::integer(0..=255)),
            capabilities: table.list_or_none("capabilities", read::one_of(CAPABILITIES)),
            streaming: table.optional("streaming", read::boolean),
            span: table.span(),
        }
    }
}

impl PriceEntry {
    /// A table of prices, or a list of them of which all but the first say from which prompt length on they hold.
    fn read_one_or_more(table: &mut Table<'_, '_>) -> Option<At<Self>> {
        let node = table.take("price")?;
        let DeValue::Array(elements) = node.get_ref() else { return table.child("price", node, Self::read) };
        let span = Span::from(node.span());
        let mut elements = elements.iter().enumerate();
        let Some((_, first)) = elements.next() else {
            table.sink().error(span, "price: the list is empty");
            return None;
        };
        let mut price = table.child("price[0]", first, Self::read)?.value;
        for (index, node) in elements {
            let tier = table.child(&format!("price[{index}]"), node, |table| {
                let above = table.required("above", read::count);
                let price = Self::read(table);
                above.map(|above| TierEntry { above, price })
            });
            price.tiers.extend(tier.and_then(|tier| tier.value));
        }
        Some(At { value: price, span })
    }

    fn read(table: &mut Table<'_, '_>) -> Self {
        Self {
            input: table.required("input", read::price),
            cached_input: table.optional("cached_input", read::price),
            cache_write: table.optional("cache_write", read::price),
            output: table.required("output", read::price),
            reasoning: table.optional("reasoning", read::price),
            tiers: Vec::new(),
        }
    }
}
