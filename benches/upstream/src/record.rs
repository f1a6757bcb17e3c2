//! What the server saw: counters for every request, and the last requests themselves.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use bytes::Bytes;
use http::request::Parts;
use http::{HeaderMap, Method, Uri, Version};
use tokio::sync::Notify;

use crate::fault::Fault;

/// What all kept request bodies may hold together: 64 MiB, several times the largest body a router lets
/// through by default.
const MAX_RECORDED_BYTES: usize = 64 << 20;

/// A request as it arrived.
#[derive(Clone, Debug)]
pub struct RecordedRequest {
    /// The how-manieth request it was, from 0.
    pub ordinal: u64,
    /// The connection that carried it, from 0.
    pub connection: u64,
    /// When its head had been read.
    pub arrived: Instant,
    /// The method.
    pub method: Method,
    /// Path and query.
    pub uri: Uri,
    /// HTTP/1.1 or HTTP/2.
    pub version: Version,
    /// The headers.
    pub headers: HeaderMap,
    /// The body, byte for byte.
    pub body: Bytes,
    /// The faults it met.
    pub faults: Vec<Fault>,
}

impl RecordedRequest {
    /// A header's value, if there is one and it is text.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name)?.to_str().ok()
    }

    /// The body as JSON; null if it is none.
    pub fn json(&self) -> serde_json::Value {
        serde_json::from_slice(&self.body).unwrap_or_default()
    }
}

/// Counters since the start. At rest, `calls` is the sum of `completed`, `cancelled` and `cut`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, serde::Serialize)]
pub struct Stats {
    /// Requests whose head arrived, without those to `/__…`.
    pub calls: u64,
    /// Requests that are being read or answered.
    pub in_flight: u64,
    /// Answers handed to the connection as a whole, refusals included.
    pub completed: u64,
    /// Requests given up because the client left.
    pub cancelled: u64,
    /// Requests that a fault cut short: reset, closed, hung up.
    pub cut: u64,
    /// Connections open now.
    pub connections_open: u64,
    /// Connections ever accepted, those reset on accept included.
    pub connections_total: u64,
}

/// Counts and keeps requests, and wakes those who wait for a count.
#[derive(Debug)]
pub(crate) struct Recorder {
    stats: Mutex<Stats>,
    changed: Notify,
    kept: Mutex<Kept>,
    limit: usize,
}

#[derive(Debug, Default)]
struct Kept {
    requests: VecDeque<RecordedRequest>,
    bytes: usize,
}

impl Recorder {
    /// A recorder that keeps the last `limit` requests; 0 keeps none.
    pub(crate) fn new(limit: usize) -> Arc<Self> {
        let kept = Mutex::default();
        Arc::new(Self { stats: Mutex::default(), changed: Notify::new(), kept, limit })
    }

    pub(crate) fn stats(&self) -> Stats {
        *lock(&self.stats)
    }

    /// Waits until a count is as wished; returns at once if it is already.
    pub(crate) async fn wait_for(&self, wished: impl Fn(&Stats) -> bool) -> Stats {
        loop {
            let changed = self.changed.notified();
            tokio::pin!(changed);
            changed.as_mut().enable();
            let stats = self.stats();
            if wished(&stats) {
                return stats;
            }
            changed.await;
        }
    }

    /// The number of the connection that was just accepted.
    pub(crate) fn open_connection(&self) -> u64 {
        self.count(|stats| {
            stats.connections_open += 1;
            stats.connections_total += 1;
            stats.connections_total - 1
        })
    }

    pub(crate) fn close_connection(&self) {
        self.count(|stats| stats.connections_open -= 1);
    }

    /// Counts a call; the ticket accounts for how it ends.
    pub(crate) fn begin(self: &Arc<Self>) -> Ticket {
        let ordinal = self.count(|stats| {
            stats.calls += 1;
            stats.in_flight += 1;
            stats.calls - 1
        });
        Ticket { recorder: self.clone(), ordinal, settled: false }
    }

