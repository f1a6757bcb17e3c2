//! Turns a provider's answer into the caller's.

use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::{Bytes, BytesMut};
use http::header::{self, HeaderMap};
use http::{Response, StatusCode};
use http_body::Body;
use http_body_util::BodyExt;
use hyper::body::Incoming;
use router_core::{Band, Candidate, Framing, HoldBack, Placement, Timeouts, Usd};

use super::Passage;
use super::attempt::{Status, Tried};
use crate::account::Stopwatch;
use crate::cached::{Recorder, Shelf};
use crate::flaw::Seen;
use crate::headers;
use crate::payload::Payload;
use crate::quota;
use crate::relay::{Relay, RelaySettings};
use crate::respond;
use crate::settle::Settlement;
use crate::upstream::{Answer, UpstreamFault};
use crate::wire::reading::{self, Reading};

/// Largest plain answer held in memory. A thousand embeddings of 3,072 dimensions are about 40 MB of JSON.
const MAX_PLAIN_BYTES: usize = 64 << 20;

impl Passage {
    /// Passes an answer on: a stream event by event, a plain answer when all of it is here.
    pub(super) async fn answer(
        &self,
        candidate: &Candidate,
        settlement: Settlement,
        answer: Answer,
        others: bool,
        attempts: u32,
        watch: &mut Stopwatch,
    ) -> Tried {
        let success = Status::of(answer.head.status) == Status::Success;
        if success && is_event_stream(&answer.head.headers) {
            return self.stream(candidate, settlement, answer, others, attempts, watch).await;
        }
        self.plain(candidate, settlement, answer, others, attempts, watch).await
    }

    async fn stream(
        &self,
        candidate: &Candidate,
        settlement: Settlement,
        answer: Answer,
        others: bool,
        attempts: u32,
        watch: &mut Stopwatch,
    ) -> Tried {
        let Answer { head, body, sent, permit } = answer;
        let provider = self.snapshot.provider(candidate.provider);
        let settings = RelaySettings {
            dialect: self.digest.endpoint().dialect(),
            timeouts: candidate.timeouts,
            sent,
            withhold_usage: provider.is_some_and(|provider| self.asks_usage(provider)),
            keep_alive: self.snapshot.attempts.keep_alive,
        };
        let relayed = headers::relayable(&head.headers);
        let recorder = self.shelf(candidate).map(|shelf| Recorder::new(shelf, relayed.clone()));
        let mut relay = Relay::new(body, permit, settings, settlement, recorder);
        // What is held back is held for the sake of another candidate; without one the caller may as well see it.
        let hold_back = if others { self.snapshot.attempts.hold_back } else { HoldBack::default() };
        let deadline = sent + candidate.timeouts.first_byte;
        if let Err(fault) = watch.wait(relay.open(deadline, hold_back)).await {
            return Tried::Failed(fault);
        }
        if let Some(fault) = self.unfit(candidate, others, || Seen::of_stream(&relay)) {
            relay.give_up(fault);
            return Tried::Failed(fault);
        }
        Tried::Answered(self.respond(
            candidate,
            head.status,
            relayed,
            Payload::stream(relay),
            attempts,
            None,
            watch,
        ))
    }

    /// Why an internal answer in the hybrid band is not good enough, where another model can be asked instead.
    fn unfit(
        &self,
        candidate: &Candidate,
        others: bool,
        seen: impl FnOnce() -> Seen,
    ) -> Option<UpstreamFault> {
        let hybrid = self.decision.receipt.band == Band::Hybrid && candidate.placement == Placement::Internal;
        if !(hybrid && others && self.snapshot.attempts.escalate) {
            return None;
        }
        let flaw = seen().flaw(self.digest.needs)?;
        self.note_escalation(candidate);
        Some(UpstreamFault::Unfit(flaw))
    }

    async fn plain(
        &self,
        candidate: &Candidate,
        mut settlement: Settlement,
        answer: Answer,
        others: bool,
        attempts: u32,
        watch: &mut Stopwatch,
    ) -> Tried {
        let status = Status::of(answer.head.status);
        if status == Status::Success {
            settlement.first_byte(false);
        }
        let Answer { head, body, sent, permit } = answer;
        let read = watch.wait(collect(body, sent, &candidate.timeouts)).await;
        drop(permit);
        let (body, reading) = match read.and_then(|body| whole(status, &head.headers, body)) {
            Ok(whole) => whole,
            Err(Cut { fault, seen }) => {
                settlement.give_up(fault, &reading::read_body(&seen));
                return Tried::Failed(fault);
            }
        };
        let relayed = headers::relayable(&head.headers);
        if status != Status::Success {
            let retry_after = quota::retry_after(&head.headers);
            settlement.status(status.outcome(retry_after), status.label());
            let outcome = if status == Status::CallerFault { "client_error" } else { "upstream_error" };
            self.account.close(outcome);
            return Tried::Answered(self.respond(
                candidate,
                head.status,
                relayed,
                body.into(),
                attempts,
                None,
                watch,
            ));
        }
        if reading.error.is_some() && others {
            settlement.fail(UpstreamFault::Broken);
            return Tried::Failed(UpstreamFault::Broken);
        }
        if let Some(fault) = self.unfit(candidate, others, || Seen::of_body(&body, &reading)) {
            settlement.replace(fault, &reading);
            return Tried::Failed(fault);
        }
        // An answer that was replaced before this one is paid for, too.
        let cost = settlement.complete(&reading).map(|_| self.account.spent());
        if let Some(shelf) = self.shelf(candidate) {
            // What is not kept is not missed: the caller has it.
            let _ = shelf.store(body.clone(), Framing::Plain, &relayed, &reading);
        }
        self.account.close("ok");
        Tried::Answered(self.respond(candidate, head.status, relayed, body.into(), attempts, cost, watch))
    }

