//! A reply on its way out: chunk by chunk, at its pace, to its end.

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};
use tokio::time::{Instant, Sleep};

use crate::record::{End, Ticket};
use crate::reply::{Ending, Reply};
use crate::server::link::Link;

/// How often a body yields before it breaks the connection, so that what it has sent gets out first. One
/// round is what HTTP/1.1 needs; in HTTP/2 another task writes, which may need a few.
const YIELDS_BEFORE_CUT: u32 = 16;

/// Why a response body, or a whole response, does not come.
#[derive(Debug, thiserror::Error)]
#[error("cut short by the script")]
pub(crate) struct Cut;

/// The body of a reply.
#[derive(Debug)]
pub(crate) struct ReplyBody {
    reply: Arc<Reply>,
    next: usize,
    yields: u32,
    clock: Option<Clock>,
    delivery: Option<Delivery>,
}

/// Whom to tell how the reply ended.
#[derive(Debug)]
pub(crate) struct Delivery {
    pub(crate) ticket: Ticket,
    pub(crate) link: Arc<Link>,
}

impl ReplyBody {
    /// A reply that nobody counts.
    pub(crate) fn uncounted(reply: Reply) -> Self {
        Self { reply: Arc::new(reply), next: 0, yields: 0, clock: None, delivery: None }
    }

    /// A reply whose first chunk comes after `first` and whose further tokens come `token` apart.
    pub(crate) fn paced(reply: Arc<Reply>, first: Duration, token: Duration, delivery: Delivery) -> Self {
        let clock = Clock::new(first, if reply.is_stream() { token } else { Duration::ZERO });
        let mut body = Self { reply, next: 0, yields: 0, clock, delivery: Some(delivery) };
        if body.reply.chunks.is_empty() {
            body.finish_chunks();
        }
        body
    }

    pub(crate) fn reply(&self) -> &Reply {
        &self.reply
    }

    /// Settles what can be settled when the last chunk has been handed over.
    fn finish_chunks(&mut self) {
        match (self.reply.ending, &mut self.delivery) {
            (Ending::Clean, Some(delivery)) => delivery.ticket.settle(End::Completed),
            (Ending::Close | Ending::Reset, _) => self.yields = YIELDS_BEFORE_CUT,
            _ => {}
        }
    }

    fn end(&mut self) -> Poll<Option<Result<Frame<Bytes>, Cut>>> {
        if self.reply.ending == Ending::Stall {
            // Nothing wakes this task but the connection, when the client has left.
            return Poll::Pending;
        }
        if self.reply.ending == Ending::Clean {
            return Poll::Ready(None);
        }
        if let Some(delivery) = &mut self.delivery {
            delivery.ticket.settle(End::Cut);
            if self.reply.ending == Ending::Reset {
                delivery.link.reset();
            }
        }
        Poll::Ready(Some(Err(Cut)))
    }
}

impl Body for ReplyBody {
    type Data = Bytes;
    type Error = Cut;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Cut>>> {
        if self.yields > 0 {
            self.yields -= 1;
            cx.waker().wake_by_ref();
            return Poll::Pending;
        }
        let Some(chunk) = self.reply.chunks.get(self.next).cloned() else { return self.end() };
        if let Some(clock) = &mut self.clock {
            ready!(clock.poll(chunk.tokens, cx));
        }
        self.next += 1;
        if self.reply.flush_each {
            self.yields = 1;
        }
        if self.next == self.reply.chunks.len() {
            self.finish_chunks();
        }
        Poll::Ready(Some(Ok(Frame::data(chunk.bytes))))
    }

    fn is_end_stream(&self) -> bool {
        self.reply.ending == Ending::Clean && self.next == self.reply.chunks.len()
    }

    fn size_hint(&self) -> SizeHint {
        let left = self.reply.chunks.iter().skip(self.next).map(|chunk| chunk.bytes.len() as u64).sum();
        match self.reply.length {
            Some(length) if self.reply.ending == Ending::Clean && length == self.reply.len() => {
                SizeHint::with_exact(left)
            }
            _ => SizeHint::default(),
        }
    }
}

/// When chunks are due. Dates are absolute, so that many short waits do not add up to a longer one.
#[derive(Debug)]
struct Clock {
    due: Instant,
    token: Duration,
    /// The first token's wait has been paid for.
    speaking: bool,
    /// The date for the current chunk has been set.
    armed: bool,
    sleep: Pin<Box<Sleep>>,
}

impl Clock {
    /// No clock where nothing waits.
    fn new(first: Duration, token: Duration) -> Option<Self> {
        if first.is_zero() && token.is_zero() {
            return None;
        }
        let due = Instant::now() + first;
        let sleep = Box::pin(tokio::time::sleep_until(due));
        Some(Self { due, token, speaking: false, armed: false, sleep })
    }

    /// Ready when a chunk with so many tokens is due.
    fn poll(&mut self, tokens: u32, cx: &mut Context<'_>) -> Poll<()> {
        if !self.armed {
            let first = u32::from(tokens > 0 && !self.speaking);
            self.speaking |= tokens > 0;
            self.due += self.token * (tokens - first);
            self.sleep.as_mut().reset(self.due);
            self.armed = true;
        }
        ready!(self.sleep.as_mut().poll(cx));
        self.armed = false;
        Poll::Ready(())
    }
}
