//! A caller of the sidecar.

use std::net::SocketAddr;

use bytes::{Bytes, BytesMut};
use http::header::HeaderMap;
use http::{Method, Request, StatusCode};
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use serde_json::Value;

use super::dialect::Speech;
use super::within;

#[derive(Clone)]
pub struct TestClient {
    http: Client<HttpConnector, Full<Bytes>>,
    pub data: SocketAddr,
    pub admin: SocketAddr,
}

/// A whole answer.
#[derive(Clone, Debug)]
pub struct Reply {
    pub status: StatusCode,
    pub headers: HeaderMap,
    pub body: Bytes,
}

impl Reply {
    pub fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or_else(|error| panic!("{error}: {}", self.text()))
    }

    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    /// A header's value; empty where there is none.
    pub fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", |value| value.to_str().unwrap())
    }

    /// What the cache did.
    pub fn cache(&self) -> &str {
        self.header("x-router-cache")
    }
}

/// An answer whose body is still to come.
pub struct Stream {
    pub status: StatusCode,
    pub headers: HeaderMap,
    pub seen: BytesMut,
    body: Incoming,
}

impl Stream {
    /// Reads on until so many bytes have come in all.
    pub async fn read(&mut self, bytes: usize) {
        while self.seen.len() < bytes {
            let frame = within(self.body.frame()).await.expect("the body goes on").unwrap();
            self.seen.extend_from_slice(&frame.into_data().unwrap());
        }
    }

    /// Everything, to the orderly end.
    pub async fn rest(mut self) -> Reply {
        let rest = within(self.body.collect()).await.expect("an orderly end").to_bytes();
        self.seen.extend_from_slice(&rest);
        Reply { status: self.status, headers: self.headers, body: self.seen.freeze() }
    }
}

impl TestClient {
    pub fn new(data: SocketAddr, admin: SocketAddr) -> Self {
        Self { http: Client::builder(TokioExecutor::new()).build_http(), data, admin }
    }

    /// A client that shares no connection with this one.
    pub fn fresh(&self) -> Self {
        Self::new(self.data, self.admin)
    }

    pub async fn try_send(&self, request: Request<Full<Bytes>>) -> Result<Reply, String> {
        let response = within(self.http.request(request)).await.map_err(|error| format!("{error:?}"))?;
        let (head, body) = response.into_parts();
        let body = within(body.collect()).await.map_err(|error| format!("{error:?}"))?.to_bytes();
        Ok(Reply { status: head.status, headers: head.headers, body })
    }

    pub async fn send(&self, request: Request<Full<Bytes>>) -> Reply {
        self.try_send(request).await.unwrap()
    }

    pub async fn open(&self, request: Request<Full<Bytes>>) -> Stream {
        let (head, body) = within(self.http.request(request)).await.unwrap().into_parts();
        Stream { status: head.status, headers: head.headers, seen: BytesMut::new(), body }
    }

    pub fn request(
        &self,
        path: &str,
        headers: &[(&str, &str)],
        body: impl Into<Bytes>,
    ) -> Request<Full<Bytes>> {
        let mut builder = Request::post(format!("http://{}{path}", self.data));
        builder = builder.header("content-type", "application/json");
        for (name, value) in headers {
            builder = builder.header(*name, *value);
        }
        builder.body(Full::new(body.into())).unwrap()
    }

    pub async fn post(&self, path: &str, headers: &[(&str, &str)], body: impl Into<Bytes>) -> Reply {
        self.send(self.request(path, headers, body)).await
    }

    /// A request in one of the dialects.
    pub async fn ask(&self, speech: Speech, body: &Value) -> Reply {
        self.post(speech.path(), speech.headers(), body.to_string()).await
    }

    /// The same with more headers.
    pub async fn ask_with(&self, speech: Speech, headers: &[(&str, &str)], body: &Value) -> Reply {
        let headers = [speech.headers(), headers].concat();
        self.post(speech.path(), &headers, body.to_string()).await
    }

    pub async fn stream(&self, speech: Speech, body: &Value) -> Stream {
        self.open(self.request(speech.path(), speech.headers(), body.to_string())).await
    }

    pub async fn chat(&self, body: Value) -> Reply {
        self.ask(Speech::OpenAi, &body).await
    }

    pub async fn messages(&self, body: Value) -> Reply {
        self.ask(Speech::Anthropic, &body).await
    }

    pub async fn get(&self, path: &str, headers: &[(&str, &str)]) -> Reply {
        self.fetch(self.data, Method::GET, path, headers, "").await
    }

    pub async fn admin(&self, method: Method, path: &str, body: &str) -> Reply {
        self.fetch(self.admin, method, path, &[], body).await
    }

    pub async fn fetch(
        &self,
        address: SocketAddr,
        method: Method,
        path: &str,
        headers: &[(&str, &str)],
        body: &str,
    ) -> Reply {
        let mut builder = Request::builder().method(method).uri(format!("http://{address}{path}"));
        for (name, value) in headers {
            builder = builder.header(*name, *value);
        }
        self.send(builder.body(Full::new(Bytes::from(body.to_owned()))).unwrap()).await
    }

    /// The sum of a metric over all its lines whose labels contain every one of `labels`, like `outcome="ok"`.
    pub async fn metric(&self, name: &str, labels: &[&str]) -> f64 {
        let page = self.admin(Method::GET, "/metrics", "").await.text();
        let value = |line: &str| {
            let rest = line.strip_prefix("xynergy_router_")?.strip_prefix(name)?;
            let (found, value) = rest.rsplit_once(' ')?;
            let is_named = found.is_empty() || found.starts_with('{');
            let fits = is_named && labels.iter().all(|label| found.contains(label));
            fits.then(|| value.parse::<f64>().unwrap())
        };
        page.lines().filter_map(value).sum()
    }

    /// `requests_total` of one outcome.
    pub async fn outcomes(&self, outcome: &str) -> f64 {
        self.metric("requests_total", &[&format!("outcome=\"{outcome}\"")]).await
    }

    /// The generation of the policy in force.
    pub async fn generation(&self) -> u64 {
        let policy = self.admin(Method::GET, "/policy", "").await.json();
        policy["generation"].as_u64().unwrap()
    }
}
