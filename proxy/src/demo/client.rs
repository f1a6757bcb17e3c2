//! A caller: sends an order to the sidecar and reads the whole answer.

use std::fmt;
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use bytes::Bytes;
use http::header::{self, HeaderMap, HeaderValue};
use http::{Method, Request};
use http_body_util::{BodyExt, Full};
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::{TokioExecutor, TokioTimer};
use router_core::Dialect;

use super::workload::Order;

/// What came back.
#[derive(Clone, Debug)]
pub(super) struct Reply {
    pub(super) ending: Ending,
    /// `x-router-attempts`
    pub(super) attempts: u32,
    /// Until the first byte of a stream.
    pub(super) first_token: Option<Duration>,
    /// `x-router-cache`
    pub(super) cache: String,
    /// `x-router-band`
    pub(super) band: String,
    /// `x-router-placement`; empty where no provider answered.
    pub(super) placement: String,
    /// `x-router-overhead-us`
    pub(super) overhead_us: u64,
    /// `x-router-error`
    error: String,
    /// When it was asked for.
    pub(super) began: Instant,
    /// Until the last byte.
    pub(super) elapsed: Duration,
}

/// How an answer ended.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) enum Ending {
    /// With its end, and status 200.
    Whole,
    /// With an error status and this code.
    Refused(u16, String),
    /// A stream that says that it is not complete.
    Told,
    /// Something that is not a whole answer and does not say so.
    Silent,
    /// The connection broke.
    #[default]
    Lost,
}

impl fmt::Display for Ending {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Whole => f.write_str("whole"),
            Self::Refused(status, code) => write!(f, "answered with {status} {code}"),
            Self::Told => f.write_str("stream ended with an error event"),
            Self::Silent => f.write_str("ended short and said nothing"),
            Self::Lost => f.write_str("connection lost"),
        }
    }
}

#[derive(Clone)]
pub(super) struct Client {
    client: hyper_util::client::legacy::Client<HttpConnector, Full<Bytes>>,
    base: String,
}

impl Client {
    pub(super) fn new(address: SocketAddr) -> Self {
        let mut connector = HttpConnector::new();
        connector.set_nodelay(true);
        // Sooner than the sidecar closes an idle connection, so that no request runs into that.
        let client = hyper_util::client::legacy::Client::builder(TokioExecutor::new())
            .pool_timer(TokioTimer::new())
            .pool_idle_timeout(Duration::from_secs(5))
            .build(connector);
        Self { client, base: format!("http://{address}") }
    }

    /// Sends an order. What goes wrong on the way is a reply that is not ok.
    pub(super) async fn send(&self, order: &Order, began: Instant) -> Reply {
        let reply = self.exchange(order, began).await.unwrap_or_else(|| Reply::of(began, &HeaderMap::new()));
        Reply { elapsed: began.elapsed(), ..reply }
    }

    async fn exchange(&self, order: &Order, began: Instant) -> Option<Reply> {
        let mut request = Request::new(Full::new(Bytes::from(order.body())));
        *request.method_mut() = Method::POST;
        *request.uri_mut() = format!("{}{}", self.base, order.endpoint().path()).parse().ok()?;
        let headers = request.headers_mut();
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
        if order.dialect == Dialect::Anthropic {
            headers.insert("anthropic-version", HeaderValue::from_static("2023-06-01"));
        }
        if order.confidential {
            headers.insert("x-router-tags", HeaderValue::from_static("data=confidential"));
        }
        let response = self.client.request(request).await.ok()?;
        let status = response.status();
        let reply = Reply::of(began, response.headers());
        let refused = reply.error.clone();
        let mut body = response.into_body();
        let (mut seen, mut first_token) = (Vec::new(), None);
        while let Some(frame) = body.frame().await {
            if let Ok(piece) = frame.ok()?.into_data() {
                first_token.get_or_insert_with(|| began.elapsed());
                seen.extend_from_slice(&piece);
            }
        }
        let ending = match status.is_success() {
            false => Ending::Refused(status.as_u16(), refused),
            true if order.is_complete(&seen) => Ending::Whole,
            true if String::from_utf8_lossy(&seen).contains("\"error\"") => Ending::Told,
            true => Ending::Silent,
        };
        Some(Reply { ending, first_token: first_token.filter(|_| order.is_streamed()), ..reply })
    }
}

impl Reply {
    /// A complete answer with status 200.
    pub(super) fn is_ok(&self) -> bool {
        self.ending == Ending::Whole
    }

    /// Whether a provider was asked for it. An answer from the cache names the model that once gave it.
    pub(super) fn was_asked(&self) -> bool {
        matches!(self.cache.as_str(), "miss" | "bypass")
    }

    fn of(began: Instant, headers: &HeaderMap) -> Self {
        let text = |name: &str| {
            headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default().to_owned()
        };
        Self {
            cache: text("x-router-cache"),
            band: text("x-router-band"),
            placement: text("x-router-placement"),
            overhead_us: text("x-router-overhead-us").parse().unwrap_or_default(),
            attempts: text("x-router-attempts").parse().unwrap_or_default(),
            error: text("x-router-error"),
            ending: Ending::default(),
            first_token: None,
            began,
            elapsed: Duration::ZERO,
        }
    }
}
