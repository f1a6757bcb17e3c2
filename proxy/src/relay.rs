//! Passes a provider's event stream on to the caller, and never makes it look better than it is.
//!
//! Whole events only, bytes untouched: an event that was cut is not begun. When the provider breaks off, stalls, or ends
//! without its completion marker, the caller gets an error event in its own dialect and the orderly end of the body. When
//! the caller leaves, dropping the relay drops the provider's connection.

use std::collections::VecDeque;
use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use bytes::{Bytes, BytesMut};
use http_body::{Body, Frame};
use hyper::body::Incoming;
use router_core::{Dialect, Timeouts};
use tokio::sync::OwnedSemaphorePermit;
use tokio::time::Sleep;

use crate::cached::Recorder;
use crate::error_body;
use crate::payload::BodyError;
use crate::settle::Settlement;
use crate::upstream::UpstreamFault;
use crate::wire::sse::{Ending, Frame as Event, FrameKind, Leftover, Splitter, Tap};

/// After its completion marker a stream has this long to close, so that its connection can be used again.
const CLOSING: Duration = Duration::from_millis(500);

/// What a relay needs to know beside the stream itself.
pub struct RelaySettings {
    /// The caller's dialect, for the error event.
    pub dialect: Dialect,
    /// Limits on silence and on the whole.
    pub timeouts: Timeouts,
    /// When the request was sent.
    pub sent: Instant,
    /// Whether the usage chunk, which the router asked for, is kept from a caller who did not.
    pub withhold_usage: bool,
}

/// A body that relays an event stream.
pub struct Relay {
    upstream: Incoming,
    splitter: Option<Splitter>,
    tap: Tap,
    ready: VecDeque<Bytes>,
    phase: Phase,
    settings: RelaySettings,
    settlement: Settlement,
    recorder: Option<Recorder>,
    begun: bool,
    /// Since when the provider is waited for; `None` while the caller is.
    waiting: Option<Instant>,
    timer: Pin<Box<Sleep>>,
    _permit: OwnedSemaphorePermit,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Phase {
    /// Events come.
    Open,
    /// The completion marker has passed; only the end is awaited.
    Closing,
    /// Nothing more will come.
    Done,
}

impl Relay {
    /// Relays `upstream`. `recorder` keeps a copy for the cache.
    pub fn new(
        upstream: Incoming,
        permit: OwnedSemaphorePermit,
        settings: RelaySettings,
        settlement: Settlement,
        recorder: Option<Recorder>,
    ) -> Self {
        let total = settings.sent + settings.timeouts.total;
        let first_look = total.min(Instant::now() + settings.timeouts.idle);
        Self {
            upstream,
            splitter: Some(Splitter::new(Splitter::DEFAULT_LIMIT)),
            tap: Tap::default(),
            ready: VecDeque::new(),
            phase: Phase::Open,
            timer: Box::pin(tokio::time::sleep_until(first_look.into())),
            settings,
            settlement,
            recorder,
            begun: false,
            waiting: None,
            _permit: permit,
        }
    }

    /// Takes in a chunk and makes whole events ready to go.
    fn accept(&mut self, chunk: Bytes) {
        if !std::mem::replace(&mut self.begun, true) {
            self.settlement.first_byte(true);
        }
        let Some(splitter) = &mut self.splitter else { return };
        splitter.push(chunk);
        let mut batch = Batch::default();
        let fault = loop {
            match splitter.frame() {
                Ok(Some(event)) => {
                    let kind = self.tap.observe(&event);
                    if let Some(recorder) = &mut self.recorder {
                        recorder.push(event.bytes());
                    }
                    if !(kind == FrameKind::UsageOnly && self.settings.withhold_usage) {
                        batch.push(event);
                    }
                    if kind == FrameKind::Error {
                        break None;
                    }
                }
                Ok(None) => break None,
                Err(_) => {
                    break Some(UpstreamFault::Invalid("an event of its stream is too large or not UTF-8"));
                }
            }
        };
        self.ready.extend(batch.finish());
        match (fault, self.tap.ending()) {
            (Some(fault), _) => self.fail(fault),
            // Nothing may follow the provider's own error event: neither a second one nor a completion marker.
            (None, Ending::Failed) if self.phase == Phase::Open => self.break_off(None),
            (None, Ending::Complete) if self.phase == Phase::Open => self.complete(),
            _ => {}
        }
    }

    /// The completion marker has passed. What follows is passed on, too: it may carry the usage of a second message.
    fn complete(&mut self) {
        self.phase = Phase::Closing;
        self.timer.as_mut().reset(tokio::time::Instant::now() + CLOSING);
    }

    /// Settles a stream that has come to its end with its completion marker.
    fn settle(&mut self) {
        self.phase = Phase::Done;
        let reading = self.tap.reading();
        self.settlement.complete(&reading);
        self.settlement.account().close("ok");
        if let Some(recorder) = self.recorder.take() {
            recorder.store(&reading);
        }
    }

