//! Equal requests in flight share one upstream call.
//!
//! The first one leads: its call runs in a task of its own and writes what comes into a log. Everybody, the leader included, reads from the log
//! at their own pace: a late joiner gets what has come so far at once and then goes on live. Who leaves, leaves alone; when the last one leaves,
//! the call is cancelled. The log is bounded: a reader that falls behind by more than it holds is dropped, and slows nobody.

use std::collections::HashMap;
use std::collections::VecDeque;
use std::future::Future;
use std::pin::Pin;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError, Weak};
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use http::response::Parts;
use http::{HeaderMap, Response, StatusCode};
use http_body::{Body, Frame};
use http_body_util::BodyExt;
use router_core::CacheKey;
use tokio::sync::Notify;
use tokio::sync::futures::OwnedNotified;
use tokio::task::AbortHandle;

use crate::payload::{BodyError, Payload};

/// Bytes of a stream that are held for late joiners and slow readers. Longer than nearly every answer; the log of a longer one loses
/// its beginning, and nobody can join it any more.
const LOG_BYTES: usize = 8 << 20;

/// What must be equal: the cache's key and how the answer is framed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct FlightKey {
    /// Tenant, endpoint, body, model.
    pub cache: CacheKey,
    /// Whether it is streamed.
    pub stream: bool,
    /// Whether the stream carries its usage.
    pub usage: bool,
}

/// The calls in flight.
#[derive(Debug, Default)]
pub struct Flights {
    open: Mutex<HashMap<FlightKey, Weak<Flight>>>,
}

/// One call in flight.
#[derive(Debug)]
pub struct Flight {
    log: Mutex<Log>,
    changed: Arc<Notify>,
    members: AtomicUsize,
    task: OnceLock<AbortHandle>,
}

#[derive(Debug, Default)]
struct Log {
    head: Option<(StatusCode, HeaderMap)>,
    pieces: VecDeque<Bytes>,
    /// Pieces that have been dropped from the beginning.
    dropped: usize,
    bytes: usize,
    /// How it ended, as an outcome label.
    ended: Option<&'static str>,
}

/// A caller's part in a flight. Dropping the last one cancels the call.
#[derive(Debug)]
pub struct Member {
    flight: Arc<Flight>,
}

/// How a caller takes part.
#[derive(Debug)]
pub enum Role {
    /// Makes the call.
    Leader(Member, Landing),
    /// Shares it.
    Follower(Member),
}

/// Takes the flight off the board when the call is over, whichever way.
#[derive(Debug)]
pub struct Landing {
    flights: Arc<Flights>,
    key: FlightKey,
    flight: Arc<Flight>,
}

/// Nothing is left half done between lock and unlock, so a poisoned lock is as good as any.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Flights {
    /// Joins the flight of `key`, or begins it.
    #[must_use]
    pub fn join(self: &Arc<Self>, key: FlightKey) -> Role {
        let mut open = lock(&self.open);
        if let Some(member) = open.get(&key).and_then(Weak::upgrade).and_then(|flight| flight.join()) {
            return Role::Follower(member);
        }
        let flight = Arc::new(Flight {
            log: Mutex::default(),
            changed: Arc::default(),
            members: AtomicUsize::new(1),
            task: OnceLock::new(),
        });
        open.insert(key, Arc::downgrade(&flight));
        let landing = Landing { flights: Arc::clone(self), key, flight: Arc::clone(&flight) };
        Role::Leader(Member { flight }, landing)
    }

    /// Flights on the board.
    #[must_use]
    pub fn count(&self) -> usize {
        lock(&self.open).len()
    }
}

impl Flight {
    /// One more member, unless the beginning is lost or everybody has left.
    fn join(self: Arc<Self>) -> Option<Member> {
        if lock(&self.log).dropped > 0 {
            return None;
        }
        let joined = self.members.fetch_update(Ordering::AcqRel, Ordering::Acquire, |members| {
            (members > 0).then_some(members + 1)
        });
        joined.is_ok().then_some(Member { flight: self })
    }

    fn push(&self, piece: Bytes) {
        let mut log = lock(&self.log);
        log.bytes += piece.len();
        log.pieces.push_back(piece);
        while log.bytes > LOG_BYTES {
            let Some(oldest) = log.pieces.pop_front() else { break };
            log.bytes -= oldest.len();
            log.dropped += 1;
        }
        drop(log);
        self.changed.notify_waiters();
    }

