//! A circuit breaker: stops sending to a provider that keeps failing, and finds out when it is back.
//!
//! ```text
//!             N failures in a row, or success rate < θ
//!   Closed ────────────────────────────────────────────► Open, until now + base × 1.5ⁿ ± 10 %
//!     ▲ ▲                                                  │ the wait is over
//!     │ └──────── the probe's first token ──────┐          ▼
//!     └───────────── the probe succeeds ───── HalfOpen: one probe and no more
//!                                               │ the probe fails: n + 1
//!                                               └────────────────────────► Open
//! ```
//!
//! Both trip rules are Envoy's outlier detection (consecutive failures, success rate) judged per provider
//! instead of against its neighbours; the growing wait with jitter is linkerd2's failure accrual; the return
//! by slow start is Envoy's (see [`BreakerSettings::slow_start`]). Two things are particular to streams:
//!
//! - A probe's *first token* closes the breaker. Its stream may run for minutes, and nobody should wait for
//!   its end. Should that stream soon fail after all, the breaker opens again at once, with the longer wait.
//! - Answers are counted only in the closed period in which their attempt began. The stragglers of an
//!   outage can neither close the breaker nor open it again after the recovery. Likewise, a long stream that
//!   ends well does not break a row of failures which began after it did.
//!
//! The state is one atomic word, so asking whether an attempt may pass takes no lock and never waits.
//!
//! When not to use it: for answers that the caller caused (they are neutral, whatever the status), for rate
//! limits (see [`health`](crate::health): a provider that asks for less is not ill), and as the only
//! defence of a candidate list. A breaker knows one provider; that the last candidate standing is tried
//! anyway is decided by [`eject`](crate::balance::eject).

mod gate;
mod row;
mod settings;
#[cfg(test)]
mod tests;

pub use settings::BreakerSettings;

use std::sync::atomic::{
    AtomicU32, AtomicU64,
    Ordering::{AcqRel, Acquire, Relaxed},
};
use std::time::{Duration, Instant};

use crate::timeline::{Rolling, Timeline};
use gate::Gate;
use row::Row;
use settings::WINDOW_SECONDS;

/// What a breaker does with the next attempt.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Phase {
    /// Everything passes.
    Closed,
    /// One probe passes, or is under way.
    HalfOpen,
    /// Nothing passes before `until`.
    Open {
        /// When a probe may pass.
        until: Instant,
    },
}

impl Phase {
    /// The value that metrics show: 0 closed, 1 half-open, 2 open.
    #[must_use]
    pub const fn gauge(self) -> u8 {
        match self {
            Self::Closed => 0,
            Self::HalfOpen => 1,
            Self::Open { .. } => 2,
        }
    }
}

/// Why an attempt may not pass.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Tripped {
    /// The breaker is open.
    #[error("breaker open")]
    Open {
        /// When a probe may pass.
        until: Instant,
    },
    /// The breaker is half-open and its one probe is under way.
    #[error("breaker half-open, its probe is under way")]
    Probing,
}

/// How an attempt ended, as far as a breaker cares.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// The provider did its part.
    Good,
    /// The provider failed.
    Bad,
    /// It says nothing about the provider: the caller's fault, a rate limit, cancelled.
    Neutral,
}

/// Leave for one attempt. Hand it back through [`Breaker::record`].
#[derive(Debug)]
#[must_use = "a probe that is never recorded keeps the breaker half-open"]
pub struct Pass {
    kind: Kind,
    /// Microseconds on the breaker's timeline.
    began: u64,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    /// Began in the closed period that this gate word stands for.
    Regular(u64),
    /// The one probe after the wait until then.
    Probe(u64),
    /// A probe whose first token closed the breaker, which this gate word stands for.
    Proven(u64),
    /// Passed as the last candidate standing during the wait until then, or beside its probe.
    Forced(u64),
}

/// The state of one breaker; see the [module](self).
#[derive(Debug)]
pub struct Breaker {
    timeline: Timeline,
    gate: AtomicU64,
    /// Openings without a lasting recovery between them, the current one included.
    openings: AtomicU32,
    row: AtomicU64,
    good: Rolling<WINDOW_SECONDS>,
    bad: Rolling<WINDOW_SECONDS>,
}

