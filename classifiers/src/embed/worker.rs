//! A thread that embeds, so that no request does.

use std::future::Future;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, TrySendError, sync_channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll};
use std::thread;
use std::time::Duration;

use futures_channel::oneshot;
use router_core::cache::semantic::Vector;

use super::{EmbedError, Embedder, Fingerprint, MOST_BYTES, MOST_TOKENS};

/// Panics one after another after which a model is given up. One may be an odd text; three mean that the model is
/// broken, and a thread that keeps trying would only burn a core.
const MOST_PANICS: u32 = 3;

/// How long the thread is waited for when the worker goes: more than one text takes, and no more than a program that
/// ends can spare for a model that hangs.
const PATIENCE: Duration = Duration::from_secs(1);

struct Job {
    text: String,
    reply: oneshot::Sender<Result<Vector, EmbedError>>,
}

/// One embedder on one thread, with a bounded queue before it.
///
/// A full queue refuses at once. A text whose [`Embedding`] was dropped while it waited is passed over, so requests
/// that gave up waiting cost nothing more. A panic of the model is that text's error; after three in a row the worker
/// is dead and refuses everything. Dropping the worker stops the thread after the text it is at.
#[derive(Debug)]
pub struct EmbedWorker {
    /// Gone once the worker is being dropped.
    jobs: Option<SyncSender<Job>>,
    stopping: Arc<AtomicBool>,
    /// Disconnects when the thread has ended. Locked to be shared; nobody waits under the lock but the last owner.
    ended: Mutex<Receiver<()>>,
    dimensions: usize,
    fingerprint: Fingerprint,
}

impl EmbedWorker {
    /// Starts the thread. `queue` texts may wait, at least one.
    ///
    /// # Errors
    /// The system has no thread to give.
    pub fn start(embedder: impl Embedder + 'static, queue: usize) -> std::io::Result<Self> {
        let (jobs, queued) = sync_channel(queue.max(1));
        let (ending, ended) = sync_channel(0);
        let stopping = Arc::new(AtomicBool::new(false));
        let (dimensions, fingerprint) = (embedder.dimensions(), embedder.fingerprint());
        let mut thread = Thread { embedder, dimensions, stopping: Arc::clone(&stopping), _ending: ending };
        thread::Builder::new().name("embed".into()).spawn(move || thread.work(&queued))?;
        Ok(Self { jobs: Some(jobs), stopping, ended: Mutex::new(ended), dimensions, fingerprint })
    }

    /// Asks for the embedding of a text.
    ///
    /// # Errors
    /// [`EmbedError::QueueFull`], [`EmbedError::Stopped`], and [`EmbedError::TooLong`] for a text that is so long that
    /// it need not be counted. All without waiting.
    pub fn embed(&self, text: &str) -> Result<Embedding, EmbedError> {
        if text.len() > MOST_BYTES {
            return Err(EmbedError::TooLong { most: MOST_TOKENS });
        }
        let (reply, embedding) = oneshot::channel();
        let jobs = self.jobs.as_ref().ok_or(EmbedError::Stopped)?;
        match jobs.try_send(Job { text: text.to_owned(), reply }) {
            Ok(()) => Ok(Embedding(embedding)),
            Err(TrySendError::Full(_)) => Err(EmbedError::QueueFull),
            Err(TrySendError::Disconnected(_)) => Err(EmbedError::Stopped),
        }
    }

    /// Whether texts are still embedded. A worker that is dead stays so.
    #[must_use]
    pub fn is_alive(&self) -> bool {
        // Nothing is ever sent: either the thread holds the other end or it has ended.
        self.ended.lock().unwrap_or_else(PoisonError::into_inner).try_recv()
            == Err(std::sync::mpsc::TryRecvError::Empty)
    }

    /// How many components its vectors have.
    #[must_use]
    pub fn dimensions(&self) -> usize {
        self.dimensions
    }

    /// Which model and runtime its vectors are from.
    #[must_use]
    pub fn fingerprint(&self) -> Fingerprint {
        self.fingerprint
    }
}

impl Drop for EmbedWorker {
    fn drop(&mut self) {
        self.stopping.store(true, Ordering::Relaxed);
        self.jobs = None;
        // Returns as soon as the thread has ended; a model that hangs is left behind.
        let ended = self.ended.get_mut().unwrap_or_else(PoisonError::into_inner);
        let _ = ended.recv_timeout(PATIENCE);
    }
}

/// An embedding on its way. Await it, with a deadline; dropping it takes the text from the queue.
#[derive(Debug)]
#[must_use = "a dropped embedding is not made"]
pub struct Embedding(oneshot::Receiver<Result<Vector, EmbedError>>);

impl Future for Embedding {
    type Output = Result<Vector, EmbedError>;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        Pin::new(&mut self.0).poll(context).map(|reply| reply.unwrap_or(Err(EmbedError::Stopped)))
    }
}

struct Thread<E> {
    embedder: E,
    dimensions: usize,
    stopping: Arc<AtomicBool>,
    /// Dropped with the thread.
    _ending: SyncSender<()>,
}

impl<E: Embedder> Thread<E> {
    fn work(&mut self, queued: &Receiver<Job>) {
        let mut panics = 0;
        while let Ok(Job { text, reply }) = queued.recv() {
            if self.stopping.load(Ordering::Relaxed) {
                return;
            }
            if reply.is_canceled() {
                continue;
            }
            let vector = self.embed(&text);
            panics = if vector == Err(EmbedError::Panicked) { panics + 1 } else { 0 };
            // The request may have stopped waiting meanwhile.
            let _ = reply.send(vector);
            if panics == MOST_PANICS {
                return;
            }
        }
    }

    fn embed(&mut self, text: &str) -> Result<Vector, EmbedError> {
        // What a panic left behind in the model is found out by the panics that follow.
        let embedded = catch_unwind(AssertUnwindSafe(|| self.embedder.embed(text)));
        let components = embedded.unwrap_or(Err(EmbedError::Panicked))?;
        if components.len() != self.dimensions {
            return Err(EmbedError::Dimensions { expected: self.dimensions, found: components.len() });
        }
        Ok(Vector::try_new(&components)?)
    }
}

#[cfg(test)]
mod tests;