    fn end(&self, outcome: &'static str) {
        lock(&self.log).ended.get_or_insert(outcome);
        self.changed.notify_waiters();
    }
}

impl Landing {
    /// Runs the call and writes its answer into the log. `outcome` tells afterwards how it ended.
    pub fn fly(
        self,
        call: impl Future<Output = Response<Payload>> + Send + 'static,
        outcome: impl FnOnce() -> &'static str + Send + 'static,
    ) {
        let flight = Arc::clone(&self.flight);
        // A task is moved several times before it runs, and this call is large.
        let call = Box::pin(call);
        let task = tokio::spawn(async move {
            let (Parts { status, headers, .. }, mut body) = call.await.into_parts();
            lock(&self.flight.log).head = Some((status, headers));
            self.flight.changed.notify_waiters();
            while let Some(Ok(frame)) = body.frame().await {
                if let Ok(piece) = frame.into_data() {
                    self.flight.push(piece);
                }
            }
            // The body settles when it is dropped; only then is it known how it ended.
            drop(body);
            self.flight.end(outcome());
        });
        let _ = flight.task.set(task.abort_handle());
        // Everybody may have left before the handle was in place.
        if flight.members.load(Ordering::Acquire) == 0 {
            task.abort();
        }
    }
}

impl Drop for Landing {
    fn drop(&mut self) {
        let mut open = lock(&self.flights.open);
        let ours = open
            .get(&self.key)
            .is_some_and(|flight| std::ptr::eq(flight.as_ptr(), Arc::as_ptr(&self.flight)));
        if ours {
            open.remove(&self.key);
        }
        drop(open);
        self.flight.end("error");
    }
}

impl Member {
    /// Waits for the answer's head; `None` where the call ended without one.
    pub async fn head(&self) -> Option<(StatusCode, HeaderMap)> {
        loop {
            let mut changed = std::pin::pin!(self.flight.changed.notified());
            changed.as_mut().enable();
            {
                let log = lock(&self.flight.log);
                if log.head.is_some() || log.ended.is_some() {
                    return log.head.clone();
                }
            }
            changed.await;
        }
    }

    /// The answer's body from its beginning. `lagged` makes what is sent to a reader that fell too far behind; `ended` is told how it
    /// ended.
    pub fn body(
        self,
        lagged: impl FnOnce() -> Bytes + Send + 'static,
        ended: impl FnOnce(&'static str) + Send + 'static,
    ) -> Payload {
        let changed = None;
        Payload::stream(MemberBody {
            member: self,
            next: 0,
            lagged: Some(Box::new(lagged)),
            changed,
            ended: Some(Box::new(ended)),
        })
    }
}

impl Drop for Member {
    fn drop(&mut self) {
        let last = self.flight.members.fetch_sub(1, Ordering::AcqRel) == 1;
        if let Some(task) = self.flight.task.get().filter(|_| last) {
            task.abort();
        }
    }
}

struct MemberBody {
    member: Member,
    /// The piece to send next.
    next: usize,
    lagged: Option<Box<dyn FnOnce() -> Bytes + Send>>,
    changed: Option<Pin<Box<OwnedNotified>>>,
    ended: Option<Box<dyn FnOnce(&'static str) + Send>>,
}

/// What the log has for a reader.
enum Next {
    Piece(Bytes),
    Lagged,
    Ended(&'static str),
    Nothing,
}

impl MemberBody {
    fn look(&self) -> Next {
        let log = lock(&self.member.flight.log);
        let Some(position) = self.next.checked_sub(log.dropped) else { return Next::Lagged };
        match (log.pieces.get(position), log.ended) {
            (Some(piece), _) => Next::Piece(piece.clone()),
            (None, Some(outcome)) => Next::Ended(outcome),
            (None, None) => Next::Nothing,
        }
    }

