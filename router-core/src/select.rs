//! Which of the candidates are admissible, and in which order they are tried.

use std::cmp::Ordering;
use std::sync::Arc;
use std::time::Instant;

use fastrand::Rng;
use smallvec::SmallVec;

use crate::balance::{self, Ask, Home, Prefix, choose, eject};
use crate::decision::{Candidate, Considered, Receipt, Verdict};
use crate::health::{Health, Size};
use crate::ids::ModelId;
use crate::money::Usd;
use crate::profile::{Band, Objective};
use crate::registry::{Model, Placement, Pricing, Provider};
use crate::rejection::Reason;
use crate::request::RouteRequest;
use crate::snapshot::Snapshot;
use crate::state::State;
use crate::tenant::Tenant;
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
    /// Who asks, where tenants are configured.
    pub(crate) tenant: Option<&'a Tenant>,
    pub(crate) fallback: bool,
    pub(crate) max_output_tokens: Option<u64>,
    /// The model that holds the conversation.
    pub(crate) holder: Option<ModelId>,
    /// Whether the complexity lies so near a threshold that it is not worth moving a conversation for.
    pub(crate) near_threshold: bool,
    pub(crate) now: Instant,
}

/// What came of it.
pub(crate) struct Plan {
    /// The order of attempts.
    pub(crate) candidates: SmallVec<[Candidate; 4]>,
    /// What the prompt begins with, where that could matter.
    pub(crate) prefix: Prefix,
}

/// One admissible model with what it is ordered by.
#[derive(Clone, Copy)]
struct Ranked<'a> {
    candidate: Candidate,
    pricing: &'a Pricing,
    tier: u8,
    /// Answer tokens expected of it.
    output: u64,
    group: Group,
    /// Fits only an answer that stays below the stated limit. Most providers refuse such a request, so it goes last.
    tight: bool,
    health: &'a Arc<Health>,
    provider: &'a Provider,
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

type Ranking<'a> = SmallVec<[Ranked<'a>; 8]>;

