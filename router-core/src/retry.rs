//! Whether a failed attempt may be followed by another, and how long after.
//!
//! Retries multiply load exactly when there is least to spare. The budget (Finagle's, also linkerd2's and
//! tower's) ties them to the requests that come in: within the last [`WINDOW_SECONDS`] at most
//! [`RetrySettings::share`] of them, with a small floor for quiet times. The floor is per window and not per
//! caller, so it also holds for callers who come one after another. Where nothing was sent (no
//! connection), the next candidate may be tried at no charge: the provider carried no load, and the breaker
//! ends such attempts after a handful.
//!
//! Three things are not decided here. Whether a request *can* be retried: never once a byte has reached the
//! caller. Where: [`choose`](crate::balance::choose), never an open breaker. And whether a *hedge* may be
//! sent, which has its own cap; see [`hedge`](crate::hedge).
//!
//! When not to use it: for what the caller caused; it fails the same way everywhere.

#[cfg(test)]
mod tests;

use std::time::{Duration, Instant};

use crate::timeline::{Rolling, Timeline, fraction, jitter, scale};

/// The window of the budget, in seconds: Finagle's default, as linkerd2's.
pub const WINDOW_SECONDS: usize = 10;

/// How often and how soon to try again.
#[derive(Clone, Debug, PartialEq)]
pub struct RetrySettings {
    /// Retries per request in the window, 0..=1. Default 0.2, as Finagle's and linkerd2's.
    pub share: f32,
    /// Retries in the window that are always allowed. Default 10, one a second: a tenth of
    /// Finagle's and linkerd2's, whose requests are quicker and cheaper.
    pub floor: u32,
    /// Retries of one request. Default 3, as the platform asks.
    pub most: u32,
    /// The wait before a request's first retry at a provider that just failed. Default 100 ms, a fifth of
    /// a usual first-token time: long enough for a restarted connection, short enough not to be felt.
    pub base: Duration,
    /// What each further wait is multiplied by, ≥ 1. Default 1.5, as the platform asks.
    pub backoff: f32,
    /// Each wait is varied by this share, 0..=1. Default 0.1, as the platform asks.
    pub jitter: f32,
    /// A retry is not begun when less than this is left before the deadline. Default 250 ms: hosted models
    /// rarely manage a first token in less.
    pub least_time: Duration,
}

impl Default for RetrySettings {
    fn default() -> Self {
        Self {
            share: 0.2,
            floor: 10,
            most: 3,
            base: Duration::from_millis(100),
            backoff: 1.5,
            jitter: 0.1,
            least_time: Duration::from_millis(250),
        }
    }
}

/// A failed attempt that might be followed by another.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Failed {
    /// Retries of this request before.
    pub retries: u32,
    /// Whether the next attempt goes to a candidate that has not been tried.
    pub elsewhere: bool,
    /// Whether nothing was sent: the connection never came about.
    pub unsent: bool,
    /// What the provider that failed asked for. Means nothing to another one.
    pub retry_after: Option<Duration>,
}

/// Why a request is not tried again.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum GiveUp {
    /// It has been tried often enough.
    #[error("tried {retries} times again already")]
    Exhausted {
        /// Retries made.
        retries: u32,
    },
    /// Its deadline leaves no time.
    #[error("the deadline leaves no time for another attempt")]
    Deadline,
    /// The retries of all requests have used up their share.
    #[error("the retry budget is spent")]
    Budget,
}

/// Requests and retries of the last seconds; see the [module](self).
#[derive(Debug)]
pub struct RetryBudget {
    requests: Rolling<WINDOW_SECONDS>,
    retries: Rolling<WINDOW_SECONDS>,
}

impl RetryBudget {
    /// A budget that has seen nothing. Times before `origin` count as `origin`.
    #[must_use]
    pub fn new(origin: Instant) -> Self {
        let timeline = Timeline::starting(origin);
        let second = Duration::from_secs(1);
        Self { requests: Rolling::new(timeline, second), retries: Rolling::new(timeline, second) }
    }

    /// Counts a request, once, when it arrives.
    pub fn request(&self, now: Instant) {
        self.requests.add(now, 1);
    }

    /// Retries that the window still allows.
    #[must_use]
    pub fn left(&self, settings: &RetrySettings, now: Instant) -> u64 {
        self.allowed(settings, now).saturating_sub(self.retries.sum(now, WINDOW_SECONDS))
    }

    /// How long to wait before the next attempt, which is then paid for; or why there is none.
    ///
    /// A first failure is followed at once by an attempt elsewhere: the other candidate has done nothing to
    /// be spared. From then on, and at the same candidate, waits grow as `base × backoffⁿ`.
    pub fn plan(
        &self,
        failed: &Failed,
        settings: &RetrySettings,
        deadline: Instant,
        now: Instant,
        rng: &mut fastrand::Rng,
    ) -> Result<Duration, GiveUp> {
        if failed.retries >= settings.most {
            return Err(GiveUp::Exhausted { retries: failed.retries });
        }
        let wait = wait(failed, settings, rng);
        if now.checked_add(wait.saturating_add(settings.least_time)).is_none_or(|ready| ready > deadline) {
            return Err(GiveUp::Deadline);
        }
        let free = failed.unsent && failed.elsewhere;
        if free || self.spend(settings, now) { Ok(wait) } else { Err(GiveUp::Budget) }
    }

    /// Takes one retry from the budget. Counts first and looks then, so that of several who ask for the
    /// last one at most one gets it.
    fn spend(&self, settings: &RetrySettings, now: Instant) -> bool {
        self.retries.add(now, 1);
        let within = self.retries.sum(now, WINDOW_SECONDS) <= self.allowed(settings, now);
        if !within {
            self.retries.take_back(now, 1);
        }
        within
    }

    fn allowed(&self, settings: &RetrySettings, now: Instant) -> u64 {
        let requests = self.requests.sum(now, WINDOW_SECONDS) as f64;
        let share = f64::from(fraction(settings.share));
        // f32's 0.2 is a little more than a fifth; the margin keeps 20 % of 100 at 20.
        ((requests * share + 1e-3) as u64).max(u64::from(settings.floor))
    }
}

fn wait(failed: &Failed, settings: &RetrySettings, rng: &mut fastrand::Rng) -> Duration {
    if failed.elsewhere && failed.retries == 0 {
        return Duration::ZERO;
    }
    let exponent = i32::try_from(failed.retries).unwrap_or(i32::MAX);
    let factor = f64::from(settings.backoff.max(1.0)).powi(exponent) * jitter(settings.jitter, rng);
    let backoff = scale(settings.base, factor);
    match failed.retry_after {
        Some(asked) if !failed.elsewhere => backoff.max(asked),
        _ => backoff,
    }
}