    /// The provider has nothing more to send.
    fn end(&mut self) {
        if self.phase == Phase::Open {
            self.take_tail();
        }
        self.fail(UpstreamFault::Broken);
    }

    /// What stood behind the last whole event: another one that only lacks its blank line, or a torn one.
    fn take_tail(&mut self) {
        let Some(Ok(leftover)) = self.splitter.take().map(Splitter::finish) else { return };
        let (event, known) = match leftover {
            Leftover::Nothing => return,
            Leftover::Frame(event) => {
                let _ = self.tap.observe(&event);
                (event, true)
            }
            Leftover::Partial(event) => {
                let known = self.tap.observe_tail(&event);
                (event, known)
            }
        };
        if !known {
            return;
        }
        if let Some(recorder) = &mut self.recorder {
            recorder.push(event.bytes());
        }
        self.ready.push_back(event.into_bytes());
        if self.tap.ending() == Ending::Complete {
            self.complete();
        }
    }

    /// Tells the caller that the stream is not complete, and ends it.
    fn fail(&mut self, fault: UpstreamFault) {
        match self.phase {
            Phase::Open => self.break_off(Some(fault)),
            _ => self.settle(),
        }
    }

    /// `None`: the provider sent an error event of its own, which has passed already.
    fn break_off(&mut self, fault: Option<UpstreamFault>) {
        self.phase = Phase::Done;
        self.recorder = None;
        if let Some(fault) = fault {
            let problem = fault.refusal().problem();
            self.ready.push_back(error_body::event(self.settings.dialect, &problem));
        }
        let label = fault.map_or("error_event", UpstreamFault::label);
        self.settlement.truncate(label, &self.tap.reading());
        self.settlement.account().close("upstream_error");
    }

    /// Looks at the clock when nothing else is to do. The timer is set anew only when it rings, not for each event.
    ///
    /// Silence counts from when the provider is waited for: a caller who pauses must not be taken for it.
    fn check_time(&mut self, context: &mut Context<'_>) -> Poll<()> {
        let since = *self.waiting.get_or_insert_with(Instant::now);
        while self.timer.as_mut().poll(context).is_ready() {
            let now = Instant::now();
            let idle = since + self.settings.timeouts.idle;
            let total = self.settings.sent + self.settings.timeouts.total;
            match self.phase {
                Phase::Open if now >= total => self.fail(UpstreamFault::TotalTimeout),
                Phase::Open if now >= idle => self.fail(UpstreamFault::IdleTimeout),
                Phase::Open => {
                    self.timer.as_mut().reset(idle.min(total).into());
                    continue;
                }
                _ => self.settle(),
            }
            return Poll::Ready(());
        }
        Poll::Pending
    }
}

impl Body for Relay {
    type Data = Bytes;
    type Error = BodyError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        let relay = &mut *self;
        loop {
            if let Some(bytes) = relay.ready.pop_front() {
                return Poll::Ready(Some(Ok(Frame::data(bytes))));
            }
            if relay.phase == Phase::Done {
                return Poll::Ready(None);
            }
            match Pin::new(&mut relay.upstream).poll_frame(context) {
                Poll::Ready(Some(Ok(frame))) => {
                    relay.waiting = None;
                    if let Ok(chunk) = frame.into_data() {
                        relay.accept(chunk);
                    }
                }
                Poll::Ready(Some(Err(error))) => {
                    tracing::debug!(%error, "a provider's stream broke off");
                    relay.fail(UpstreamFault::Broken);
                }
                Poll::Ready(None) => relay.end(),
                Poll::Pending => {
                    if relay.check_time(context).is_pending() {
                        return Poll::Pending;
                    }
                }
            }
        }
    }
}

impl Drop for Relay {
    fn drop(&mut self) {
        match self.phase {
            Phase::Done => {}
            // The caller has all there is and left without waiting for the connection's end.
            Phase::Closing => self.settle(),
            Phase::Open => self.settlement.abandon(&self.tap.reading()),
        }
    }
}

/// Joins the events of one chunk into as few pieces as possible: events that lie side by side go as one slice.
#[derive(Default)]
struct Batch {
    events: Vec<Bytes>,
}

impl Batch {
    fn push(&mut self, event: Event) {
        self.events.push(event.into_bytes());
    }

    fn finish(self) -> Option<Bytes> {
        match <[Bytes; 1]>::try_from(self.events) {
            Ok([only]) => Some(only),
            Err(events) if events.is_empty() => None,
            Err(events) => {
                let mut joined = BytesMut::with_capacity(events.iter().map(Bytes::len).sum());
                events.iter().for_each(|event| joined.extend_from_slice(event));
                Some(joined.freeze())
            }
        }
    }
}
