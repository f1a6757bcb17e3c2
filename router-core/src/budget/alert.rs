//! What is announced about a budget, each thing once a window.

use std::sync::Arc;

use smallvec::SmallVec;

use super::{Period, Terms};
use crate::money::Usd;

/// A level of spending was reached for the first time in its window.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Alert {
    /// The budget's name.
    pub budget: Arc<str>,
    /// Its period.
    pub period: Period,
    /// The level that was reached.
    pub level: Usd,
    /// What was spent in the window when it was.
    pub spent: Usd,
    /// What may be spent in a window.
    pub limit: Usd,
}

/// Alerts of one settlement: nearly always none.
pub type Alerts = SmallVec<[Alert; 1]>;

/// The levels of a budget at which to alert, ascending. At most [`Levels::MAX`].
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Levels(Box<[Usd]>);

impl Levels {
    /// The most levels a budget can have: one bit each in a window's marks, one of the 32 being taken.
    pub const MAX: usize = 31;

    /// These levels, in any order. `None` when there are more than [`Levels::MAX`].
    #[must_use]
    pub fn try_new(mut levels: Vec<Usd>) -> Option<Self> {
        levels.sort_unstable();
        levels.dedup();
        (levels.len() <= Self::MAX).then(|| Self(levels.into_boxed_slice()))
    }

    /// The levels, ascending.
    pub fn iter(&self) -> impl Iterator<Item = Usd> {
        self.0.iter().copied()
    }

    /// The marks of the levels that `spent` has reached.
    pub(super) fn reached(&self, spent: Usd) -> u32 {
        let count = self.0.partition_point(|level| *level <= spent);
        (1 << count) - 1
    }
}

/// The mark of a window that has refused somebody.
pub(super) const EXHAUSTED: u32 = 1 << Levels::MAX;

/// The alerts for `marks` that were set just now.
pub(super) fn alerts(terms: &Terms, period: Period, marks: u32, spent: Usd) -> Alerts {
    let fresh = terms.alerts.0.iter().enumerate().filter(|(bit, _)| marks & (1 << bit) != 0);
    fresh
        .map(|(_, level)| Alert {
            budget: Arc::clone(&terms.name),
            period,
            level: *level,
            spent,
            limit: terms.limit,
        })
        .collect()
}
