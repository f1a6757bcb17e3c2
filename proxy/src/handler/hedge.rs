//! A second attempt beside a first one whose first token is late.

use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Instant;

use http::header::HeaderMap;
use router_core::hedge::{Occasion, Watch};
use router_core::{Candidate, Capability, Endpoint, HedgeSettings, ModelState, TenantState};

use super::Passage;
use super::attempt::{Course, Tried, Try};
use crate::account::Stopwatch;

/// What a hedge needs to know and to pay with.
struct Hedging<'a> {
    settings: &'a HedgeSettings,
    model: &'a ModelState,
    tenant: &'a TenantState,
}

/// An attempt under way, and the flag that tells it that another was faster.
struct Runner<'f> {
    attempt: Pin<Box<dyn Future<Output = Tried> + Send + 'f>>,
    outrun: Arc<AtomicBool>,
}

impl Runner<'_> {
    /// Tells it that the other one was faster.
    fn lose(&self) {
        self.outrun.store(true, Ordering::Release);
    }
}

/// How a race of two attempts ended.
struct Raced {
    tried: Tried,
    /// The label of `hedges_total`.
    result: &'static str,
    /// Whether the first attempt failed, so that the time it was given says nothing about its first token.
    first_failed: bool,
}

impl Passage {
    /// An attempt; where its first token is late, the policy hedges and its caps allow, another beside it. Whoever answers first wins.
    pub(super) async fn attempt_hedged(
        &self,
        try_: Try,
        course: &mut Course,
        forwarded: &HeaderMap,
        watch: &mut Stopwatch,
    ) -> Tried {
        let Some(hedging) = self.hedging(&try_) else {
            return boxed(self.attempt(try_, forwarded, watch)).await;
        };
        let observed = hedging.model.hedge.watch(&self.occasion(&try_), hedging.settings);
        let began = Instant::now();
        let Ok(patience) = observed.after() else {
            let tried = boxed(self.attempt(try_, forwarded, watch)).await;
            settle(&hedging, observed, began, &tried);
            return tried;
        };
        let candidate = try_.candidate;
        let before = *watch;
        let outrun = try_.settlement.outrun();
        let mut first = boxed(self.attempt(try_, forwarded, watch));
        if let Ok(tried) = tokio::time::timeout(patience, first.as_mut()).await {
            settle(&hedging, observed, began, &tried);
            return tried;
        }
        let Some(second) = self.fire(&hedging, &observed, course, &candidate) else {
            let tried = first.await;
            settle(&hedging, observed, began, &tried);
            return tried;
        };
        let first = Runner { attempt: first, outrun };
        let outrun = second.settlement.outrun();
        let mut clock = before.having_waited(began.elapsed());
        let second = Runner { attempt: boxed(self.attempt(second, forwarded, &mut clock)), outrun };
        let Raced { tried, result, first_failed } = race(first, second).await;
        self.app.metrics.upstream.hedges.with_label_values(&[result]).inc();
        if !first_failed {
            settle(&hedging, observed, began, &tried);
        }
        tried
    }

    /// Only streams are hedged: a plain answer has no first token to be late.
    fn hedging(&self, try_: &Try) -> Option<Hedging<'_>> {
        let settings = self.snapshot.attempts.hedge.as_ref().filter(|_| self.digest.stream)?;
        let model = self.app.state.model(try_.candidate.model)?;
        let tenant = self.app.state.tenant(self.tenant)?;
        Some(Hedging { settings, model, tenant })
    }

    fn occasion(&self, try_: &Try) -> Occasion {
        Occasion {
            prompt_tokens: u32::try_from(self.digest.prompt_tokens).unwrap_or(u32::MAX),
            tools: self.digest.needs.contains(Capability::Tools),
            // Responses are stored at the provider unless the caller says otherwise.
            stateful: self.digest.endpoint() == Endpoint::Responses,
            cost: try_.candidate.expected_cost,
        }
    }

    /// Pays for a second attempt beside the one at `first` and claims it.
    fn fire(
        &self,
        hedging: &Hedging<'_>,
        observed: &Watch,
        course: &mut Course,
        first: &Candidate,
    ) -> Option<Try> {
        let now = Instant::now();
        hedging.model.hedge.fire(observed, &hedging.tenant.hedging, hedging.settings, now).ok()?;
        match self.beside(course, first).and_then(|claim| self.prepare(course, claim).ok()) {
            Some(second) => Some(second),
            None => {
                hedging.model.hedge.unfire(observed, &hedging.tenant.hedging, now);
                None
            }
        }
    }
}

/// The first answer of two attempts; the other one is cancelled. Where neither answers, the error that a provider gave goes before none.
async fn race(mut first: Runner<'_>, mut second: Runner<'_>) -> Raced {
    let (tried, is_first) = tokio::select! {
        tried = &mut first.attempt => (tried, true),
        tried = &mut second.attempt => (tried, false),
    };
    if matches!(tried, Tried::Answered(_)) {
        if is_first {
            second.lose()
        } else {
            first.lose()
        }
        return Raced { tried, result: if is_first { "lost" } else { "won" }, first_failed: false };
    }
    let other = if is_first { second.attempt.await } else { first.attempt.await };
    match other {
        Tried::Answered(_) => {
            Raced { tried: other, result: if is_first { "won" } else { "lost" }, first_failed: is_first }
        }
        Tried::Refused(_) => Raced { tried: other, result: "failed", first_failed: true },
        Tried::Failed(_) => Raced { tried, result: "failed", first_failed: true },
    }
}

/// An attempt is a large future, and this file holds it in five places: on the heap it is made once and moved never, where inline each of the
/// futures around it would carry room for all five and be copied with it (a quarter of the instructions of a request, by callgrind).
fn boxed<'f>(
    attempt: impl Future<Output = Tried> + Send + 'f,
) -> Pin<Box<dyn Future<Output = Tried> + Send + 'f>> {
    Box::pin(attempt)
}

/// Learns how long the first attempt took, or was given.
fn settle(hedging: &Hedging<'_>, observed: Watch, began: Instant, tried: &Tried) {
    if matches!(tried, Tried::Answered(_)) {
        hedging.model.hedge.settle(observed, began.elapsed(), hedging.settings);
    }
}
