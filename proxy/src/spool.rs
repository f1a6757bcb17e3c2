//! Records on their way to disk: a bounded queue, a thread of its own, and batches.
//!
//! A request only pushes, which touches no file and does not even wake the thread: that happens once a batch. The
//! thread writes when there are [`Settings::batch`] records or the oldest has waited for [`Settings::delay`]. When the disk is full, fails
//! or is too slow, the queue fills up; what then happens is the policy's choice ([`WhenFull`]).

use std::collections::VecDeque;
use std::io;
use std::num::NonZeroUsize;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::Duration;

/// Where batches go.
pub trait Sink<T>: Send + 'static {
    /// Writes `batch` in order and removes what was written from it, also when an error ends the writing.
    ///
    /// # Errors
    /// Whatever the file system says. What is still in `batch` was not written.
    fn write(&mut self, batch: &mut Vec<T>) -> io::Result<()>;
}

/// What to do when records cannot be written as fast as they come.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum WhenFull {
    /// Requests go on; records that do not fit are lost and counted.
    #[default]
    Drop,
    /// [`Spool::admits`] turns false while half of the queue is still free, so that the requests under way
    /// can be recorded; batches are tried again until they are written.
    Stop,
}

/// How much is collected before it is written.
#[derive(Clone, Copy, Debug)]
pub struct Settings {
    /// Records that may wait.
    pub queue: NonZeroUsize,
    /// Records in a batch.
    pub batch: NonZeroUsize,
    /// How long a record waits for its batch to fill.
    pub delay: Duration,
    /// How long to wait after a failure.
    pub retry: Duration,
    /// What to do when the queue is full.
    pub when_full: WhenFull,
}

/// Batches of 100 records or 5 s, as an audit trail is usually asked for; a queue for some seconds of thousands
/// of requests a second, in a few megabytes.
impl Default for Settings {
    fn default() -> Self {
        let count = |count| NonZeroUsize::new(count).unwrap_or(NonZeroUsize::MIN);
        Self {
            queue: count(8_192),
            batch: count(100),
            delay: Duration::from_secs(5),
            retry: Duration::from_secs(1),
            when_full: WhenFull::Drop,
        }
    }
}

/// What became of the records so far.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Counts {
    /// Written.
    pub written: u64,
    /// Lost.
    pub dropped: u64,
    /// Waiting in the queue.
    pub queued: usize,
    /// Whether the last batch could not be written.
    pub failing: bool,
}

#[derive(Debug)]
struct Shared<T> {
    queue: Mutex<Queue<T>>,
    /// Rung when there is a whole batch, or nothing more to come.
    bell: Condvar,
    settings: Settings,
    written: AtomicU64,
    dropped: AtomicU64,
    /// Of the dropped ones, those that were in the queue.
    failed: AtomicU64,
    failing: AtomicBool,
}

#[derive(Debug)]
struct Queue<T> {
    records: VecDeque<T>,
    /// Records that were pushed since the start.
    pushed: u64,
    /// Somebody waits for what is in it.
    hurry: bool,
    closing: bool,
}

/// The way in. Dropping it lets the thread finish what was pushed, without waiting for it.
#[derive(Debug)]
pub struct Spool<T> {
    shared: Arc<Shared<T>>,
    thread: Option<JoinHandle<()>>,
}

