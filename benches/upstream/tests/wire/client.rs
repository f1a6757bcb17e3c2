//! A client that hides nothing: one connection per request, every chunk and every break as it came.

use bytes::Bytes;
use http::{HeaderMap, Method, Request, StatusCode};
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper_util::rt::{TokioExecutor, TokioIo};
use router_upstream::Upstream;
use serde_json::Value;
use tokio::net::TcpStream;

/// Sends requests to an upstream.
pub(crate) struct Client {
    addr: std::net::SocketAddr,
    headers: Vec<(&'static str, String)>,
    http2: bool,
}

/// A response with all of its body that came.
pub(crate) struct Received {
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    pub(crate) chunks: Vec<Bytes>,
    /// The connection broke before the body's end.
    pub(crate) broken: bool,
}

impl Client {
    pub(crate) fn of(upstream: &Upstream) -> Self {
        Self { addr: upstream.addr(), headers: Vec::new(), http2: false }
    }

    pub(crate) fn header(mut self, name: &'static str, value: impl Into<String>) -> Self {
        self.headers.push((name, value.into()));
        self
    }

    /// Asks for a fault by header.
    pub(crate) fn fault(self, fault: &str) -> Self {
        self.header("x-upstream-fault", fault)
    }

    pub(crate) fn http2(mut self) -> Self {
        self.http2 = true;
        self
    }

    pub(crate) async fn post(&self, path: &str, body: &Value) -> Received {
        self.send(Method::POST, path, body.to_string()).await
    }

    pub(crate) async fn get(&self, path: &str) -> Received {
        self.send(Method::GET, path, String::new()).await
    }

    pub(crate) async fn send(&self, method: Method, path: &str, body: String) -> Received {
        Received::whole(self.try_send(method, path, body).await.unwrap()).await
    }

    /// A post of which only the head is awaited; dropping the response closes the connection.
    pub(crate) async fn open(&self, path: &str, body: &Value) -> hyper::Result<hyper::Response<Incoming>> {
        self.try_send(Method::POST, path, body.to_string()).await
    }

    async fn try_send(
        &self,
        method: Method,
        path: &str,
        body: String,
    ) -> hyper::Result<hyper::Response<Incoming>> {
        let mut request = Request::builder().method(method).uri(path).header("host", self.addr.to_string());
        for (name, value) in &self.headers {
            request = request.header(*name, value);
        }
        let socket = TokioIo::new(TcpStream::connect(self.addr).await.unwrap());
        if self.http2 {
            let (mut sender, connection) =
                hyper::client::conn::http2::handshake(TokioExecutor::new(), socket).await?;
            tokio::spawn(connection);
            let request = request.uri(format!("http://{}{path}", self.addr));
            return sender.send_request(request.body(Full::<Bytes>::from(body)).unwrap()).await;
        }
        let (mut sender, connection) = hyper::client::conn::http1::handshake(socket).await?;
        tokio::spawn(connection);
        sender.send_request(request.body(Full::<Bytes>::from(body)).unwrap()).await
    }
}

impl Received {
    pub(crate) async fn whole(response: hyper::Response<Incoming>) -> Self {
        let (head, mut body) = response.into_parts();
        let mut chunks = Vec::new();
        let mut broken = false;
        while let Some(frame) = body.frame().await {
            let Ok(frame) = frame else {
                broken = true;
                break;
            };
            chunks.extend(frame.into_data());
        }
        Self { status: head.status, headers: head.headers, chunks, broken }
    }

    pub(crate) fn bytes(&self) -> Vec<u8> {
        self.chunks.concat()
    }

    pub(crate) fn text(&self) -> String {
        String::from_utf8(self.bytes()).unwrap()
    }

    pub(crate) fn json(&self) -> Value {
        serde_json::from_slice(&self.bytes()).unwrap()
    }

    /// The `data:` payloads of a stream.
    pub(crate) fn data(&self) -> Vec<String> {
        let text = self.text().replace("\r\n", "\n");
        text.lines().filter_map(|line| line.strip_prefix("data: ")).map(str::to_owned).collect()
    }

    /// The payloads that are JSON.
    pub(crate) fn events(&self) -> Vec<Value> {
        self.data().iter().filter_map(|data| serde_json::from_str(data).ok()).collect()
    }

    pub(crate) fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", |value| value.to_str().unwrap())
    }
}

/// All strings that the events have at a place, joined.
pub(crate) fn joined(events: &[Value], pointer: &str) -> String {
    events.iter().filter_map(|event| event.pointer(pointer)?.as_str()).collect()
}
