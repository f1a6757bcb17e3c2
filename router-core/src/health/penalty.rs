//! What a rate limit costs a provider: a time-out that it asked for, and a handicap that fades.
//!
//! A 429 is not ill health. The provider is well and wants less, so the breaker and the success rate don't
//! hear of it. Instead it is left alone until its `Retry-After` is over, and then its load counts for more
//! than it is, by a factor that fades, so that traffic comes back gradually (linkerd2's penalty for
//! rate-limited endpoints, which also honours `Retry-After`).
//!
//! When not to use it: for overload that shows as slowness (the load signal sees that), or for limits that
//! the provider announces before they are reached (see [`Quota`](super::Quota)).

use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::{Duration, Instant};

use crate::timeline::{Stamped, Timeline, scale};

/// How fast the handicap fades once the time-out is over: one time constant of the load signal.
const TAU_SECONDS: f32 = 10.0;

/// The most that 429s add up to. A provider with this much behind it still gets about a tenth of its
/// traffic, which is what a slow start begins with.
const MOST: f32 = 8.0;

/// What a rate limit costs.
#[derive(Clone, Debug, PartialEq)]
pub struct PenaltySettings {
    /// How long a provider is left alone that answered 429 without `Retry-After`. Each further 429 before
    /// the handicap has faded adds as much again. Default 1 s, the shortest `Retry-After` above none.
    /// Also the shortest time-out, so that a burst of 429s with `Retry-After: 0` is still one event.
    pub hold: Duration,
    /// A longer `Retry-After` is cut to this. Default 120 s: what the official clients believe at most. A
    /// quota that is gone for the day then costs one 429 every two minutes.
    pub longest_hold: Duration,
}

impl Default for PenaltySettings {
    fn default() -> Self {
        Self { hold: Duration::from_secs(1), longest_hold: Duration::from_secs(120) }
    }
}

/// The rate limits of one provider.
#[derive(Debug)]
pub(super) struct Penalty {
    timeline: Timeline,
    /// Microseconds until which the provider is left alone.
    until: AtomicU64,
    /// The handicap, written when its fading begins or began.
    level: Stamped,
}

impl Penalty {
    pub(super) fn new(timeline: Timeline) -> Self {
        Self { timeline, until: AtomicU64::new(0), level: Stamped::new(timeline, 0.0) }
    }

    /// Takes in a 429. Those that were under way when the first one came are the same event: they can
    /// extend the time-out by their `Retry-After`, and add no handicap.
    pub(super) fn limited(&self, retry_after: Option<Duration>, settings: &PenaltySettings, now: Instant) {
        let level = self.level(now);
        let first = self.limited_until(now).is_none();
        let own = scale(settings.hold, f64::from(1.0 + level));
        let until = match retry_after {
            Some(asked) => self.hold(asked.max(settings.hold), settings, now),
            None if first => self.hold(own, settings, now),
            None => return,
        };
        let step = if first { 1.0 } else { 0.0 };
        // Stamped with the end of the time-out: the handicap begins to fade there.
        self.level.update(until, |held| (held.value.min(level) + step).min(MOST));
    }

    /// Leaves the provider alone for that long, capped; says until when.
    pub(super) fn hold(&self, hold: Duration, settings: &PenaltySettings, now: Instant) -> Instant {
        let until = now.checked_add(hold.min(settings.longest_hold)).unwrap_or(now);
        self.until.fetch_max(self.timeline.micros(until), Relaxed);
        until
    }

    /// Until when the provider is left alone, if it is.
    pub(super) fn limited_until(&self, now: Instant) -> Option<Instant> {
        let until = self.until.load(Relaxed);
        (self.timeline.micros(now) < until).then(|| self.timeline.instant(until))
    }

    /// What its load is multiplied by, 1..=9.
    pub(super) fn factor(&self, now: Instant) -> f32 {
        1.0 + self.level(now)
    }

    fn level(&self, now: Instant) -> f32 {
        let held = self.level.load(now);
        held.value * held.remaining(TAU_SECONDS)
    }
}