    /// Where the answer may be kept.
    fn shelf(&self, candidate: &Candidate) -> Option<Shelf> {
        let key = self.key.filter(|_| self.decision.cache.write)?;
        Some(Shelf {
            state: self.app.state.clone(),
            key,
            ttl: self.decision.cache.ttl,
            endpoint: self.digest.endpoint(),
            model: candidate.model,
            cache_bytes: self.snapshot.cache.max_bytes,
            meaning: self.meaning.clone(),
            tool_calls: self.decision.cache.tool_calls,
            tenant: self.tenant,
            tags: Arc::clone(&self.tags),
            trial: self.trial.clone(),
        })
    }

    #[expect(clippy::too_many_arguments, reason = "the parts of one response, each of them needed")]
    fn respond(
        &self,
        candidate: &Candidate,
        status: StatusCode,
        relayed: HeaderMap,
        body: Payload,
        attempts: u32,
        cost: Option<Usd>,
        watch: &Stopwatch,
    ) -> Response<Payload> {
        let mut response = Response::new(body);
        *response.status_mut() = status;
        *response.headers_mut() = relayed;
        let (cache, path) = match self.key {
            Some(_) if self.decision.cache.read => ("miss", "miss"),
            _ => ("bypass", "pass"),
        };
        self.remember(candidate.model, None);
        let own = watch.own();
        let headers = response.headers_mut();
        respond::explain(headers, &self.snapshot, &self.decision.receipt);
        respond::target(headers, &self.snapshot, candidate.model, &self.digest.model);
        respond::effort(headers, cache, attempts, cost, own);
        respond::vetoes(headers, self.vetoes);
        if !self.account.is_errand() {
            self.app.metrics.traffic.overhead.with_label_values(&[path]).observe(own.as_secs_f64());
        }
        response
    }
}

fn is_event_stream(headers: &HeaderMap) -> bool {
    headers.get(header::CONTENT_TYPE).is_some_and(|kind| {
        kind.as_bytes().get(..17).is_some_and(|k| k.eq_ignore_ascii_case(b"text/event-stream"))
    })
}

/// A plain answer that did not come whole.
struct Cut {
    fault: UpstreamFault,
    /// What came of it.
    seen: Bytes,
}

/// The pieces of a body. Only an answer of several is copied.
#[derive(Default)]
struct Pieces {
    first: Bytes,
    rest: BytesMut,
}

impl Pieces {
    fn push(&mut self, piece: Bytes) -> Result<(), UpstreamFault> {
        if self.rest.len() + self.first.len() + piece.len() > MAX_PLAIN_BYTES {
            return Err(UpstreamFault::TooLarge);
        }
        if self.first.is_empty() && self.rest.is_empty() {
            self.first = piece;
        } else {
            self.rest.extend_from_slice(&std::mem::take(&mut self.first));
            self.rest.extend_from_slice(&piece);
        }
        Ok(())
    }

    fn join(self) -> Bytes {
        if self.rest.is_empty() { self.first } else { self.rest.freeze() }
    }
}

/// The whole body, or why there is none.
async fn collect(mut body: Incoming, sent: Instant, timeouts: &Timeouts) -> Result<Bytes, Cut> {
    let mut pieces = Pieces::default();
    match gather(&mut body, &mut pieces, sent + timeouts.total, timeouts.idle).await {
        Ok(()) => Ok(pieces.join()),
        Err(fault) => Err(Cut { fault, seen: pieces.join() }),
    }
}

async fn gather(
    body: &mut Incoming,
    pieces: &mut Pieces,
    end: Instant,
    idle: Duration,
) -> Result<(), UpstreamFault> {
    while !body.is_end_stream() {
        let left = end.saturating_duration_since(Instant::now());
        let Some(piece) = piece(body, idle, left).await? else { break };
        pieces.push(piece)?;
    }
    Ok(())
}

async fn piece(body: &mut Incoming, idle: Duration, left: Duration) -> Result<Option<Bytes>, UpstreamFault> {
    loop {
        let frame = tokio::time::timeout(idle.min(left), body.frame()).await.map_err(|_| {
            if left <= idle { UpstreamFault::TotalTimeout } else { UpstreamFault::IdleTimeout }
        })?;
        match frame {
            None => return Ok(None),
            Some(Err(_)) => return Err(UpstreamFault::Broken),
            Some(Ok(frame)) => {
                if let Ok(data) = frame.into_data() {
                    return Ok(Some(data));
                }
            }
        }
    }
}

/// A JSON body that ends in mid-value was cut short, even where the connection ended in good order. And what succeeds with something
/// else than a JSON object (somebody's welcome page) is no answer; a provider's refusal may be written as it likes.
fn whole(status: Status, headers: &HeaderMap, body: Bytes) -> Result<(Bytes, Reading), Cut> {
    let json = headers
        .get(header::CONTENT_TYPE)
        .is_some_and(|kind| kind.as_bytes().starts_with(b"application/json"));
    let coded = headers.contains_key(header::CONTENT_ENCODING);
    if status == Status::Success && !coded {
        if !body.trim_ascii_start().starts_with(b"{") {
            let seen = if json { body } else { Bytes::new() };
            return Err(Cut { fault: UpstreamFault::Invalid("it is no JSON object"), seen });
        }
        if std::str::from_utf8(&body).is_err() {
            return Err(Cut { fault: UpstreamFault::Invalid("it is not UTF-8"), seen: body });
        }
    }
    let reading = reading::read_body(&body);
    if json && !coded && !reading.ended {
        return Err(Cut { fault: UpstreamFault::Broken, seen: body });
    }
    Ok((body, reading))
}
