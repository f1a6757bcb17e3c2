//! A small language for tests of the whole sidecar: `world().await`, `client.chat(…)`, `upstream.requests()`.

#![allow(dead_code, reason = "each test file uses its own part of the language")]

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::header::HeaderMap;
use http::{Method, Request, StatusCode};
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use router_policies::Origin;
use router_proxy::sidecar::{Settings, Sidecar};
use router_upstream::Upstream;
use serde_json::{Value, json};

/// A sidecar between a client and two providers.
pub struct World {
    pub inside: Upstream,
    pub outside: Upstream,
    pub sidecar: Sidecar,
    pub client: TestClient,
    pub policy: Policy,
}

/// The policy's file; gone when dropped.
pub struct Policy {
    folder: tempfile::TempDir,
}

impl Policy {
    pub fn write(text: &str) -> Self {
        let policy = Self { folder: tempfile::tempdir().unwrap() };
        policy.replace(text);
        policy
    }

    pub fn replace(&self, text: &str) {
        std::fs::write(self.path(), text).unwrap();
    }

    pub fn path(&self) -> std::path::PathBuf {
        self.folder.path().join("policy.toml")
    }
}

/// Two servers, four entries: each speaks both dialects.
pub fn base_policy(inside: SocketAddr, outside: SocketAddr) -> String {
    let provider = |name: &str, address: SocketAddr, dialect: &str, placement: &str| {
        let suffix = if dialect == "openai" { "/v1" } else { "" };
        format!(
            "[providers.{name}]\ndialect = \"{dialect}\"\nbase_url = \"http://{address}{suffix}\"\nplacement = \"{placement}\"\n\
             api_key = {{ env = \"TEST_PROVIDER_KEY\" }}\n\
             timeouts = {{ connect = \"2s\", first_byte = \"2s\", idle = \"2s\", total = \"20s\" }}\n"
        )
    };
    let model = |name: &str, provider: &str, input: &str, output: &str, tier: u8| {
        let upstream = name.trim_end_matches("-a");
        format!(
            "[models.{name}]\nprovider = \"{provider}\"\nupstream_model = \"{upstream}\"\n\
             price = {{ input = \"{input}\", output = \"{output}\" }}\ncontext = \"128k\"\ntier = {tier}\n"
        )
    };
    [
        "baseline = \"big\"\n".to_owned(),
        provider("local", inside, "openai", "internal"),
        provider("local-a", inside, "anthropic", "internal"),
        provider("cloud", outside, "openai", "external"),
        provider("cloud-a", outside, "anthropic", "external"),
        model("small", "local", "$0.05/M", "$0.08/M", 1),
        model("small-a", "local-a", "$0.05/M", "$0.08/M", 1),
        model("big", "cloud", "$2.50/M", "$10/M", 3),
        model("big-a", "cloud-a", "$2.50/M", "$10/M", 3),
        "[profiles.default]\ncandidates = [\"small\", \"small-a\", \"big\", \"big-a\"]\n".to_owned(),
    ]
    .concat()
}

pub async fn world() -> World {
    world_with("").await
}

/// A world whose policy has `more` behind the base policy.
pub async fn world_with(more: &str) -> World {
    world_of(|base| format!("{base}\n{more}"), Settings::default()).await
}

pub async fn world_of(policy: impl FnOnce(String) -> String, settings: Settings) -> World {
    let inside = Upstream::builder().name("local").models(["small"]).start().await.unwrap();
    let outside = Upstream::builder().name("cloud").models(["big"]).start().await.unwrap();
    let policy = Policy::write(&policy(base_policy(inside.addr(), outside.addr())));
    let any = SocketAddr::from(([127, 0, 0, 1], 0));
    let settings = Settings { listen: any, admin: any, ..settings };
    let scorer = Arc::new(router_classifiers::StructureScorer::default());
    let sidecar = Sidecar::start(settings, Origin::File(policy.path()), scorer).await.unwrap();
    let client = TestClient::new(sidecar.data(), sidecar.admin());
    World { inside, outside, sidecar, client, policy }
}

/// What a prompt must look like to be plainly hard.
pub const HARD: &str = "Prove that every bounded sequence in R^n has a convergent subsequence, derive the rate of convergence step by step, \
    then implement it in Rust:\n```rust\nfn f<T: Ord>(x: &[T]) -> Option<usize> { todo!() }\n```\n1. justify each lemma 2. analyse the complexity \
    3. compare with two alternatives 4. prove optimality. Requirements: must be lock-free, must not allocate, explain every memory ordering, \
    give a loom model, and evaluate \\int_0^1 x^n e^{-x} dx for n = 1..12 with error bounds.";

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
        serde_json::from_slice(&self.body).unwrap_or_else(|e| panic!("{e}: {}", self.text()))
    }

    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    pub fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", |value| value.to_str().unwrap())
    }
}

impl TestClient {
    pub fn new(data: SocketAddr, admin: SocketAddr) -> Self {
        Self { http: Client::builder(TokioExecutor::new()).build_http(), data, admin }
    }

    pub async fn open(&self, request: Request<Full<Bytes>>) -> http::Response<Incoming> {
        self.http.request(request).await.unwrap()
    }

    pub async fn send(&self, request: Request<Full<Bytes>>) -> Reply {
        let response = tokio::time::timeout(Duration::from_secs(30), self.open(request)).await.unwrap();
        let (head, body) = response.into_parts();
        Reply { status: head.status, headers: head.headers, body: body.collect().await.unwrap().to_bytes() }
    }

    pub fn request(
        &self,
        path: &str,
        headers: &[(&str, &str)],
        body: impl Into<Bytes>,
    ) -> Request<Full<Bytes>> {
        let mut builder = Request::builder().method(Method::POST).uri(format!("http://{}{path}", self.data));
        builder = builder.header("content-type", "application/json");
        for (name, value) in headers {
            builder = builder.header(*name, *value);
        }
        builder.body(Full::new(body.into())).unwrap()
    }

    pub async fn post(&self, path: &str, headers: &[(&str, &str)], body: impl Into<Bytes>) -> Reply {
        self.send(self.request(path, headers, body)).await
    }

    pub async fn chat(&self, body: Value) -> Reply {
        self.post("/v1/chat/completions", &[], body.to_string()).await
    }

    pub async fn messages(&self, body: Value) -> Reply {
        self.post("/v1/messages", &[("anthropic-version", "2023-06-01")], body.to_string()).await
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

    /// The value of a metric line, labels included: `requests_total{endpoint="…"}`; 0 where there is none.
    pub async fn metric(&self, line: &str) -> f64 {
        let page = self.admin(Method::GET, "/metrics", "").await.text();
        let wanted = format!("xynergy_router_{line} ");
        page.lines().find_map(|l| l.strip_prefix(&wanted)).map_or(0.0, |value| value.parse().unwrap())
    }
}

/// A chat request of one user turn.
pub fn chat(model: &str, prompt: &str) -> Value {
    json!({"model": model, "messages": [{"role": "user", "content": prompt}]})
}

/// The same with more fields.
pub fn chat_with(model: &str, prompt: &str, more: Value) -> Value {
    let mut body = chat(model, prompt);
    for (name, value) in more.as_object().unwrap() {
        body[name] = value.clone();
    }
    body
}

/// A messages request of one user turn.
pub fn message(model: &str, prompt: &str, more: Value) -> Value {
    chat_with(model, prompt, merged(json!({"max_tokens": 200}), more))
}

fn merged(mut a: Value, b: Value) -> Value {
    for (name, value) in b.as_object().unwrap() {
        a[name] = value.clone();
    }
    a
}
