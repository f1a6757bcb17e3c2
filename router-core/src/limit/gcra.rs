//! The generic cell rate algorithm: a quota per window in one atomic word.
//!
//! The word is the *theoretical arrival time*: when everything taken so far will have drained at the quota's
//! rate. Taking `n` units moves it `n × window / quota` into the future, and is refused when that would be
//! more than one window ahead of now. An idle limiter therefore passes one whole quota at once and then the
//! steady rate; over any span `t` it passes at most `quota × (1 + t / window)` units and less than one more,
//! which makes up for rounding. Unlike counters that start over at a window's edge it never passes two quotas
//! back to back.
//!
//! Source: ITU-T I.371 (virtual scheduling); the form with a single compare-and-swap is the one of
//! brandur/redis-cell and the `governor` crate. Own code because costs are corrected after the fact, which
//! those do not offer.

use std::num::NonZeroU64;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

/// A moment or a span in 1/64 ns. Whole nanoseconds would be too coarse for a million single units a minute
/// (60 µs each, a rounding of up to 16 units a window); with six more bits rounding stays below one unit up to
/// 1.9 million a minute, and the clock still runs for nine years of uptime before it saturates.
type Ticks = u64;

/// Ticks in a nanosecond.
const TICKS_PER_NANO: u64 = 64;

/// How much may be taken per window. What is counted (requests, tokens) is the caller's affair.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Quota {
    units: NonZeroU64,
    window: Ticks,
    /// How far ahead of now the arrival time may move: the window, and what rounding adds to a quota that is
    /// taken in single units, but less than one unit.
    reach: Ticks,
}

impl Quota {
    /// The longest window: 31 days.
    pub const MAX_WINDOW: Duration = Duration::from_secs(31 * 24 * 3_600);
    /// The shortest window: a millisecond.
    pub const MIN_WINDOW: Duration = Duration::from_millis(1);

    /// `units` per `window`. `None` when `units` is zero or `window` is outside 1 ms..=31 days: a quota of
    /// nothing is a rule that denies, not a limit.
    #[must_use]
    pub fn try_new(units: u64, window: Duration) -> Option<Self> {
        let in_range = (Self::MIN_WINDOW..=Self::MAX_WINDOW).contains(&window);
        let units = NonZeroU64::new(units).filter(|_| in_range)?;
        let window = ticks(window);
        let rounding = units.get().min((window / units).saturating_sub(1));
        Some(Self { units, window, reach: window + rounding })
    }

    /// Units in a window; also the most that can be taken at once.
    #[must_use]
    pub const fn units(&self) -> u64 {
        self.units.get()
    }

    /// The window.
    #[must_use]
    pub const fn window(&self) -> Duration {
        Duration::from_nanos(self.window / TICKS_PER_NANO)
    }

    /// How long `units` take to drain. Rounds up: in the long run nothing passes too early.
    fn drain(&self, units: u64) -> Ticks {
        let ticks = u128::from(units) * u128::from(self.window);
        u64::try_from(ticks.div_ceil(u128::from(self.units.get()))).unwrap_or(u64::MAX)
    }

    /// The whole units that drain in `ticks`, at most a quota.
    fn drained(&self, ticks: Ticks) -> u64 {
        let units = u128::from(ticks) * u128::from(self.units.get()) / u128::from(self.window);
        u64::try_from(units).unwrap_or(u64::MAX).min(self.units.get())
    }
}

/// Why nothing was taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Full {
    /// As much fits after this time, if nobody else takes it first.
    Until(Duration),
    /// More than a whole quota was asked for: waiting does not help.
    Never,
}

/// What [`Gcra::try_take`] took, for a later correction.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[must_use = "an estimate that is never corrected stands"]
pub struct Charge {
    units: u64,
    /// When the charge will have drained.
    until: Ticks,
}

impl Charge {
    /// Units taken.
    #[must_use]
    pub const fn units(&self) -> u64 {
        self.units
    }
}

/// Where a limiter stands, for response headers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Standing {
    /// Units in a window.
    pub limit: u64,
    /// Units that could be taken now.
    pub remaining: u64,
    /// Until the whole quota is available again.
    pub reset: Duration,
}

