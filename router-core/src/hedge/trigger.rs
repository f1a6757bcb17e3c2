//! The first-token time that a given share of requests exceeds, learned from a bit per request.
//!
//! All that is needed of a request is whether its first token came later than the trigger. That is known even
//! where a hedge won and the first attempt was cancelled, so censoring does no harm, and it makes the
//! learner a controller of what it spends:
//!
//! `ln trigger ← ln trigger + η·(late − share)`
//!
//! is stochastic approximation of the `1 − share` quantile (Robbins and Monro) and, with `η` held above
//! zero, adaptive conformal inference (Gibbs and Candès, arXiv 2106.00170): over any `n` requests the share
//! that was late differs from the wanted one by at most the trigger's travel over `η·n`, whatever the
//! distribution and however it drifts. In logarithms, so that a step means the same at 0.2 s and at 20 s.
//!
//! It starts as the largest of the first `1 / share` times, whose expected rank is about right, and takes
//! steps that shrink as `1/n` down to a floor.
//!
//! When not to use it: to report percentiles. It knows one quantile and not how sure it is.

use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::Duration;

/// `η·n·share` while steps shrink. The best choice is the inverse of the density of ln(time) at the
/// quantile, which for a lognormal tail at a few per cent is about `0.4 σ / share`; σ is near 1 for
/// first-token times.
const STEP: f32 = 0.4;

/// The smallest `η`. The trigger then wanders by about `√(η σ / 5)` in logarithms, 6-9 % at σ 1 to 2, and
/// follows a provider that becomes 3 × slower within some 300 requests.
const LEAST_STEP: f32 = 0.02;

/// A learned delay. One atomic word: ln(seconds) and the number of observations.
#[derive(Debug, Default)]
pub(super) struct Trigger(AtomicU64);

impl Trigger {
    /// The delay that this share of requests exceeds; nothing until `1 / share` of them have been seen.
    pub(super) fn after(&self, share: f32) -> Option<Duration> {
        let (ln_seconds, seen) = unpack(self.0.load(Relaxed));
        let learned = share > 0.0 && seen >= warm_up(share);
        if learned { Duration::try_from_secs_f32(ln_seconds.exp()).ok() } else { None }
    }

    /// Takes in how long a request waited, and the delay that was in force when it began.
    pub(super) fn observe(&self, waited: Duration, in_force: Option<Duration>, share: f32) {
        let mut word = self.0.load(Relaxed);
        loop {
            let (ln_seconds, seen) = unpack(word);
            let next = step(ln_seconds, seen, waited, in_force, share);
            match self.0.compare_exchange_weak(word, pack(next, seen.saturating_add(1)), Relaxed, Relaxed) {
                Ok(_) => return,
                Err(actual) => word = actual,
            }
        }
    }
}

fn step(ln_seconds: f32, seen: u32, waited: Duration, in_force: Option<Duration>, share: f32) -> f32 {
    let ln_waited = waited.as_secs_f32().max(1e-6).ln();
    if seen == 0 {
        return ln_waited;
    }
    if seen < warm_up(share) {
        return ln_seconds.max(ln_waited);
    }
    let late = match in_force {
        Some(delay) => waited >= delay,
        None => ln_waited > ln_seconds,
    };
    let size = (STEP / (share.max(1e-3) * seen as f32)).max(LEAST_STEP);
    // A day at most: a share of 0 would otherwise walk off for ever.
    (ln_seconds + size * (if late { 1.0 } else { 0.0 } - share)).min(11.4)
}

/// Times to see before the largest of them is about the wanted quantile.
fn warm_up(share: f32) -> u32 {
    (1.0 / share.max(1e-3)).round() as u32
}

fn pack(ln_seconds: f32, seen: u32) -> u64 {
    u64::from(ln_seconds.to_bits()) << 32 | u64::from(seen)
}

fn unpack(word: u64) -> (f32, u32) {
    (f32::from_bits((word >> 32) as u32), word as u32)
}
