//! Requests in a few words: `ask("0.3 hello").tools().max_tokens(100)`.

use std::time::Duration;

use router_core::{
    CacheWish, Digest, Endpoint, FingerprintKey, Placement, RouteRequest, Tags, TenantId, Usd,
};
use serde_json::{Value, json};

/// A chat request to `auto` with this question.
pub fn ask(question: &str) -> Ask {
    Ask {
        endpoint: Endpoint::ChatCompletions,
        body: json!({"model": "auto", "messages": [{"role": "user", "content": question}]}),
        tenant: TenantId::ANONYMOUS,
        tags: Vec::new(),
        placement: None,
        max_cost: None,
        cache: CacheWish::default(),
    }
}

#[derive(Clone)]
pub struct Ask {
    endpoint: Endpoint,
    body: Value,
    tenant: TenantId,
    tags: Vec<(&'static str, &'static str)>,
    placement: Option<Placement>,
    max_cost: Option<Usd>,
    cache: CacheWish,
}

impl Ask {
    /// Sets any field of the body.
    pub fn with(mut self, field: &str, value: Value) -> Self {
        self.body[field] = value;
        self
    }

    pub fn model(self, name: &str) -> Self {
        self.with("model", name.into())
    }

    /// Sends the question as Anthropic Messages.
    pub fn messages(self) -> Self {
        Self { endpoint: Endpoint::Messages, ..self }.with("max_tokens", 100.into())
    }

    /// Sends the question to be embedded.
    pub fn embeddings(mut self) -> Self {
        let question = self.body["messages"][0]["content"].take();
        self.body = json!({"model": self.body["model"], "input": question});
        Self { endpoint: Endpoint::Embeddings, ..self }
    }

    pub fn tools(self) -> Self {
        self.with("tools", json!([{"type": "function", "function": {"name": "f", "parameters": {}}}]))
    }

    pub fn schema(self) -> Self {
        self.with(
            "response_format",
            json!({"type": "json_schema", "json_schema": {"name": "s", "schema": {}}}),
        )
    }

    pub fn image(mut self) -> Self {
        let question = self.body["messages"][0]["content"].take();
        self.body["messages"][0]["content"] = json!([
            {"type": "text", "text": question},
            {"type": "image_url", "image_url": {"url": "https://pictures.example/1.png"}}
        ]);
        self
    }

    pub fn stream(self) -> Self {
        self.with("stream", true.into())
    }

    pub fn temperature(self, temperature: f64) -> Self {
        self.with("temperature", temperature.into())
    }

    pub fn max_tokens(self, tokens: u64) -> Self {
        self.with("max_tokens", tokens.into())
    }

    pub fn tenant(self, tenant: TenantId) -> Self {
        Self { tenant, ..self }
    }

    pub fn tag(mut self, key: &'static str, value: &'static str) -> Self {
        self.tags.push((key, value));
        self
    }

    pub fn placement(self, placement: Placement) -> Self {
        Self { placement: Some(placement), ..self }
    }

    pub fn max_cost(self, dollars: f64) -> Self {
        Self { max_cost: Some(Usd::from_dollars(dollars)), ..self }
    }

    pub fn no_cache(mut self) -> Self {
        self.cache.no_read = true;
        self
    }

    pub fn no_store(mut self) -> Self {
        self.cache.no_store = true;
        self
    }

    pub fn cache_ttl(mut self, ttl: Duration) -> Self {
        self.cache.ttl = Some(ttl);
        self
    }

    /// The body as it is sent.
    pub fn body(&self) -> String {
        self.body.to_string()
    }

    /// The body's digest.
    pub fn digest(&self, key: &FingerprintKey) -> Digest {
        Digest::read(self.endpoint, self.body().as_bytes(), key).expect("a well-formed request")
    }

    /// The request around the body's digest.
    pub fn route<'a>(&self, digest: &'a Digest) -> RouteRequest<'a> {
        let mut request = RouteRequest::new(digest, self.tenant);
        request.tags = Tags::from_iter(self.tags.iter().copied());
        request.placement = self.placement;
        request.max_cost = self.max_cost;
        request.cache = self.cache;
        request
    }
}
