//! The hard cap on extra calls: every eligible request pays in a fraction of one, a hedge takes out a whole.
//!
//! Starts empty, so that extra calls are below their share of the requests at every moment and not only
//! in the long run. When not to use it: to choose *which* requests to hedge; on its own it would spend itself
//! on the first that come.

use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

use crate::timeline::fraction;

/// Parts of one extra call.
const WHOLE: u64 = 1_000_000;

/// What can be saved up, in extra calls. The learned trigger strays from its share by a few calls either
/// way; a deeper purse would let an incident, in which everything is late, begin with a burst.
const MOST: u64 = 20;

/// See the [module](self).
#[derive(Debug, Default)]
pub(super) struct Allowance(AtomicU64);

impl Allowance {
    /// Pays in for one eligible request.
    pub(super) fn deposit(&self, share: f32) {
        // Rounded down: never more than the share.
        self.add((f64::from(fraction(share)) * WHOLE as f64) as u64);
    }

    /// Takes out one extra call, if it is there.
    pub(super) fn withdraw(&self) -> bool {
        let mut held = self.0.load(Relaxed);
        while let Some(rest) = held.checked_sub(WHOLE) {
            match self.0.compare_exchange_weak(held, rest, Relaxed, Relaxed) {
                Ok(_) => return true,
                Err(actual) => held = actual,
            }
        }
        false
    }

    /// Gives back one extra call that was not made.
    pub(super) fn put_back(&self) {
        self.add(WHOLE);
    }

    fn add(&self, amount: u64) {
        let mut held = self.0.load(Relaxed);
        while let Err(actual) =
            self.0.compare_exchange_weak(held, (held + amount).min(MOST * WHOLE), Relaxed, Relaxed)
        {
            held = actual;
        }
    }
}
