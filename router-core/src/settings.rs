//! Settings of a policy that stand for themselves: how answers are cached, and what is kept of how good they were.

use std::path::PathBuf;
use std::time::Duration;

use crate::ids::{ModelId, TenantId};

/// What decides whether two questions mean the same.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Matcher {
    /// Sentence embeddings where their files are found, else the built-in matcher.
    #[default]
    Auto,
    /// The built-in matcher: words, no model file.
    Builtin,
    /// Sentence embeddings. Where their files are missing the built-in matcher serves, with a warning.
    Fastembed,
}

impl Matcher {
    /// The name used in policies.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Auto => "auto",
            Self::Builtin => "builtin",
            Self::Fastembed => "fastembed",
        }
    }
}

/// Tenants that answer each other from the cache.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sharing {
    /// In whose name the entries are kept: an id that is no tenant's and belongs to this set of members alone, so that a
    /// tenant who leaves the group takes nothing along and leaves nothing to read.
    pub scope: TenantId,
    /// The tenants, two at least.
    pub members: Box<[TenantId]>,
}

/// Policy of the response cache.
#[derive(Clone, Debug, PartialEq)]
pub struct CachePolicy {
    /// Whether answers are cached where no rule says otherwise.
    pub enabled: bool,
    /// Whether a differently worded question may be answered from the cache, where no rule says otherwise.
    pub semantic: bool,
    /// How long an answer stays fresh where neither a rule nor [`volatility`](Self::volatility) says.
    pub ttl: Duration,
    /// The longest time that a caller's wish or the volatility of a question can give an answer.
    pub max_ttl: Duration,
    /// Whether the question itself says how long its answer stays fresh, where no rule does.
    pub volatility: bool,
    /// How much longer an answer to the very same question is served while a fresh one is fetched.
    pub stale_while_revalidate: Duration,
    /// Bytes that all entries may hold together.
    pub max_bytes: u64,
    /// Changing this number forgets every answer.
    pub epoch: u64,
    /// The share of wrong answers among near hits that must not be passed, above 0, at most 0.5.
    pub max_false_hit_rate: f64,
    /// What decides whether two questions mean the same.
    pub matcher: Matcher,
    /// Folder of the sentence embeddings; `None`: where the program looks by itself.
    pub models: Option<PathBuf>,
    /// How long a request waits for its embedding before it counts as a miss.
    pub embed_deadline: Duration,
    /// The most that may be labelled of near candidates while near hits are served, 0 to 0.2: this share of near hits is sent upstream as
    /// well, and of near misses the same share is compared.
    pub shadow: f64,
    /// The model that compares two answers where simpler means are not enough.
    pub judge: Option<ModelId>,
    /// Whether answers that call tools are cached, where no rule says otherwise.
    pub tool_calls: bool,
    /// Who shares entries with whom; a tenant is in one group at most. All others keep theirs to themselves.
    pub share: Vec<Sharing>,
}

impl Default for CachePolicy {
    /// On, exact only, an hour where the question does not say, a week at most, 64 MiB, one near hit in fifty may be
    /// wrong, one in fifty is checked, 20 ms for an embedding, nothing stale, no tool calls, nothing shared.
    fn default() -> Self {
        Self {
            enabled: true,
            semantic: false,
            ttl: Duration::from_secs(3600),
            max_ttl: Duration::from_secs(7 * 86_400),
            volatility: true,
            stale_while_revalidate: Duration::ZERO,
            max_bytes: 64 << 20,
            epoch: 0,
            max_false_hit_rate: 0.02,
            matcher: Matcher::Auto,
            models: None,
            embed_deadline: Duration::from_millis(20),
            shadow: 0.02,
            judge: None,
            tool_calls: false,
            share: Vec::new(),
        }
    }
}

/// What is kept of how good answers were.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OutcomePolicy {
    /// The file outcomes are appended to; `None`: they are not kept.
    pub log: Option<PathBuf>,
    /// Bytes a file may have before it makes way for a new one.
    pub max_bytes: u64,
    /// Files kept, the open one included.
    pub files: u32,
    /// Whether prompts may be kept, in memory and in the log, where the tenant does not say otherwise.
    pub keep_prompts: bool,
}

impl Default for OutcomePolicy {
    /// No log; four files of 64 MiB where there is one; no prompts.
    fn default() -> Self {
        Self { log: None, max_bytes: 64 << 20, files: 4, keep_prompts: false }
    }
}
