//! Peak-EWMA: an average of first-token times that rises at once and falls slowly.
//!
//! Finagle's Peak-EWMA (also linkerd2's) weighs a new time `x` by the time since the last one:
//! `cost·w + x·(1 − w)` with `w = exp(−Δt / τ)`, which makes it as quick at 1 request a second as at 1,000;
//! and takes a higher `x` at once. Times are normalised by prompt size before they come here, and never
//! include the writing of the answer, whose length is the caller's choice.
//!
//! Two departures, both because first-token times have heavy tails where Finagle's round trips don't:
//!
//! - A higher time is blended in, too, with a shorter τ. Taken at once, every outlier of a sound provider
//!   is its estimate for the next seconds, the more so the busier it is, and hides how slow a slow one
//!   is: of four providers at 200 requests a second, first tokens lognormal with σ 0.5, one that was 10 ×
//!   slower got 0.8-1.0 % of the traffic, and 0.3-0.5 % this way (`tests/simulation.rs`). A provider that stalls is
//!   still seen at once, as `Δt` is long then.
//! - The estimate does not fade while nothing is sent. Fading would send a slow provider a fresh batch of
//!   requests every `τ·ln(ratio)` seconds; [`choose`](crate::balance::choose) sends a single scout instead.
//!
//! When not to use it: for display of percentiles, or where all samples come from one size of request and
//! the tail is the question. It is a load signal.

use std::time::Instant;

use crate::timeline::{Aged, Stamped, Timeline};

/// τ for times below the estimate: Finagle's and linkerd2's default.
const FALL_SECONDS: f32 = 10.0;

/// τ for times above it. Long beside the gap between two answers of a busy provider, which averages its
/// outliers; short beside a stall that anybody would notice.
const RISE_SECONDS: f32 = 2.0;

/// What an unmeasured provider's cell holds.
const UNKNOWN: f32 = 0.0;

/// The load signal of one provider.
#[derive(Debug)]
pub(super) struct PeakEwma(Stamped);

impl PeakEwma {
    pub(super) fn new(timeline: Timeline) -> Self {
        Self(Stamped::new(timeline, UNKNOWN))
    }

    /// Takes in one normalised time.
    pub(super) fn observe(&self, seconds: f32, now: Instant) {
        let Some(sample) = sane(seconds) else { return };
        self.0.update(now, |held| blend(held, sample));
    }

    /// Takes in a time that was cut short: the whole one would have been at least this.
    pub(super) fn observe_at_least(&self, seconds: f32, now: Instant) {
        let Some(sample) = sane(seconds) else { return };
        self.0.try_update(now, |held| (sample > held.value).then(|| blend(held, sample)));
    }

    /// The estimate, where there has been a sample.
    pub(super) fn seconds(&self) -> Option<f32> {
        Some(self.0.value()).filter(|&value| value > UNKNOWN)
    }
}

/// The estimate after a sample.
fn blend(held: Aged, sample: f32) -> f32 {
    if held.value == UNKNOWN {
        return sample;
    }
    let tau = if sample > held.value { RISE_SECONDS } else { FALL_SECONDS };
    let keep = held.remaining(tau);
    held.value * keep + sample * (1.0 - keep)
}

/// A positive finite time, at least a microsecond so that it is not taken for "unknown".
fn sane(seconds: f32) -> Option<f32> {
    seconds.is_finite().then(|| seconds.max(1e-6))
}
