//! The three calls that tell the story: [`decide`], [`begin`], [`Attempt::record`].
//!
//! `decide` reads one immutable [`Snapshot`] and the long-lived [`State`] and changes neither; `begin` claims what an
//! attempt needs; `record` settles it. Time and chance come in as arguments, so the same inputs give the same answer.

use std::sync::Arc;
use std::time::{Duration, Instant};

use fastrand::Rng;
use smallvec::SmallVec;

use crate::attempt::Attempt;
use crate::decision::{CachePlan, Candidate, Decision, Receipt};
use crate::digest::Digest;
use crate::digest::Temperature;
use crate::health::Refused;
use crate::ids::{ModelId, ProfileIndex};
use crate::profile::{Bands, Objective, Profile};
use crate::registry::Placement;
use crate::rejection::{Reason, Rejection};
use crate::request::RouteRequest;
use crate::rule::{Action, CacheRule, Facts};
use crate::score::Domain;
use crate::select::{Choice, Plan};
use crate::session::SessionKey;
use crate::snapshot::{OutOfDomain, Requested, Snapshot};
use crate::state::State;

/// Decides where a request goes. Changes nothing.
///
/// # Errors
/// A [`Rejection`] with a stable code where the policy refuses the request or no model can serve it.
pub fn decide(
    snapshot: &Snapshot,
    state: &State,
    request: &RouteRequest<'_>,
    now: Instant,
    rng: &mut Rng,
) -> Result<Decision, Rejection> {
    let digest = request.digest;
    let (assessment, keeps_for) = match may_be_kept(snapshot, request) {
        true => snapshot.scorer.judge(&digest.prompt()),
        false => (snapshot.scorer.score(&digest.prompt()), None),
    };
    let facts = Facts {
        tenant: request.tenant,
        tags: &request.tags,
        endpoint: digest.endpoint(),
        model: &digest.model,
        complexity: assessment.complexity(),
        prompt_tokens: digest.prompt_tokens,
        needs: digest.needs,
        placement: request.placement,
    };
    let matched = snapshot.first_match(&facts);
    let default_action = Action::default();
    let action = matched.map_or(&default_action, |(_, rule)| &rule.action);
    let requested = snapshot.resolve(&digest.model);
    let selection = Selection::of(snapshot, requested, action, request.profile);
    let mut receipt = Receipt {
        band: selection.bands.band(assessment.complexity()),
        assessment,
        rule: matched.map(|(index, _)| index),
        profile: selection.profile,
        objective: selection.objective,
        prompt_tokens: digest.prompt_tokens,
        output_tokens: 0,
        holder: None,
        considered: SmallVec::new(),
    };
    let chosen = selection.refuse(snapshot, request, action).and_then(|()| {
        selection.choose(&Question { snapshot, state, request, action, now }, &mut receipt, rng)
    });
    match chosen {
        Ok(Plan { candidates, prefix }) => Ok(Decision {
            candidates,
            prefix,
            session: SessionKey::of(&state.fingerprint_key, request),
            cache: cache_plan(snapshot, request, &action.cache, keeps_for, rng),
            max_output_tokens: action.max_output_tokens,
            receipt,
        }),
        Err(reason) => Err(Rejection { reason, receipt: Box::new(receipt) }),
    }
}

/// Claims an attempt at `candidate`: a place in flight, its part of the provider's quota, the half-open probe. The last one standing is
/// tried whatever is known of it.
///
/// # Errors
/// [`Refused`] where the model takes no requests any more since the decision; try the next candidate.
pub fn begin(
    snapshot: &Snapshot,
    state: &Arc<State>,
    candidate: &Candidate,
    now: Instant,
    rng: &mut Rng,
) -> Result<Attempt, Refused> {
    let settings = snapshot.provider(candidate.provider).map(|provider| Arc::clone(&provider.health));
    let settings = settings.unwrap_or_default();
    Attempt::claim(state, candidate, &settings, now, rng)
}

/// What a decision is about.
struct Question<'a, 'r> {
    snapshot: &'a Snapshot,
    state: &'a State,
    request: &'a RouteRequest<'r>,
    action: &'a Action,
    now: Instant,
}

/// Who chooses among which models: the caller, a rule or a profile.
struct Selection {
    requested: Option<Requested>,
    profile: Option<ProfileIndex>,
    candidates: SmallVec<[ModelId; 8]>,
    /// Whether the router chooses, so that bands order the placements.
    free: bool,
    bands: Bands,
    objective: Objective,
    fallback: bool,
}

impl Selection {
    fn of(
        snapshot: &Snapshot,
        requested: Option<Requested>,
        action: &Action,
        demanded: Option<ProfileIndex>,
    ) -> Self {
        let asked = match requested {
            Some(Requested::Auto(profile)) => Some(profile),
            _ => None,
        };
        let profile = demanded.or(action.profile).or(asked);
        let chooser: Option<&Profile> = profile.and_then(|index| snapshot.profile(index));
        let candidates: SmallVec<[ModelId; 8]> = match (&action.candidates, chooser, requested) {
            (Some(candidates), _, _) if demanded.is_none() => candidates.iter().copied().collect(),
            (_, Some(profile), _) => profile.candidates.iter().copied().collect(),
            (None, None, Some(Requested::Model(model))) => SmallVec::from_slice(&[model]),
            _ => SmallVec::new(),
        };
        let default = snapshot.profiles().first();
        let bands = chooser.or(default).map_or_else(Bands::default, |profile| profile.bands);
        Self {
            requested,
            profile,
            free: action.candidates.is_some() || chooser.is_some(),
            candidates,
            bands: action.bands.unwrap_or(bands),
            objective: action.objective.or(chooser.map(|profile| profile.objective)).unwrap_or_default(),
            fallback: chooser.is_none_or(|profile| profile.fallback),
        }
    }

