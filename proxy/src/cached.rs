//! Answers from the cache, and answers on their way into it.

use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::{Bytes, BytesMut};
use http::header::{self, HeaderValue};
use http::{HeaderMap, Response};
use router_classifiers::embed::EmbedWorker;
use router_core::cache::digest::Digest as Question;
use router_core::cache::matcher::Kind;
use router_core::cache::semantic::Vector;
use router_core::{
    CacheKey, Digest, Endpoint, Entry, EntryTags, Framing, ModelId, ScopeKey, State, TenantId,
};

use thiserror::Error;

use crate::handler::Trial;
use crate::payload::Payload;
use crate::sentences::{NoVector, Sentence, is_comparable};
use crate::wire::completeness::{self, Incomplete};
use crate::wire::reading::Reading;
use crate::wire::replay::{Wanted, replay};

/// Largest answer kept, as a share of the cache: one answer must not push out all others.
const MAX_ENTRY_SHARE: u64 = 8;

/// Why an answer was not kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum NotKept {
    /// It is not whole.
    #[error("not a complete answer: {0}")]
    Incomplete(#[from] Incomplete),
    /// It would take too much of the cache.
    #[error("larger than an eighth of the cache")]
    TooLarge,
}

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
    /// A stored answer to be compared with this one.
    pub(crate) trial: Option<Arc<Trial>>,
}

/// A question by its meaning, and what must be equal besides.
#[derive(Clone, Debug)]
pub struct Meaning {
    /// Everything else about the request.
    pub scope: ScopeKey,
    /// The question.
    pub question: Arc<Question>,
    /// The same for the sentence model, where one is in use.
    sentence: Option<Sentence>,
}

/// A vector that is to be stored is waited for longer than a request waits: nobody waits with it.
const FILING_PATIENCE: Duration = Duration::from_secs(5);

impl Meaning {
    /// What `text` means within `scope`; `None` where it cannot be compared by meaning.
    #[must_use]
    pub fn try_new(scope: ScopeKey, text: &str, worker: Option<Arc<EmbedWorker>>) -> Option<Self> {
        let question = Question::of(text);
        if !is_comparable(&question, text) {
            return None;
        }
        let sentence = worker.map(|worker| Sentence::new(worker, text));
        Some(Self { scope, question: Arc::new(question), sentence })
    }

    /// Which matcher compares it.
    #[must_use]
    pub const fn kind(&self) -> Kind {
        if self.sentence.is_some() { Kind::Embedded } else { Kind::BuiltIn }
    }

    /// Its vector, where the matcher needs one, if it is there within `patience`.
    ///
    /// # Errors
    /// Why it is not, by name.
    pub async fn vector(&self, patience: Duration) -> Result<Option<Vector>, NoVector> {
        match &self.sentence {
            Some(sentence) => sentence.vector(patience).await.map(Some),
            None => Ok(None),
        }
    }

    /// Files the question, so that others find the answer stored under `key`: now, or when its vector is here.
    pub fn file(&self, state: &Arc<State>, key: &CacheKey) {
        if self.sentence.is_none() {
            return state.cache.file(key, self.scope, Question::clone(&self.question), None);
        }
        let (meaning, state, key) = (self.clone(), Arc::clone(state), *key);
        tokio::spawn(async move {
            if let Ok(vector) = meaning.vector(FILING_PATIENCE).await {
                state.cache.file(&key, meaning.scope, Question::clone(&meaning.question), vector);
            }
        });
    }

    /// Bytes that it takes to find it again: the digest, about as much for the lists that lead to it, and the vector.
    fn index_bytes(&self) -> usize {
        2 * self.question.bytes() + self.sentence.as_ref().map_or(0, Sentence::vector_bytes)
    }
}

impl Shelf {
    fn fits(&self, bytes: usize) -> bool {
        (bytes as u64) <= self.cache_bytes / MAX_ENTRY_SHARE
    }

    /// Stores a complete answer; anything else is dropped.
    ///
    /// # Errors
    /// Why it was not kept.
    pub fn store(
        &self,
        body: Bytes,
        framing: Framing,
        content_type: &HeaderMap,
        reading: &Reading,
    ) -> Result<(), NotKept> {
        match framing {
            Framing::Plain => completeness::check_body(self.endpoint, 200, &body, reading, self.tool_calls)?,
            Framing::Stream => completeness::check(self.endpoint, 200, reading, self.tool_calls)?,
        }
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
        let fits = self.fits(body.len());
        if let Some(trial) = &self.trial {
            trial.weigh(&entry, fits);
        }
        if !fits {
            return Err(NotKept::TooLarge);
        }
        self.state.cache.store(self.key, entry, self.ttl, Instant::now());
        if let Some(meaning) = &self.meaning {
            meaning.file(&self.state, &self.key);
        }
        Ok(())
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
            // What is not kept is not missed: the caller has it.
            let _ = self.shelf.store(copy.freeze(), Framing::Stream, &self.headers, reading);
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
