//! What budgets must not forget when the process is killed.
//!
//! A reservation is written here before the request is sent; its settlement goes along with the next write, so that
//! a request costs one. After a restart, whatever was reserved and not settled is charged in full: what a
//! budget has spent is then never less than what providers answered for. What was written survives the death of
//! the process at any moment; a power failure can take the last seconds of it, which is the price of not waiting
//! for the disk.
//!
//! The files are `spend-NNNNNN.log` in a folder of their own, append-only, a checksum in every line. A damaged line
//! is named and passed over. When the newest file has grown, [`Checkpoint::compact`] sums up all files before
//! it in one that says so in its first line; the summed-up ones are removed only after that is on the disk.

mod book;
mod record;

use std::fs::{self, File, TryLockError};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, SystemTime};

use router_core::Usd;
use serde::Serialize;

use crate::lines::{self, Appender, Damage};
use book::{Book, Total};
pub use record::Who;
use record::{Record, Reserving};

/// A reservation that was written, to be settled once.
#[derive(Debug, PartialEq, Eq)]
#[must_use = "what is not settled is charged in full after a restart"]
pub struct Ticket(u64);

/// Spending that was found in the files.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Charge {
    /// Whose it is.
    pub who: Who,
    /// The last time of it, in the same window of every budget as all of it.
    pub at: SystemTime,
    /// How much, everything included.
    pub spent: Usd,
    /// The part that was reserved and never settled.
    pub unsettled: Usd,
}

/// What the last process left.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Recovery {
    /// What it had spent, for [`Budget::restore`](router_core::budget::Budget::restore).
    pub charges: Vec<Charge>,
    /// What could not be read.
    pub damage: Vec<Damage>,
}

/// Why a checkpoint cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// Another process has it: two would not see each other's spending.
    #[error("{} is in use by another process", .0.display())]
    InUse(PathBuf),
    /// The file system's reason.
    #[error(transparent)]
    Io(#[from] io::Error),
}

/// The files, open for writing.
#[derive(Debug)]
pub struct Checkpoint {
    folder: PathBuf,
    live: Mutex<Live>,
    next_id: AtomicU64,
    compacting: Mutex<()>,
    /// Keeps other processes away.
    _lock: File,
}

#[derive(Debug)]
struct Live {
    number: u64,
    file: Appender,
    /// Lines to be written. Kept when a write fails: nothing that was promised is in it, and settlements may follow
    /// later. Cut off at [`MAX_PENDING`].
    pending: Vec<u8>,
}

/// Settlements that wait for the next write: some hundred, more than can be under way between two reservations.
const MAX_PENDING: usize = 16 << 10;

impl Checkpoint {
    /// Reads what is in `folder`, created if need be, and opens it for writing. `since` are the starts of the windows
    /// that budgets are in: what was spent before the first of them is not of interest.
    ///
    /// # Errors
    /// See [`OpenError`]. Damage is no error.
    pub fn open(folder: impl Into<PathBuf>, since: &[SystemTime]) -> Result<(Self, Recovery), OpenError> {
        let folder = folder.into();
        fs::create_dir_all(&folder)?;
        let lock = File::options().create(true).append(true).open(folder.join(".lock"))?;
        lock.try_lock().map_err(|error| match error {
            TryLockError::WouldBlock => OpenError::InUse(folder.clone()),
            TryLockError::Error(error) => OpenError::Io(error),
        })?;

        let mut book = Book::new(since.iter().copied().map(millis).collect());
        let segments = segments(&folder)?;
        let damage = read(&segments, &mut book)?;
        book.charge_open();
        let charges = book.totals().map(|(who, total)| charge(who, total)).collect();

        let number = segments.last().map_or(0, |(number, _)| *number) + 1;
        sum_up(&folder, number, &book)?;
        remove(&segments)?;
        let live = Mutex::new(Live::open(&folder, number + 1)?);
        // Numbers need to differ among those that are open, and none is at the start.
        let next_id = AtomicU64::new(0);
        let checkpoint = Self { folder, live, next_id, compacting: Mutex::new(()), _lock: lock };
        Ok((checkpoint, Recovery { charges, damage }))
    }

    /// Writes that `amount` is set aside. Only after this has returned may the request be sent.
    ///
    /// # Errors
    /// When the line cannot be written: a restart would not know of the money.
    pub fn reserve(&self, who: &Who, amount: Usd, at: SystemTime) -> io::Result<Ticket> {
        let id = self.next_id.fetch_add(1, Ordering::Relaxed);
        self.write(&Reserving::Reserve { id, at: millis(at), nanos: amount.nanos(), who })?;
        Ok(Ticket(id))
    }

    /// Writes that `more` is set aside for the same request.
    ///
    /// # Errors
    /// As [`Checkpoint::reserve`].
    pub fn extend(&self, ticket: &Ticket, more: Usd) -> io::Result<()> {
        self.write(&Record::Extend { id: ticket.0, nanos: more.nanos() })
    }

    /// Notes what the request has cost, to be written with the next reservation or by [`Checkpoint::flush`]. Until
    /// then a restart would charge everything that was set aside.
    ///
    /// # Errors
    /// When many settlements had to be written and could not be; as before, a restart would charge too much.
    #[allow(clippy::needless_pass_by_value, reason = "a ticket is settled once")]
    pub fn settle(&self, ticket: Ticket, actual: Usd, at: SystemTime) -> io::Result<()> {
        let mut live = self.live();
        Record::Settle { id: ticket.0, at: millis(at), nanos: actual.nanos() }.push(&mut live.pending)?;
        if live.pending.len() < MAX_PENDING { Ok(()) } else { live.flush() }
    }