impl Standing {
    /// The one of two that leaves less, for the headers of a request to which several limits apply.
    #[must_use]
    pub fn tighter(self, other: Self) -> Self {
        if other.remaining < self.remaining { other } else { self }
    }
}

/// The state of one limit. The [`Quota`] comes with every call: it belongs to the policy and may change between
/// calls, while this outlives reloads. After a change the *time* until all is drained carries over, so a caller
/// who had used half of the old quota has used half of the new one.
#[derive(Debug)]
pub struct Gcra {
    epoch: Instant,
    arrival: AtomicU64,
}

impl Gcra {
    /// A limiter of which nothing is taken. Times before `epoch` count as `epoch`.
    #[must_use]
    pub const fn new(epoch: Instant) -> Self {
        Self { epoch, arrival: AtomicU64::new(0) }
    }

    /// Takes `units`, or says when they will fit. Lock-free; a lost race is tried again.
    ///
    /// # Errors
    /// [`Full`]: nothing was taken.
    pub fn try_take(&self, quota: &Quota, units: u64, now: Instant) -> Result<Charge, Full> {
        if units > quota.units() {
            return Err(Full::Never);
        }
        let (now, cost) = (self.ticks_at(now), quota.drain(units));
        let mut seen = self.arrival.load(Ordering::Relaxed);
        loop {
            let until = seen.max(now).saturating_add(cost);
            let ahead = until - now;
            if ahead > quota.reach {
                return Err(Full::Until(duration(ahead - quota.reach)));
            }
            match self.arrival.compare_exchange_weak(seen, until, Ordering::Relaxed, Ordering::Relaxed) {
                Ok(_) => return Ok(Charge { units, until }),
                Err(current) => seen = current,
            }
        }
    }

    /// Replaces the estimate in `charge` by the `actual` units.
    ///
    /// Too low an estimate is taken in full, even beyond the quota: those that come next wait for it. Too high
    /// a one is given back as far as it has not drained: what would have drained anyway was room that
    /// everybody had, and giving it back would create units.
    pub fn correct(&self, quota: &Quota, charge: Charge, actual: u64, now: Instant) {
        let now = self.ticks_at(now);
        if actual >= charge.units {
            let more = quota.drain(actual - charge.units);
            self.update(|arrival| arrival.max(now).saturating_add(more));
        } else {
            let back = quota.drain(charge.units - actual).min(charge.until.saturating_sub(now));
            self.update(|arrival| arrival.saturating_sub(back));
        }
    }

    /// Gives `charge` back: the request was not made.
    pub fn refund(&self, quota: &Quota, charge: Charge, now: Instant) {
        self.correct(quota, charge, 0, now);
    }

    /// What is left.
    #[must_use]
    pub fn standing(&self, quota: &Quota, now: Instant) -> Standing {
        let ahead = self.arrival.load(Ordering::Relaxed).saturating_sub(self.ticks_at(now));
        let remaining = quota.drained(quota.window.saturating_sub(ahead));
        Standing { limit: quota.units(), remaining, reset: duration(ahead) }
    }

    fn update(&self, change: impl Fn(Ticks) -> Ticks) {
        let mut seen = self.arrival.load(Ordering::Relaxed);
        while let Err(current) =
            self.arrival.compare_exchange_weak(seen, change(seen), Ordering::Relaxed, Ordering::Relaxed)
        {
            seen = current;
        }
    }

    fn ticks_at(&self, now: Instant) -> Ticks {
        ticks(now.saturating_duration_since(self.epoch))
    }
}

fn ticks(span: Duration) -> Ticks {
    u64::try_from(span.as_nanos().saturating_mul(u128::from(TICKS_PER_NANO))).unwrap_or(u64::MAX)
}

/// Rounds up: a caller who waits this long finds room.
fn duration(ticks: Ticks) -> Duration {
    Duration::from_nanos(ticks.div_ceil(TICKS_PER_NANO))
}

#[cfg(test)]
mod tests;
