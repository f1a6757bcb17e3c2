//! Who caused it: the largest spender of a window.

use std::sync::OnceLock;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

use crate::money::Usd;

/// Who a reservation is for: the small number of a key, handed out once for the life of a process and never
/// reused. Numbers beyond those that a window was opened for (keys added since) are counted together.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Spender(pub u16);

/// The largest spender when a budget was exhausted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Culprit {
    /// Who; `None`: keys that were added since the window was opened, together.
    pub spender: Option<Spender>,
    /// What they had spent and reserved.
    pub committed: Usd,
}

/// What each spender has committed in a window. Wait-free to count, a scan to judge, done once a window.
#[derive(Debug)]
pub(super) struct Tally {
    /// One word for each spender and one for the rest; empty where nobody asked.
    committed: Box<[AtomicU64]>,
    culprit: OnceLock<Option<Culprit>>,
}

impl Tally {
    /// Room for `spenders`; zero counts nothing.
    pub(super) fn new(spenders: u16) -> Self {
        let words = if spenders == 0 { 0 } else { usize::from(spenders) + 1 };
        let committed = (0..words).map(|_| AtomicU64::new(0)).collect();
        Self { committed, culprit: OnceLock::new() }
    }

    pub(super) fn add(&self, spender: Spender, amount: u64) {
        self.update(spender, |committed| committed.saturating_add(amount));
    }

    pub(super) fn subtract(&self, spender: Spender, amount: u64) {
        self.update(spender, |committed| committed.saturating_sub(amount));
    }

    fn update(&self, spender: Spender, change: impl Fn(u64) -> u64) {
        let rest = self.committed.last();
        let known = self.committed.len().saturating_sub(1);
        let word = self.committed.get(usize::from(spender.0)).filter(|_| usize::from(spender.0) < known);
        if let Some(word) = word.or(rest) {
            let mut seen = word.load(Relaxed);
            while let Err(current) = word.compare_exchange_weak(seen, change(seen), Relaxed, Relaxed) {
                seen = current;
            }
        }
    }

    /// The largest spender at the first call, which is the moment a budget was exhausted; of equals the first.
    /// `None` where nothing is counted or nobody has spent anything.
    pub(super) fn culprit(&self) -> Option<Culprit> {
        *self.culprit.get_or_init(|| {
            let rest = self.committed.len().checked_sub(1)?;
            let (index, nanos) = self
                .committed
                .iter()
                .map(|word| word.load(Relaxed))
                .enumerate()
                .max_by_key(|(index, nanos)| (*nanos, std::cmp::Reverse(*index)))?;
            let spender = (index < rest).then(|| u16::try_from(index).ok()).flatten().map(Spender);
            (nanos > 0).then_some(Culprit { spender, committed: Usd::from_nanos(nanos) })
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_the_largest_and_sticks_to_it() {
        let tally = Tally::new(3);
        tally.add(Spender(0), 5);
        tally.add(Spender(2), 9);
        tally.subtract(Spender(2), 2);
        let culprit = Culprit { spender: Some(Spender(2)), committed: Usd::from_nanos(7) };
        assert_eq!(tally.culprit(), Some(culprit));

        tally.add(Spender(1), 1_000);
        assert_eq!(tally.culprit(), Some(culprit), "what was announced does not change afterwards");
    }

    #[test]
    fn spenders_beyond_the_table_are_counted_together() {
        let tally = Tally::new(1);
        tally.add(Spender(1), 3);
        tally.add(Spender(u16::MAX), 4);
        tally.add(Spender(0), 6);
        assert_eq!(tally.culprit(), Some(Culprit { spender: None, committed: Usd::from_nanos(7) }));
    }

    #[test]
    fn without_a_table_there_is_no_culprit() {
        let tally = Tally::new(0);
        tally.add(Spender(0), 3);
        assert_eq!(tally.culprit(), None);
        assert_eq!(Tally::new(4).culprit(), None, "nobody has spent anything");
    }
}