    /// Writes the settlements that are waiting. Worth a call every second or so, and done when this is dropped.
    ///
    /// # Errors
    /// When they cannot be written.
    pub fn flush(&self) -> io::Result<()> {
        self.live().flush()
    }

    /// Bytes in the newest file. [`Checkpoint::compact`] is worth its while from some megabytes on.
    #[must_use]
    pub fn len(&self) -> u64 {
        self.live().file.len()
    }

    /// Whether nothing was written to the newest file yet.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Sums up all files but a new one. Others go on writing meanwhile. Not for the request path.
    ///
    /// # Errors
    /// When a file cannot be read or written; nothing is lost then, and the next call tries again.
    pub fn compact(&self, since: &[SystemTime]) -> io::Result<Vec<Damage>> {
        self.rewrite(since, |_| {})
    }

    /// As [`Checkpoint::compact`], and takes the name off what `tenant` has spent, which from then on is nobody's
    /// in particular: the router's own budget still counts it.
    ///
    /// # Errors
    /// As [`Checkpoint::compact`].
    pub fn forget(&self, tenant: &str, since: &[SystemTime]) -> io::Result<Vec<Damage>> {
        self.rewrite(since, |book| book.forget(tenant))
    }

    fn rewrite(&self, since: &[SystemTime], change: impl FnOnce(&mut Book)) -> io::Result<Vec<Damage>> {
        let _alone = self.compacting.lock().unwrap_or_else(PoisonError::into_inner);
        let number = {
            let mut live = self.live();
            live.flush()?;
            // One number is left free for the file that sums up those before it.
            let number = live.number + 1;
            *live = Live::open(&self.folder, number + 1)?;
            number
        };
        let mut older = segments(&self.folder)?;
        older.retain(|(of, _)| *of < number);
        let mut book = Book::new(since.iter().copied().map(millis).collect());
        let damage = read(&older, &mut book)?;
        change(&mut book);
        sum_up(&self.folder, number, &book)?;
        remove(&older)?;
        Ok(damage)
    }

    /// Writes what is waiting and `record`, or fails without having written `record`.
    fn write(&self, record: &impl Serialize) -> io::Result<()> {
        let mut live = self.live();
        let waiting = live.pending.len();
        let result = record::push(record, &mut live.pending).and_then(|()| live.flush());
        if result.is_err() {
            live.pending.truncate(waiting);
        }
        result
    }

    fn live(&self) -> MutexGuard<'_, Live> {
        // Nothing under the lock can panic half-way through a change that matters.
        self.live.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Live {
    fn open(folder: &Path, number: u64) -> io::Result<Self> {
        Ok(Self {
            number,
            file: Appender::open(&segment(folder, number))?,
            pending: Vec::with_capacity(1 << 10),
        })
    }

    fn flush(&mut self) -> io::Result<()> {
        let result = self.file.append(&self.pending);
        if result.is_ok() || self.pending.len() >= MAX_PENDING {
            self.pending.clear();
        }
        result
    }
}

/// The last settlements; should they fail, a restart charges too much, which is the safe side.
impl Drop for Checkpoint {
    fn drop(&mut self) {
        let _ = self.flush();
    }
}

fn segment(folder: &Path, number: u64) -> PathBuf {
    folder.join(format!("spend-{number:06}.log"))
}

/// The files by number, ascending.
fn segments(folder: &Path) -> io::Result<Vec<(u64, PathBuf)>> {
    let number_of =
        |path: &Path| path.file_name()?.to_str()?.strip_prefix("spend-")?.strip_suffix(".log")?.parse().ok();
    let mut found = Vec::new();
    for file in fs::read_dir(folder)? {
        let path = file?.path();
        found.extend(number_of(&path).map(|number| (number, path)));
    }
    found.sort();
    Ok(found)
}

/// Enters all records from the last file on that sums up those before it.
fn read(segments: &[(u64, PathBuf)], book: &mut Book) -> io::Result<Vec<Damage>> {
    let mut start = 0;
    for (at, (_, path)) in segments.iter().enumerate() {
        if is_base(path)? {
            start = at;
        }
    }
    let mut damage = Vec::new();
    for (_, path) in &segments[start..] {
        lines::read(path, &mut damage, |line| book.enter(Record::parse(line)?))?;
    }
    Ok(damage)
}

fn is_base(path: &Path) -> io::Result<bool> {
    Ok(Record::parse(&lines::first(path)?) == Ok(Record::Base))
}

/// Writes the file that stands for all before it.
fn sum_up(folder: &Path, number: u64, book: &Book) -> io::Result<()> {
    let mut lines = Vec::new();
    book.records().try_for_each(|record| record.push(&mut lines))?;
    lines::replace(&segment(folder, number), &lines)
}

fn remove(segments: &[(u64, PathBuf)]) -> io::Result<()> {
    segments.iter().try_for_each(|(_, path)| fs::remove_file(path))
}

fn charge(who: &Who, total: &Total) -> Charge {
    Charge {
        who: who.clone(),
        at: time(total.at),
        spent: Usd::from_nanos(total.spent),
        unsettled: Usd::from_nanos(total.unsettled),
    }
}

/// Milliseconds since 1970; times before it count as 1970.
fn millis(at: SystemTime) -> i64 {
    let since = at.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since.as_millis()).unwrap_or(i64::MAX)
}

fn time(millis: i64) -> SystemTime {
    let since = Duration::from_millis(u64::try_from(millis).unwrap_or_default());
    SystemTime::UNIX_EPOCH.checked_add(since).unwrap_or(SystemTime::UNIX_EPOCH)
}

#[cfg(test)]
mod tests;