    /// The model that holds the conversation, where the router is free to choose and the conversation has a past.
    fn holder(&self, state: &State, request: &RouteRequest<'_>, now: Instant) -> Option<ModelId> {
        let has_past = request.session.is_some() || request.digest.prompt().turns > 1;
        if !(self.free && has_past) {
            return None;
        }
        state.sessions.holder(&SessionKey::of(&state.fingerprint_key, request), now)
    }

    /// What the policy refuses before any model is looked at.
    fn refuse(&self, snapshot: &Snapshot, request: &RouteRequest<'_>, action: &Action) -> Result<(), Reason> {
        let tenant = snapshot.tenants.tenant(request.tenant);
        let closed = |requested| tenant.is_some_and(|tenant| !tenant.may_ask(requested));
        if self.requested.is_some_and(closed) || (self.requested.is_none() && self.candidates.is_empty()) {
            let name = &request.digest.model;
            let near = snapshot.near_names(name).into_iter().map(Into::into).collect();
            return Err(Reason::ModelNotFound { name: name.clone(), near });
        }
        match &action.deny {
            Some(message) => Err(Reason::PolicyDenied { message: message.clone() }),
            None => Ok(()),
        }
    }

    fn choose(
        &self,
        question: &Question<'_, '_>,
        receipt: &mut Receipt,
        rng: &mut Rng,
    ) -> Result<Plan, Reason> {
        let Question { snapshot, state, request, action, now } = *question;
        let max_cost = [request.max_cost, action.max_cost].into_iter().flatten().min();
        let outside = receipt.assessment.domain == Domain::Outside && self.profile.is_some();
        let preferred = match snapshot.out_of_domain {
            OutOfDomain::Model(model) if outside && action.candidates.is_none() => Some(model),
            _ => None,
        };
        let tenant = snapshot.tenants.tenant(request.tenant);
        let choice = Choice {
            snapshot,
            state,
            request,
            band: self.free.then_some(receipt.band),
            preferred,
            objective: self.objective,
            placement: strictest(
                request.placement,
                strictest(tenant.and_then(|t| t.placement), action.placement),
            ),
            max_cost,
            tenant,
            fallback: self.fallback,
            max_output_tokens: action.max_output_tokens,
            holder: self.holder(state, request, now),
            near_threshold: self.bands.is_near_threshold(receipt.assessment.complexity()),
            now,
        };
        receipt.holder = choice.holder;
        let others = self.candidates.iter().copied().filter(|model| Some(*model) != preferred);
        let candidates: SmallVec<[ModelId; 8]> = preferred.into_iter().chain(others).collect();
        choice.choose(&candidates, receipt, rng)
    }
}

/// What the caller and the rule demand together; internal wins.
fn strictest(caller: Option<Placement>, rule: Option<Placement>) -> Option<Placement> {
    match (caller, rule) {
        (Some(Placement::Internal), _) | (_, Some(Placement::Internal)) => Some(Placement::Internal),
        (caller, rule) => caller.or(rule),
    }
}

/// Whether the same request is expected to get the same answer.
fn is_deterministic(digest: &Digest) -> bool {
    digest.temperature == Temperature::Zero || !digest.endpoint().generates()
}

/// Whether it will matter how soon the answer changes, as far as can be told before a rule has matched.
fn may_be_kept(snapshot: &Snapshot, request: &RouteRequest<'_>) -> bool {
    snapshot.cache.enabled
        && snapshot.cache.volatility
        && is_deterministic(request.digest)
        && !request.cache.no_store
}

/// How the cache takes part: by policy, then by rule, then by what the caller wishes.
fn cache_plan(
    snapshot: &Snapshot,
    request: &RouteRequest<'_>,
    rule: &CacheRule,
    keeps_for: Option<Duration>,
    rng: &mut Rng,
) -> CachePlan {
    let digest = request.digest;
    let policy = &snapshot.cache;
    let deterministic = is_deterministic(digest);
    let enabled = rule.enabled.unwrap_or(policy.enabled)
        && (deterministic || rule.any_temperature == Some(true))
        && digest.choices == 1
        && !digest.ambiguous
        && !request.cache.no_store;
    let ttl = if enabled { ttl(snapshot, request, rule, keeps_for, rng) } else { Duration::ZERO };
    CachePlan {
        read: enabled && !request.cache.no_read,
        write: enabled && ttl > Duration::ZERO,
        ttl,
        semantic: enabled && rule.semantic.unwrap_or(policy.semantic) && digest.scope.is_some(),
        tool_calls: rule.tool_calls.unwrap_or(policy.tool_calls),
    }
}

/// How long an answer stays fresh: as the rule says, else as the question does, else as the policy does. A caller may ask for less, never
/// for more.
fn ttl(
    snapshot: &Snapshot,
    request: &RouteRequest<'_>,
    rule: &CacheRule,
    keeps_for: Option<Duration>,
    rng: &mut Rng,
) -> Duration {
    let policy = &snapshot.cache;
    let by_question = || {
        // A rule may have widened the cache to requests that did not look as if they would be kept.
        let judged = || snapshot.scorer.keeps_for(request.digest.prompt().question);
        let keeps = policy.volatility.then(|| keeps_for.or_else(judged)).flatten()?;
        Some(keeps.mul_f32(1.0 + TTL_JITTER * (2.0 * rng.f32() - 1.0)).min(policy.max_ttl))
    };
    let ttl = rule.ttl.or_else(by_question).unwrap_or(policy.ttl);
    request.cache.ttl.map_or(ttl, |wish| wish.min(ttl))
}

/// Answers that were stored together are not forgotten together: a tenth either way spreads the calls that renew them.
const TTL_JITTER: f32 = 0.1;
