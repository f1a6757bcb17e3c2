//! `[[rules]]`

use std::time::Duration;

use router_core::{Comparison, Dialect, Endpoint, Objective, Placement, Usd};
use toml::de::DeValue;

use super::profile::OBJECTIVES;
use super::provider::{DIALECTS, PLACEMENTS};
use super::{BandsEntry, check_tag, tag};
use crate::fault::Fault;
use crate::read;
use crate::source::{At, Span};
use crate::table::{Named, Node, Table};

const ENDPOINTS: &[(&str, Endpoint)] = &[
    ("/v1/chat/completions", Endpoint::ChatCompletions),
    ("/v1/messages", Endpoint::Messages),
    ("/v1/responses", Endpoint::Responses),
    ("/v1/embeddings", Endpoint::Embeddings),
    ("/v1/completions", Endpoint::Completions),
    ("/v1/messages/count_tokens", Endpoint::CountTokens),
];

/// `when = { … }`: all that is stated must hold.
#[derive(Clone, Debug, Default)]
pub struct WhenEntry {
    /// One of these tenants.
    pub tenant: Option<At<Vec<At<String>>>>,
    /// Each of these tags with one of its values.
    pub tags: Vec<Named<Vec<At<String>>>>,
    /// This dialect.
    pub dialect: Option<At<Dialect>>,
    /// One of these endpoints.
    pub endpoint: Option<At<Vec<At<Endpoint>>>>,
    /// The requested name is one of these; a trailing `*` matches any ending.
    pub model: Option<At<Vec<At<String>>>>,
    /// The complexity compares so; all must hold.
    pub complexity: Option<At<Vec<At<Comparison<f32>>>>>,
    /// The estimated prompt tokens compare so; all must hold.
    pub tokens: Option<At<Vec<At<Comparison<u64>>>>>,
    /// Tools are offered.
    pub tools: Option<At<bool>>,
    /// Images are attached.
    pub images: Option<At<bool>>,
    /// An answer by JSON schema is asked for.
    pub schema: Option<At<bool>>,
    /// A stream is asked for.
    pub stream: Option<At<bool>>,
    /// The caller demands this placement.
    pub placement: Option<At<Placement>>,
    /// Every condition as typed, to recognise two rules that state the same.
    pub typed: String,
}

/// `cache = true`, `false` or `{ … }`
#[derive(Clone, Copy, Debug, Default)]
pub struct CacheUse {
    /// Whether to cache at all.
    pub enabled: Option<bool>,
    /// How long an answer stays fresh.
    pub ttl: Option<Duration>,
    /// Whether to cache requests that do not state temperature 0.
    pub any_temperature: Option<bool>,
    /// Whether a differently worded question may be answered from the cache.
    pub semantic: Option<bool>,
    /// Whether to cache answers that call tools.
    pub tool_calls: Option<bool>,
}

/// `use = { … }`
#[derive(Clone, Debug, Default)]
pub struct UseEntry {
    /// Choose by this profile.
    pub profile: Option<At<String>>,
    /// Use these thresholds.
    pub bands: Option<At<BandsEntry>>,
    /// Only models placed here.
    pub placement: Option<At<Placement>>,
    /// Choose among these models or aliases.
    pub candidates: Option<At<Vec<At<String>>>>,
    /// Choose in this way.
    pub objective: Option<At<Objective>>,
    /// Treat the cache so.
    pub cache: Option<At<CacheUse>>,
    /// Refuse what is expected to cost more.
    pub max_cost: Option<At<Usd>>,
    /// Answer tokens at most.
    pub max_tokens: Option<At<u64>>,
    /// Refuse, with this message.
    pub deny: Option<At<String>>,
}

/// One rule, as typed.
#[derive(Clone, Debug, Default)]
pub struct RuleEntry {
    /// Its name.
    pub name: Option<At<String>>,
    /// Its conditions; absent: always.
    pub when: Option<At<WhenEntry>>,
    /// What it does.
    pub action: Option<At<UseEntry>>,
    /// Where the entry begins.
    pub span: Span,
}

impl RuleEntry {
    pub(super) fn read(table: &mut Table<'_, '_>) -> Self {
        table.require("name");
        table.require("use");
        Self {
            name: table.optional("name", read::name),
            when: table.section("when", WhenEntry::read),
            action: table.section("use", UseEntry::read),
            span: table.span(),
        }
    }
}

impl WhenEntry {
    fn read(table: &mut Table<'_, '_>) -> Self {
        Self {
            tenant: table.one_or_more("tenant", read::text),
            tags: table.each("tags", read_tag),
            dialect: table.optional("dialect", read::one_of(DIALECTS)),
            endpoint: table.one_or_more("endpoint", endpoint),
            model: table.one_or_more("model", read::text),
            complexity: table.one_or_more("complexity", read::complexity),
            tokens: table.one_or_more("tokens", read::tokens),
            tools: table.optional("tools", read::boolean),
            images: table.optional("images", read::boolean),
            schema: table.optional("schema", read::boolean),
            stream: table.optional("stream", read::boolean),
            placement: table.optional("placement", read::one_of(PLACEMENTS)),
            typed: table.fingerprint(),
        }
    }

    /// Whether any condition is stated.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.typed.is_empty()
    }
}

impl UseEntry {
    fn read(table: &mut Table<'_, '_>) -> Self {
        if table.is_empty() {
            let span = table.span();
            table.sink().error(span, "the rule does nothing: use is empty");
        }
        Self {
            profile: table.optional("profile", read::text),
            bands: BandsEntry::read(table),
            placement: table.optional("placement", read::one_of(PLACEMENTS)),
            candidates: table.list("candidates", read::text),
            objective: table.optional("objective", read::one_of(OBJECTIVES)),
            cache: table.take("cache").and_then(|node| read_cache(table, node)),
            max_cost: table.optional("max_cost", read::amount),
            max_tokens: table.optional("max_tokens", read::count),
            deny: table.optional("deny", read::text),
        }
    }
}

fn read_cache<'a>(table: &mut Table<'a, '_>, node: Node<'a>) -> Option<At<CacheUse>> {
    if let DeValue::Boolean(enabled) = node.get_ref() {
        let value = CacheUse { enabled: Some(*enabled), ..CacheUse::default() };
        return Some(At { value, span: node.span().into() });
    }
    table.child("cache", node, |table| CacheUse {
        enabled: table.optional("enabled", read::boolean).map(|at| at.value),
        ttl: table.optional("ttl", read::duration).map(|at| at.value),
        any_temperature: table.optional("any_temperature", read::boolean).map(|at| at.value),
        semantic: table.optional("semantic", read::boolean).map(|at| at.value),
        tool_calls: table.optional("tool_calls", read::boolean).map(|at| at.value),
    })
}

fn read_tag<'a>(table: &mut Table<'a, '_>, key: &str, node: Node<'a>) -> Option<Vec<At<String>>> {
    if let Err(fault) = check_tag(key) {
        table.sink().error(node.span().into(), fault.message);
    }
    table.one_or_more_of(key, node, tag).map(|values| values.value)
}

/// An endpoint by its path, or by the name that metrics use.
fn endpoint(value: &DeValue<'_>) -> Result<Endpoint, Fault> {
    let named = match value {
        DeValue::String(text) => Endpoint::from_name(text),
        _ => None,
    };
    named.map_or_else(|| read::one_of(ENDPOINTS)(value), Ok)
}
