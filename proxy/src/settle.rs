//! Settles an attempt once its answer is over: health, tokens, money.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Instant;

use router_core::limit::Permit;
use router_core::{
    Attempt, Candidate, Digest, ModelId, Outcome, PriceSource, Pricing, Settled, Snapshot, TokenUsage,
    UpstreamModel, Usd,
};

use crate::account::{Account, OTHER};
use crate::funds::Funds;
use crate::ledger::{Attempt as Line, BaselineMethod, CostState, Part};
use crate::metrics::{Charge, Metrics};
use crate::quota;
use crate::recount::{Asked, Recounts};
use crate::upstream::UpstreamFault;
use crate::wire::reading::Reading;
use http::HeaderMap;
use smol_str::SmolStr;

/// The names and prices an answer is charged by.
#[derive(Clone, Debug)]
pub struct Bill {
    snapshot: Arc<Snapshot>,
    /// Which model answers.
    pub model: ModelId,
    /// The name that the caller used, where the model goes by that.
    requested: Option<Box<str>>,
    prompt_tokens: u64,
    prompt_tokens_at_most: u64,
    /// Whether no caller waits for the answer, so that nothing was saved or lost against the baseline.
    errand: bool,
}

impl Bill {
    /// The bill of an attempt at `candidate` with this request.
    #[must_use]
    pub fn new(snapshot: &Arc<Snapshot>, candidate: &Candidate, digest: &Digest) -> Self {
        let model = snapshot.model(candidate.model);
        let goes_by_name = model.is_some_and(|model| model.price_list.is_some());
        Self {
            snapshot: Arc::clone(snapshot),
            model: candidate.model,
            requested: goes_by_name.then(|| digest.model.clone()),
            prompt_tokens: digest.prompt_tokens,
            prompt_tokens_at_most: digest.prompt_tokens_at_most,
            errand: false,
        }
    }

    /// The same bill for a request that no caller waits for.
    #[must_use]
    pub fn on_errand(mut self, errand: bool) -> Self {
        self.errand = errand;
        self
    }

    /// Labels: provider, model. An entry for unlisted names is `_other`.
    fn names(&self) -> (&str, &str) {
        self.snapshot.target(self.model).map_or((OTHER, OTHER), |(model, provider)| {
            let name = match model.upstream_model {
                UpstreamModel::Named(_) => &*model.name,
                UpstreamModel::AsRequested => OTHER,
            };
            (&provider.name, name)
        })
    }

    fn pricing(&self) -> (&Pricing, PriceSource) {
        let name = self.requested.as_deref().unwrap_or_default();
        let model = self.snapshot.model(self.model);
        model.map_or((&Pricing::Unpriced, PriceSource::Nobody), |model| model.pricing_of(name))
    }

    /// Answer tokens at most, where known.
    #[must_use]
    pub fn max_output_tokens(&self) -> Option<u64> {
        let name = self.requested.as_deref().unwrap_or_default();
        self.snapshot.model(self.model)?.max_output_of(name)
    }

    /// What `usage` would have cost at the baseline model.
    fn baseline_cost(&self, usage: &TokenUsage) -> Option<Usd> {
        let baseline = self.snapshot.baseline.filter(|_| !self.errand)?;
        self.snapshot.model(baseline)?.pricing.cost(usage)
    }

    /// Charges what an attempt used. Returns the cost.
    fn charge(&self, metrics: &Metrics, tenant: &str, usage: &TokenUsage, state: CostState) -> Option<Usd> {
        let (provider, model) = self.names();
        let cost = self.pricing().0.cost(usage);
        metrics.charge(&Charge { tenant, provider, model, usage: *usage, cost });
        if state == CostState::Ceiling {
            metrics.money.unpriced.with_label_values(&[model]).inc();
        }
        cost
    }

    /// How the cost of an answer is known.
    fn cost_state(&self, estimated: bool) -> CostState {
        match self.pricing().1 {
            PriceSource::Nobody => CostState::Unpriced,
            PriceSource::Ceiling => CostState::Ceiling,
            _ if estimated => CostState::Estimated,
            _ => CostState::Priced,
        }
    }