impl Breaker {
    /// A closed breaker that has seen nothing. Times before `origin` count as `origin`.
    #[must_use]
    pub fn new(origin: Instant) -> Self {
        let timeline = Timeline::starting(origin);
        Self {
            timeline,
            gate: AtomicU64::new(Gate::Closed(0).word()),
            openings: AtomicU32::new(0),
            row: AtomicU64::new(Row::default().word()),
            good: Rolling::new(timeline, Duration::from_secs(1)),
            bad: Rolling::new(timeline, Duration::from_secs(1)),
        }
    }

    /// What the breaker would do with an attempt at `now`.
    #[must_use]
    pub fn phase(&self, now: Instant) -> Phase {
        match self.gate() {
            Gate::Closed(_) => Phase::Closed,
            Gate::Open(until) if self.timeline.micros(now) < until => {
                Phase::Open { until: self.timeline.instant(until) }
            }
            Gate::Open(_) | Gate::Probing(_) => Phase::HalfOpen,
        }
    }

    /// Whether an attempt would pass at `now`; claims nothing.
    pub fn check(&self, now: Instant) -> Result<(), Tripped> {
        match self.gate() {
            Gate::Closed(_) => Ok(()),
            Gate::Open(until) if self.timeline.micros(now) >= until => Ok(()),
            Gate::Open(until) => Err(Tripped::Open { until: self.timeline.instant(until) }),
            Gate::Probing(_) => Err(Tripped::Probing),
        }
    }

    /// Lets an attempt pass, or says why not. Of any number of callers that ask a half-open breaker at
    /// once, one gets the probe.
    pub fn admit(&self, now: Instant) -> Result<Pass, Tripped> {
        let word = self.gate.load(Acquire);
        let kind = match Gate::of(word) {
            Gate::Closed(_) => Kind::Regular(word),
            Gate::Probing(_) => return Err(Tripped::Probing),
            Gate::Open(until) if self.timeline.micros(now) < until => {
                return Err(Tripped::Open { until: self.timeline.instant(until) });
            }
            Gate::Open(until) if self.swap(word, Gate::Probing(until)) => Kind::Probe(until),
            Gate::Open(_) => return Err(Tripped::Probing),
        };
        Ok(Pass { kind, began: self.timeline.micros(now) })
    }

    /// Lets an attempt pass whatever the state, because no other candidate is left. Takes the probe if
    /// there is one to take. A success closes the breaker; a failure changes nothing, since it was expected.
    pub fn admit_last_standing(&self, now: Instant) -> Pass {
        self.admit(now).unwrap_or_else(|_| {
            let word = self.gate.load(Acquire);
            let kind = match Gate::of(word) {
                Gate::Closed(_) => Kind::Regular(word),
                Gate::Open(until) | Gate::Probing(until) => Kind::Forced(until),
            };
            Pass { kind, began: self.timeline.micros(now) }
        })
    }

    /// Tells that the attempt's first token has arrived: a probe's closes the breaker.
    pub fn first_token(&self, pass: &mut Pass, now: Instant) {
        match pass.kind {
            Kind::Probe(until) => {
                if let Some(word) = self.readmit(until, now) {
                    pass.kind = Kind::Proven(word);
                }
            }
            Kind::Forced(until) => {
                self.readmit(until, now);
            }
            Kind::Regular(_) | Kind::Proven(_) => {}
        }
    }

    /// Settles an attempt.
    pub fn record(
        &self,
        pass: Pass,
        verdict: Verdict,
        settings: &BreakerSettings,
        now: Instant,
        rng: &mut fastrand::Rng,
    ) {
        match (pass.kind, verdict) {
            (_, Verdict::Neutral) => self.release(pass),
            (Kind::Regular(word) | Kind::Proven(word), Verdict::Good) => {
                self.count_good(word, pass.began, now)
            }
            (Kind::Regular(word), Verdict::Bad) => self.count_bad(word, pass.began, settings, now, rng),
            (Kind::Proven(word), Verdict::Bad) if self.has_recovered(word, settings, now) => {
                self.count_bad(word, pass.began, settings, now, rng);
            }
            (Kind::Proven(word), Verdict::Bad) => self.trip(word, settings, now, rng),
            (Kind::Probe(until) | Kind::Forced(until), Verdict::Good) => {
                self.readmit(until, now);
            }
            (Kind::Probe(until), Verdict::Bad) => {
                self.trip(Gate::Probing(until).word(), settings, now, rng);
            }
            (Kind::Forced(_), Verdict::Bad) => {}
        }
    }

