//! Answers that no provider has counted, counted off the request path.
//!
//! A provider may leave usage out, and a stream that was broken off never says what it used. Such an answer is settled in two steps: its text
//! waits in a bounded queue for a thread of its own, which counts tokens with the model's vocabulary and then charges them. Where the
//! queue is full the fast estimate is charged at once. Either way the ledger says `estimated`.
//!
//! Vocabularies take a tenth of a second and some 45 MB to load, which happens with the first answer that needs them, on that thread.

mod vocabulary;

use std::io;
use std::num::NonZeroUsize;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use bytes::Bytes;
use router_core::{Digest, Endpoint, FingerprintKey};

use crate::metrics::Metrics;
use crate::settle::Due;
use crate::spool::{Settings, Sink, Spool, WhenFull};
use crate::wire::reading::Reading;
pub use vocabulary::Vocabulary;

/// Answers that may wait.
const MAX_WAITING: NonZeroUsize = NonZeroUsize::new(1_024).unwrap();
/// Bytes of prompts and answers that may wait: about half a second of the thread's work.
const MAX_WAITING_BYTES: usize = 16 << 20;
/// Of a longer prompt (some 60,000 tokens) the fast estimate stands, which is better the longer the text is.
const MAX_PROMPT_BYTES: usize = 256 << 10;

/// The request whose answer may have to be counted.
#[derive(Clone, Debug)]
pub struct Asked {
    endpoint: Endpoint,
    body: Bytes,
    vocabulary: Vocabulary,
}

impl Asked {
    /// Keeps the body of a request to the model that its provider calls `model`.
    #[must_use]
    pub fn new(endpoint: Endpoint, body: &Bytes, model: &str) -> Self {
        let body = if body.len() <= MAX_PROMPT_BYTES { body.clone() } else { Bytes::new() };
        Self { endpoint, body, vocabulary: Vocabulary::of(model) }
    }

    /// Tokens of the prompt; `None` where it is not kept.
    fn tokens(&self) -> Option<u64> {
        if self.body.is_empty() {
            return None;
        }
        let digest = Digest::read(self.endpoint, &self.body, &FingerprintKey::new(0, 0)).ok()?;
        Some(digest.recount(|text| self.vocabulary.count(text)))
    }
}

/// The way to the counting thread.
#[derive(Debug)]
pub struct Recounts {
    spool: RwLock<Option<Spool<Job>>>,
    metrics: Arc<Metrics>,
    waiting: Arc<AtomicUsize>,
}

impl Recounts {
    /// Starts the thread, which sleeps until it is needed.
    ///
    /// # Errors
    /// When the system has no thread to give.
    pub fn open(metrics: &Arc<Metrics>) -> io::Result<Self> {
        let one = NonZeroUsize::MIN;
        let settings = Settings {
            queue: MAX_WAITING,
            batch: one,
            delay: Duration::from_secs(3_600),
            when_full: WhenFull::Drop,
            ..Settings::default()
        };
        let spool = Spool::open("count-tokens", Counter, settings)?;
        Ok(Self { spool: RwLock::new(Some(spool)), metrics: Arc::clone(metrics), waiting: Arc::default() })
    }

    /// Charges an answer once it has been counted, or at once as estimated where there is no room. Never blocks.
    pub fn offer(&self, due: Due, reading: Reading, asked: Asked) {
        let bytes = asked.body.len() + reading.said.len();
        let waiting = self.waiting.fetch_add(bytes, Relaxed);
        let job = Job {
            due: Some(due),
            reading,
            asked,
            bytes,
            waiting: Arc::clone(&self.waiting),
            metrics: Arc::clone(&self.metrics),
        };
        if waiting + bytes > MAX_WAITING_BYTES {
            return;
        }
        if let Some(spool) = &*self.spool.read().unwrap_or_else(PoisonError::into_inner) {
            spool.push(job);
        }
    }

    /// Counts and charges everything that is waiting. Afterwards estimates stand.
    pub fn close(&self) {
        let spool = self.spool.write().unwrap_or_else(PoisonError::into_inner).take();
        spool.map(Spool::close);
    }
}

/// An answer to be counted. Dropped uncounted, it is charged as estimated.
#[derive(Debug)]
struct Job {
    due: Option<Due>,
    reading: Reading,
    asked: Asked,
    bytes: usize,
    waiting: Arc<AtomicUsize>,
    metrics: Arc<Metrics>,
}

impl Job {
    fn count(&mut self) {
        let Some(due) = &self.due else { return };
        let prompt = self.asked.tokens().unwrap_or(due.prompt_tokens());
        let seen = self.answer_tokens();
        let (usage, _) = self.reading.tokens_by(prompt, seen);
        if let Some(due) = self.due.take() {
            due.pay(&usage, true);
            self.metrics.money.recounts.with_label_values(&["counted"]).inc();
        }
    }

    /// Tokens of the answer; what was not kept of it is taken to be like the rest.
    fn answer_tokens(&self) -> u64 {
        let text = self.reading.said.text();
        let (kept, all) = (text.len() as u64, self.reading.text_bytes);
        if kept == 0 {
            return self.reading.seen_tokens();
        }
        let tokens = self.asked.vocabulary.count(&text);
        if all <= kept { tokens } else { tokens.saturating_mul(all).div_ceil(kept) }
    }
}

impl Drop for Job {
    fn drop(&mut self) {
        self.waiting.fetch_sub(self.bytes, Relaxed);
        if let Some(due) = self.due.take() {
            let (usage, _) = self.reading.tokens(due.prompt_tokens());
            due.pay(&usage, true);
            self.metrics.money.recounts.with_label_values(&["skipped"]).inc();
        }
    }
}

/// The thread's work.
struct Counter;

impl Sink<Job> for Counter {
    fn write(&mut self, batch: &mut Vec<Job>) -> io::Result<()> {
        for mut job in batch.drain(..) {
            // A text on which the vocabulary fails is charged as estimated, and the next one is counted again.
            let counted = catch_unwind(AssertUnwindSafe(|| job.count()));
            if counted.is_err() {
                tracing::error!(event = "tokens_not_counted");
            }
        }
        Ok(())
    }
}
