//! A reply as bytes: head, chunks of the body, and how the body ends.

mod damage;

use bytes::Bytes;
use http::header::{CACHE_CONTROL, CONTENT_TYPE};
use http::{HeaderMap, HeaderValue, StatusCode};

use crate::json::Json;
use crate::prompt::Invalid;
use crate::route::Dialect;
use crate::{anthropic, openai};

/// A reply that any number of requests may share.
#[derive(Clone, Debug)]
pub(crate) struct Reply {
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    pub(crate) chunks: Vec<Chunk>,
    pub(crate) ending: Ending,
    /// What `content-length` says; none for a chunked body.
    pub(crate) length: Option<u64>,
    /// Every chunk is flushed before the next is made.
    pub(crate) flush_each: bool,
    /// Tokens that the delay model waits for; none where the answer comes at once.
    pub(crate) prompt_tokens: Option<u32>,
}

/// A part of a body.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Chunk {
    pub(crate) bytes: Bytes,
    /// The tokens of the answer in it.
    pub(crate) tokens: u32,
}

/// What follows the last chunk.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Ending {
    /// The orderly end of the body.
    Clean,
    /// FIN, without the last chunk.
    Close,
    /// RST.
    Reset,
    /// Nothing, until the client leaves.
    Stall,
}

impl Reply {
    /// A plain JSON reply.
    pub(crate) fn json(status: StatusCode, body: &Json) -> Self {
        Self::plain(status, "application/json", body.text().into())
    }

    /// An answer to a prompt, whole.
    pub(crate) fn answer(body: &Json, prompt_tokens: u32, output_tokens: u32) -> Self {
        let mut reply = Self::json(StatusCode::OK, body);
        reply.prompt_tokens = Some(prompt_tokens);
        reply.chunks.iter_mut().for_each(|chunk| chunk.tokens = output_tokens);
        reply
    }

    /// An answer to a prompt, as server-sent events.
    pub(crate) fn stream(events: Events, prompt_tokens: u32) -> Self {
        let mut headers = HeaderMap::with_capacity(8);
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("text/event-stream; charset=utf-8"));
        headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-cache"));
        Self {
            status: StatusCode::OK,
            headers,
            chunks: events.0,
            ending: Ending::Clean,
            length: None,
            flush_each: true,
            prompt_tokens: Some(prompt_tokens),
        }
    }

    /// A refusal in the caller's dialect.
    pub(crate) fn error(dialect: Dialect, status: u16, invalid: &Invalid) -> Self {
        let body = match dialect {
            Dialect::OpenAi => openai::error(status, invalid),
            Dialect::Anthropic => anthropic::error(status, &invalid.message),
        };
        Self::json(StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR), &body)
    }

    pub(crate) fn is_stream(&self) -> bool {
        self.headers.get(CONTENT_TYPE).is_some_and(|kind| kind.as_bytes().starts_with(b"text/event-stream"))
    }

    /// The bytes that the chunks hold.
    pub(crate) fn len(&self) -> u64 {
        self.chunks.iter().map(|chunk| chunk.bytes.len() as u64).sum()
    }

    fn plain(status: StatusCode, kind: &'static str, bytes: Bytes) -> Self {
        let mut headers = HeaderMap::with_capacity(8);
        headers.insert(CONTENT_TYPE, HeaderValue::from_static(kind));
        Self {
            status,
            headers,
            length: Some(bytes.len() as u64),
            chunks: vec![Chunk { bytes, tokens: 0 }],
            ending: Ending::Clean,
            flush_each: false,
            prompt_tokens: None,
        }
    }
}

/// A stream in the making, one chunk per event.
#[derive(Debug, Default)]
pub(crate) struct Events(Vec<Chunk>);

impl Events {
    /// `data: …`, as OpenAI's chat does.
    pub(crate) fn data(&mut self, data: &str, tokens: u32) {
        self.0.push(Chunk { bytes: format!("data: {data}\n\n").into(), tokens });
    }

    /// `event: …` and `data: …`, as Anthropic and OpenAI's responses do.
    pub(crate) fn event(&mut self, name: &str, data: &Json, tokens: u32) {
        let bytes = format!("event: {name}\ndata: {}\n\n", data.text()).into();
        self.0.push(Chunk { bytes, tokens });
    }
}

/// The tokens of one piece of an answer: four bytes each.
pub(crate) fn tokens_of(piece: &str) -> u32 {
    u32::try_from(piece.len().div_ceil(4)).unwrap_or(u32::MAX)
}
