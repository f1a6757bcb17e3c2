//! `[cache]`

use std::time::Duration;

use router_core::Matcher;

use crate::read;
use crate::source::At;
use crate::table::Table;

/// Words for [`Matcher`].
const MATCHERS: &[(&str, Matcher)] =
    &[("auto", Matcher::Auto), ("builtin", Matcher::Builtin), ("fastembed", Matcher::Fastembed)];

/// A cache that is wrong every other time is the loosest bound that still means anything.
const MAX_FALSE_HIT_RATE: f64 = 0.5;

/// Beyond it the checks cost more than a fifth of what the hits save.
const MAX_SHADOW: f64 = 0.2;

/// The cache's settings, as typed.
#[derive(Clone, Debug, Default)]
pub struct CacheSection {
    /// Whether answers are cached where no rule says otherwise.
    pub enabled: Option<At<bool>>,
    /// Whether a differently worded question may be answered from the cache.
    pub semantic: Option<At<bool>>,
    /// How long an answer stays fresh.
    pub ttl: Option<At<Duration>>,
    /// The longest time that a caller or the question can ask for.
    pub max_ttl: Option<At<Duration>>,
    /// Whether the question says how long its answer stays fresh.
    pub volatility: Option<At<bool>>,
    /// How much longer an answer is served while a fresh one is fetched.
    pub stale_while_revalidate: Option<At<Duration>>,
    /// Bytes that all entries may hold together.
    pub max_bytes: Option<At<u64>>,
    /// Changing this number forgets every answer.
    pub epoch: Option<At<u32>>,
    /// The share of wrong answers among near hits that must not be passed.
    pub max_false_hit_rate: Option<At<f64>>,
    /// What decides whether two questions mean the same.
    pub matcher: Option<At<Matcher>>,
    /// Folder of the sentence embeddings; a relative path starts at the folder of the policy.
    pub models: Option<At<String>>,
    /// How long a request waits for its embedding.
    pub embed_deadline: Option<At<Duration>>,
    /// Share of near hits that are also sent upstream.
    pub shadow: Option<At<f64>>,
    /// The model that compares two answers.
    pub judge: Option<At<String>>,
    /// Whether answers that call tools are cached.
    pub tool_calls: Option<At<bool>>,
    /// Groups of tenants that share entries.
    pub share: Vec<At<Vec<At<String>>>>,
}

impl CacheSection {
    pub(super) fn read(table: &mut Table<'_, '_>) -> Self {
        Self {
            enabled: table.optional("enabled", read::boolean),
            semantic: table.optional("semantic", read::boolean),
            ttl: table.optional("ttl", read::duration),
            max_ttl: table.optional("max_ttl", read::duration),
            volatility: table.optional("volatility", read::boolean),
            stale_while_revalidate: table.optional("stale_while_revalidate", read::duration_or_zero),
            max_bytes: table.optional("max_bytes", read::size),
            epoch: table.optional("epoch", read::integer(0..=u32::MAX)),
            max_false_hit_rate: table
                .optional("max_false_hit_rate", read::share_above_zero(MAX_FALSE_HIT_RATE)),
            matcher: table.optional("matcher", read::one_of(MATCHERS)),
            models: table.optional("models", read::text),
            embed_deadline: table.optional("embed_deadline", read::duration),
            shadow: table.optional("shadow", read::share(MAX_SHADOW)),
            judge: table.optional("judge", read::text),
            tool_calls: table.optional("tool_calls", read::boolean),
            share: table.groups("share", read::text),
        }
    }
}