    /// Keeps a request, and drops the oldest ones to make room for it.
    pub(crate) fn keep(&self, sight: Sight<'_>, body: &Bytes, faults: &[Fault]) {
        if self.limit == 0 {
            return;
        }
        let request = sight.record(body.clone(), faults.to_vec());
        let mut kept = lock(&self.kept);
        kept.bytes += request.body.len();
        kept.requests.push_back(request);
        while kept.requests.len() > self.limit || kept.bytes > MAX_RECORDED_BYTES {
            let Some(oldest) = kept.requests.pop_front() else { break };
            kept.bytes -= oldest.body.len();
        }
    }

    pub(crate) fn requests(&self) -> Vec<RecordedRequest> {
        lock(&self.kept).requests.iter().cloned().collect()
    }

    pub(crate) fn forget_requests(&self) {
        *lock(&self.kept) = Kept::default();
    }

    fn count<T>(&self, change: impl FnOnce(&mut Stats) -> T) -> T {
        let result = change(&mut lock(&self.stats));
        self.changed.notify_waiters();
        result
    }
}

/// What is known of a request apart from its body.
pub(crate) struct Sight<'a> {
    pub(crate) head: &'a Parts,
    pub(crate) ordinal: u64,
    pub(crate) connection: u64,
    pub(crate) arrived: Instant,
}

impl Sight<'_> {
    fn record(&self, body: Bytes, faults: Vec<Fault>) -> RecordedRequest {
        RecordedRequest {
            ordinal: self.ordinal,
            connection: self.connection,
            arrived: self.arrived,
            method: self.head.method.clone(),
            uri: self.head.uri.clone(),
            version: self.head.version,
            headers: self.head.headers.clone(),
            body,
            faults,
        }
    }
}

/// How a request ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum End {
    Completed,
    Cancelled,
    Cut,
}

/// A request in flight. Dropped without [`Ticket::settle`], it counts as cancelled by the client.
#[derive(Debug)]
pub(crate) struct Ticket {
    recorder: Arc<Recorder>,
    ordinal: u64,
    settled: bool,
}

impl Ticket {
    pub(crate) fn ordinal(&self) -> u64 {
        self.ordinal
    }

    /// Accounts for the end of the request; only the first call counts.
    pub(crate) fn settle(&mut self, end: End) {
        if std::mem::replace(&mut self.settled, true) {
            return;
        }
        self.recorder.count(|stats| {
            stats.in_flight -= 1;
            match end {
                End::Completed => stats.completed += 1,
                End::Cancelled => stats.cancelled += 1,
                End::Cut => stats.cut += 1,
            }
        });
    }
}

impl Drop for Ticket {
    fn drop(&mut self) {
        self.settle(End::Cancelled);
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn keep(recorder: &Arc<Recorder>, body: &[u8]) {
        let (head, ()) = http::Request::new(()).into_parts();
        let ordinal = recorder.begin().ordinal();
        let sight = Sight { head: &head, ordinal, connection: 0, arrived: Instant::now() };
        recorder.keep(sight, &Bytes::copy_from_slice(body), &[]);
    }

    #[test]
    fn only_the_last_requests_are_kept() {
        let recorder = Recorder::new(2);
        (0..5).for_each(|_| keep(&recorder, b"{}"));
        let kept: Vec<_> = recorder.requests().iter().map(|request| request.ordinal).collect();
        assert_eq!(kept, [3, 4]);
    }

    #[test]
    fn bodies_are_bounded_together() {
        let recorder = Recorder::new(100);
        let body = vec![b'x'; MAX_RECORDED_BYTES / 3];
        (0..5).for_each(|_| keep(&recorder, &body));
        assert_eq!(recorder.requests().len(), 3);
    }

    #[test]
    fn a_ticket_counts_once() {
        let recorder = Recorder::new(0);
        let mut ticket = recorder.begin();
        ticket.settle(End::Completed);
        drop(ticket);
        drop(recorder.begin());
        let stats = recorder.stats();
        assert_eq!((stats.calls, stats.completed, stats.cancelled, stats.in_flight), (2, 1, 1, 0));
    }
}