    /// Takes back an attempt that told nothing. A probe may be claimed again at once.
    pub fn release(&self, pass: Pass) {
        if let Kind::Probe(until) = pass.kind {
            self.swap(Gate::Probing(until).word(), Gate::Open(until));
        }
    }

    /// The share of its traffic that a provider should get at `now`, for its slow start: 1 where it has not
    /// been away, [`BreakerSettings::least_share`] right after its return, 0 while nothing passes.
    #[must_use]
    pub fn share(&self, settings: &BreakerSettings, now: Instant) -> f32 {
        match self.gate() {
            Gate::Closed(0) => 1.0,
            Gate::Closed(since) => settings.share_after(self.timeline.micros(now).saturating_sub(since)),
            Gate::Open(until) if self.timeline.micros(now) < until => 0.0,
            Gate::Open(_) | Gate::Probing(_) => settings.least_share,
        }
    }

    /// Failures since the last success in this closed period.
    #[must_use]
    pub fn failures_in_row(&self) -> u32 {
        u32::from(Row::of(self.row.load(Relaxed)).failures)
    }

    fn gate(&self) -> Gate {
        Gate::of(self.gate.load(Acquire))
    }

    fn swap(&self, from: u64, to: Gate) -> bool {
        self.gate.compare_exchange(from, to.word(), AcqRel, Acquire).is_ok()
    }

    fn count_good(&self, period: u64, began: u64, now: Instant) {
        if self.gate.load(Acquire) == period {
            self.extend_row(|row| row.and_success(began));
            self.good.add(now, 1);
        }
    }

    fn count_bad(
        &self,
        period: u64,
        began: u64,
        settings: &BreakerSettings,
        now: Instant,
        rng: &mut fastrand::Rng,
    ) {
        if self.gate.load(Acquire) != period {
            return;
        }
        let in_row = self.extend_row(|row| row.and_failure(began)).failures;
        self.bad.add(now, 1);
        let seconds = settings.window_seconds();
        let (good, bad) = (self.good.sum(now, seconds), self.bad.sum(now, seconds));
        if settings.tripped(u32::from(in_row), good, bad) {
            self.trip(period, settings, now, rng);
        }
    }

    /// Replaces the row by `next` of it; the new one.
    fn extend_row(&self, next: impl Fn(Row) -> Row) -> Row {
        let mut word = self.row.load(Relaxed);
        loop {
            let row = next(Row::of(word));
            match self.row.compare_exchange_weak(word, row.word(), Relaxed, Relaxed) {
                Ok(_) => return row,
                Err(actual) => word = actual,
            }
        }
    }

    /// Opens the breaker, unless the gate has moved on from `from`. Of several that try, one does.
    fn trip(&self, from: u64, settings: &BreakerSettings, now: Instant, rng: &mut fastrand::Rng) {
        let earlier = if self.has_recovered(from, settings, now) { 0 } else { self.openings.load(Relaxed) };
        let until = now.checked_add(settings.wait(earlier, rng)).unwrap_or(now);
        if self.swap(from, Gate::Open(self.timeline.micros(until))) {
            self.openings.store(earlier.saturating_add(1), Relaxed);
        }
    }

    /// Whether this gate word is a closed period that has lasted as long as the wait before it, so that the
    /// next failure is a new trouble and not the old one.
    fn has_recovered(&self, word: u64, settings: &BreakerSettings, now: Instant) -> bool {
        let Gate::Closed(since) = Gate::of(word) else { return false };
        let openings = self.openings.load(Relaxed);
        let closed_for = now.saturating_duration_since(self.timeline.instant(since));
        openings == 0 || closed_for >= settings.nominal_wait(openings - 1)
    }

    /// Closes the breaker with a clean slate, if it still stands as it did with the wait until then; the new
    /// gate word.
    fn readmit(&self, until: u64, now: Instant) -> Option<u64> {
        // 0 would read as "has never been open".
        let closed = Gate::Closed(self.timeline.micros(now).max(1));
        let mut word = self.gate.load(Acquire);
        while matches!(Gate::of(word), Gate::Open(u) | Gate::Probing(u) if u == until) {
            // The slate is wiped first: whoever sees the gate closed counts on a clean one.
            self.row.store(Row::default().word(), Relaxed);
            self.good.clear();
            self.bad.clear();
            match self.gate.compare_exchange_weak(word, closed.word(), AcqRel, Acquire) {
                Ok(_) => return Some(closed.word()),
                Err(actual) => word = actual,
            }
        }
        None
    }
}