    /// The most that the attempt can cost with an answer of so many tokens; `None` without a price.
    #[must_use]
    pub fn worst_case(&self, answer_tokens: u64) -> Option<Usd> {
        self.pricing().0.worst_case(self.prompt_tokens_at_most, answer_tokens)
    }

    /// What so many answer tokens cost at most.
    #[must_use]
    pub fn answer_cost(&self, tokens: u64) -> Usd {
        let whole = self.worst_case(tokens).unwrap_or_default();
        whole.saturating_sub(self.worst_case(0).unwrap_or_default())
    }

    /// The model's name and its provider's, for the ledger.
    #[must_use]
    pub fn served_by(&self) -> (SmolStr, SmolStr) {
        let (provider, model) = self.names();
        (model.into(), provider.into())
    }

    fn line(&self, part: Part, outcome: &str, cost: Usd) -> Line {
        let (model, provider) = self.served_by();
        Line { provider, model, part, outcome: outcome.into(), cost }
    }

    /// What `usage` would have cost at the baseline model, for the ledger.
    #[must_use]
    pub fn baseline(&self, usage: &TokenUsage) -> (Option<Usd>, BaselineMethod) {
        let cost = self.baseline_cost(usage);
        (cost, if cost.is_some() { BaselineMethod::SameTokens } else { BaselineMethod::None })
    }

    /// Counts what `usage` would have cost at the baseline model.
    pub fn charge_baseline(&self, metrics: &Metrics, tenant: &str, usage: &TokenUsage) {
        if let Some(cost) = self.baseline_cost(usage) {
            metrics.baseline(tenant, cost);
        }
    }
}

/// What is to be paid for an attempt that has ended.
#[derive(Debug)]
pub struct Due {
    metrics: Arc<Metrics>,
    account: Arc<Account>,
    bill: Bill,
    funds: Option<Funds>,
    label: &'static str,
    part: Part,
    /// Whether the request's line in the ledger waits for it.
    awaited: bool,
}

impl Due {
    /// Estimated tokens of the prompt.
    #[must_use]
    pub const fn prompt_tokens(&self) -> u64 {
        self.bill.prompt_tokens
    }

    /// Charges `usage`: metrics, budgets, ledger. Returns the cost, where the model has a price.
    pub fn pay(mut self, usage: &TokenUsage, estimated: bool) -> Option<Usd> {
        let state = self.bill.cost_state(estimated);
        let cost = self.bill.charge(&self.metrics, self.account.tenant(), usage, state);
        if let Some(funds) = self.funds.take() {
            funds.settle(cost.unwrap_or_default(), &self.metrics);
        }
        let (label, part) = (self.label, self.part);
        if part == Part::Served {
            // One answer would have been paid at the baseline, however many attempts it took here.
            self.bill.charge_baseline(&self.metrics, self.account.tenant(), usage);
        }
        let baseline = self.bill.baseline(usage);
        self.account.write(|entry| {
            entry.attempts.push(self.bill.line(part, label, cost.unwrap_or_default()));
            entry.charge(*usage, cost.unwrap_or_default(), state);
            if part == Part::Served {
                (entry.model, entry.provider) = self.bill.served_by();
                (entry.baseline, entry.baseline_method) = baseline;
            }
        });
        if self.awaited {
            self.account.end_count();
        }
        cost
    }
}

/// An attempt under way with everything that its end must settle. Dropped, it settles as cancelled.
#[derive(Debug)]
pub struct Settlement {
    metrics: Arc<Metrics>,
    account: Arc<Account>,
    /// What it is charged by.
    pub bill: Bill,
    attempt: Option<Attempt>,
    sent: Instant,
    /// Whether the provider has begun to answer, so that there is something to pay.
    answering: bool,
    /// Set when the provider may have the request.
    taken: Arc<AtomicBool>,
    /// Set when another attempt for the same request was faster.
    outrun: Arc<AtomicBool>,
    /// What it may cost, where budgets apply.
    funds: Option<Funds>,
    /// What it took of its model's quotas.
    permit: Option<Permit>,
    /// Who counts its answer where the provider does not, and by what.
    uncounted: Option<(Arc<Recounts>, Asked)>,
    /// How it ended, for the ledger.
    label: &'static str,
    charged: bool,
}

