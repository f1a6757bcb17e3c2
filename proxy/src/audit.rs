//! Who changed what, and who was turned away: an append-only file a day, `date=YYYY-MM-DD.jsonl` in a folder of its
//! own, written in batches like the ledger.
//!
//! What callers can cause at will (unknown keys, denials) is limited to ten lines a second on average; the others
//! are counted, and the count is written with the next line. Nobody can fill the disk or push a reload out of
//! the record by knocking.

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use jiff::Timestamp;
use jiff::civil::Date;
use jiff::tz::TimeZone;
use router_core::limit::{Gcra, Quota};
use serde::{Deserialize, Serialize};

use crate::lines::{self, Appender, Fate, ends_whole, push_json};
use crate::spool::{Counts, Settings, Sink, Spool};

/// Something that somebody may have to answer for.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Event {
    /// When.
    pub time: Timestamp,
    /// Who: `signal`, `watch`, `start`, or the address of the admin's or caller's connection.
    pub by: Box<str>,
    /// What.
    #[serde(flatten)]
    pub what: What,
}

/// What happened.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "event", rename_all = "snake_case")]
pub enum What {
    /// A policy took effect.
    Reloaded {
        /// Its number.
        generation: u64,
        /// What is different in it.
        changed: Vec<Box<str>>,
    },
    /// A policy was not taken.
    ReloadRefused {
        /// Mistakes in it.
        errors: u64,
    },
    /// A key that is nobody's, or that has expired, was presented.
    UnknownKey {
        /// The name of an expired key.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        key: Option<Box<str>>,
    },
    /// A request was refused.
    Denied {
        /// Whose.
        tenant: Box<str>,
        /// With which key.
        key: Box<str>,
        /// The error's code.
        code: Box<str>,
        /// The rule that said so.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        rule: Option<Box<str>>,
    },
    /// Stored answers were removed.
    Purged {
        /// Of this tenant only.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        tenant: Option<Box<str>>,
        /// How many.
        removed: u64,
    },
    /// A budget refused for the first time in its window.
    BudgetStopped {
        /// Its name.
        budget: Box<str>,
        /// The name of the key that had spent the most, where the budget keeps count.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        culprit: Option<Box<str>>,
    },
    /// A budget reached a level at which to alert.
    BudgetAlert {
        /// Its name.
        budget: Box<str>,
        /// The level, in dollars.
        level_usd: Box<str>,
    },
    /// A tenant or user was removed from the records.
    Forgot {
        /// How many entries.
        entries: u64,
    },
    /// Lines of callers that were not written because there were too many.
    Suppressed {
        /// How many.
        events: u64,
    },
}

impl What {
    /// Whether a caller can cause it as often as they like.
    const fn is_noise(&self) -> bool {
        matches!(self, Self::UnknownKey { .. } | Self::Denied { .. })
    }
}

/// Noise that is written: 600 lines a minute are 130 MB a day at worst, and no investigation needs more.
const NOISE: (u64, Duration) = (600, Duration::from_secs(60));

/// The way in.
#[derive(Debug)]
pub struct Audit {
    spool: Spool<Event>,
    noise: Gcra,
    quota: Option<Quota>,
    suppressed: AtomicU64,
}

impl Audit {
    /// An audit trail in `folder`, created if need be.
    ///
    /// # Errors
    /// When the folder cannot be created or no thread started.
    pub fn open(folder: impl Into<PathBuf>, settings: Settings, now: Instant) -> io::Result<Self> {
        let folder = folder.into();
        fs::create_dir_all(&folder)?;
        let spool = Spool::open("audit", Days { folder }, settings)?;
        let quota = Quota::try_new(NOISE.0, NOISE.1);
        Ok(Self { spool, noise: Gcra::new(now), quota, suppressed: AtomicU64::new(0) })
    }

    /// Hands an event over. Never blocks.
    pub fn record(&self, event: Event, now: Instant) {
        let too_many = |quota| self.noise.try_take(quota, 1, now).is_err();
        if event.what.is_noise() && self.quota.as_ref().is_some_and(too_many) {
            self.suppressed.fetch_add(1, Ordering::Relaxed);
            return;
        }
        let events = self.suppressed.swap(0, Ordering::Relaxed);
        if events > 0 {
            self.spool.push(Event { what: What::Suppressed { events }, ..event.clone() });
        }
        self.spool.push(event);
    }

