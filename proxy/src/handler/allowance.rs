//! Whether a request may be made: quotas, a place at the gate, and money.

use std::sync::Arc;
use std::time::{Instant, SystemTime};

use router_core::budget::{Abandoned, Budget, Exhausted, Hold, Spender, Terms};
use router_core::charter::{BudgetEntry, LimitEntry, Party, Scope, WhenExhausted};
use router_core::limit::{Measure, Permit, Refused};
use router_core::{Candidate, Placement, decide};
use smallvec::SmallVec;
use smol_str::ToSmolStr;

use super::Passage;
use crate::account::Stopwatch;
use crate::audit::What;
use crate::funds::{Funds, Pace};
use crate::gate::Rank;
use crate::ledger::Who;
use crate::refusal::Refusal;
use crate::settle::Bill;
use crate::wishes::Wishes;

/// Answer tokens for which money is set aside where neither request, policy nor model say how long the answer may be. Longer than nineteen of
/// twenty answers; a stream's money is extended by as much again and again.
const RESERVED_OUTPUT_TOKENS: u64 = 4_096;

/// There is no money for an attempt.
#[derive(Debug)]
pub(super) enum Broke {
    /// A budget has none left.
    Exhausted(Exhausted, WhenExhausted),
    /// It could not be written down.
    Unrecorded,
}

fn part(entry: &BudgetEntry) -> (&Budget, &Arc<Terms>) {
    (&entry.budget, &entry.terms)
}

impl Passage {
    /// Who the request is counted for.
    fn party<'a>(&'a self, tags: &'a [(&'a str, &'a str)]) -> Party<'a> {
        let (tenant, spender, rule) = (self.tenant, self.spender, self.decision.receipt.rule);
        Party { tenant, spender, rule, tags }
    }

    fn tags(&self) -> SmallVec<[(&str, &str); 4]> {
        self.tags.iter().map(|(key, value)| (&**key, &**value)).collect()
    }

    /// Takes one request and its expected tokens from every quota that it falls under, whoever answers it.
    pub(super) fn take_quota(&self) -> Result<(), Refusal> {
        let charter = &self.snapshot.charter;
        if charter.limits().is_empty() {
            return Ok(());
        }
        let tags = self.tags();
        let limits = charter.limits_of(&self.party(&tags));
        if limits.is_empty() {
            return Ok(());
        }
        let now = Instant::now();
        match Permit::try_new(limits.iter().map(|entry| (&entry.limiter, &entry.limit)), self.tokens(), now) {
            Ok(permit) => {
                self.account.hold_permit(permit, now);
                Ok(())
            }
            Err(refused) => Err(self.limited(&limits, refused, now)),
        }
    }

    /// As [`take_quota`](Self::take_quota), from the quotas of the model that is about to be asked.
    pub(super) fn take_model_quota(&self, candidate: &Candidate) -> Result<Option<Permit>, Refusal> {
        let limits = self.snapshot.charter.limits_of_model(candidate.model);
        if limits.is_empty() {
            return Ok(None);
        }
        let now = Instant::now();
        Permit::try_new(limits.iter().map(|entry| (&entry.limiter, &entry.limit)), self.tokens(), now)
            .map(Some)
            .map_err(|refused| self.limited(&limits, refused, now))
    }

    /// Tokens that the request is expected to use, until they are known.
    fn tokens(&self) -> u64 {
        let receipt = &self.decision.receipt;
        receipt.prompt_tokens.saturating_add(receipt.output_tokens)
    }

    fn limited(&self, limits: &[&LimitEntry], refused: Refused, now: Instant) -> Refusal {
        let entry = limits.get(refused.index);
        let quota = entry.map_or("", |entry| &entry.name);
        if let Some(entry) = entry {
            self.account.stand(entry.limiter.standing(&entry.limit, now));
        }
        self.app.metrics.money.rate_limited.with_label_values(&[quota]).inc();
        let what = match (refused.measure, refused.retry_after) {
            (_, None) => "the request is larger than all of it",
            (Measure::Requests, _) => "too many requests",
            (Measure::Tokens, _) => "too many tokens",
            (Measure::Concurrency, _) => "too many requests at once",
        };
        Refusal::RateLimited { quota: quota.into(), what, wait: refused.retry_after }
    }

    /// Takes a place at the gate, and keeps it until the request has ended.
    pub(super) async fn enter(&self, watch: &mut Stopwatch) -> Result<(), Refusal> {
        let known = self.snapshot.tenants.tenant(self.tenant);
        let worth = self.decision.candidates.first().and_then(|candidate| candidate.expected_cost);
        let rank = Rank { tier: known.map_or(1, |tenant| tenant.tier), worth: worth.unwrap_or_default() };
        match watch.wait(self.app.gate.enter(rank)).await {
            Ok(place) => {
                self.account.hold_place(place);
                Ok(())
            }
            Err(_) => Err(Refusal::Overloaded),
        }
    }

    /// Sets aside what an attempt at `candidate` can cost at most, in every budget that the request falls under. `None` where none does, or
    /// where it costs nothing.
    pub(super) fn fund(&self, candidate: &Candidate) -> Result<Option<Funds>, Broke> {
        let charter = &self.snapshot.charter;
        if charter.budgets().is_empty() {
            return Ok(None);
        }
        let tags = self.tags();
        let budgets = charter.budgets_of(&self.party(&tags));
        let bill = Bill::new(&self.snapshot, candidate, &self.digest);
        let (output, pace) = self.expected_output(&bill);
        let Some(amount) = bill.worst_case(output).filter(|_| !budgets.is_empty()) else { return Ok(None) };
        let now = SystemTime::now();
        let (lenient, firm): (Vec<&BudgetEntry>, Vec<_>) = budgets
            .into_iter()
            .partition(|entry| self.lenient && entry.when_exhausted != WhenExhausted::Deny);
        let mut held = Hold::try_new(firm.iter().map(|entry| part(entry)), amount, self.spender, now)
            .map_err(|exhausted| self.exhausted(&firm, exhausted))?;
        let beside = Hold::new(lenient.iter().map(|entry| part(entry)), amount, self.spender, now);
        let ticket = self.app.books.reserve(&self.who(charter.budgets(), &tags), amount, now);
        let Ok(ticket) = ticket else { return Err(Broke::Unrecorded) };
        held.when_abandoned(Abandoned::Release);
        Ok(Some(Funds::new(held, beside, ticket, pace, Arc::clone(&self.app.books))))
    }