impl Settlement {
    /// Takes charge of a claimed attempt whose request is about to be sent.
    #[must_use]
    pub fn new(metrics: &Arc<Metrics>, account: &Arc<Account>, bill: Bill, attempt: Attempt) -> Self {
        Self {
            metrics: Arc::clone(metrics),
            account: Arc::clone(account),
            bill,
            attempt: Some(attempt),
            sent: Instant::now(),
            answering: false,
            taken: Arc::default(),
            outrun: Arc::default(),
            funds: None,
            permit: None,
            uncounted: None,
            label: "cancelled",
            charged: false,
        }
    }

    /// Takes charge of the money that the attempt may cost, and of what it took of its model's quotas.
    #[must_use]
    pub fn with(mut self, funds: Option<Funds>, permit: Option<Permit>) -> Self {
        (self.funds, self.permit) = (funds, permit);
        self
    }

    /// Has an answer that comes without usage counted.
    #[must_use]
    pub fn counted_by(mut self, recounts: &Arc<Recounts>, asked: Asked) -> Self {
        self.uncounted = Some((Arc::clone(recounts), asked));
        self
    }

    /// Sets more money aside for an answer that grows.
    ///
    /// # Errors
    /// Where a budget has no more.
    pub fn keep_pace(&mut self, text_bytes: u64) -> Result<(), UpstreamFault> {
        let Some(funds) = &mut self.funds else { return Ok(()) };
        funds.keep_pace(text_bytes).map_err(|exhausted| {
            self.metrics.money.budget_denials.with_label_values(&[&exhausted.budget]).inc();
            UpstreamFault::Unaffordable
        })
    }

    /// Charges an answer everywhere: metrics, budgets, quotas, ledger. One that nobody has counted is charged a little later, when it is
    /// counted. Returns the cost, where that is known.
    fn charge(&mut self, reading: &Reading, part: Part) -> Option<Usd> {
        self.charged = true;
        let (usage, estimated) = reading.tokens(self.bill.prompt_tokens);
        if estimated {
            let (provider, model) = self.bill.names();
            self.metrics.money.usage_estimated.with_label_values(&[provider, model]).inc();
        }
        let tokens = usage.prompt().saturating_add(usage.completion());
        let cost = self.bill.pricing().0.cost(&usage);
        self.account.count(tokens, cost.unwrap_or_default());
        if let Some(permit) = self.permit.take() {
            permit.correct(tokens, Instant::now());
        }
        let due = Due {
            metrics: Arc::clone(&self.metrics),
            account: Arc::clone(&self.account),
            bill: self.bill.clone(),
            funds: self.funds.take(),
            label: self.label,
            part,
            awaited: false,
        };
        match self.uncounted.take().filter(|_| estimated) {
            None => due.pay(&usage, estimated),
            Some((recounts, asked)) => {
                self.account.begin_count();
                recounts.offer(Due { awaited: true, ..due }, reading.clone(), asked);
                None
            }
        }
    }

    /// A flag to set once the provider may have the request.
    #[must_use]
    pub const fn taken(&self) -> &Arc<AtomicBool> {
        &self.taken
    }

    /// A flag to set before this attempt is dropped because another one was faster.
    #[must_use]
    pub fn outrun(&self) -> Arc<AtomicBool> {
        Arc::clone(&self.outrun)
    }

    /// The account of the request.
    #[must_use]
    pub fn account(&self) -> &Arc<Account> {
        &self.account
    }

    /// Takes note of the provider's own limits.
    pub fn observe_quota(&self, headers: &HeaderMap) {
        let (requests, tokens) = quota::allowances(headers);
        if let Some(attempt) = self.attempt.as_ref().filter(|_| requests.is_some() || tokens.is_some()) {
            attempt.observe_quota(requests, tokens, Instant::now());
        }
    }

