//! A caller: asks, reads to the end, and says what it saw.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use anyhow::Context as _;
use http::{HeaderMap, Request, Response};
use http_body_util::{BodyExt as _, Full};
use hyper::body::{Bytes, Incoming};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::{TokioExecutor, TokioTimer};
use serde_json::{Value, json};
use tokio::task::JoinSet;

/// How an answer ended.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Ending {
    /// With its end, and status 200.
    Whole,
    /// With this status.
    Refused(u16),
    /// A stream that says that it is not complete.
    Told,
    /// Something that is not complete and does not say so.
    Silent,
    /// No answer at all.
    Lost,
}

/// What a caller saw.
#[derive(Clone, Debug)]
pub(super) struct Reply {
    pub(super) ending: Ending,
    /// `x-router-attempts`; 0 where there is none.
    pub(super) attempts: u32,
    /// `x-router-model`
    pub(super) model: String,
    /// Until the first byte of the body.
    pub(super) first_byte: Duration,
    /// When it was asked.
    pub(super) began: Instant,
}

impl Reply {
    pub(super) fn is_ok(&self) -> bool {
        self.ending == Ending::Whole
    }

    fn lost(began: Instant) -> Self {
        Self { ending: Ending::Lost, attempts: 0, model: String::new(), first_byte: began.elapsed(), began }
    }
}

/// A request of one user turn to `auto`.
pub(super) fn question(text: &str, stream: bool) -> Value {
    json!({"model": "auto", "stream": stream, "max_tokens": 64, "messages": [{"role": "user", "content": text}]})
}

/// Shorter than the ten seconds after which the sidecar closes an idle connection, so that no request runs into that.
const IDLE_CONNECTION: Duration = Duration::from_secs(5);

#[derive(Clone)]
pub(super) struct Caller {
    client: Client<HttpConnector, Full<Bytes>>,
    target: SocketAddr,
}

impl Caller {
    pub(super) fn new(target: SocketAddr) -> Self {
        let mut connector = HttpConnector::new();
        connector.set_nodelay(true);
        let client = Client::builder(TokioExecutor::new())
            .pool_timer(TokioTimer::new())
            .pool_idle_timeout(IDLE_CONNECTION)
            .build(connector);
        Self { client, target }
    }

    /// Sends a body and waits for the answer's head.
    pub(super) async fn open(&self, body: String) -> anyhow::Result<Response<Incoming>> {
        let request = Request::post(format!("http://{}/v1/chat/completions", self.target))
            .header("content-type", "application/json")
            .body(Full::new(Bytes::from(body)))?;
        Ok(self.client.request(request).await?)
    }

    /// Asks and reads to the end.
    pub(super) async fn ask(&self, body: &Value) -> Reply {
        let began = Instant::now();
        let stream = body["stream"] == true;
        match self.read(body.to_string(), stream, began).await {
            Ok(reply) => reply,
            Err(_) => Reply::lost(began),
        }
    }

    async fn read(&self, body: String, stream: bool, began: Instant) -> anyhow::Result<Reply> {
        let (head, mut body) = self.open(body).await?.into_parts();
        let (mut seen, mut first_byte) = (Vec::new(), None);
        while let Some(frame) = body.frame().await {
            if let Ok(piece) = frame?.into_data() {
                first_byte.get_or_insert_with(|| began.elapsed());
                seen.extend_from_slice(&piece);
            }
        }
        let ending = match head.status.as_u16() {
            200 => ending(&seen, stream),
            status => Ending::Refused(status),
        };
        let attempts = text(&head.headers, "x-router-attempts").parse().unwrap_or_default();
        let model = text(&head.headers, "x-router-model");
        Ok(Reply { ending, attempts, model, first_byte: first_byte.unwrap_or(began.elapsed()), began })
    }

    /// Sends `rate` questions a second for this time, and waits for all answers. Every question is another one.
    pub(super) async fn stream_of(
        &self,
        rate: u32,
        lasting: Duration,
        stream: bool,
    ) -> anyhow::Result<Vec<Reply>> {
        let count = (lasting.as_secs_f64() * f64::from(rate)) as u32;
        let begun = Instant::now();
        let mut asked = JoinSet::new();
        for number in 0..count {
            tokio::time::sleep_until((begun + Duration::from_secs(1) * number / rate).into()).await;
            let caller = self.clone();
            let body = question(&format!("question {number} of {count}"), stream);
            asked.spawn(async move { caller.ask(&body).await });
        }
        let mut replies = Vec::new();
        while let Some(reply) = asked.join_next().await {
            replies.push(reply.context("a caller has failed")?);
        }
        replies.sort_by_key(|reply| reply.began);
        Ok(replies)
    }
}

fn ending(seen: &[u8], stream: bool) -> Ending {
    if stream {
        let text = String::from_utf8_lossy(seen);
        match (text.trim_end().ends_with("data: [DONE]"), text.contains("\"error\"")) {
            (true, _) => Ending::Whole,
            (false, true) => Ending::Told,
            (false, false) => Ending::Silent,
        }
    } else {
        let answer = serde_json::from_slice::<Value>(seen);
        if answer.is_ok_and(|answer| answer.is_object()) { Ending::Whole } else { Ending::Silent }
    }
}

fn text(headers: &HeaderMap, name: &str) -> String {
    headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default().to_owned()
}

/// The value below which `share` of the first bytes lie.
pub(super) fn first_byte(replies: &[Reply], share: f64) -> Duration {
    let mut times: Vec<Duration> =
        replies.iter().filter(|reply| reply.is_ok()).map(|reply| reply.first_byte).collect();
    times.sort_unstable();
    let at = (times.len() as f64 * share).ceil() as usize;
    times.get(at.saturating_sub(1)).copied().unwrap_or_default()
}

/// What went wrong, by kind.
pub(super) fn kinds(replies: &[Reply]) -> String {
    let mut counts = BTreeMap::<&Ending, usize>::new();
    for reply in replies.iter().filter(|reply| !reply.is_ok()) {
        *counts.entry(&reply.ending).or_default() += 1;
    }
    let name = |ending: &Ending| match ending {
        Ending::Refused(status) => format!("status {status}"),
        Ending::Told => "typed error in mid-stream".to_owned(),
        Ending::Silent => "silent".to_owned(),
        Ending::Whole | Ending::Lost => "connection lost".to_owned(),
    };
    let parts: Vec<_> = counts.iter().map(|(ending, count)| format!("{count} × {}", name(ending))).collect();
    if parts.is_empty() { "nothing".to_owned() } else { parts.join(", ") }
}

/// The share of answers that are not whole.
pub(super) fn error_share(replies: &[Reply]) -> f64 {
    let errors = replies.iter().filter(|reply| !reply.is_ok()).count();
    errors as f64 / replies.len().max(1) as f64
}
