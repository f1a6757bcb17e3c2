//! A simple failure mark: N failures in a row take a model out for a while, then one probe decides.

use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use crate::registry::BreakerSettings;

/// What a breaker lets through.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BreakerState {
    /// Everything.
    Closed,
    /// One probe.
    HalfOpen,
    /// Nothing.
    Open,
}

impl BreakerState {
    /// The name used in `/providers`.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Closed => "closed",
            Self::HalfOpen => "half_open",
            Self::Open => "open",
        }
    }
}

/// The failure mark of one model. All operations are atomic; none blocks.
#[derive(Debug)]
pub struct Breaker {
    origin: Instant,
    failures: AtomicU32,
    /// Nanoseconds since `origin` until which the breaker is open; 0 while closed.
    open_until: AtomicU64,
    /// Whether the half-open probe is out (1) or not (0).
    probe: AtomicU32,
}

impl Breaker {
    /// A closed breaker. Times given later must not lie before `origin`.
    #[must_use]
    pub fn new(origin: Instant) -> Self {
        Self { origin, failures: AtomicU32::new(0), open_until: AtomicU64::new(0), probe: AtomicU32::new(0) }
    }

    fn nanos(&self, now: Instant) -> u64 {
        u64::try_from(now.saturating_duration_since(self.origin).as_nanos()).unwrap_or(u64::MAX)
    }

    /// What it lets through at `now`.
    #[must_use]
    pub fn state(&self, now: Instant) -> BreakerState {
        match self.open_until.load(Ordering::Acquire) {
            0 => BreakerState::Closed,
            until if self.nanos(now) < until => BreakerState::Open,
            _ => BreakerState::HalfOpen,
        }
    }

    /// How long it stays open; zero where an attempt may be made.
    #[must_use]
    pub fn open_for(&self, now: Instant) -> Duration {
        match self.state(now) {
            BreakerState::Closed => Duration::ZERO,
            BreakerState::HalfOpen if self.probe.load(Ordering::Acquire) == 0 => Duration::ZERO,
            BreakerState::HalfOpen => Duration::from_secs(1),
            BreakerState::Open => {
                Duration::from_nanos(self.open_until.load(Ordering::Acquire).saturating_sub(self.nanos(now)))
            }
        }
    }

    /// Claims an attempt: `None` where the breaker is open or its probe is out, else whether this is the probe.
    pub(crate) fn admit(&self, now: Instant) -> Option<bool> {
        match self.state(now) {
            BreakerState::Closed => Some(false),
            BreakerState::Open => None,
            BreakerState::HalfOpen => {
                self.probe.compare_exchange(0, 1, Ordering::AcqRel, Ordering::Acquire).ok()?;
                // Another probe may have ended since the state was read.
                let probe = match self.state(now) {
                    BreakerState::HalfOpen => return Some(true),
                    BreakerState::Closed => Some(false),
                    BreakerState::Open => None,
                };
                self.release(true);
                probe
            }
        }
    }

    /// Gives back a probe that told nothing.
    pub(crate) fn release(&self, probe: bool) {
        if probe {
            self.probe.store(0, Ordering::Release);
        }
    }

    /// An attempt that went well closes the breaker.
    pub(crate) fn succeed(&self, probe: bool) {
        self.failures.store(0, Ordering::Release);
        self.open_until.store(0, Ordering::Release);
        self.release(probe);
    }

    /// An attempt that failed; enough of them in a row, or a failed probe, open the breaker.
    pub(crate) fn fail(&self, probe: bool, settings: &BreakerSettings, now: Instant) {
        let failures = self.failures.fetch_add(1, Ordering::AcqRel).saturating_add(1);
        if probe || failures >= settings.failures.max(1) {
            let until = self.nanos(now).saturating_add(settings.recovery.as_nanos() as u64).max(1);
            self.open_until.store(until, Ordering::Release);
        }
        self.release(probe);
    }
}
