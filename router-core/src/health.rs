//! What is known about one provider's way of serving one model, learned from its own answers.
//!
//! | part | learns | says |
//! |---|---|---|
//! | latency | first-token times by prompt size | how long a first token takes now |
//! | success rate | successes and failures | the share of attempts that succeed now |
//! | penalty | 429s and `Retry-After` | whether to hold off, and for how long |
//! | quota | the provider's own `x-ratelimit-*` headers | whether this request still fits |
//! | [breaker](crate::breaker) | failures | whether to try at all |
//! | [concurrency](crate::concurrency) | 429s and successes | how many attempts at a time |
//!
//! An attempt begins with [`Health::admit`], which claims a place in flight and, where the breaker is
//! half-open, its one probe; [`Admission::record`] settles it. An [`Admission`] that is dropped gives
//! everything back as cancelled, so a task that is aborted anywhere leaks nothing.
//!
//! Health tells the provider's own doing from everything else: what the caller caused and what was cancelled
//! never counts, and a rate limit is a request for less traffic, not an illness.
//!
//! Everything is in atomics; reading takes no lock. When not to use it: as a record. Estimates fade and
//! `f32`s round; what was spent and sent belongs into a ledger.

mod admission;
mod ewma;
mod penalty;
mod quota;
mod settings;
mod success;
#[cfg(test)]
mod tests;

pub use admission::{Admission, Outcome};
pub use penalty::PenaltySettings;
pub use quota::Allowance;
pub use settings::{HealthSettings, Size};

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering::Relaxed};
use std::time::{Duration, Instant};

use crate::breaker::{Breaker, Pass, Phase, Tripped};
use crate::concurrency::Concurrency;
use crate::timeline::Timeline;
use ewma::PeakEwma;
use penalty::Penalty;
use quota::Quota;
use success::SuccessRate;

/// Why an attempt may not begin.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refused {
    /// As many attempts are in flight as the provider bears.
    #[error("{limit} attempts in flight are the limit")]
    Saturated {
        /// Attempts at a time that are allowed now.
        limit: u32,
    },
    /// The provider's own headers say that this request no longer fits.
    #[error("the provider's quota is used up")]
    Quota,
    /// The provider asked to be left alone.
    #[error("rate limited")]
    Limited {
        /// When it may be asked again.
        until: Instant,
    },
    /// The breaker lets nothing pass.
    #[error(transparent)]
    Tripped(#[from] Tripped),
}

/// The health of one provider and model. Shared by all requests; outlives reloads of the policy.
#[derive(Debug)]
pub struct Health {
    breaker: Breaker,
    latency: PeakEwma,
    success: SuccessRate,
    penalty: Penalty,
    quota: Quota,
    concurrency: Concurrency,
    /// Attempts that have not ended.
    in_flight: AtomicU32,
    /// Attempts whose first token has not arrived.
    waiting: AtomicU32,
}

/// Health at one moment, for display.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct HealthView {
    /// See [`Health::score`].
    pub score: f32,
    /// The breaker's state.
    pub phase: Phase,
    /// Failures since the last success.
    pub failures_in_row: u32,
    /// The share of attempts that succeed now, 0..=1.
    pub success_rate: f32,
    /// The time to the first token of an empty prompt, where known.
    pub first_token: Option<Duration>,
    /// Attempts that have not ended.
    pub in_flight: u32,
    /// Attempts at a time that are allowed now.
    pub limit: u32,
    /// When a provider that asked to be left alone may be asked again.
    pub limited_until: Option<Instant>,
}

impl Health {
    /// The health of a provider that nothing is known about: presumed well. Times before `origin` count as
    /// `origin`.
    #[must_use]
    pub fn new(origin: Instant) -> Self {
        let timeline = Timeline::starting(origin);
        Self {
            breaker: Breaker::new(origin),
            latency: PeakEwma::new(timeline),
            success: SuccessRate::new(timeline),
            penalty: Penalty::new(timeline),
            quota: Quota::new(timeline),
            concurrency: Concurrency::new(timeline),
            in_flight: AtomicU32::new(0),
            waiting: AtomicU32::new(0),
        }
    }

