//! Passes a provider's event stream on to the caller, and never makes it look better than it is.
//!
//! Whole events only, bytes untouched: an event that was cut is not begun. When the provider breaks off, stalls, or ends
//! without its completion marker, the caller gets an error event in its own dialect and the orderly end of the body. When
//! the caller leaves, dropping the relay drops the provider's connection.

use std::collections::VecDeque;
use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::{Duration, Instant};

use bytes::{Bytes, BytesMut};
use http_body::{Body, Frame};
use hyper::body::Incoming;
use router_core::{Dialect, HoldBack, Timeouts};
use tokio::sync::OwnedSemaphorePermit;
use tokio::time::Sleep;

use crate::cached::Recorder;
use crate::error_body;
use crate::payload::BodyError;
use crate::settle::Settlement;
use crate::upstream::UpstreamFault;
use crate::wire::reading::Reading;
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
    /// A comment is sent after so long a silence.
    pub keep_alive: Duration,
}

/// Sent while a provider is silent. Comments are safe for every known client, where invented events are not.
const KEEP_ALIVE: &[u8] = b": keep-alive\n\n";

/// A body that relays an event stream.
pub struct Relay {
    upstream: Incoming,
    splitter: Option<Splitter>,
    tap: Tap,
    ready: VecDeque<Piece>,
    phase: Phase,
    /// Nothing has been promised to the caller yet, so that a failure is only told to whoever opened the relay.
    held: Option<Held>,
    settings: RelaySettings,
    settlement: Settlement,
    recorder: Option<Recorder>,
    begun: bool,
    /// Since when the provider is waited for; `None` while the caller is.
    waiting: Option<Instant>,
    timer: Pin<Box<Sleep>>,
    _permit: OwnedSemaphorePermit,
}

/// Whole events that go out together.
#[derive(Clone, Debug)]
pub struct Piece {
    /// The events.
    pub bytes: Bytes,
    /// Whether they are the usage that only some callers ask for.
    pub usage_only: bool,
}