    /// Whether new requests may begin; see [`Spool::admits`].
    #[must_use]
    pub fn admits(&self) -> bool {
        self.spool.admits()
    }

    /// What became of the events so far.
    #[must_use]
    pub fn counts(&self) -> Counts {
        self.spool.counts()
    }

    /// Has what was handed over written now; see [`Spool::flush`].
    pub fn flush(&self, limit: Duration) -> bool {
        self.spool.flush(limit)
    }

    /// Writes everything that was handed over.
    pub fn close(self) -> Counts {
        self.spool.close()
    }
}

/// The files, one a day.
#[derive(Debug)]
struct Days {
    folder: PathBuf,
}

impl Sink<Event> for Days {
    fn write(&mut self, batch: &mut Vec<Event>) -> io::Result<()> {
        let mut days = BTreeMap::<Date, Vec<Event>>::new();
        for event in batch.drain(..) {
            days.entry(event.time.to_zoned(TimeZone::UTC).date()).or_default().push(event);
        }
        let mut result = Ok(());
        for (day, events) in days {
            if result.is_ok() {
                result = self.append(day, &events);
            }
            if result.is_err() {
                batch.extend(events);
            }
        }
        result
    }
}

impl Days {
    fn append(&self, day: Date, events: &[Event]) -> io::Result<()> {
        let _lock = lines::lock(&self.folder)?;
        let path = self.folder.join(format!("date={day}.jsonl"));
        let mut lines = Vec::with_capacity(events.len() * 160);
        if !ends_whole(&path)? {
            // What a killed process left unfinished stays a line of its own.
            lines.push(b'\n');
        }
        events.iter().try_for_each(|event| push_json(&mut lines, event))?;
        Appender::open(&path)?.append(&lines)
    }
}

/// Removes the files of all days before `first`; how many there were.
///
/// # Errors
/// When the folder cannot be read or a file not removed.
pub fn retire(folder: &Path, first: Date) -> io::Result<u64> {
    let old = days(folder)?.into_iter().filter(|(day, _)| *day < first);
    old.map(|(_, path)| fs::remove_file(path)).try_fold(0, |count, removed| removed.map(|()| count + 1))
}

/// Removes every event that names `tenant`; how many there were. A running router may go on writing.
///
/// # Errors
/// When a file cannot be read or written.
pub fn forget(folder: &Path, tenant: &str) -> io::Result<u64> {
    /// The places where an event names a tenant: as its own, as who spent most (`T, key …`), as whose budget it is (`… (tenant T)`).
    #[derive(Default, Deserialize)]
    #[serde(default)]
    struct Owner {
        tenant: Box<str>,
        culprit: Box<str>,
        budget: Box<str>,
    }
    let (spender, counted) = (format!("{tenant}, key "), format!("(tenant {tenant})"));
    let names = |owner: &Owner| {
        *owner.tenant == *tenant || owner.culprit.starts_with(&spender) || owner.budget.ends_with(&counted)
    };
    if !folder.exists() {
        return Ok(0);
    }
    let _lock = lines::lock(folder)?;
    let mut removed = 0;
    for (_, path) in days(folder)? {
        removed += lines::rewrite(&path, |line| match serde_json::from_slice::<Owner>(line) {
            Ok(owner) if names(&owner) => {
                removed += 1;
                Fate::Removed
            }
            Ok(_) => Fate::Kept,
            Err(_) => Fate::Unreadable,
        })?;
    }
    Ok(removed)
}

/// The days of an audit trail with their files.
fn days(folder: &Path) -> io::Result<Vec<(Date, PathBuf)>> {
    let day_of =
        |path: &Path| path.file_name()?.to_str()?.strip_prefix("date=")?.strip_suffix(".jsonl")?.parse().ok();
    let mut found = Vec::new();
    for file in lines::children(folder)? {
        found.extend(day_of(&file).map(|day| (day, file)));
    }
    found.sort();
    Ok(found)
}

#[cfg(test)]
mod tests;
