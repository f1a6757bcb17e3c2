//! When a breaker opens, for how long, and how its provider returns.

use std::time::Duration;

use crate::timeline::{fraction, jitter, micros, scale};

/// The longest window that a breaker remembers, in buckets of one second.
pub(super) const WINDOW_SECONDS: usize = 60;

/// For ever, as a time that can still be added to any instant.
const YEAR: Duration = Duration::from_secs(365 * 86_400);

/// How a breaker judges. The defaults are the platform's: 5 failures, 60 s, × 1.5, 10 % jitter.
#[derive(Clone, Debug, PartialEq)]
pub struct BreakerSettings {
    /// Failures in a row that open it; 0 turns this rule off. Default 5.
    pub failures: u32,
    /// Opens when the success rate in the window is below this, 0..=1; 0 turns this rule off. Default 0.5.
    pub success_rate: f32,
    /// Answers that the window must hold before the success rate counts. Default 20: at a true rate of
    /// 90 %, seeing fewer than 10 successes in 20 has a chance below one in a million.
    pub least_answers: u32,
    /// How far back the success rate looks: 1 s to 60 s, in whole seconds. Default 30 s, so that one
    /// request a second is enough traffic to be judged by.
    pub window: Duration,
    /// The first wait. Default 60 s.
    pub recovery: Duration,
    /// What each further wait is multiplied by, ≥ 1. Default 1.5.
    pub backoff: f32,
    /// Each wait is varied by this share, 0..=1, so that several routers don't probe in step. Default 0.1.
    pub jitter: f32,
    /// No wait is longer, jitter included. Default 300 s, as Envoy's longest ejection.
    pub longest_recovery: Duration,
    /// A first token later than this counts as a failure. Default: never.
    pub slow_first_token: Option<Duration>,
    /// How long traffic takes to return in full: its share grows as `(t / slow_start)^(1 / aggression)`
    /// from `least_share`. Zero returns all at once. Default 30 s.
    pub slow_start: Duration,
    /// Above 1 returns traffic sooner, below 1 later. Default 1, a straight line, as Envoy's.
    pub aggression: f32,
    /// The share of traffic that a provider gets right after its return, 0..=1. Default 0.1, as Envoy's:
    /// enough to notice within seconds that it is still ill, at a tenth of the harm.
    pub least_share: f32,
}

impl Default for BreakerSettings {
    fn default() -> Self {
        Self {
            failures: 5,
            success_rate: 0.5,
            least_answers: 20,
            window: Duration::from_secs(30),
            recovery: Duration::from_secs(60),
            backoff: 1.5,
            jitter: 0.1,
            longest_recovery: Duration::from_secs(300),
            slow_first_token: None,
            slow_start: Duration::from_secs(30),
            aggression: 1.0,
            least_share: 0.1,
        }
    }
}

impl BreakerSettings {
    /// The window in whole seconds, at least one.
    pub(super) fn window_seconds(&self) -> usize {
        usize::try_from(self.window.as_secs()).unwrap_or(WINDOW_SECONDS).clamp(1, WINDOW_SECONDS)
    }

    /// Whether these counts open the breaker.
    pub(super) fn tripped(&self, in_row: u32, good: u64, bad: u64) -> bool {
        let answers = good + bad;
        let rate_counts = answers > 0 && answers >= u64::from(self.least_answers);
        (self.failures > 0 && in_row >= self.failures)
            || (rate_counts && (good as f64) < f64::from(self.success_rate) * answers as f64)
    }

    /// The wait after this many earlier openings, before jitter. The longest one leaves room for it.
    pub(super) fn nominal_wait(&self, earlier: u32) -> Duration {
        let factor = f64::from(self.backoff.max(1.0)).powi(i32::try_from(earlier).unwrap_or(i32::MAX));
        let longest = scale(self.longest_recovery, 1.0 / (1.0 + f64::from(fraction(self.jitter))));
        scale(self.recovery, factor).min(longest)
    }

    /// The wait after this many earlier openings.
    pub(super) fn wait(&self, earlier: u32, rng: &mut fastrand::Rng) -> Duration {
        scale(self.nominal_wait(earlier), jitter(self.jitter, rng)).min(YEAR)
    }

    /// The share of traffic this long after the return.
    pub(super) fn share_after(&self, elapsed_micros: u64) -> f32 {
        let window_micros = micros(self.slow_start);
        if elapsed_micros >= window_micros {
            return 1.0;
        }
        let progress = elapsed_micros as f32 / window_micros as f32;
        progress.powf(1.0 / self.aggression.max(0.01)).max(fraction(self.least_share))
    }
}
