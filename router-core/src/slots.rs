//! A table of fixed size that remembers what was seen lately.
//!
//! A key has one slot; whoever comes later to the same slot takes it. That forgets a little early now and then (with `n` keys in `m` slots, a
//! key is lost to another with probability `1 − e^(−n/m)`), and in exchange an entry costs one short lock and no upkeep, where a cache that
//! evicts by use costs microseconds a write. For what may be forgotten; not for answers.

use std::sync::{Mutex, PoisonError};

/// A key and its value, once the slot has been taken.
type Slot<V> = Mutex<Option<(u128, V)>>;

/// Slots for values of type `V` under 128-bit keys that are spread evenly (hashes).
#[derive(Debug)]
pub struct Slots<V> {
    slots: Box<[Slot<V>]>,
}

impl<V: Clone> Slots<V> {
    /// A table of at least `count` slots, at least one.
    #[must_use]
    pub fn new(count: usize) -> Self {
        let count = count.max(1).next_power_of_two();
        Self { slots: (0..count).map(|_| Mutex::new(None)).collect() }
    }

    fn slot(&self, key: u128) -> &Slot<V> {
        // The count is a power of two, so the mask keeps the index in range.
        &self.slots[key as usize & (self.slots.len() - 1)]
    }

    /// The value under `key`, if it has not been forgotten.
    #[must_use]
    pub fn recall(&self, key: u128) -> Option<V> {
        let slot = self.slot(key).lock().unwrap_or_else(PoisonError::into_inner);
        slot.as_ref().filter(|(held, _)| *held == key).map(|(_, value)| value.clone())
    }

    /// Forgets every value for which `doomed` is true. Looks at each slot: not for a request's path.
    pub fn forget(&self, doomed: impl Fn(&V) -> bool) {
        for slot in &self.slots {
            let mut slot = slot.lock().unwrap_or_else(PoisonError::into_inner);
            if slot.as_ref().is_some_and(|(_, value)| doomed(value)) {
                *slot = None;
            }
        }
    }

    /// Remembers `value` under `key`, in place of what was in its slot.
    pub fn remember(&self, key: u128, value: V) {
        let mut slot = self.slot(key).lock().unwrap_or_else(PoisonError::into_inner);
        let before = slot.replace((key, value));
        // What was there is dropped when the lock is free again.
        drop(slot);
        drop(before);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_slot_holds_the_latest_and_only_for_its_key() {
        let slots = Slots::new(4);
        slots.remember(1, "one");
        slots.remember(2, "two");
        assert_eq!((slots.recall(1), slots.recall(2), slots.recall(5)), (Some("one"), Some("two"), None));
        slots.remember(5, "five");
        assert_eq!((slots.recall(1), slots.recall(5)), (None, Some("five")));
        slots.forget(|value| *value == "five");
        assert_eq!((slots.recall(2), slots.recall(5)), (Some("two"), None));
    }
}
