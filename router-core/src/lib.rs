//! Decides where an AI request goes.
//!
//! Pure: no socket, no file, no environment, no spawn, and no answer that depends on a hidden clock. Three calls tell the story:
//!
//! 1. [`decide`] takes an immutable [`Snapshot`] of the policy, the long-lived [`State`], a digested request and the
//!    time, and answers with ordered candidates and a receipt, or with a [`Rejection`]. It changes nothing.
//! 2. [`begin`] claims an attempt at a candidate.
//! 3. [`Attempt::record`] settles it. An attempt that is dropped releases what it held as cancelled.

mod attempt;
pub mod balance;
pub mod breaker;
pub mod budget;
pub mod cache;
mod capability;
pub mod charter;
pub mod concurrency;
mod decision;
mod dialect;
mod digest;
mod estimate;
pub mod health;
pub mod hedge;
pub mod ids;
pub mod keyring;
pub mod limit;
pub mod money;
pub mod origin;
mod profile;
mod registry;
mod rejection;
mod request;
pub mod retry;
mod router;
mod rule;
pub mod score;
mod select;
mod session;
mod settings;
pub mod slots;
mod snapshot;
mod state;
pub mod tariff;
mod tenant;
mod timeline;
pub mod tokens;

pub use attempt::{Attempt, Settled};
pub use breaker::{BreakerSettings, Phase};
pub use cache::{CacheKey, Entry, EntryTags, Framing, ResponseCache, ScopeKey, Stored};
pub use capability::{Capabilities, Capability};
pub use decision::{CachePlan, Candidate, Considered, Decision, Receipt, Verdict};
pub use dialect::{Dialect, Endpoint};
pub use digest::{BodyFault, Changes, Digest, Fingerprint, FingerprintKey, Splices, Temperature};
pub use estimate::estimate_tokens;
pub use health::{HealthSettings, HealthView, Outcome, Refused};
pub use hedge::HedgeSettings;
pub use ids::{ModelId, ProfileIndex, ProviderId, RuleIndex, TenantId};
pub use keyring::{KeyHash, KeyId};
pub use money::{TokenPrice, Usd};
pub use profile::{Band, Bands, Objective, Profile};
pub use registry::{
    Listed, Model, Placement, PoolSettings, PriceList, PriceSource, Pricing, Probe, Provider, ProviderTls,
    Secret, Timeouts, UpstreamModel,
};
pub use rejection::{Fault, Reason, Rejection};
pub use request::{CacheWish, RouteRequest};
pub use retry::RetrySettings;
pub use router::{begin, decide};
pub use rule::{Action, CacheRule, Comparison, Condition, Facts, Operator, Rule, Tags};
pub use score::{Assessment, Domain, MAX_TERMS, Prompt, Scorer, Term};
pub use session::{SessionKey, Sessions};
pub use settings::{CachePolicy, Matcher, OutcomePolicy, Sharing};
pub use snapshot::{AttemptPolicy, HoldBack, OutOfDomain, Parts, Requested, Snapshot};
pub use state::{IdsExhausted, ModelState, State, TenantState};
pub use tariff::{Tariff, Tier};
pub use tenant::{Tenant, Tenants};
pub use tokens::{Prices, TokenUsage};
