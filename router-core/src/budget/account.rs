//! The arithmetic of one budget window, in three atomic words.
//!
//! `committed` is what was spent plus what is reserved, and is the only word that admission looks at: a
//! reservation raises it by compare-and-swap while it stays within the limit, so no interleaving can commit
//! more than the limit. `spent` and `marks` follow after and admit nothing, hence relaxed ordering is enough:
//! each word is exact by itself, and nothing else is published through them.
//!
//! `tests/account_model.rs` includes this file against loom's atomics and runs every interleaving of it.

use super::atomic::{AtomicU32, AtomicU64, Ordering::Relaxed};

/// Nano-dollars committed and spent in one window, and what was already announced about them.
#[derive(Debug, Default)]
pub(crate) struct Account {
    committed: AtomicU64,
    spent: AtomicU64,
    marks: AtomicU32,
}

impl Account {
    /// An account in which `spent` is spent already.
    pub(crate) fn with_spent(spent: u64) -> Self {
        Self { committed: AtomicU64::new(spent), spent: AtomicU64::new(spent), marks: AtomicU32::new(0) }
    }

    /// Commits `amount` if no more than `limit` is committed afterwards; otherwise says what was free.
    /// Nothing is always free: a request that cannot cost anything passes an exhausted budget.
    pub(crate) fn try_reserve(&self, amount: u64, limit: u64) -> Result<(), u64> {
        if amount == 0 {
            return Ok(());
        }
        let mut seen = self.committed.load(Relaxed);
        loop {
            let Some(next) = seen.checked_add(amount).filter(|next| *next <= limit) else {
                return Err(limit.saturating_sub(seen));
            };
            match self.committed.compare_exchange_weak(seen, next, Relaxed, Relaxed) {
                Ok(_) => return Ok(()),
                Err(current) => seen = current,
            }
        }
    }

    /// Commits `amount` whatever the limit.
    pub(crate) fn reserve(&self, amount: u64) {
        add(&self.committed, amount);
    }

    /// Takes back a reservation of `amount`.
    pub(crate) fn release(&self, amount: u64) {
        subtract(&self.committed, amount);
    }

    /// Turns a reservation of `reserved` into spending of `actual`; returns what is spent now.
    pub(crate) fn settle(&self, reserved: u64, actual: u64) -> u64 {
        if actual > reserved {
            self.reserve(actual - reserved);
        } else if actual < reserved {
            self.release(reserved - actual);
        }
        add(&self.spent, actual)
    }

    /// Spent plus reserved.
    pub(crate) fn committed(&self) -> u64 {
        self.committed.load(Relaxed)
    }

    /// Settled spending.
    pub(crate) fn spent(&self) -> u64 {
        self.spent.load(Relaxed)
    }

    /// Sets `marks`; returns those that were not set before, to exactly one caller each.
    pub(crate) fn mark(&self, marks: u32) -> u32 {
        if marks & !self.marks.load(Relaxed) == 0 {
            return 0;
        }
        marks & !self.marks.fetch_or(marks, Relaxed)
    }
}

/// Adds and returns the sum. Stops at the largest amount instead of starting over: a provider that reports
/// absurd usage must exhaust a budget, not empty it.
fn add(word: &AtomicU64, amount: u64) -> u64 {
    let mut seen = word.load(Relaxed);
    loop {
        let next = seen.saturating_add(amount);
        match word.compare_exchange_weak(seen, next, Relaxed, Relaxed) {
            Ok(_) => return next,
            Err(current) => seen = current,
        }
    }
}

/// Subtracts, from the stop at the largest amount as well as from an exact sum.
fn subtract(word: &AtomicU64, amount: u64) {
    let mut seen = word.load(Relaxed);
    while let Err(current) = word.compare_exchange_weak(seen, seen.saturating_sub(amount), Relaxed, Relaxed) {
        seen = current;
    }
}
