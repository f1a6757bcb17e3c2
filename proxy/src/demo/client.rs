//! A caller: sends an order to the sidecar and reads the whole answer.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use bytes::Bytes;
use http::header::{self, HeaderMap, HeaderValue};
use http::{Method, Request};
use http_body_util::{BodyExt, Full};
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use router_core::Dialect;

use super::workload::Order;

/// What came back.
#[derive(Clone, Debug, Default)]
pub(super) struct Reply {
    /// A complete answer with status 200.
    pub(super) ok: bool,
    /// `x-router-cache`
    pub(super) cache: String,
    /// `x-router-band`
    pub(super) band: String,
    /// `x-router-placement`; empty where no provider answered.
    pub(super) placement: String,
    /// `x-router-overhead-us`
    pub(super) overhead_us: u64,
    /// Until the last byte.
    pub(super) elapsed: Duration,
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
        let client = hyper_util::client::legacy::Client::builder(TokioExecutor::new()).build(connector);
        Self { client, base: format!("http://{address}") }
    }

    /// Sends an order. What goes wrong on the way is a reply that is not ok.
    pub(super) async fn send(&self, order: &Order, began: Instant) -> Reply {
        let reply = self.exchange(order).await.unwrap_or_default();
        Reply { elapsed: began.elapsed(), ..reply }
    }

    async fn exchange(&self, order: &Order) -> Option<Reply> {
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
        let ok = response.status().is_success();
        let reply = Reply::of(response.headers());
        let body = response.into_body().collect().await.ok()?.to_bytes();
        Some(Reply { ok: ok && order.is_complete(&body), ..reply })
    }
}

impl Reply {
    fn of(headers: &HeaderMap) -> Self {
        let text = |name: &str| {
            headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default().to_owned()
        };
        Self {
            cache: text("x-router-cache"),
            band: text("x-router-band"),
            placement: text("x-router-placement"),
            overhead_us: text("x-router-overhead-us").parse().unwrap_or_default(),
            ..Self::default()
        }
    }
}
