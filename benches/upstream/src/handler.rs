//! One request from its head to the first byte of its response.

use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use http::header::{CONTENT_LENGTH, HeaderName};
use http::{HeaderValue, Request, Response};
use http_body_util::{BodyExt, LengthLimitError, Limited};
use hyper::body::Incoming;

use crate::body::{Cut, Delivery, ReplyBody};
use crate::control;
use crate::delay::Pace;
use crate::fault::Fault;
use crate::prompt::Invalid;
use crate::provider::{Provider, Verdict};
use crate::record::{End, Sight};
use crate::reply::{Ending, Reply};
use crate::route::{Dialect, Route};
use crate::server::link::Link;

/// The largest request body: 64 MiB, above what the real providers take (OpenAI 50 MB with images,
/// Anthropic 32 MB), so that a router's own limit is what a test meets.
const MAX_BODY_BYTES: usize = 64 << 20;

/// Answers a request, or fails it where a fault says that the connection ends instead.
pub(crate) async fn handle(
    provider: Arc<Provider>,
    link: Arc<Link>,
    request: Request<Incoming>,
) -> Result<Response<ReplyBody>, Cut> {
    let arrived = Instant::now();
    let (head, body) = request.into_parts();
    if control::owns(head.uri.path()) {
        let body = read(body).await.unwrap_or_default();
        return Ok(respond(ReplyBody::uncounted(control::answer(&provider, &head, &body)), None));
    }
    let mut ticket = provider.recorder.begin();
    let (verdict, body) = match read(body).await {
        Ok(body) => (provider.judge(&head, &body), body),
        Err(Unread::TooLarge) => (too_large(Route::of(&head).dialect(&head.headers)), Bytes::new()),
        Err(Unread::Gone) => {
            ticket.settle(End::Cancelled);
            return Err(Cut);
        }
    };
    let sight = Sight { head: &head, ordinal: ticket.ordinal(), connection: link.id(), arrived };
    provider.recorder.keep(sight, &body, &verdict.faults);
    if verdict.faults.iter().any(|fault| break_connection(&provider, &link, fault)) {
        ticket.settle(End::Cut);
        return Err(Cut);
    }
    Ok(deliver(&provider, verdict, Delivery { ticket, link }).await)
}

/// Why a request body was not read.
enum Unread {
    TooLarge,
    Gone,
}

async fn read(body: Incoming) -> Result<Bytes, Unread> {
    match Limited::new(body, MAX_BODY_BYTES).collect().await {
        Ok(body) => Ok(body.to_bytes()),
        Err(error) if error.is::<LengthLimitError>() => Err(Unread::TooLarge),
        Err(_) => Err(Unread::Gone),
    }
}

fn too_large(dialect: Dialect) -> Verdict {
    let reply = Reply::error(dialect, 413, &Invalid::new("The request body is too large.", None));
    Verdict { dialect, reply: Arc::new(reply), faults: Vec::new() }
}

/// Whether the fault ends the connection before anything is answered.
fn break_connection(provider: &Provider, link: &Link, fault: &Fault) -> bool {
    match fault {
        Fault::Refuse(pause) => {
            link.reset();
            provider.refuse(*pause);
        }
        Fault::ResetOnAccept => link.reset(),
        Fault::HangUp => link.close(),
        _ => return false,
    }
    true
}

/// Waits as long as the model and the faults say, then starts the response.
async fn deliver(provider: &Provider, verdict: Verdict, delivery: Delivery) -> Response<ReplyBody> {
    let Verdict { dialect, reply, faults } = verdict;
    let ordinal = delivery.ticket.ordinal();
    let delay = provider.settings.delay;
    let pace = reply.prompt_tokens.map_or(Pace::default(), |tokens| delay.pace(ordinal, tokens));
    let pace = faults.iter().fold(pace, slow_down);
    let mut before_headers = pace.headers;
    let mut before_body = pace.body;
    if provider.settings.early_headers && reply.is_stream() {
        before_body += pace.first;
    } else {
        before_headers += pace.first;
    }
    if !reply.is_stream() {
        let tokens: u32 = reply.chunks.iter().map(|chunk| chunk.tokens).sum();
        before_headers += pace.token * tokens.saturating_sub(1);
    }
    if before_headers > Duration::ZERO {
        tokio::time::sleep(before_headers).await;
    }
    let body = ReplyBody::paced(reply, before_body, pace.token, delivery);
    respond(body, Some((dialect, ordinal, provider.settings.name_header.clone())))
}

fn slow_down(pace: Pace, fault: &Fault) -> Pace {
    match fault {
        Fault::Slow(factor) => pace.stretch(f64::from(*factor)),
        Fault::SlowHeaders(wait) => Pace { headers: pace.headers + *wait, ..pace },
        Fault::SlowFirstToken(wait) => Pace { body: pace.body + *wait, ..pace },
        _ => pace,
    }
}

/// The response around a body, with the headers that differ from one request to the next.
fn respond(body: ReplyBody, call: Option<(Dialect, u64, HeaderValue)>) -> Response<ReplyBody> {
    let reply = body.reply();
    let (status, mut headers) = (reply.status, reply.headers.clone());
    if let Some(length) =
        reply.length.filter(|&length| reply.ending != Ending::Clean || length != reply.len())
    {
        headers.insert(CONTENT_LENGTH, HeaderValue::from(length));
    }
    if let Some((dialect, ordinal, name)) = call {
        let id = match dialect {
            Dialect::OpenAi => HeaderName::from_static("x-request-id"),
            Dialect::Anthropic => HeaderName::from_static("request-id"),
        };
        headers.extend(HeaderValue::try_from(format!("req_{ordinal:024x}")).map(|value| (id, value)));
        headers.insert("x-upstream-name", name);
    }
    let mut response = Response::new(body);
    *response.status_mut() = status;
    *response.headers_mut() = headers;
    response
}
