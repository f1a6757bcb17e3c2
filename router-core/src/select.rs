//! Which of the candidates are admissible, and in which order they are tried.

use std::cmp::Ordering;
use std::time::Instant;

use smallvec::SmallVec;

use crate::decision::{Candidate, Considered, Receipt, Verdict};
use crate::ids::ModelId;
use crate::money::Usd;
use crate::profile::{Band, Objective};
use crate::registry::{Model, Placement, Provider};
use crate::rejection::Reason;
use crate::request::RouteRequest;
use crate::snapshot::Snapshot;
use crate::state::State;
use crate::tokens::TokenUsage;

/// What a choice depends on.
pub(crate) struct Choice<'a, 'r> {
    pub(crate) snapshot: &'a Snapshot,
    pub(crate) state: &'a State,
    pub(crate) request: &'a RouteRequest<'r>,
    /// `None`: the caller named the model, so the band orders nothing.
    pub(crate) band: Option<Band>,
    /// Goes before all others, whatever the band, where it is admissible.
    pub(crate) preferred: Option<ModelId>,
    pub(crate) objective: Objective,
    pub(crate) placement: Option<Placement>,
    pub(crate) max_cost: Option<Usd>,
    pub(crate) fallback: bool,
    pub(crate) max_output_tokens: Option<u64>,
    /// The model that holds the conversation.
    pub(crate) holder: Option<ModelId>,
    /// Whether the complexity lies so near a threshold that it is not worth moving a conversation for.
    pub(crate) near_threshold: bool,
    pub(crate) now: Instant,
}

/// One admissible model with what it is ordered by.
#[derive(Clone, Copy)]
struct Ranked {
    candidate: Candidate,
    tier: u8,
    /// Answer tokens expected of it.
    output: u64,
    group: Group,
    /// Fits only an answer that stays below the stated limit. Most providers refuse such a request, so it goes last.
    tight: bool,
    unhealthy: bool,
}

/// Whom the band lets go first.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Group {
    /// Holds a conversation whose tool loop is open.
    Locked,
    /// The preferred model.
    Preferred,
    /// Placed where the band wants it.
    Inside,
    /// Placed elsewhere.
    Fallback,
}

impl Choice<'_, '_> {
    /// Looks at every candidate, writes each one's fate into the receipt and returns the order of attempts.
    pub(crate) fn choose(
        &self,
        candidates: &[ModelId],
        receipt: &mut Receipt,
    ) -> Result<SmallVec<[Candidate; 4]>, Reason> {
        let mut ranked: SmallVec<[Ranked; 8]> = SmallVec::new();
        for id in candidates {
            let Some((model, provider)) = self.snapshot.target(*id) else { continue };
            let output = self.output_tokens(model);
            let expected_cost = self.expected_cost(model, output);
            let verdict = match self.inadmissible(model, provider, expected_cost, output) {
                Some(verdict) => verdict,
                None => {
                    ranked.push(self.rank(model, provider, expected_cost, output));
                    Verdict::Chosen
                }
            };
            receipt.considered.push(Considered { model: *id, expected_cost, verdict });
        }
        self.drop_fallbacks(&mut ranked, receipt);
        self.drop_unhealthy(&mut ranked, receipt);
        ranked.sort_by(|a, b| self.order(a, b));
        place_verdicts(&ranked, receipt);
        let Some(first) = ranked.first() else { return Err(self.reason(receipt)) };
        receipt.output_tokens = first.output;
        Ok(ranked.iter().map(|ranked| ranked.candidate).collect())
    }

    fn rank(&self, model: &Model, provider: &Provider, expected_cost: Option<Usd>, output: u64) -> Ranked {
        let wanted = match self.band {
            None => provider.placement,
            Some(Band::External) => Placement::External,
            Some(Band::Internal | Band::Hybrid) => Placement::Internal,
        };
        let holds = self.holder == Some(model.id);
        let group = match self.preferred {
            _ if holds && self.request.digest.prompt().tool_loop => Group::Locked,
            Some(preferred) if preferred == model.id => Group::Preferred,
            // Near a threshold the gain of moving a conversation is smaller than the loss.
            _ if provider.placement == wanted || (holds && self.near_threshold) => Group::Inside,
            _ => Group::Fallback,
        };
        let limits = [self.request.digest.max_output_tokens, self.max_output_tokens];
        let longest = limits.into_iter().flatten().min().unwrap_or(0);
        let room = self.request.digest.prompt_tokens.saturating_add(longest);
        let open_for = self.state.model(model.id).map(|state| state.breaker.open_for(self.now));
        Ranked {
            candidate: Candidate {
                model: model.id,
                provider: provider.id,
                placement: provider.placement,
                expected_cost,
                timeouts: provider.timeouts,
            },
            tier: model.tier,
            output,
            group,
            tight: model.context_tokens.is_some_and(|context| room > context),
            unhealthy: open_for.is_some_and(|open_for| !open_for.is_zero()),
        }
    }

    /// Why a model cannot serve the request, whatever its health.
    fn inadmissible(
        &self,
        model: &Model,
        provider: &Provider,
        expected_cost: Option<Usd>,
        output: u64,
    ) -> Option<Verdict> {
        let digest = self.request.digest;
        if provider.dialect != digest.endpoint().dialect() {
            return Some(Verdict::Dialect(provider.dialect));
        }
        if self.placement.is_some_and(|placement| placement != provider.placement) {
            return Some(Verdict::Placement(provider.placement));
        }
        if let Some(capability) = model.capabilities.missing(digest.needs) {
            return Some(Verdict::Lacks(capability));
        }
        if let Some(context) = model.context_tokens
            && digest.prompt_tokens.saturating_add(output.min(digest.max_output_tokens.unwrap_or(0)))
                > context
        {
            return Some(Verdict::Context(context));
        }
        let too_dear = |limit| expected_cost.is_none_or(|cost| cost > limit);
        self.max_cost.is_some_and(too_dear).then_some(Verdict::CostLimit)
    }

