//! Rules: conditions on a request, and what follows from them.

use std::time::Duration;

use smallvec::SmallVec;

use crate::capability::{Capabilities, Capability};
use crate::dialect::{Dialect, Endpoint};
use crate::ids::{ModelId, ProfileIndex, TenantId};
use crate::money::Usd;
use crate::profile::{Bands, Objective};
use crate::registry::Placement;

/// Labels that a caller put on a request (`x-router-tags`).
pub type Tags<'a> = SmallVec<[(&'a str, &'a str); 4]>;

/// What rules look at, gathered once for a request.
#[derive(Clone, Copy, Debug)]
pub struct Facts<'a> {
    /// Who asks.
    pub tenant: TenantId,
    /// The request's tags, then the tenant's own.
    pub tags: &'a [(&'a str, &'a str)],
    /// Where the request came in.
    pub endpoint: Endpoint,
    /// The model name as the caller wrote it.
    pub model: &'a str,
    /// The served complexity.
    pub complexity: f32,
    /// Estimated prompt tokens.
    pub prompt_tokens: u64,
    /// Tools, images, schema, streaming.
    pub needs: Capabilities,
    /// The placement that the caller demands.
    pub placement: Option<Placement>,
}

/// `> 0.8`, `<= 8k`: a comparison with a constant.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Comparison<T> {
    /// How to compare.
    pub operator: Operator,
    /// With what.
    pub bound: T,
}

/// A comparison's sign.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Operator {
    /// `<`
    Less,
    /// `<=`
    AtMost,
    /// `>`
    Greater,
    /// `>=`
    AtLeast,
}

impl<T: PartialOrd> Comparison<T> {
    /// Whether `value` satisfies the comparison.
    #[must_use]
    pub fn holds(&self, value: &T) -> bool {
        match self.operator {
            Operator::Less => value < &self.bound,
            Operator::AtMost => value <= &self.bound,
            Operator::Greater => value > &self.bound,
            Operator::AtLeast => value >= &self.bound,
        }
    }
}

/// One condition. A rule keeps only those that its policy states.
#[derive(Clone, Debug, PartialEq)]
pub enum Condition {
    /// The dialect is this one.
    Dialect(Dialect),
    /// The endpoint is one of these.
    Endpoint(Box<[Endpoint]>),
    /// The request needs (or does not need) this capability.
    Needs(Capability, bool),
    /// The caller demands this placement.
    Placement(Placement),
    /// The tenant is one of these.
    Tenant(Box<[TenantId]>),
    /// The complexity compares so.
    Complexity(Comparison<f32>),
    /// The estimated prompt tokens compare so.
    PromptTokens(Comparison<u64>),
    /// The requested name is one of these; a trailing `*` matches any ending.
    Model(Box<[Box<str>]>),
    /// The tag has one of these values.
    Tag(Box<str>, Box<[Box<str>]>),
}

impl Condition {
    /// Whether a request with these facts satisfies the condition.
    #[must_use]
    pub fn holds(&self, facts: &Facts<'_>) -> bool {
        match self {
            Self::Dialect(dialect) => facts.endpoint.dialect() == *dialect,
            Self::Endpoint(endpoints) => endpoints.contains(&facts.endpoint),
            Self::Needs(capability, wanted) => facts.needs.contains(*capability) == *wanted,
            Self::Placement(placement) => facts.placement == Some(*placement),
            Self::Tenant(tenants) => tenants.contains(&facts.tenant),
            Self::Complexity(comparison) => comparison.holds(&facts.complexity),
            Self::PromptTokens(comparison) => comparison.holds(&facts.prompt_tokens),
            Self::Model(patterns) => patterns.iter().any(|pattern| name_matches(pattern, facts.model)),
            Self::Tag(key, values) => facts
                .tags
                .iter()
                .any(|(name, value)| *name == &**key && values.iter().any(|v| name_matches(v, value))),
        }
    }

    /// Rank for evaluation: what is cheap to test comes first.
    #[must_use]
    pub const fn cost_rank(&self) -> u8 {
        match self {
            Self::Dialect(_) | Self::Needs(..) | Self::Placement(_) | Self::Endpoint(_) => 0,
            Self::Complexity(_) | Self::PromptTokens(_) | Self::Tenant(_) => 1,
            Self::Model(_) | Self::Tag(..) => 2,
        }
    }
}

/// `gpt-*` matches `gpt-4o`; without the star the names must be equal.
fn name_matches(pattern: &str, name: &str) -> bool {
    match pattern.strip_suffix('*') {
        Some(prefix) => name.starts_with(prefix),
        None => pattern == name,
    }
}

/// What a rule says about the cache. `None` leaves the policy's setting.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct CacheRule {
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

/// What follows when a rule matches. `None` leaves what profile and policy say.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Action {
    /// Choose by this profile.
    pub profile: Option<ProfileIndex>,
    /// Use these thresholds.
    pub bands: Option<Bands>,
    /// Only models placed here.
    pub placement: Option<Placement>,
    /// Choose among these models.
    pub candidates: Option<Box<[ModelId]>>,
    /// Choose in this way.
    pub objective: Option<Objective>,
    /// Treat the cache so.
    pub cache: CacheRule,
    /// Refuse candidates that are expected to cost more.
    pub max_cost: Option<Usd>,
    /// Let the answer have this many tokens at most.
    pub max_output_tokens: Option<u64>,
    /// Refuse, with this message.
    pub deny: Option<Box<str>>,
}

/// A compiled rule.
#[derive(Clone, Debug)]
pub struct Rule {
    /// Its name, unique in the policy.
    pub name: Box<str>,
    conditions: Box<[Condition]>,
    /// What it does.
    pub action: Action,
}

impl Rule {
    /// A rule that applies where all `conditions` hold (always, if there are none).
    #[must_use]
    pub fn new(name: impl Into<Box<str>>, mut conditions: Vec<Condition>, action: Action) -> Self {
        conditions.sort_by_key(Condition::cost_rank);
        Self { name: name.into(), conditions: conditions.into(), action }
    }

    /// Whether the rule applies.
    #[must_use]
    pub fn matches(&self, facts: &Facts<'_>) -> bool {
        self.conditions.iter().all(|condition| condition.holds(facts))
    }

    /// The conditions, in the order they are tested.
    #[must_use]
    pub fn conditions(&self) -> &[Condition] {
        &self.conditions
    }
}
