//! The share of attempts that succeed now.
//!
//! An average over attempts (each new one weighs [`STEP`]) whose deficit fades with time, back towards 1:
//! `rate ← rate + s·(ok − rate)`, and while nothing is sent `1 − rate ← (1 − rate)·exp(−Δt / τ)`. By attempts
//! because failures come in bursts at one instant, where an average weighted by time would see a single
//! sample; fading because a provider that is shunned for its failures can otherwise never improve.
//!
//! Starts at 1: presumed well. When not to use it: to open a breaker, which counts in a window instead and
//! does not forget within it.

use std::time::Instant;

use crate::timeline::{Stamped, Timeline};

/// What one attempt weighs: the average remembers about the last ten. Fewer would let two failures in a
/// row halve a good provider's score; more would keep sending to a failing one.
const STEP: f32 = 0.1;

/// How fast failures are forgiven while nothing is sent: the breaker's default window.
const TAU_SECONDS: f32 = 30.0;

/// The success rate of one provider.
#[derive(Debug)]
pub(super) struct SuccessRate(Stamped);

impl SuccessRate {
    pub(super) fn new(timeline: Timeline) -> Self {
        Self(Stamped::new(timeline, 1.0))
    }

    /// Takes in one attempt.
    pub(super) fn observe(&self, ok: bool, now: Instant) {
        self.0.update(now, |held| {
            let rate = 1.0 - (1.0 - held.value) * held.remaining(TAU_SECONDS);
            let target = if ok { 1.0 } else { 0.0 };
            (rate + STEP * (target - rate)).clamp(0.0, 1.0)
        });
    }

    /// The rate at `now`, 0..=1.
    pub(super) fn rate(&self, now: Instant) -> f32 {
        let held = self.0.load(now);
        1.0 - (1.0 - held.value) * held.remaining(TAU_SECONDS)
    }
}
