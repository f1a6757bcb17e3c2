//! Instants as integers, so that they fit an atomic.
//!
//! The state machines of provider health are read on every decision and written at every answer, by every
//! thread. Each keeps what it knows in single machine words that are replaced by compare-and-swap, so a
//! reader takes no lock and never sees half of an update. An [`Instant`] does not fit such a word; a count
//! from a fixed origin does.
//!
//! Not for time of day: an origin means nothing outside of its process.

mod rolling;
mod stamped;

pub(crate) use rolling::Rolling;
pub(crate) use stamped::{Aged, Stamped};

use std::time::{Duration, Instant};

/// Counts time from an origin.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Timeline {
    origin: Instant,
}

impl Timeline {
    /// A timeline that begins at `origin`.
    pub(crate) const fn starting(origin: Instant) -> Self {
        Self { origin }
    }

    /// Microseconds from the origin to `at`; 0 for anything earlier.
    pub(crate) fn micros(self, at: Instant) -> u64 {
        micros(at.saturating_duration_since(self.origin))
    }

    /// The instant this many microseconds after the origin.
    pub(crate) fn instant(self, micros: u64) -> Instant {
        self.origin.checked_add(Duration::from_micros(micros)).unwrap_or(self.origin)
    }
}

/// A duration in whole microseconds, saturating after half a million years.
pub(crate) fn micros(duration: Duration) -> u64 {
    // Without the 128 bits of `as_micros`: this is done several times per candidate.
    duration.as_secs().saturating_mul(1_000_000).saturating_add(u64::from(duration.subsec_micros()))
}

/// `duration` × `factor`; the longest representable duration where that overflows, zero for a negative or
/// undefined factor.
pub(crate) fn scale(duration: Duration, factor: f64) -> Duration {
    if factor.is_nan() || factor <= 0.0 {
        return Duration::ZERO;
    }
    Duration::try_from_secs_f64(duration.as_secs_f64() * factor).unwrap_or(Duration::MAX)
}

/// A factor drawn evenly from 1 ± `share`, for spreading out what would otherwise happen in step.
pub(crate) fn jitter(share: f32, rng: &mut fastrand::Rng) -> f64 {
    let share = f64::from(fraction(share));
    1.0 + share * (2.0 * rng.f64() - 1.0)
}

/// `value` as a share: within 0..=1, and 0 where it is undefined.
pub(crate) fn fraction(value: f32) -> f32 {
    if value.is_nan() { 0.0 } else { value.clamp(0.0, 1.0) }
}