    /// How long the answer is expected to be: what this model's answers were lately, within the stated limit.
    fn output_tokens(&self, model: &Model) -> u64 {
        if !self.request.digest.endpoint().generates() {
            return 0;
        }
        let seen = self
            .state
            .model(model.id)
            .and_then(|state| state.mean_output_tokens(self.request.digest.prompt_tokens));
        let limits = [self.request.digest.max_output_tokens, self.max_output_tokens, model.max_output_tokens];
        limits.into_iter().flatten().fold(seen.unwrap_or(OUTPUT_PRIOR_TOKENS), u64::min)
    }

    /// What the request is expected to cost. The model that holds the conversation reads what came before from its provider's
    /// cache; for any other that prefix is lost and paid in full, which is the price of moving.
    fn expected_cost(&self, model: &Model, output: u64) -> Option<Usd> {
        let digest = self.request.digest;
        let cached_input = if self.holder == Some(model.id) { digest.prefix_tokens() } else { 0 };
        let input = digest.prompt_tokens.saturating_sub(cached_input);
        model.pricing.cost(&TokenUsage { input, cached_input, output, ..TokenUsage::default() })
    }

    /// In bands internal and external without fallback, the other placement does not stand by.
    fn drop_fallbacks(&self, ranked: &mut SmallVec<[Ranked; 8]>, receipt: &mut Receipt) {
        let Some(band @ (Band::Internal | Band::External)) = self.band else { return };
        if self.fallback {
            return;
        }
        for dropped in ranked.iter().filter(|ranked| ranked.group == Group::Fallback) {
            mark(receipt, dropped.candidate.model, Verdict::Band(band));
        }
        ranked.retain(|ranked| ranked.group != Group::Fallback);
    }

    /// Leaves out models whose breaker is open, unless that would leave none: the last one standing is always tried.
    fn drop_unhealthy(&self, ranked: &mut SmallVec<[Ranked; 8]>, receipt: &mut Receipt) {
        if ranked.iter().all(|ranked| ranked.unhealthy) {
            return;
        }
        for dropped in ranked.iter().filter(|ranked| ranked.unhealthy) {
            let model = dropped.candidate.model;
            let open_for = self.state.model(model).map(|state| state.breaker.open_for(self.now));
            mark(receipt, model, Verdict::Unhealthy(open_for.unwrap_or_default()));
        }
        ranked.retain(|ranked| !ranked.unhealthy);
    }

    /// The order of attempts. A stable sort keeps the policy's order among equals.
    fn order(&self, a: &Ranked, b: &Ranked) -> Ordering {
        let cost = |ranked: &Ranked| ranked.candidate.expected_cost.unwrap_or(Usd::MAX);
        let dearness = cost(a).cmp(&cost(b));
        (a.tight, a.group).cmp(&(b.tight, b.group)).then_with(|| match self.objective {
            Objective::Cheapest => dearness,
            Objective::Best => b.tier.cmp(&a.tier).then(dearness),
        })
    }

    /// Why nothing is left.
    fn reason(&self, receipt: &Receipt) -> Reason {
        // A demanded placement fails closed, whatever else was wrong with the models that stay.
        if let Some(placement) = self.placement
            && receipt.considered.iter().any(|c| matches!(c.verdict, Verdict::Placement(_)))
        {
            return Reason::PlacementUnavailable { placement };
        }
        // Cost is looked at last: whoever failed there could have served the request.
        if let Some(limit) = self.max_cost
            && receipt.considered.iter().any(|c| c.verdict == Verdict::CostLimit)
        {
            return Reason::CostLimit { limit };
        }
        Reason::NoCandidate { why: explain(self.snapshot, receipt).into() }
    }
}

/// Answer tokens expected of a model that has not answered yet: the mean of a public production trace is about 210
/// (Azure LLM inference 2023, conversations), rounded up to stay on the dear side.
const OUTPUT_PRIOR_TOKENS: u64 = 256;

fn mark(receipt: &mut Receipt, model: ModelId, verdict: Verdict) {
    for considered in receipt.considered.iter_mut().filter(|considered| considered.model == model) {
        considered.verdict = verdict;
    }
}

fn place_verdicts(ranked: &[Ranked], receipt: &mut Receipt) {
    for (position, ranked) in ranked.iter().enumerate() {
        let verdict = match position {
            0 => Verdict::Chosen,
            n => Verdict::Standby(u8::try_from(n + 1).unwrap_or(u8::MAX)),
        };
        mark(receipt, ranked.candidate.model, verdict);
    }
}

/// `small: lacks vision; big: speaks anthropic`
fn explain(snapshot: &Snapshot, receipt: &Receipt) -> String {
    if receipt.considered.is_empty() {
        return "the policy names no candidates".to_owned();
    }
    let mut parts: SmallVec<[String; 8]> = SmallVec::new();
    for considered in receipt.considered.iter().take(8) {
        let name = snapshot.model(considered.model).map_or("?", |model| &model.name);
        parts.push(format!("{name}: {}", considered.verdict));
    }
    parts.join("; ")
}