    /// Answer tokens to set money aside for, and how it grows where nobody has limited the answer.
    fn expected_output(&self, bill: &Bill) -> (u64, Option<Pace>) {
        if !self.digest.endpoint().generates() {
            return (0, None);
        }
        let choices = self.digest.choices.max(1);
        let stated =
            [self.digest.max_output_tokens, self.decision.max_output_tokens].into_iter().flatten().min();
        if let Some(stated) = stated {
            return (stated.saturating_mul(choices), None);
        }
        let own = bill.max_output_tokens();
        let reserved = self.snapshot.charter.reserve_output_tokens.or(own).unwrap_or(RESERVED_OUTPUT_TOKENS);
        let step = reserved.saturating_mul(choices).max(1);
        (step, Some(Pace { covered: step, step, price: bill.answer_cost(step) }))
    }

    fn who(&self, budgets: &[BudgetEntry], tags: &[(&str, &str)]) -> Who {
        let named = |key: &str| {
            budgets.iter().any(|entry| matches!(&entry.scope, Scope::Tag(name, _) if **name == *key))
        };
        let key = self.snapshot.tenants.key_of(self.spender).filter(|_| self.spender != Spender(0));
        Who {
            tenant: self
                .snapshot
                .tenants
                .tenant(self.tenant)
                .map(|tenant| (*tenant.name).into())
                .unwrap_or_default(),
            key: key.map(|key| key.hash.id().to_smolstr()).unwrap_or_default(),
            rule: self
                .decision
                .receipt
                .rule
                .filter(|rule| budgets.iter().any(|entry| entry.scope == Scope::Rule(*rule)))
                .and_then(|rule| self.snapshot.rule(rule))
                .map(|rule| (*rule.name).into()),
            tags: tags
                .iter()
                .filter(|(key, _)| named(key))
                .map(|(key, value)| ((*key).into(), (*value).into()))
                .collect(),
        }
    }

    fn exhausted(&self, entries: &[&BudgetEntry], exhausted: Exhausted) -> Broke {
        self.app.metrics.money.budget_denials.with_label_values(&[&exhausted.budget]).inc();
        if exhausted.first {
            self.app.books.stop(&exhausted, &self.snapshot);
        }
        let entry = entries.iter().find(|entry| *entry.terms.name == *exhausted.budget);
        let then = entry.map_or(WhenExhausted::Deny, |entry| entry.when_exhausted);
        Broke::Exhausted(exhausted, then)
    }

    /// The same request on the way on which an exhausted budget sends it; `None` where it has none, or has been sent there already.
    pub(super) fn detour(&self, then: WhenExhausted) -> Option<Self> {
        if self.lenient || then == WhenExhausted::Deny {
            return None;
        }
        let wishes = Wishes::read(&self.head.headers).ok()?;
        let mut request =
            wishes.request(&self.digest, self.tenant, self.snapshot.tenants.tenant(self.tenant));
        match then {
            WhenExhausted::Deny => return None,
            WhenExhausted::Internal => request.placement = Some(Placement::Internal),
            WhenExhausted::Profile(profile) => request.profile = Some(profile),
        }
        let mut decision =
            decide(&self.snapshot, &self.app.state, &request, Instant::now(), &mut fastrand::Rng::new());
        if decision.is_err() && then == WhenExhausted::Internal {
            // The caller named a model that is elsewhere: any internal one answers.
            let profile =
                self.snapshot.profiles().iter().position(|profile| !profile.candidates.is_empty())?;
            request.profile = Some(router_core::ProfileIndex::new(u16::try_from(profile).ok()?));
            decision =
                decide(&self.snapshot, &self.app.state, &request, Instant::now(), &mut fastrand::Rng::new());
        }
        let decision = decision.ok()?;
        Some(Self {
            lenient: true,
            decision,
            // What another model answered is not what was asked for.
            key: None,
            meaning: None,
            trial: None,
            ..self.clone()
        })
    }

    /// What the caller is told when there is no money.
    pub(super) fn broke(&self, broke: &Broke) -> Refusal {
        match broke {
            Broke::Unrecorded => Refusal::Unrecorded,
            Broke::Exhausted(exhausted, _) => {
                let until = jiff::Timestamp::try_from(exhausted.until).map(|until| until.to_string());
                let until = until.unwrap_or_default();
                Refusal::BudgetExceeded { message: format!("{exhausted}, until {until}") }
            }
        }
    }

    /// Writes a refusal into the audit.
    pub(super) fn note_denial(&self, refusal: &Refusal) {
        let rule = self.decision.receipt.rule.and_then(|rule| self.snapshot.rule(rule));
        let key = self.snapshot.tenants.key_of(self.spender);
        let what = What::Denied {
            tenant: self.account.tenant().into(),
            key: key.map(|key| key.hash.id().to_string().into()).unwrap_or_default(),
            code: refusal.code().into(),
            rule: rule.map(|rule| rule.name.clone()),
        };
        self.app.books.note("caller", what);
    }
}