impl<T: Send + 'static> Spool<T> {
    /// Starts the thread, named `name`, that writes to `sink`.
    ///
    /// # Errors
    /// When the system has no thread to give.
    pub fn open(name: &str, sink: impl Sink<T>, settings: Settings) -> io::Result<Self> {
        let shared = Arc::new(Shared {
            queue: Mutex::new(Queue { records: VecDeque::new(), pushed: 0, hurry: false, closing: false }),
            bell: Condvar::new(),
            settings,
            written: AtomicU64::new(0),
            dropped: AtomicU64::new(0),
            failed: AtomicU64::new(0),
            failing: AtomicBool::new(false),
        });
        let writer = Writer { shared: Arc::clone(&shared), sink, batch: Vec::new() };
        let thread = thread::Builder::new().name(name.to_owned()).spawn(move || writer.run())?;
        Ok(Self { shared, thread: Some(thread) })
    }

    /// Hands a record over: a short lock and no system call, but for every [`Settings::batch`]th. One that does
    /// not fit is lost and counted.
    pub fn push(&self, record: T) {
        let mut queue = self.shared.queue();
        if queue.records.len() >= self.shared.settings.queue.get() {
            drop(queue);
            self.shared.dropped.fetch_add(1, Relaxed);
            return;
        }
        queue.records.push_back(record);
        queue.pushed += 1;
        let ring = queue.records.len() == self.shared.settings.batch.get();
        drop(queue);
        if ring {
            self.shared.bell.notify_one();
        }
    }

    /// Whether new requests may begin: always, unless the policy is to stop when they could not be recorded.
    #[must_use]
    pub fn admits(&self) -> bool {
        let Settings { queue, when_full, .. } = self.shared.settings;
        let room = || self.shared.queue().records.len() <= queue.get() / 2;
        when_full == WhenFull::Drop || (!self.shared.failing.load(Relaxed) && room())
    }

    /// What became of the records so far.
    #[must_use]
    pub fn counts(&self) -> Counts {
        Counts {
            written: self.shared.written.load(Relaxed),
            dropped: self.shared.dropped.load(Relaxed),
            queued: self.shared.queue().records.len(),
            failing: self.shared.failing.load(Relaxed),
        }
    }

    /// Has what was pushed written now, and waits for it, `limit` at most; whether it was. Not for a request's path.
    pub fn flush(&self, limit: Duration) -> bool {
        const LOOK: Duration = Duration::from_millis(5);
        let mut queue = self.shared.queue();
        queue.hurry = true;
        let pushed = queue.pushed;
        drop(queue);
        self.shared.bell.notify_one();
        let done = || self.shared.written.load(Relaxed) + self.shared.failed.load(Relaxed) >= pushed;
        let mut waited = Duration::ZERO;
        while !done() && waited < limit {
            thread::sleep(LOOK);
            waited += LOOK;
        }
        done()
    }

    /// Writes everything that was pushed, waiting for it. A failing disk gets one more try, after which what is
    /// left is counted as lost.
    pub fn close(mut self) -> Counts {
        self.shared.finish();
        if let Some(thread) = self.thread.take() {
            // A panic of the thread is one of the sink; what it had not written shows in the counts.
            let _ = thread.join();
        }
        self.counts()
    }
}

impl<T> Drop for Spool<T> {
    fn drop(&mut self) {
        self.shared.finish();
    }
}

impl<T> Queue<T> {
    /// Whether what is in it is to be written at once.
    const fn urges(&self) -> bool {
        self.closing || self.hurry
    }
}

impl<T> Shared<T> {
    /// A panic elsewhere cannot leave the queue half changed.
    fn queue(&self) -> MutexGuard<'_, Queue<T>> {
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn finish(&self) {
        self.queue().closing = true;
        self.bell.notify_one();
    }

    /// Sleeps until `awake` or until the time is over.
    fn sleep(&self, time: Duration, awake: impl Fn(&Queue<T>) -> bool) -> MutexGuard<'_, Queue<T>> {
        let wait = self.bell.wait_timeout_while(self.queue(), time, |queue| !awake(queue));
        wait.unwrap_or_else(PoisonError::into_inner).0
    }
}

struct Writer<T, S> {
    shared: Arc<Shared<T>>,
    sink: S,
    batch: Vec<T>,
}

impl<T, S: Sink<T>> Writer<T, S> {
    fn run(mut self) {
        let Settings { batch, delay, .. } = self.shared.settings;
        loop {
            // Whatever comes while the thread sleeps is written when it wakes up, so nothing waits longer.
            let mut queue =
                self.shared.sleep(delay, |queue| queue.urges() || queue.records.len() >= batch.get());
            let closing = queue.closing;
            let count = queue.records.len().min(batch.get());
            self.batch.extend(queue.records.drain(..count));
            queue.hurry &= !queue.records.is_empty();
            drop(queue);
            if self.batch.is_empty() && closing {
                return;
            }
            self.flush();
        }
    }

    /// Writes the batch; afterwards it is empty.
    fn flush(&mut self) {
        while !self.batch.is_empty() {
            let before = self.batch.len();
            let result = self.sink.write(&mut self.batch);
            self.shared.written.fetch_add((before - self.batch.len()) as u64, Relaxed);
            self.shared.failing.store(result.is_err(), Relaxed);
            if result.is_ok() || !self.again() {
                break;
            }
        }
        self.shared.dropped.fetch_add(self.batch.len() as u64, Relaxed);
        self.shared.failed.fetch_add(self.batch.len() as u64, Relaxed);
        self.batch.clear();
    }

    /// After a failure: whether to try again, which takes a while.
    fn again(&self) -> bool {
        let Settings { retry, when_full, .. } = self.shared.settings;
        when_full == WhenFull::Stop && !self.shared.sleep(retry, |queue| queue.closing).closing
    }
}

#[cfg(test)]
mod tests;