    fn finish(&mut self, outcome: &'static str) {
        if let Some(ended) = self.ended.take() {
            ended(outcome);
        }
    }
}

impl Body for MemberBody {
    type Data = Bytes;
    type Error = BodyError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        loop {
            // Listening begins before looking, so that nothing that comes in between is missed.
            if self.changed.is_none() {
                let mut changed = Box::pin(Arc::clone(&self.member.flight.changed).notified_owned());
                changed.as_mut().enable();
                self.changed = Some(changed);
            }
            match self.look() {
                Next::Piece(piece) => {
                    self.next += 1;
                    return Poll::Ready(Some(Ok(Frame::data(piece))));
                }
                Next::Ended(outcome) => {
                    self.finish(outcome);
                    return Poll::Ready(None);
                }
                Next::Lagged => {
                    self.finish("error");
                    return Poll::Ready(self.lagged.take().map(|event| Ok(Frame::data(event()))));
                }
                Next::Nothing => {}
            }
            if let Some(changed) = &mut self.changed {
                ready!(changed.as_mut().poll(context));
            }
            self.changed = None;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key() -> FlightKey {
        // Any key will do: the board only compares them.
        let key = router_core::FingerprintKey::new(1, 2);
        FlightKey { cache: CacheKey::from(key.hasher(b't').finish()), stream: true, usage: false }
    }

    fn flying(flights: &Arc<Flights>) -> (Member, tokio::sync::mpsc::UnboundedSender<&'static str>) {
        let Role::Leader(member, landing) = flights.join(key()) else { panic!("nobody flies yet") };
        let (pieces, mut received) = tokio::sync::mpsc::unbounded_channel::<&'static str>();
        let body = http_body_util::StreamBody::new(async_pieces(move |context| received.poll_recv(context)));
        landing.fly(async { Response::new(Payload::stream(body)) }, || "ok");
        (member, pieces)
    }

    fn async_pieces(
        poll: impl FnMut(&mut Context<'_>) -> Poll<Option<&'static str>> + Send + 'static,
    ) -> impl futures_core::Stream<Item = Result<Frame<Bytes>, BodyError>> + Send {
        let mut poll = poll;
        Pieces(Box::new(move |context: &mut Context<'_>| {
            poll(context)
                .map(|piece| piece.map(|piece| Ok(Frame::data(Bytes::from_static(piece.as_bytes())))))
        }))
    }

    type PollPiece = dyn FnMut(&mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> + Send;

    struct Pieces(Box<PollPiece>);

    impl futures_core::Stream for Pieces {
        type Item = Result<Frame<Bytes>, BodyError>;

        fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
            (self.0)(context)
        }
    }

    async fn text(member: Member) -> String {
        let body = member.body(|| Bytes::from_static(b"lagged"), |_| {}).collect().await.unwrap();
        String::from_utf8(body.to_bytes().to_vec()).unwrap()
    }

    #[tokio::test]
    async fn a_late_joiner_gets_everything() {
        let flights = Arc::new(Flights::default());
        let (leader, pieces) = flying(&flights);
        pieces.send("one ").unwrap();
        leader.head().await.unwrap();
        let Role::Follower(follower) = flights.join(key()) else { panic!("a flight is open") };
        pieces.send("two").unwrap();
        drop(pieces);
        assert_eq!(text(leader).await, "one two");
        assert_eq!(text(follower).await, "one two");
        assert_eq!(flights.count(), 0, "landed");
    }

    #[tokio::test]
    async fn the_leader_may_leave_and_the_last_one_cancels() {
        let flights = Arc::new(Flights::default());
        let (leader, pieces) = flying(&flights);
        leader.head().await.unwrap();
        let Role::Follower(follower) = flights.join(key()) else { panic!("a flight is open") };
        drop(leader);
        pieces.send("still here").unwrap();
        assert!(!pieces.is_closed(), "a follower keeps the call alive");
        drop(follower);
        pieces.closed().await;
        assert!(matches!(flights.join(key()), Role::Leader(..)), "nobody can join a cancelled flight");
    }

    #[tokio::test]
    async fn who_falls_behind_is_dropped_alone() {
        const PIECE: &str = "0123456789abcdef";
        let flights = Arc::new(Flights::default());
        let (leader, pieces) = flying(&flights);
        leader.head().await.unwrap();
        let count = LOG_BYTES / PIECE.len() + 10;
        for _ in 0..count {
            pieces.send(PIECE).unwrap();
        }
        drop(pieces);
        while lock(&leader.flight.log).ended.is_none() {
            tokio::task::yield_now().await;
        }
        assert!(matches!(flights.join(key()), Role::Leader(..)), "the beginning is lost, nobody can join");
        assert_eq!(text(leader).await, "lagged");
    }
}
