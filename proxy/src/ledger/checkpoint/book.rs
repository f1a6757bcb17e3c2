//! What a sequence of records amounts to.

use std::collections::BTreeMap;

use super::record::{Record, Who};

/// Spending by who and since when, and reservations that nobody has settled.
#[derive(Debug)]
pub(super) struct Book {
    /// When budgets started over, ascending. Spending between two of them is one sum; spending before the first
    /// concerns no budget any more and is left out.
    since: Vec<i64>,
    totals: BTreeMap<(Who, usize), Total>,
    open: BTreeMap<u64, Open>,
}

/// What somebody has spent between two starts of budgets.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Total {
    /// The last time of spending, which is surely in the same windows as the others.
    pub(super) at: i64,
    pub(super) spent: u64,
    pub(super) unsettled: u64,
}

#[derive(Clone, Debug, PartialEq, Eq)]
struct Open {
    who: Who,
    at: i64,
    nanos: u64,
}

impl Book {
    /// An empty book. Without any start everything is one sum.
    pub(super) fn new(mut since: Vec<i64>) -> Self {
        since.sort_unstable();
        Self { since, totals: BTreeMap::new(), open: BTreeMap::new() }
    }

    /// Enters one record. What refers to a reservation that was not read is charged to nobody in particular, so
    /// that it still counts for the whole router, and is said to be wrong.
    pub(super) fn enter(&mut self, record: Record) -> Result<(), Box<str>> {
        match record {
            Record::Base => {}
            Record::Total { who, at, spent, unsettled } => self.add(who, Total { at, spent, unsettled }),
            Record::Reserve { id, at, nanos, who } => {
                if let Some(first) = self.open.insert(id, Open { who, at, nanos }) {
                    self.charge(first);
                    return Err("reserves the same twice".into());
                }
            }
            Record::Extend { id, nanos } => match self.open.get_mut(&id) {
                Some(open) => open.nanos = open.nanos.saturating_add(nanos),
                None => {
                    let at = self.since.last().copied().unwrap_or_default();
                    self.open.insert(id, Open { who: Who::default(), at, nanos });
                    return Err("extends a reservation that was not read".into());
                }
            },
            Record::Settle { id, at, nanos } => {
                let total = Total { at, spent: nanos, unsettled: 0 };
                let Some(open) = self.open.remove(&id) else {
                    self.add(Who::default(), total);
                    return Err("settles a reservation that was not read".into());
                };
                // It counts when it was made: a budget's window is that of the reservation.
                self.add(open.who, Total { at: open.at, ..total });
            }
        }
        Ok(())
    }

    /// Charges every reservation that is open: whoever made it is gone.
    pub(super) fn charge_open(&mut self) {
        std::mem::take(&mut self.open).into_values().for_each(|open| self.charge(open));
    }

    /// Takes the name off everything of `tenant`.
    pub(super) fn forget(&mut self, tenant: &str) {
        let is_theirs = |who: &Who| *who.tenant == *tenant;
        self.open.values_mut().filter(|open| is_theirs(&open.who)).for_each(|open| open.who = Who::default());
        let (theirs, others) =
            std::mem::take(&mut self.totals).into_iter().partition(|((who, _), _)| is_theirs(who));
        self.totals = others;
        let theirs: BTreeMap<(Who, usize), Total> = theirs;
        theirs.into_values().for_each(|total| self.add(Who::default(), total));
    }

    /// What was spent, by who.
    pub(super) fn totals(&self) -> impl Iterator<Item = (&Who, &Total)> {
        self.totals.iter().map(|((who, _), total)| (who, total))
    }

    /// The records from which an equal book can be made.
    pub(super) fn records(&self) -> impl Iterator<Item = Record> {
        let total = |(who, total): (&Who, &Total)| {
            let Total { at, spent, unsettled } = *total;
            Record::Total { who: who.clone(), at, spent, unsettled }
        };
        let open = |(id, open): (&u64, &Open)| Record::Reserve {
            id: *id,
            at: open.at,
            nanos: open.nanos,
            who: open.who.clone(),
        };
        std::iter::once(Record::Base).chain(self.totals().map(total)).chain(self.open.iter().map(open))
    }

    fn charge(&mut self, open: Open) {
        self.add(open.who, Total { at: open.at, spent: open.nanos, unsettled: open.nanos });
    }

    fn add(&mut self, who: Who, more: Total) {
        let started = self.since.partition_point(|since| *since <= more.at);
        if started == 0 && !self.since.is_empty() {
            return;
        }
        let total = self.totals.entry((who, started)).or_default();
        total.at = total.at.max(more.at);
        total.spent = total.spent.saturating_add(more.spent);
        total.unsettled = total.unsettled.saturating_add(more.unsettled);
    }
}
