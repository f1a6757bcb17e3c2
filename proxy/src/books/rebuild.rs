//! Budgets that come with a new policy, filled with what was spent before them.
//!
//! The ledger knows who has spent what, so a budget that a reload adds, or brings back, need not begin at nothing. It is read off the request
//! path, which takes a moment; requests that were under way at the reload count in the budgets that they began with.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::{Arc, PoisonError};
use std::time::{Duration, SystemTime};

use jiff::Timestamp;
use router_core::budget::{Budget, Spender};
use router_core::charter::BudgetEntry;
use router_core::{Snapshot, Usd};
use sha2::{Digest as _, Sha256};

use super::{Books, is_of, spender_of};
use crate::ledger::{self, Entry, Who};

/// What waits to be written takes no longer than this; a ledger that fails is read as it is.
pub(super) const FLUSH: Duration = Duration::from_secs(10);

/// Where the marks stand of the budgets that are counted, so that a later process knows which are new to it.
const KNOWN: &str = "budgets.json";

/// A budget that does not know what was spent before it.
#[derive(Debug)]
struct Missing {
    entry: BudgetEntry,
    /// What it knows nevertheless.
    spent: Usd,
    /// The window in question.
    since: SystemTime,
}

/// Budgets that are to be filled, and the policy that they belong to.
#[derive(Debug)]
pub struct Rebuild {
    missing: Vec<Missing>,
    snapshot: Arc<Snapshot>,
    until: SystemTime,
}

/// The budgets that are counted since some time.
#[derive(Debug, Default)]
pub(super) struct Counted {
    budgets: Vec<Arc<Budget>>,
    /// Marks of those that an earlier process has counted; `None`: nobody knows.
    marks: Option<Vec<String>>,
}

impl Counted {
    /// What an earlier process has counted.
    pub(super) fn open(folder: &Path) -> Self {
        let text = std::fs::read(folder.join(KNOWN)).ok();
        let marks = text.and_then(|text| serde_json::from_slice(&text).ok());
        Self { budgets: Vec::new(), marks }
    }

    fn has(&self, entry: &BudgetEntry) -> bool {
        let marked = |marks: &Vec<String>| marks.contains(&mark_of(entry));
        let first = self.budgets.is_empty();
        self.budgets.iter().any(|budget| Arc::ptr_eq(budget, &entry.budget))
            || (first && self.marks.as_ref().is_none_or(marked))
    }
}

/// Tells a budget from others. A hash, because the name may be that of a tenant, who may have to be forgotten.
fn mark_of(entry: &BudgetEntry) -> String {
    let name = format!("{} per {}", entry.terms.name, entry.budget.period().name());
    Sha256::digest(name).iter().take(8).map(|byte| format!("{byte:02x}")).collect()
}

impl Books {
    /// The budgets of `snapshot` that were not counted before, which is to be said once it is in force.
    #[must_use]
    pub fn adopt(&self, snapshot: &Arc<Snapshot>) -> Option<Rebuild> {
        let until = SystemTime::now();
        let missing = self.with(|open| {
            let mut counted = open.counted.lock().unwrap_or_else(PoisonError::into_inner);
            let budgets = snapshot.charter.budgets();
            let missing: Vec<_> = budgets.iter().filter(|entry| !counted.has(entry)).collect();
            let missing = missing.into_iter().map(|entry| {
                let balance = entry.budget.balance(&entry.terms, until);
                Missing { entry: entry.clone(), spent: balance.spent, since: balance.span.start() }
            });
            let missing: Vec<_> = missing.collect();
            counted.budgets = budgets.iter().map(|entry| Arc::clone(&entry.budget)).collect();
            counted.marks = Some(Vec::new());
            let marks: Vec<String> = budgets.iter().map(mark_of).collect();
            let written = serde_json::to_vec(&marks)
                .map_err(std::io::Error::other)
                .and_then(|text| std::fs::write(open.records.spending().join(KNOWN), text));
            if let Err(error) = written {
                tracing::error!(event = "spending_not_written", %error);
            }
            missing
        })?;
        (!missing.is_empty()).then(|| Rebuild { missing, snapshot: Arc::clone(snapshot), until })
    }

    /// Counts in new budgets what the ledger says was spent before them. Reads files: not for a request's path.
    pub fn rebuild(&self, rebuild: &Rebuild) {
        let Rebuild { missing, snapshot, until } = rebuild;
        let Some(root) = self.with(|open| {
            open.ledger.flush(FLUSH);
            open.records.ledger()
        }) else {
            return;
        };
        let Some(since) = missing.iter().map(|missing| missing.since).min() else { return };
        let scope = ledger::Scope {
            since: Timestamp::try_from(since).ok(),
            until: Timestamp::try_from(*until).ok(),
            tenant: None,
        };
        let mut spent = vec![BTreeMap::<Spender, Usd>::new(); missing.len()];
        let read = ledger::read(&root, &scope, |line| {
            let who = who(&line);
            let spender = spender_of(snapshot, &who.key);
            for (missing, spent) in missing.iter().zip(&mut spent) {
                let at = SystemTime::from(line.time);
                if at >= missing.since && is_of(snapshot, &missing.entry.scope, &who, spender) {
                    *spent.entry(spender).or_default() += line.cost;
                }
            }
        });
        if let Err(error) = read {
            tracing::error!(event = "budgets_not_rebuilt", %error);
        }
        missing.iter().zip(&spent).for_each(|(missing, spent)| missing.fill(spent));
    }
}

impl Missing {
    /// Counts what is in the ledger and not yet in the budget.
    fn fill(&self, spent: &BTreeMap<Spender, Usd>) {
        let total: Usd = spent.values().copied().sum();
        let mut rest = total.saturating_sub(self.spent);
        for (spender, amount) in spent {
            let amount = (*amount).min(rest);
            rest = rest.saturating_sub(amount);
            self.entry.budget.restore(amount, *spender, self.since);
        }
        tracing::info!(
            event = "budget_rebuilt",
            budget = %self.entry.terms.name,
            spent_usd = total.max(self.spent).dollars(),
        );
    }
}

fn who(line: &Entry) -> Who {
    Who {
        tenant: line.tenant.clone(),
        key: line.key.clone(),
        rule: line.rule.clone(),
        tags: line.tags.iter().cloned().collect(),
    }
}
