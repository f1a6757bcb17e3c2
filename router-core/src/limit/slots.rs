//! How many requests may be under way at once.

use std::num::NonZeroU32;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

/// A count of requests under way. The ceiling comes with every call, as it belongs to the policy.
#[derive(Debug, Default)]
pub struct Slots {
    used: AtomicU32,
}

/// One slot; free again when dropped.
#[derive(Debug)]
#[must_use = "a slot is free again when this is dropped"]
pub struct Slot {
    of: Arc<Slots>,
}

impl Slots {
    /// Takes a slot while fewer than `ceiling` are taken. A lower ceiling after a reload frees nothing: it
    /// holds for those that come.
    pub fn try_take(self: &Arc<Self>, ceiling: NonZeroU32) -> Option<Slot> {
        let vacant = |used: u32| (used < ceiling.get()).then_some(used + 1);
        self.used.fetch_update(Ordering::Relaxed, Ordering::Relaxed, vacant).ok()?;
        Some(Slot { of: Arc::clone(self) })
    }

    /// Slots taken now.
    #[must_use]
    pub fn used(&self) -> u32 {
        self.used.load(Ordering::Relaxed)
    }
}

impl Drop for Slot {
    fn drop(&mut self) {
        self.of.used.fetch_sub(1, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn never_more_than_the_ceiling_and_free_after_drop() {
        let (slots, two) = (Arc::new(Slots::default()), NonZeroU32::new(2).unwrap());
        let first = slots.try_take(two).unwrap();
        let _second = slots.try_take(two).unwrap();
        assert!(slots.try_take(two).is_none());
        drop(first);
        assert!(slots.try_take(two).is_some());
        assert_eq!(slots.used(), 1);
    }

    #[test]
    fn sixty_four_threads_hold_at_most_the_ceiling() {
        let (slots, ceiling) = (Arc::new(Slots::default()), NonZeroU32::new(5).unwrap());
        std::thread::scope(|scope| {
            for _ in 0..64 {
                scope.spawn(|| {
                    for _ in 0..2_000 {
                        let slot = slots.try_take(ceiling);
                        assert!(slots.used() <= 5);
                        drop(slot);
                    }
                });
            }
        });
        assert_eq!(slots.used(), 0);
    }
}
