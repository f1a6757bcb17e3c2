//! A second attempt beside a first one whose first token is late.

use std::pin::Pin;
use std::sync::atomic::Ordering;
use std::time::Instant;

use http::header::HeaderMap;
use router_core::hedge::{Occasion, Watch};
use router_core::{Capability, Endpoint, HedgeSettings, ModelState, TenantState};

use super::Passage;
use super::attempt::{Course, Tried, Try};
use crate::account::Stopwatch;

/// What a hedge needs to know and to pay with.
struct Hedging<'a> {
    settings: &'a HedgeSettings,
    model: &'a ModelState,
    tenant: &'a TenantState,
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
        let Ok(patience) = observed.after() else {
            return self.observe(&hedging, observed, try_, forwarded, watch).await;
        };
        let began = Instant::now();
        let outrun = try_.settlement.outrun();
        let mut clock = *watch;
        let tried = {
            let mut first = boxed(self.attempt(try_, forwarded, &mut clock));
            match tokio::time::timeout(patience, first.as_mut()).await {
                Ok(tried) => {
                    settle(&hedging, observed, began, &tried);
                    tried
                }
                Err(_) => {
                    let Some(second) = self.fire(&hedging, &observed, course) else {
                        let tried = first.await;
                        settle(&hedging, observed, began, &tried);
                        return tried;
                    };
                    let second_outrun = second.settlement.outrun();
                    let mut other_clock = *watch;
                    let mut other = boxed(self.attempt(second, forwarded, &mut other_clock));
                    let hedges = |result| self.app.metrics.hedges.with_label_values(&[result]).inc();
                    tokio::select! {
                        tried @ Tried::Answered(_) = &mut first => {
                            second_outrun.store(true, Ordering::Release);
                            hedges("lost");
                            settle(&hedging, observed, began, &tried);
                            tried
                        }
                        tried @ Tried::Answered(_) = &mut other => {
                            outrun.store(true, Ordering::Release);
                            hedges("won");
                            settle(&hedging, observed, began, &tried);
                            tried
                        }
                        else => {
                            // Both have failed.
                            hedges("failed");
                            Tried::Failed(crate::upstream::UpstreamFault::Broken)
                        }
                    }
                }
            }
        };
        *watch = clock;
        tried
    }

    /// An attempt that is only watched, to learn when hedging would pay.
    async fn observe(
        &self,
        hedging: &Hedging<'_>,
        observed: Watch,
        try_: Try,
        forwarded: &HeaderMap,
        watch: &mut Stopwatch,
    ) -> Tried {
        let began = Instant::now();
        let tried = boxed(self.attempt(try_, forwarded, watch)).await;
        settle(hedging, observed, began, &tried);
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

    /// Pays for a second attempt and claims it.
    fn fire(&self, hedging: &Hedging<'_>, observed: &Watch, course: &mut Course) -> Option<Try> {
        let now = Instant::now();
        hedging.model.hedge.fire(observed, &hedging.tenant.hedging, hedging.settings, now).ok()?;
        match self.next(course).and_then(|claim| self.prepare(course, claim).ok()) {
            Some(second) => Some(second),
            None => {
                hedging.model.hedge.unfire(observed, &hedging.tenant.hedging, now);
                None
            }
        }
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
