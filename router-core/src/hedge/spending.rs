//! What one tenant's hedges may cost in an hour.
//!
//! When not to use it: as a budget. It is lost at a restart, and it caps what is *expected*; what a hedge
//! really cost is settled with the tenant's budget like any other attempt.

use std::time::{Duration, Instant};

use crate::money::Usd;
use crate::timeline::{Rolling, Timeline};

/// Minutes in the window.
const MINUTES: usize = 60;

/// Nano-dollars in the unit that is counted, a micro-dollar: 32 bits of it hold $4,294 a minute.
const NANOS_PER_UNIT: u64 = 1_000;

/// The cost of one tenant's hedges in the last hour, in steps of a minute.
#[derive(Debug)]
pub struct Spending(Rolling<MINUTES>);

impl Spending {
    /// Nothing spent. Times before `origin` count as `origin`.
    #[must_use]
    pub fn new(origin: Instant) -> Self {
        Self(Rolling::new(Timeline::starting(origin), Duration::from_secs(60)))
    }

    /// Takes `cost`, rounded up to a micro-dollar, unless the hour's total would exceed `cap`. Counts first
    /// and looks then, so that concurrent requests cannot exceed it together.
    #[must_use]
    pub(super) fn spend(&self, cost: Usd, cap: Usd, now: Instant) -> bool {
        let Some(units) = units(cost) else { return false };
        self.0.add(now, units);
        let within = self.spent(now) <= cap;
        if !within {
            self.0.take_back(now, units);
        }
        within
    }

    /// Gives back what was taken at that `now`.
    pub(super) fn unspend(&self, cost: Usd, now: Instant) {
        if let Some(units) = units(cost) {
            self.0.take_back(now, units);
        }
    }

    /// The cost of the last hour's hedges.
    #[must_use]
    pub fn spent(&self, now: Instant) -> Usd {
        Usd::from_nanos(self.0.sum(now, MINUTES).saturating_mul(NANOS_PER_UNIT))
    }
}

/// Micro-dollars, rounded up; nothing, where there are too many to count.
fn units(cost: Usd) -> Option<u32> {
    u32::try_from(cost.nanos().div_ceil(NANOS_PER_UNIT)).ok()
}
