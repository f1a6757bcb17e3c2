//! Everything that is written down: ledger, audit, and what budgets must not forget.
//!
//! Where no folder is configured nothing is written, and budgets start anew with the process.

mod forget;
mod rebuild;

use std::io;
use std::sync::{Mutex, PoisonError, RwLock};
use std::time::{Duration, Instant, SystemTime};

use jiff::Timestamp;
use jiff::tz::TimeZone;
use router_core::budget::{Alert, Exhausted, Spender};
use router_core::charter::Scope;
use router_core::{Snapshot, Usd};
use router_policies::{Records, WhenFull as Choice};
use thiserror::Error;

use crate::audit::{self, Audit, What};
use crate::ledger::{self, Charge, Checkpoint, Entry, OpenError, Partitions, Ticket, Who};
use crate::spool::{Settings, Spool, WhenFull};
pub use forget::Forgotten;
use rebuild::Counted;
pub use rebuild::Rebuild;

/// From so many bytes on the newest file of spending is summed up: some ten thousand requests.
const COMPACT_BYTES: u64 = 4 << 20;

/// Why records cannot be kept.
#[derive(Debug, Error)]
pub enum BooksError {
    /// Spending.
    #[error("the record of spending cannot be used: {0}")]
    Spending(#[from] OpenError),
    /// Ledger or audit.
    #[error("records cannot be written: {0}")]
    Io(#[from] io::Error),
}

/// The books of a process. Closing them writes what is waiting.
#[derive(Debug, Default)]
pub struct Books {
    open: RwLock<Option<Open>>,
}

#[derive(Debug)]
struct Open {
    records: Records,
    ledger: Spool<Box<Entry>>,
    audit: Audit,
    spending: Checkpoint,
    /// The budgets of the policy in force.
    counted: Mutex<Counted>,
}

/// What became of what was handed over.
#[derive(Clone, Copy, Debug, Default)]
pub struct Counts {
    /// Ledger entries and audit events that were written.
    pub written: [u64; 2],
    /// And that were lost.
    pub dropped: [u64; 2],
}

impl Books {
    /// Opens the books, and counts in the budgets of `snapshot` what an earlier process has spent.
    ///
    /// # Errors
    /// A folder that cannot be written to, or that another process writes to.
    pub fn open(records: Option<&Records>, snapshot: &Snapshot) -> Result<Self, BooksError> {
        let Some(records) = records else { return Ok(Self::default()) };
        let settings = Settings {
            when_full: match records.when_full {
                Choice::Drop => WhenFull::Drop,
                Choice::Stop => WhenFull::Stop,
            },
            ..Settings::default()
        };
        let (spending, recovery) = Checkpoint::open(records.spending(), &starts(snapshot))?;
        for damage in &recovery.damage {
            tracing::error!(event = "spending_damaged", place = %damage);
        }
        restore(snapshot, &recovery.charges);
        let partitions = Partitions::open(records.ledger(), records.max_file_bytes)?;
        let open = Open {
            ledger: Spool::open("ledger", partitions, settings)?,
            audit: Audit::open(records.audit(), settings, Instant::now())?,
            counted: Mutex::new(Counted::open(&records.spending())),
            spending,
            records: records.clone(),
        };
        Ok(Self { open: RwLock::new(Some(open)) })
    }

    /// Does something with the open books.
    fn with<T>(&self, act: impl FnOnce(&Open) -> T) -> Option<T> {
        self.open.read().unwrap_or_else(PoisonError::into_inner).as_ref().map(act)
    }

    /// Whether requests are written down.
    #[must_use]
    pub fn keep_ledger(&self) -> bool {
        self.with(|_| ()).is_some()
    }

    /// Whether new requests may begin: always, unless the policy is to stop when they could not be written down.
    #[must_use]
    pub fn admit(&self) -> bool {
        self.with(|open| open.ledger.admits() && open.audit.admits()).unwrap_or(true)
    }

    /// Writes a request down. Never blocks.
    pub fn enter(&self, entry: Box<Entry>) {
        self.with(|open| open.ledger.push(entry));
    }

    /// Writes an event down. Never blocks.
    pub fn note(&self, by: &str, what: What) {
        self.with(|open| {
            let event = audit::Event { time: Timestamp::now(), by: by.into(), what };
            open.audit.record(event, Instant::now());
        });
    }

    /// Writes down that money is set aside; only then may a request be sent. `None` where nothing is written, or could not be and need not.
    ///
    /// # Errors
    /// Where it could not be written, and the policy is to stop then.
    pub fn reserve(&self, who: &Who, amount: Usd, at: SystemTime) -> io::Result<Option<Ticket>> {
        let written = self.with(|open| (open.spending.reserve(who, amount, at), open.records.when_full));
        match written {
            None => Ok(None),
            Some((Ok(ticket), _)) => Ok(Some(ticket)),
            Some((Err(error), Choice::Stop)) => Err(error),
            Some((Err(error), Choice::Drop)) => {
                tracing::error!(event = "spending_not_written", %error);
                Ok(None)
            }
        }
    }

    /// Writes down that more is set aside.
    pub fn extend(&self, ticket: &Ticket, more: Usd) {
        if let Some(Err(error)) = self.with(|open| open.spending.extend(ticket, more)) {
            tracing::error!(event = "spending_not_written", %error);
        }
    }

    /// Writes down what a request has cost.
    pub fn settle(&self, ticket: Ticket, actual: Usd, at: SystemTime) {
        if let Some(Err(error)) = self.with(|open| open.spending.settle(ticket, actual, at)) {
            tracing::error!(event = "spending_not_written", %error);
        }
    }

    /// Announces a level of spending.
    pub fn announce(&self, alert: &Alert) {
        let Alert { budget, period, level, spent, limit } = alert;
        let limit = (*limit != Usd::MAX).then(|| limit.dollars());
        tracing::warn!(
            event = "budget_alert",
            budget = %budget,
            per = period.name(),
            level_usd = level.dollars(),
            spent_usd = spent.dollars(),
            limit_usd = limit,
        );
        let (budget, level_usd) = (Box::from(&**budget), level.dollars().to_string().into());
        self.note("budget", What::BudgetAlert { budget, level_usd });
    }

    /// Announces the first refusal of a window.
    pub fn stop(&self, exhausted: &Exhausted, snapshot: &Snapshot) {
        let who = exhausted.culprit.map(|culprit| name_of(snapshot, culprit.spender));
        let committed = exhausted.culprit.map(|culprit| culprit.committed.dollars());
        tracing::error!(
            event = "budget_exhausted",
            budget = %exhausted.budget,
            per = exhausted.period.name(),
            culprit = who.as_deref(),
            culprit_usd = committed,
        );
        let what =
            What::BudgetStopped { budget: Box::from(&*exhausted.budget), culprit: who.map(Into::into) };
        self.note("budget", what);
    }

    /// Writes what is waiting, and sums spending up when that is worth it. Called every second or so, off the request path.
    pub fn tend(&self, snapshot: &Snapshot) {
        self.with(|open| {
            let grown = open.spending.len() > COMPACT_BYTES;
            let tended = match grown {
                true => open.spending.compact(&starts(snapshot)).map(drop),
                false => open.spending.flush(),
            };
            if let Err(error) = tended {
                tracing::error!(event = "spending_not_written", %error);
            }
        });
    }

    /// Removes what is older than is to be kept. Called every hour or so, off the request path.
    pub fn retire(&self, now: SystemTime) {
        self.with(|open| {
            let Some(first) = open.records.retention.and_then(|kept| day_of(now.checked_sub(kept)?)) else {
                return;
            };
            let ledger = ledger::retire(&open.records.ledger(), first);
            for result in [ledger, audit::retire(&open.records.audit(), first)] {
                if let Err(error) = result {
                    tracing::error!(event = "records_not_retired", %error);
                }
            }
        });
    }

    /// What became of what was handed over.
    #[must_use]
    pub fn counts(&self) -> Counts {
        let counts = |open: &Open| {
            let (ledger, audit) = (open.ledger.counts(), open.audit.counts());
            Counts { written: [ledger.written, audit.written], dropped: [ledger.dropped, audit.dropped] }
        };
        self.with(counts).unwrap_or_default()
    }

    /// Writes everything that is waiting. Nothing is written down afterwards.
    pub fn close(&self) {
        let open = self.open.write().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(Open { ledger, audit, spending, .. }) = open {
            let lost = ledger.close().dropped + audit.close().dropped;
            drop(spending);
            if lost > 0 {
                tracing::error!(event = "records_lost", lost);
            }
        }
    }
}

fn day_of(at: SystemTime) -> Option<jiff::civil::Date> {
    Some(Timestamp::try_from(at).ok()?.to_zoned(TimeZone::UTC).date())
}

/// When the windows began that budgets are in.
fn starts(snapshot: &Snapshot) -> Vec<SystemTime> {
    let now = SystemTime::now();
    let budgets = snapshot.charter.budgets().iter();
    let mut starts: Vec<_> =
        budgets.map(|entry| entry.budget.balance(&entry.terms, now).span.start()).collect();
    // Without a budget the month stands for whatever a later policy may want to know.
    if starts.is_empty() {
        let month = router_core::budget::Period::Month.span(&TimeZone::UTC, now);
        starts.extend(month.map(|span| span.start()));
    }
    starts.sort();
    starts.dedup();
    starts
}

/// Counts what an earlier process has spent.
fn restore(snapshot: &Snapshot, charges: &[Charge]) {
    let mut unsettled = Usd::ZERO;
    let now = SystemTime::now();
    for charge in charges {
        // Where the clock ran ahead and was set right, nothing has been spent in the future: it was before now.
        let at = charge.at.min(now);
        unsettled += charge.unsettled;
        let spender = spender_of(snapshot, &charge.who.key);
        for entry in snapshot.charter.budgets() {
            if is_of(snapshot, &entry.scope, &charge.who, spender) {
                entry.budget.restore(charge.spent, spender, at);
            }
        }
    }
    if !charges.is_empty() {
        let spent: Usd = charges.iter().map(|charge| charge.spent).sum();
        tracing::info!(
            event = "spending_restored",
            spent_usd = spent.dollars(),
            unsettled_usd = unsettled.dollars(),
        );
    }
}

fn is_of(snapshot: &Snapshot, scope: &Scope, who: &Who, spender: Spender) -> bool {
    match scope {
        Scope::Router => true,
        Scope::Tenant(id) => snapshot.tenants.tenant(*id).is_some_and(|tenant| *tenant.name == *who.tenant),
        Scope::Key(key) => *key == spender && spender.0 > 0,
        Scope::Rule(rule) => {
            snapshot.rule(*rule).is_some_and(|rule| Some(&*rule.name) == who.rule.as_deref())
        }
        Scope::Tag(key, value) => who.tags.iter().any(|tag| *tag.0 == **key && *tag.1 == **value),
        Scope::Model(_) => false,
    }
}

fn spender_of(snapshot: &Snapshot, key: &str) -> Spender {
    let named = |found: &&router_core::keyring::Key| *found.hash.id().to_string() == *key;
    let mut keys = snapshot.tenants.iter().flat_map(|tenant| tenant.keys.iter().chain(&tenant.certificates));
    keys.find(named).map_or(Spender(0), |key| key.spender)
}

/// `team-a, key 0123456789ab`
fn name_of(snapshot: &Snapshot, spender: Option<Spender>) -> String {
    match spender.and_then(|spender| snapshot.tenants.key_of(spender)) {
        Some(key) => {
            let tenant = snapshot.tenants.tenant(key.tenant).map_or("", |tenant| &tenant.name);
            format!("{tenant}, key {}", key.hash.id())
        }
        None if spender == Some(Spender(0)) => "callers without a key".to_owned(),
        None => "keys added since".to_owned(),
    }
}

/// How often [`Books::tend`] is called.
pub const TEND: Duration = Duration::from_secs(1);