impl<'a> Choice<'a, '_> {
    /// Looks at every candidate, writes each one's fate into the receipt and returns the order of attempts.
    pub(crate) fn choose(
        &self,
        candidates: &[ModelId],
        receipt: &mut Receipt,
        rng: &mut Rng,
    ) -> Result<Plan, Reason> {
        let mut ranked = Ranking::new();
        for id in candidates {
            let Some((model, provider)) = self.snapshot.target(*id) else { continue };
            let output = self.output_tokens(model, &ranked);
            let expected_cost = self.expected_cost(model, output);
            let verdict = match self.inadmissible(model, provider, expected_cost, output) {
                Some(verdict) => verdict,
                None => {
                    ranked.extend(self.rank(model, provider, expected_cost, output));
                    Verdict::Chosen
                }
            };
            receipt.considered.push(Considered { model: *id, expected_cost, verdict });
        }
        self.drop_fallbacks(&mut ranked, receipt);
        self.drop_ejected(&mut ranked, receipt);
        ranked.sort_by(|a, b| self.order(a, b));
        let prefix = self.balance(&mut ranked, rng);
        place_verdicts(&ranked, receipt);
        let Some(first) = ranked.first() else { return Err(self.reason(receipt)) };
        receipt.output_tokens = first.output;
        Ok(Plan { candidates: ranked.iter().map(|ranked| ranked.candidate).collect(), prefix })
    }

    fn rank(
        &self,
        model: &'a Model,
        provider: &'a Provider,
        expected_cost: Option<Usd>,
        output: u64,
    ) -> Option<Ranked<'a>> {
        let limits = [self.request.digest.max_output_tokens, self.max_output_tokens];
        let longest = limits.into_iter().flatten().min().unwrap_or(0);
        let room = self.request.digest.prompt_tokens.saturating_add(longest);
        Some(Ranked {
            candidate: Candidate {
                model: model.id,
                provider: provider.id,
                placement: provider.placement,
                expected_cost,
                size: Size {
                    prompt_tokens: tokens(self.request.digest.prompt_tokens),
                    answer_tokens: tokens(output),
                },
                timeouts: provider.timeouts,
                last_standing: false,
            },
            pricing: self.pricing(model),
            tier: model.tier,
            output,
            group: self.group(model, provider),
            tight: model.context_tokens.is_some_and(|context| room > context),
            health: &self.state.model(model.id)?.health,
            provider,
        })
    }

    fn group(&self, model: &Model, provider: &Provider) -> Group {
        let wanted = match self.band {
            None => provider.placement,
            Some(Band::External) => Placement::External,
            Some(Band::Internal | Band::Hybrid) => Placement::Internal,
        };
        let holds = self.holder == Some(model.id);
        match self.preferred {
            _ if holds && self.request.digest.prompt().tool_loop => Group::Locked,
            Some(preferred) if preferred == model.id => Group::Preferred,
            // Near a threshold the gain of moving a conversation is smaller than the loss.
            _ if provider.placement == wanted || (holds && self.near_threshold) => Group::Inside,
            _ => Group::Fallback,
        }
    }

    /// Why a model cannot serve the request, whatever its health.
    fn inadmissible(
        &self,
        model: &'a Model,
        provider: &Provider,
        expected_cost: Option<Usd>,
        output: u64,
    ) -> Option<Verdict> {
        if self.tenant.is_some_and(|tenant| !tenant.may_use(model.id)) {
            return Some(Verdict::Tenant);
        }
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
        if self.snapshot.charter.refuse_unpriced && *self.pricing(model) == Pricing::Unpriced {
            return Some(Verdict::Unpriced);
        }
        let dearest = self.dearest_cost(model, expected_cost);
        let too_dear = |limit| dearest.is_none_or(|cost| cost > limit);
        self.max_cost.is_some_and(too_dear).then_some(Verdict::CostLimit)
    }

    /// What a cost limit looks at: an answer as long as the request or the policy allows, where they say how long that is, else one of the
    /// expected length.
    fn dearest_cost(&self, model: &'a Model, expected_cost: Option<Usd>) -> Option<Usd> {
        let digest = self.request.digest;
        let stated = [digest.max_output_tokens, self.max_output_tokens].into_iter().flatten().min();
        let Some(stated) = stated.filter(|_| digest.endpoint().generates()) else { return expected_cost };
        let output = stated.saturating_mul(digest.choices.max(1));
        let usage = TokenUsage { input: digest.prompt_tokens, output, ..TokenUsage::default() };
        expected_cost.max(self.pricing(model).cost(&usage))
    }

    fn pricing(&self, model: &'a Model) -> &'a Pricing {
        model.pricing_of(&self.request.digest.model).0
    }

    /// How long the answer is expected to be: what this model's answers were lately, within the stated limit. Models of equal price
    /// and tier are expected to answer alike, so that chance does not tell them apart.
    fn output_tokens(&self, model: &'a Model, ranked: &[Ranked<'_>]) -> u64 {
        if !self.request.digest.endpoint().generates() {
            return 0;
        }
        let pricing = self.pricing(model);
        let like = |ranked: &&Ranked<'_>| ranked.pricing == pricing && ranked.tier == model.tier;
        if let Some(equal) = ranked.iter().find(like) {
            return equal.output;
        }
        let seen = self
            .state
            .model(model.id)
            .and_then(|state| state.mean_output_tokens(self.request.digest.prompt_tokens));
        let digest = self.request.digest;
        let limits = [digest.max_output_tokens, self.max_output_tokens, model.max_output_of(&digest.model)];
        limits.into_iter().flatten().fold(seen.unwrap_or(OUTPUT_PRIOR_TOKENS), u64::min)
    }

    /// What the request is expected to cost. The model that holds the conversation reads what came before from its provider's
    /// cache; for any other that prefix is lost and paid in full, which is the price of moving.
    fn expected_cost(&self, model: &'a Model, output: u64) -> Option<Usd> {
        let digest = self.request.digest;
        let cached_input = if self.holder == Some(model.id) { digest.prefix_tokens() } else { 0 };
        let input = digest.prompt_tokens.saturating_sub(cached_input);
        self.pricing(model).cost(&TokenUsage { input, cached_input, output, ..TokenUsage::default() })
    }

    /// In bands internal and external without fallback, the other placement does not stand by.
    fn drop_fallbacks(&self, ranked: &mut Ranking<'a>, receipt: &mut Receipt) {
        let Some(band @ (Band::Internal | Band::External)) = self.band else { return };
        if self.fallback {
            return;
        }
        for dropped in ranked.iter().filter(|ranked| ranked.group == Group::Fallback) {
            mark(receipt, dropped.candidate.model, Verdict::Band(band));
        }
        ranked.retain(|ranked| ranked.group != Group::Fallback);
    }

    /// Leaves out models that take no requests now, unless that would leave none: the last one standing is always tried, alone.
    fn drop_ejected(&self, ranked: &mut Ranking<'a>, receipt: &mut Receipt) {
        let Some(size) = ranked.first().map(|ranked| ranked.candidate.size) else { return };
        let standing = eject(&balanced(ranked), size, self.now);
        for (index, refused) in &standing.ejected {
            mark(receipt, ranked[*index].candidate.model, Verdict::Unhealthy(*refused));
        }
        if let Some(last) = standing.last {
            ranked[last].candidate.last_standing = true;
        }
        let kept: Ranking<'a> =
            standing.admitted.iter().chain(&standing.last).map(|index| ranked[*index]).collect();
        *ranked = kept;
    }

    /// Among neighbours that nothing tells apart, health and load decide, and who has read the prompt's beginning before. Only then
    /// is it looked at.
    fn balance(&self, ranked: &mut Ranking<'a>, rng: &mut Rng) -> Prefix {
        let mut prefix = None;
        let mut start = 0;
        while start < ranked.len() {
            let alike = |other: &Ranked<'_>| self.order(&ranked[start], other) == Ordering::Equal;
            let end = start + ranked[start..].iter().take_while(|other| alike(other)).count();
            if end - start > 1 {
                let text = self.request.digest.text();
                let prefix = prefix.get_or_insert_with(|| Prefix::of(self.request.tenant, text));
                self.balance_equals(&mut ranked[start..end], prefix, rng);
            }
            start = end;
        }
        prefix.unwrap_or_default()
    }

    fn balance_equals(&self, mut equals: &mut [Ranked<'a>], prefix: &Prefix, rng: &mut Rng) {
        while equals.len() > 1 {
            let home = self.home(equals, prefix);
            let ask = Ask { size: equals[0].candidate.size, home, ..Ask::default() };
            let chosen = choose(&balanced(equals), &ask, self.now, rng);
            let Some(index) = chosen.map(|choice| choice.index).filter(|index| *index < equals.len()) else {
                return;
            };
            equals.swap(0, index);
            equals = &mut equals[1..];
        }
    }

    /// Who holds the conversation, else who of the preferred group read the longest block of this prompt last and is likely to have it
    /// still.
    fn home(&self, equals: &[Ranked<'_>], prefix: &Prefix) -> Option<Home> {
        let position = |model: ModelId| equals.iter().position(|ranked| ranked.candidate.model == model);
        if let Some(index) = self.holder.and_then(position) {
            return Some(Home { index, share: 1.0 });
        }
        let group = equals.iter().map(|ranked| ranked.provider.group).min();
        self.state.affinity.find_home(prefix, self.now, |block, model| {
            let index = position(model)?;
            let provider = equals[index].provider;
            let keeps = block.is_kept_by_hosted() || provider.placement == Placement::Internal;
            let share = block.bytes as f32 / self.request.digest.text().len() as f32;
            (keeps && Some(provider.group) == group).then_some(Home { index, share })
        })
    }

    /// The order of attempts. A stable sort keeps the policy's order among equals.
    fn order(&self, a: &Ranked<'_>, b: &Ranked<'_>) -> Ordering {
        let cost = |ranked: &Ranked<'_>| ranked.candidate.expected_cost.unwrap_or(Usd::MAX);
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
        if receipt.considered.iter().any(|c| c.verdict == Verdict::Unpriced) {
            let message =
                "the models that can serve this request have no price, and the policy refuses those";
            return Reason::PolicyDenied { message: message.into() };
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

/// The part of a ranking that health and load are judged by.
fn balanced<'r>(ranked: &'r [Ranked<'_>]) -> SmallVec<[balance::Candidate<'r>; 8]> {
    let candidate = |ranked: &Ranked<'r>| balance::Candidate {
        health: ranked.health,
        settings: &ranked.provider.health,
        weight: ranked.provider.weight,
        group: ranked.provider.group,
    };
    ranked.iter().map(candidate).collect()
}

/// A count of tokens as the health of a provider is told it.
fn tokens(count: u64) -> u32 {
    u32::try_from(count).unwrap_or(u32::MAX)
}

fn mark(receipt: &mut Receipt, model: ModelId, verdict: Verdict) {
    for considered in receipt.considered.iter_mut().filter(|considered| considered.model == model) {
        considered.verdict = verdict;
    }
}

fn place_verdicts(ranked: &[Ranked<'_>], receipt: &mut Receipt) {
    for (position, ranked) in ranked.iter().enumerate() {
        let verdict = match position {
            0 if ranked.candidate.last_standing => Verdict::LastStanding,
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
