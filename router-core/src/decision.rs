//! What was decided, and why.

use std::time::Duration;

use smallvec::SmallVec;

use crate::balance::Prefix;
use crate::capability::Capability;
use crate::dialect::Dialect;
use crate::health::{Refused, Size};
use crate::ids::{ModelId, ProfileIndex, ProviderId, RuleIndex};
use crate::money::Usd;
use crate::profile::{Band, Objective};
use crate::registry::{Placement, Timeouts};
use crate::score::Assessment;
use crate::session::SessionKey;

/// A model to try, in the order of the plan.
#[derive(Clone, Copy, Debug)]
pub struct Candidate {
    /// The model.
    pub model: ModelId,
    /// Who serves it.
    pub provider: ProviderId,
    /// Where it runs.
    pub placement: Placement,
    /// What the request is expected to cost there; `None` for an unpriced model.
    pub expected_cost: Option<Usd>,
    /// The request's size, as the provider's health is told it.
    pub size: Size,
    /// The attempt's deadlines.
    pub timeouts: Timeouts,
    /// Whether it is tried although it takes no requests now, because nobody else is left.
    pub last_standing: bool,
}

/// Why a model was not chosen.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Verdict {
    /// The first choice.
    Chosen,
    /// Takes no requests now, but is tried nevertheless, because nobody else is left.
    LastStanding,
    /// Stands by as the n-th choice, from 2.
    Standby(u8),
    /// Speaks another dialect.
    Dialect(Dialect),
    /// Lacks what the request needs.
    Lacks(Capability),
    /// The prompt and answer do not fit its context window of so many tokens.
    Context(u64),
    /// Runs elsewhere than the request must stay.
    Placement(Placement),
    /// The band leaves no room for its placement.
    Band(Band),
    /// Expected to cost more than the limit, or has no price where a limit holds.
    CostLimit,
    /// Not open to this tenant.
    Tenant,
    /// Has no price, and the policy refuses such models.
    Unpriced,
    /// Takes no requests now.
    Unhealthy(Refused),
}

/// One model that was looked at.
#[derive(Clone, Copy, Debug)]
pub struct Considered {
    /// The model.
    pub model: ModelId,
    /// What the request is expected to cost there.
    pub expected_cost: Option<Usd>,
    /// What became of it.
    pub verdict: Verdict,
}

/// How a decision came about.
#[derive(Clone, Debug)]
pub struct Receipt {
    /// How hard the prompt was judged, with the reasons.
    pub assessment: Assessment,
    /// Where that puts it.
    pub band: Band,
    /// The rule that matched.
    pub rule: Option<RuleIndex>,
    /// The profile that chose, if the router was asked to choose.
    pub profile: Option<ProfileIndex>,
    /// How it chose.
    pub objective: Objective,
    /// Estimated prompt tokens.
    pub prompt_tokens: u64,
    /// Expected answer tokens.
    pub output_tokens: u64,
    /// The model that holds the conversation, where one does.
    pub holder: Option<ModelId>,
    /// Every model that was looked at.
    pub considered: SmallVec<[Considered; 8]>,
}

/// How the response cache takes part in a request.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct CachePlan {
    /// An answer may be served from it.
    pub read: bool,
    /// The answer may be stored in it.
    pub write: bool,
    /// How long the stored answer stays fresh.
    pub ttl: Duration,
    /// An answer to a differently worded question may be served, and this one's may be served to others.
    pub semantic: bool,
    /// Answers that call tools may be stored.
    pub tool_calls: bool,
}

impl CachePlan {
    /// Whether the cache takes no part at all.
    #[must_use]
    pub const fn bypassed(&self) -> bool {
        !self.read && !self.write
    }
}

/// The plan for one request.
#[derive(Clone, Debug)]
pub struct Decision {
    /// Models to try, best first. Never empty.
    pub candidates: SmallVec<[Candidate; 4]>,
    /// The conversation it belongs to.
    pub session: SessionKey,
    /// What the prompt begins with, where several models were as good as each other.
    pub prefix: Prefix,
    /// How the cache takes part.
    pub cache: CachePlan,
    /// The answer's token limit by policy.
    pub max_output_tokens: Option<u64>,
    /// Why all this.
    pub receipt: Receipt,
}

impl std::fmt::Display for Verdict {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Chosen => f.write_str("chosen"),
            Self::LastStanding => f.write_str("chosen as the last one standing, although unhealthy"),
            Self::Standby(rank) => write!(f, "stands by as number {rank}"),
            Self::Dialect(dialect) => write!(f, "speaks {dialect}"),
            Self::Lacks(capability) => write!(f, "lacks {}", capability.as_str()),
            Self::Context(tokens) => write!(f, "does not fit its context of {tokens} tokens"),
            Self::Placement(placement) => write!(f, "is {placement}"),
            Self::Band(band) => write!(f, "left out by band {band} without fallback"),
            Self::CostLimit => f.write_str("costs more than the limit, or has no price"),
            Self::Tenant => f.write_str("is not open to this tenant"),
            Self::Unpriced => f.write_str("has no price"),
            Self::Unhealthy(refused) => write!(f, "takes no requests now: {refused}"),
        }
    }
}
