//! How the process comes to rest: not ready first, then no new requests, then the open ones to their end.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use tokio::sync::{Notify, watch};

/// Starts the drain and waits for it.
#[derive(Debug)]
pub struct Drain {
    signal: watch::Sender<bool>,
    open: Arc<Open>,
}

/// Connections that are still open.
#[derive(Debug, Default)]
struct Open {
    count: AtomicUsize,
    none_left: Notify,
}

/// A connection's view of the drain. Alive as long as the connection is.
#[derive(Debug)]
pub struct Draining {
    signal: watch::Receiver<bool>,
    open: Arc<Open>,
}

impl Default for Drain {
    fn default() -> Self {
        Self { signal: watch::Sender::new(false), open: Arc::default() }
    }
}

impl Drain {
    /// A view for one more connection.
    #[must_use]
    pub fn watch(&self) -> Draining {
        self.open.count.fetch_add(1, Ordering::AcqRel);
        Draining { signal: self.signal.subscribe(), open: Arc::clone(&self.open) }
    }

    /// Whether the drain has begun.
    #[must_use]
    pub fn has_begun(&self) -> bool {
        *self.signal.borrow()
    }

    /// Begins the drain.
    pub fn begin(&self) {
        self.signal.send_replace(true);
    }

    /// Waits until every connection is closed, `limit` at most. Says whether all are.
    pub async fn finished(&self, limit: Duration) -> bool {
        let all_closed = async {
            loop {
                let notified = self.open.none_left.notified();
                if self.open.count.load(Ordering::Acquire) == 0 {
                    return;
                }
                notified.await;
            }
        };
        tokio::time::timeout(limit, all_closed).await.is_ok()
    }
}

impl Draining {
    /// Whether the drain has begun.
    pub fn has_begun(&self) -> bool {
        *self.signal.borrow()
    }

    /// Waits until the drain begins.
    pub async fn begun(&mut self) {
        // An error means that the sender is gone, which is a drain, too.
        let _ = self.signal.wait_for(|begun| *begun).await;
    }
}

impl Drop for Draining {
    fn drop(&mut self) {
        if self.open.count.fetch_sub(1, Ordering::AcqRel) == 1 {
            self.open.none_left.notify_waiters();
        }
    }
}
