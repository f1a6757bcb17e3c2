//! How many attempts a provider bears at a time, learned from its 429s.
//!
//! Additive increase, multiplicative decrease (TCP; Netflix's concurrency limits use it for services): a 429
//! cuts the limit to a share of what was in flight, and every limit's worth of successes raises it by one.
//! Neither happens while less than half of the limit is in use (RFC 7661 has the same rule): an idle hour
//! does not raise it, and a 429 to the first attempt after a time-out is about the time and not about the
//! number. Until the first 429 the limit is the configured ceiling: a provider that never complains is
//! never slowed down.
//!
//! When not to use it: against slowness. A self-hosted model that queues instead of answering 429 is steered
//! by [`choose`](crate::balance::choose), which weighs first-token times and waiting attempts.

use std::time::Instant;

use crate::timeline::{Stamped, Timeline};

/// What a 429 leaves of the limit: CUBIC's factor (RFC 9438, section 4.6), between TCP's 0.5 and the 0.9 of
/// Netflix's limiter, which cuts at every rejection and not once for a burst.
const CUT: f32 = 0.7;

/// 429s within this time of a cut are the same event: attempts that were under way when it came. A second
/// covers a usual first-token time.
const CUT_SECONDS: f32 = 1.0;

/// How many attempts at a time.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConcurrencySettings {
    /// Never more than this. Default 1,000, a guard against running out of descriptors and memory.
    pub ceiling: u32,
    /// Never less than this, at least 1. Default 1: a limit of none could never be raised.
    pub floor: u32,
}

impl Default for ConcurrencySettings {
    fn default() -> Self {
        Self { ceiling: 1_000, floor: 1 }
    }
}

/// The limit of one provider.
#[derive(Debug)]
pub(crate) struct Concurrency(Stamped);

impl Concurrency {
    /// No limit but the ceiling.
    pub(crate) fn new(timeline: Timeline) -> Self {
        Self(Stamped::new(timeline, f32::INFINITY))
    }

    /// Attempts at a time that are allowed.
    pub(crate) fn limit(&self, settings: &ConcurrencySettings) -> u32 {
        let floor = settings.floor.max(1);
        (self.0.value() as u32).clamp(floor, settings.ceiling.max(floor))
    }

    /// Takes in a 429 that came while this many attempts were in flight, its own included.
    pub(crate) fn limited(&self, in_flight: u32, settings: &ConcurrencySettings, now: Instant) {
        let ceiling = self.limit(settings) as f32;
        let floor = settings.floor.max(1) as f32;
        self.0.try_update(now, |held| {
            let cut_before = held.value.is_finite();
            let same_event = cut_before && held.seconds < CUT_SECONDS;
            let unused = cut_before && !in_use(in_flight, held.value);
            (!same_event && !unused).then(|| (ceiling.min(in_flight as f32) * CUT).max(floor))
        });
    }

    /// Takes in a success that ended while this many attempts were in flight, its own included.
    pub(crate) fn succeeded(&self, in_flight: u32, settings: &ConcurrencySettings) {
        let ceiling = settings.ceiling.max(1) as f32;
        let limit = self.0.value();
        if limit < ceiling && in_use(in_flight, limit) {
            self.0.adjust(|limit| (limit + 1.0 / limit.max(1.0)).min(ceiling));
        }
    }
}

/// Whether enough attempts are in flight for their fate to tell about the limit.
fn in_use(in_flight: u32, limit: f32) -> bool {
    in_flight as f32 >= limit / 2.0
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    #[test]
    fn a_burst_cuts_once_and_success_in_use_raises_by_one_a_round() {
        let origin = Instant::now();
        let settings = ConcurrencySettings::default();
        let concurrency = Concurrency::new(Timeline::starting(origin));
        assert_eq!(concurrency.limit(&settings), 1_000);

        let burst = origin + Duration::from_secs(5);
        for _ in 0..50 {
            concurrency.limited(100, &settings, burst);
        }
        assert_eq!(concurrency.limit(&settings), 70);

        (0..1_000).for_each(|_| concurrency.succeeded(34, &settings));
        assert_eq!(concurrency.limit(&settings), 70, "half of it was not in use");
        (0..71).for_each(|_| concurrency.succeeded(70, &settings));
        assert_eq!(concurrency.limit(&settings), 71);

        concurrency.limited(35, &settings, burst + Duration::from_secs(2));
        assert_eq!(concurrency.limit(&settings), 71, "half of it was not in use");
        concurrency.limited(71, &settings, burst + Duration::from_secs(4));
        assert_eq!(concurrency.limit(&settings), 49);
    }

    #[test]
    fn the_limit_is_never_none() {
        let origin = Instant::now();
        let settings = ConcurrencySettings::default();
        let concurrency = Concurrency::new(Timeline::starting(origin));
        for second in [2, 4, 6] {
            concurrency.limited(1, &settings, origin + Duration::from_secs(second));
            assert_eq!(concurrency.limit(&settings), 1);
        }
    }

    #[test]
    fn the_ceiling_holds_after_a_reload_lowers_it() {
        let concurrency = Concurrency::new(Timeline::starting(Instant::now()));
        let lowered = ConcurrencySettings { ceiling: 8, floor: 1 };
        assert_eq!(concurrency.limit(&lowered), 8);
        concurrency.succeeded(8, &lowered);
        assert_eq!(concurrency.limit(&lowered), 8);
    }
}