    /// Whether an attempt could begin at `now`; claims nothing.
    pub fn check(&self, size: Size, settings: &HealthSettings, now: Instant) -> Result<(), Refused> {
        self.breaker.check(now)?;
        if let Some(until) = self.penalty.limited_until(now) {
            return Err(Refused::Limited { until });
        }
        let limit = self.concurrency.limit(&settings.concurrency);
        if self.in_flight() >= limit {
            return Err(Refused::Saturated { limit });
        }
        if !self.quota.fits(size, now) {
            return Err(Refused::Quota);
        }
        Ok(())
    }

    /// Begins an attempt: claims a place in flight, the request's part of the provider's quota and, where
    /// the breaker is half-open, its probe. All or nothing.
    pub fn admit(
        self: &Arc<Self>,
        size: Size,
        settings: &HealthSettings,
        now: Instant,
    ) -> Result<Admission, Refused> {
        self.check(size, settings, now)?;
        let limit = self.concurrency.limit(&settings.concurrency);
        if !claim_below(&self.in_flight, limit) {
            return Err(Refused::Saturated { limit });
        }
        match self.breaker.admit(now) {
            Ok(pass) => Ok(self.begin(pass, size, now)),
            Err(tripped) => {
                self.in_flight.fetch_sub(1, Relaxed);
                Err(tripped.into())
            }
        }
    }

    /// Begins an attempt whatever is known, because no other candidate is left. Only the configured ceiling
    /// on attempts in flight holds: it protects the router and not the provider.
    pub fn admit_last_standing(
        self: &Arc<Self>,
        size: Size,
        settings: &HealthSettings,
        now: Instant,
    ) -> Result<Admission, Refused> {
        let limit = settings.concurrency.ceiling;
        if !claim_below(&self.in_flight, limit) {
            return Err(Refused::Saturated { limit });
        }
        Ok(self.begin(self.breaker.admit_last_standing(now), size, now))
    }

    /// How well the provider is, 0..=1: the share of attempts that succeed, scaled by the share of traffic
    /// that the breaker lets it have. 0 while the breaker is open. Rate limits and slowness don't count.
    #[must_use]
    pub fn score(&self, settings: &HealthSettings, now: Instant) -> f32 {
        self.success.rate(now) * self.breaker.share(&settings.breaker, now)
    }

    /// The breaker, to read.
    #[must_use]
    pub fn breaker(&self) -> &Breaker {
        &self.breaker
    }

    /// The share of attempts that succeed now, 0..=1.
    #[must_use]
    pub fn success_rate(&self, now: Instant) -> f32 {
        self.success.rate(now)
    }

    /// The seconds to the first token of an empty prompt, where one has been seen.
    #[must_use]
    pub fn latency_seconds(&self) -> Option<f32> {
        self.latency.seconds()
    }

    /// What recent rate limits add to the provider's load, as a factor ≥ 1.
    #[must_use]
    pub fn penalty(&self, now: Instant) -> f32 {
        self.penalty.factor(now)
    }

    /// Attempts that have not ended.
    #[must_use]
    pub fn in_flight(&self) -> u32 {
        self.in_flight.load(Relaxed)
    }

    /// Attempts whose first token has not arrived.
    #[must_use]
    pub fn waiting(&self) -> u32 {
        self.waiting.load(Relaxed)
    }

    /// All of it at one moment, for display.
    #[must_use]
    pub fn view(&self, settings: &HealthSettings, now: Instant) -> HealthView {
        HealthView {
            score: self.score(settings, now),
            phase: self.breaker.phase(now),
            failures_in_row: self.breaker.failures_in_row(),
            success_rate: self.success_rate(now),
            first_token: self.latency_seconds().and_then(|s| Duration::try_from_secs_f32(s).ok()),
            in_flight: self.in_flight(),
            limit: self.concurrency.limit(&settings.concurrency),
            limited_until: self.penalty.limited_until(now),
        }
    }

    fn begin(self: &Arc<Self>, pass: Pass, size: Size, now: Instant) -> Admission {
        self.quota.take(size, now);
        self.waiting.fetch_add(1, Relaxed);
        Admission::new(Arc::clone(self), pass, size, now)
    }
}

/// Adds one to a counter that is below `limit`.
fn claim_below(counter: &AtomicU32, limit: u32) -> bool {
    let mut count = counter.load(Relaxed);
    while count < limit {
        match counter.compare_exchange_weak(count, count + 1, Relaxed, Relaxed) {
            Ok(_) => return true,
            Err(actual) => count = actual,
        }
    }
    false
}
