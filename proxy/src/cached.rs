//! Answers from the cache, and answers on their way into it.

use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::{Bytes, BytesMut};
use http::header::{self, HeaderValue};
use http::{HeaderMap, Response};
use router_core::cache::digest::Digest as Question;
use router_core::{
    CacheKey, Digest, Endpoint, Entry, EntryTags, Framing, ModelId, ScopeKey, State, TenantId,
};

use crate::payload::Payload;
use crate::wire::completeness;
use crate::wire::reading::Reading;
use crate::wire::replay::{Wanted, replay};

/// Largest answer kept, as a share of the cache: one answer must not push out all others.
const MAX_ENTRY_SHARE: u64 = 8;

/// Where an answer goes when it turns out to be complete.
#[derive(Clone)]
pub struct Shelf {
    /// The cache's owner.
    pub state: Arc<State>,
    /// Under which key.
    pub key: CacheKey,
    /// For how long.
    pub ttl: Duration,
    /// What it answers.
    pub endpoint: Endpoint,
    /// Which model answered.
    pub model: ModelId,
    /// Bytes that the whole cache may hold.
    pub cache_bytes: u64,
    /// What the question means, where its answer may be given to another one.
    pub meaning: Option<Meaning>,
    /// Whether answers that call tools are kept.
    pub tool_calls: bool,
    /// Who asked.
    pub tenant: TenantId,
    /// What the request was tagged with.
    pub tags: EntryTags,
}

/// A question by its meaning, and what must be equal besides.
#[derive(Clone, Debug)]
pub struct Meaning {
    /// Everything else about the request.
    pub scope: ScopeKey,
    /// The question.
    pub question: Arc<Question>,
}

impl Meaning {
    /// What `question` means within `scope`.
    #[must_use]
    pub fn new(scope: ScopeKey, question: &str) -> Self {
        Self { scope, question: Arc::new(Question::of(question)) }
    }

    /// Bytes that it takes to find it again: the digest, and about as much for the lists that lead to it.
    fn index_bytes(&self) -> usize {
        if self.question.is_fit() { 2 * self.question.bytes() } else { 0 }
    }
}

impl Shelf {
    fn fits(&self, bytes: usize) -> bool {
        (bytes as u64) <= self.cache_bytes / MAX_ENTRY_SHARE
    }

    /// Stores a complete answer; anything else is dropped.
    pub fn store(&self, body: Bytes, framing: Framing, content_type: &HeaderMap, reading: &Reading) {
        let whole = match framing {
            Framing::Plain => completeness::check_body(self.endpoint, 200, &body, reading, self.tool_calls),
            Framing::Stream => completeness::check(self.endpoint, 200, reading, self.tool_calls),
        };
        if whole.is_err() || !self.fits(body.len()) {
            return;
        }
        let now = Instant::now();
        let content_type =
            content_type.get(header::CONTENT_TYPE).map(HeaderValue::as_bytes).unwrap_or_default();
        let entry = Entry {
            // A copy: the body is a slice of a read buffer several times its size, which it would keep alive.
            body: Bytes::copy_from_slice(&body),
            framing,
            content_type: Bytes::copy_from_slice(content_type),
            model: self.model,
            usage: reading.usage.as_ref().map(|usage| usage.tokens),
            tenant: self.tenant,
            tags: Arc::clone(&self.tags),
            index_bytes: self.meaning.as_ref().map_or(0, Meaning::index_bytes),
        };
        self.state.cache.store(self.key, entry, self.ttl, now);
        if let Some(Meaning { scope, question }) = &self.meaning {
            self.state.cache.file(&self.key, *scope, Question::clone(question), None);
        }
    }
}

/// Copies a stream for the cache while it passes by.
pub struct Recorder {
    shelf: Shelf,
    headers: HeaderMap,
    /// `None` once the stream has outgrown the cache.
    copy: Option<BytesMut>,
}

impl Recorder {
    /// Records for `shelf` a stream that came with `headers`.
    #[must_use]
    pub fn new(shelf: Shelf, headers: HeaderMap) -> Self {
        Self { shelf, headers, copy: Some(BytesMut::new()) }
    }

    /// Adds an event.
    pub fn push(&mut self, event: &[u8]) {
        if let Some(copy) = &mut self.copy {
            if self.shelf.fits(copy.len() + event.len()) {
                copy.extend_from_slice(event);
            } else {
                self.copy = None;
            }
        }
    }

    /// The stream is complete.
    pub fn store(self, reading: &Reading) {
        if let Some(copy) = self.copy {
            self.shelf.store(copy.freeze(), Framing::Stream, &self.headers, reading);
        }
    }
}

/// A stored answer in the framing that the caller asked for; `None` where it cannot be put so faithfully.
#[must_use]
pub fn serve(entry: &Entry, digest: &Digest) -> Option<Response<Payload>> {
    let framing = if digest.stream { Framing::Stream } else { Framing::Plain };
    let wanted = Wanted { framing, include_usage: digest.wants_stream_usage };
    let body = replay(digest.endpoint(), entry.framing, &entry.body, wanted)?;
    let content_type = match (entry.framing == framing, framing) {
        (true, _) => HeaderValue::from_maybe_shared(entry.content_type.clone()).ok()?,
        (false, Framing::Plain) => HeaderValue::from_static("application/json"),
        (false, Framing::Stream) => HeaderValue::from_static("text/event-stream; charset=utf-8"),
    };
    let mut response = Response::new(Payload::from(body));
    response.headers_mut().insert(header::CONTENT_TYPE, content_type);
    Some(response)
}
