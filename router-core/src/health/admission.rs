//! One attempt, from its admission to its settlement.
//!
//! When not to use it: for attempts that nobody waits for, such as an active probe of a provider's `/models`:
//! its time says nothing about first tokens.

use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;
use std::time::{Duration, Instant};

use crate::breaker::{Pass, Verdict};

use super::{Allowance, Health, HealthSettings, Size};

/// How an attempt ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// A complete answer.
    Success {
        /// Tokens of the answer; 0 where it has none (embeddings) or where the count is unknown. Only looked
        /// at when no first token was reported, to judge speed by the whole answer.
        answer_tokens: u32,
    },
    /// The provider failed: no connection, 5xx, timeout, a stream that was cut.
    Failure {
        /// A `Retry-After` that came with it.
        retry_after: Option<Duration>,
    },
    /// The provider answered 429.
    RateLimited {
        /// Its `Retry-After`.
        retry_after: Option<Duration>,
    },
    /// The provider rejected the request for what the caller put into it, or the caller broke off in the
    /// middle of it. Never counts.
    CallerFault,
    /// Another attempt for the same request was faster. Tells that this one would have taken at least as
    /// long as it has; counts for nothing else.
    Outrun,
    /// Given up for a reason that says nothing about the provider. Never counts.
    Cancelled,
}

/// An attempt under way. Dropping it settles it as [`Outcome::Cancelled`].
#[derive(Debug)]
#[must_use = "dropping an admission cancels the attempt"]
pub struct Admission {
    health: Arc<Health>,
    /// Taken when the attempt is settled.
    pass: Option<Pass>,
    size: Size,
    began: Instant,
    waiting: bool,
    slow: bool,
}

impl Admission {
    pub(super) fn new(health: Arc<Health>, pass: Pass, size: Size, began: Instant) -> Self {
        Self { health, pass: Some(pass), size, began, waiting: true, slow: false }
    }

    /// When the attempt began.
    #[must_use]
    pub fn began(&self) -> Instant {
        self.began
    }

    /// Whose health this attempt tells about.
    #[must_use]
    pub fn health(&self) -> &Arc<Health> {
        &self.health
    }

    /// Tells that the first token of a streamed answer has arrived. Only the first call counts. Not for
    /// answers that come in one piece, whose time includes the writing.
    pub fn first_token(&mut self, settings: &HealthSettings, now: Instant) {
        if !self.stop_waiting() {
            return;
        }
        let took = self.took(now);
        self.health.latency.observe(took.as_secs_f32() / self.size.first_token_work(), now);
        self.slow = settings.breaker.slow_first_token.is_some_and(|slow| took > slow);
        if let (Some(pass), false) = (&mut self.pass, self.slow) {
            self.health.breaker.first_token(pass, now);
        }
    }

    /// Takes note of the provider's own `x-ratelimit-*` headers on this attempt's answer.
    pub fn observe_quota(&self, requests: Option<Allowance>, tokens: Option<Allowance>, now: Instant) {
        let others = self.health.waiting().saturating_sub(u32::from(self.waiting));
        self.health.quota.observe(requests, tokens, others, now);
    }

    /// Settles the attempt.
    pub fn record(
        mut self,
        outcome: Outcome,
        settings: &HealthSettings,
        now: Instant,
        rng: &mut fastrand::Rng,
    ) {
        let in_flight = self.health.in_flight();
        let verdict = match outcome {
            Outcome::Success { answer_tokens } => self.succeed(answer_tokens, in_flight, settings, now),
            Outcome::Failure { retry_after } => self.fail(retry_after, settings, now),
            Outcome::RateLimited { retry_after } => {
                self.health.penalty.limited(retry_after, &settings.penalty, now);
                self.health.concurrency.limited(in_flight, &settings.concurrency, now);
                Verdict::Neutral
            }
            Outcome::Outrun => {
                self.outlast(now);
                Verdict::Neutral
            }
            Outcome::CallerFault | Outcome::Cancelled => Verdict::Neutral,
        };
        if let Some(pass) = self.pass.take() {
            self.health.breaker.record(pass, verdict, &settings.breaker, now, rng);
        }
    }

    fn succeed(
        &mut self,
        answer_tokens: u32,
        in_flight: u32,
        settings: &HealthSettings,
        now: Instant,
    ) -> Verdict {
        if self.stop_waiting() {
            let took = self.took(now).as_secs_f32();
            self.health.latency.observe(took / self.size.answer_work(answer_tokens), now);
        }
        self.health.success.observe(true, now);
        self.health.concurrency.succeeded(in_flight, &settings.concurrency);
        if self.slow { Verdict::Bad } else { Verdict::Good }
    }

    fn fail(&mut self, retry_after: Option<Duration>, settings: &HealthSettings, now: Instant) -> Verdict {
        self.outlast(now);
        self.health.success.observe(false, now);
        if let Some(hold) = retry_after {
            self.health.penalty.hold(hold, &settings.penalty, now);
        }
        Verdict::Bad
    }

    /// Learns from an attempt that ended before its first token.
    fn outlast(&self, now: Instant) {
        if self.waiting {
            let seconds = self.took(now).as_secs_f32() / self.size.first_token_work();
            self.health.latency.observe_at_least(seconds, now);
        }
    }

    fn took(&self, now: Instant) -> Duration {
        now.saturating_duration_since(self.began)
    }

    fn stop_waiting(&mut self) -> bool {
        let waited = std::mem::replace(&mut self.waiting, false);
        if waited {
            self.health.waiting.fetch_sub(1, Relaxed);
        }
        waited
    }
}

impl Drop for Admission {
    fn drop(&mut self) {
        self.stop_waiting();
        self.health.in_flight.fetch_sub(1, Relaxed);
        if let Some(pass) = self.pass.take() {
            self.health.breaker.release(pass);
        }
    }
}