    /// The first byte of the answer is here: of a stream its first token, of a plain answer all of it.
    pub fn first_byte(&mut self, streamed: bool) {
        self.answering = true;
        if let Some(attempt) = self.attempt.as_mut().filter(|_| streamed) {
            attempt.first_token(Instant::now());
        }
        let elapsed = self.sent.elapsed();
        let (provider, model) = self.bill.names();
        self.metrics
            .upstream
            .first_token
            .with_label_values(&[provider, model])
            .observe(elapsed.as_secs_f64());
    }

    /// The answer is complete. Returns its cost, where it has a price.
    pub fn complete(&mut self, reading: &Reading) -> Option<Usd> {
        let usage = reading.usage.as_ref().map(|usage| usage.tokens);
        self.record(Settled::success(usage), "ok");
        self.charge(reading, Part::Served)
    }

    /// The provider failed, and what it has sent, `reading`, is of no use. It is paid for all the same where the provider had begun to
    /// answer, or was given up while at work.
    pub fn give_up(&mut self, fault: UpstreamFault, reading: &Reading) {
        self.fail(fault);
        let at_work = fault.is_billed_unanswered() && self.taken.load(Ordering::Acquire);
        if at_work || reading.text_bytes > 0 || (self.answering && reading.error.is_none()) {
            self.charge(reading, Part::Retried);
        }
    }

    /// The provider failed before anything of its answer counted.
    pub fn fail(&mut self, fault: UpstreamFault) {
        // A full pool says that this router is busy, not that the provider is ill.
        let outcome = match fault {
            UpstreamFault::PoolExhausted | UpstreamFault::Unfit(_) => Outcome::Cancelled,
            _ => Outcome::Failure { retry_after: None },
        };
        self.record(outcome, fault.label());
    }

    /// A complete or well begun answer that another one is to replace: nothing against the provider's health, but it is paid for.
    pub fn replace(&mut self, fault: UpstreamFault, reading: &Reading) {
        let usage = reading.usage.as_ref().map(|usage| usage.tokens);
        self.record(Settled::success(usage), fault.label());
        self.charge(reading, Part::Retried);
    }

    /// The stream broke off: what was seen of it is charged.
    pub fn truncate(&mut self, label: &'static str, reading: &Reading) {
        self.record(Outcome::Failure { retry_after: None }, label);
        self.metrics.upstream.streams_truncated.with_label_values(&["upstream"]).inc();
        self.charge(reading, Part::Served);
    }

    /// The caller of a stream has gone: what was seen is charged.
    pub fn abandon(&mut self, reading: &Reading) {
        if self.answering && !self.outrun.load(Ordering::Acquire) {
            self.metrics.upstream.streams_truncated.with_label_values(&["client"]).inc();
        }
        self.leave(reading);
    }

    /// The caller has gone, or another attempt was faster. Where the provider may have the request, it is paid for the prompt and for what was
    /// seen of the answer.
    fn leave(&mut self, reading: &Reading) {
        let part = if self.outrun.load(Ordering::Acquire) {
            self.record(Outcome::Outrun, "outrun");
            Part::Hedged
        } else {
            self.record(Outcome::Cancelled, "cancelled");
            Part::Served
        };
        if self.taken.load(Ordering::Acquire) {
            self.charge(reading, part);
        }
    }

    /// The provider answered with an error status.
    pub fn status(&mut self, outcome: Outcome, label: &'static str) {
        self.record(outcome, label);
    }

    fn record(&mut self, settled: impl Into<Settled>, label: &'static str) {
        let Some(attempt) = self.attempt.take() else { return };
        let (provider, model) = self.bill.names();
        self.metrics.upstream.requests.with_label_values(&[provider, model, label]).inc();
        attempt.record(settled, Instant::now());
        self.label = label;
    }
}

impl Drop for Settlement {
    fn drop(&mut self) {
        if self.attempt.is_some() {
            self.leave(&Reading::default());
        }
        // Whatever was not charged by now cost nothing.
        if let Some(permit) = self.permit.take() {
            permit.cancel(Instant::now());
        }
        if !self.charged {
            let label = self.label;
            self.account.write(|entry| entry.attempts.push(self.bill.line(Part::Retried, label, Usd::ZERO)));
        }
    }
}