/// How it stands with a stream of which the caller has seen nothing.
#[derive(Clone, Copy)]
enum Held {
    Well,
    Failed(UpstreamFault),
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
        let first_look = total.min(Instant::now() + settings.timeouts.idle.min(settings.keep_alive));
        Self {
            upstream,
            splitter: Some(Splitter::new(Splitter::DEFAULT_LIMIT)),
            tap: Tap::default(),
            ready: VecDeque::new(),
            phase: Phase::Open,
            held: None,
            timer: Box::pin(tokio::time::sleep_until(first_look.into())),
            settings,
            settlement,
            recorder,
            begun: false,
            waiting: None,
            _permit: permit,
        }
    }

    /// Waits for the first event, until `deadline` at most, and then for as much as is to be held back. The caller has seen nothing
    /// until this returns, so a failure here can still be mended elsewhere; the attempt is settled then.
    ///
    /// # Errors
    /// Where the stream broke off, stalled, or turned out to be an error.
    pub async fn open(&mut self, deadline: Instant, hold_back: HoldBack) -> Result<(), UpstreamFault> {
        self.held = Some(Held::Well);
        let opened = self.fill(deadline, hold_back).await;
        self.held = None;
        opened
    }

    async fn fill(&mut self, deadline: Instant, hold_back: HoldBack) -> Result<(), UpstreamFault> {
        let mut until = deadline;
        let mut holding = false;
        loop {
            if let Some(Held::Failed(fault)) = self.held {
                return Err(fault);
            }
            let bytes: usize = self.ready.iter().map(|piece| piece.bytes.len()).sum();
            let enough =
                hold_back == HoldBack::default() || (hold_back.bytes > 0 && bytes >= hold_back.bytes);
            if self.phase != Phase::Open || (bytes > 0 && enough) {
                return Ok(());
            }
            if bytes > 0 && !std::mem::replace(&mut holding, true) && !hold_back.time.is_zero() {
                until = Instant::now() + hold_back.time;
            }
            let step = std::future::poll_fn(|context| self.poll_step(context));
            match tokio::time::timeout_at(until.into(), step).await {
                Ok(()) => {}
                Err(_) if holding => return Ok(()),
                Err(_) => self.fail(UpstreamFault::FirstByteTimeout),
            }
        }
    }

    /// What is known of the answer so far.
    #[must_use]
    pub fn reading(&self) -> Reading {
        self.tap.reading()
    }

    /// The events that are ready, as they will go out.
    pub fn held_back(&self) -> impl Iterator<Item = &Bytes> {
        self.ready.iter().map(|piece| &piece.bytes)
    }

    /// Gives the stream up in favour of another one, before the caller has seen any of it.
    pub fn give_up(&mut self, fault: UpstreamFault) {
        self.phase = Phase::Done;
        self.recorder = None;
        self.settlement.replace(fault, &self.tap.reading());
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
                    if kind == FrameKind::UsageOnly {
                        self.ready.extend(batch.finish());
                        self.ready.push_back(Piece { bytes: event.into_bytes(), usage_only: true });
                    } else {
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
            _ => self.keep_pace(),
        }
    }

    /// Sets money aside for what is still to come.
    fn keep_pace(&mut self) {
        if self.phase == Phase::Open
            && let Err(fault) = self.settlement.keep_pace(self.tap.text_bytes())
        {
            self.break_off(Some(fault));
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
        self.ready.push_back(Piece { bytes: event.into_bytes(), usage_only: false });
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
        if let Some(held) = &mut self.held {
            let fault = fault.unwrap_or(UpstreamFault::ErrorEvent);
            *held = Held::Failed(fault);
            match fault {
                // The provider did nothing wrong, and what it has sent is to be paid for.
                UpstreamFault::Unaffordable => self.settlement.replace(fault, &self.tap.reading()),
                _ => self.settlement.give_up(fault, &self.tap.reading()),
            }
            return;
        }
        if let Some(fault) = fault {
            let problem = fault.refusal().problem();
            let bytes = error_body::event(self.settings.dialect, &problem);
            self.ready.push_back(Piece { bytes, usage_only: false });
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
                    self.keep_alive(now);
                    let next = idle.min(total).min(now + self.settings.keep_alive);
                    self.timer.as_mut().reset(next.into());
                    if self.ready.is_empty() {
                        continue;
                    }
                }
                _ => self.settle(),
            }
            return Poll::Ready(());
        }
        Poll::Pending
    }

    /// Tells the caller that the stream lives, once its head is out and the provider has been silent for a while.
    fn keep_alive(&mut self, now: Instant) {
        let silent = self.waiting.is_some_and(|since| now >= since + self.settings.keep_alive);
        if silent && self.held.is_none() {
            self.ready.push_back(Piece { bytes: Bytes::from_static(KEEP_ALIVE), usage_only: false });
        }
    }

    /// The next piece for the caller; `None` at the end.
    pub fn poll_piece(&mut self, context: &mut Context<'_>) -> Poll<Option<Piece>> {
        loop {
            if let Some(piece) = self.ready.pop_front() {
                return Poll::Ready(Some(piece));
            }
            if self.phase == Phase::Done {
                return Poll::Ready(None);
            }
            ready!(self.poll_step(context));
        }
    }

    /// One step on: a chunk taken in, the end seen, or the clock looked at.
    fn poll_step(&mut self, context: &mut Context<'_>) -> Poll<()> {
        match Pin::new(&mut self.upstream).poll_frame(context) {
            Poll::Ready(Some(Ok(frame))) => {
                self.waiting = None;
                if let Ok(chunk) = frame.into_data() {
                    self.accept(chunk);
                }
            }
            Poll::Ready(Some(Err(error))) => {
                tracing::debug!(%error, "a provider's stream broke off");
                self.fail(UpstreamFault::Broken);
            }
            Poll::Ready(None) => self.end(),
            Poll::Pending => return self.check_time(context),
        }
        Poll::Ready(())
    }
}

impl Body for Relay {
    type Data = Bytes;
    type Error = BodyError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        loop {
            match ready!(self.poll_piece(context)) {
                Some(piece) if piece.usage_only && self.settings.withhold_usage => {}
                Some(piece) => return Poll::Ready(Some(Ok(Frame::data(piece.bytes)))),
                None => return Poll::Ready(None),
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

    /// What was pushed since the last call.
    fn finish(&mut self) -> Option<Piece> {
        let bytes = match <[Bytes; 1]>::try_from(std::mem::take(&mut self.events)) {
            Ok([only]) => only,
            Err(events) if events.is_empty() => return None,
            Err(events) => {
                let mut joined = BytesMut::with_capacity(events.iter().map(Bytes::len).sum());
                events.iter().for_each(|event| joined.extend_from_slice(event));
                joined.freeze()
            }
        };
        Some(Piece { bytes, usage_only: false })
    }
}
