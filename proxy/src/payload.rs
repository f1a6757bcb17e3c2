//! The body of every response the router sends.

use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};

/// Why a body ended early. The connection is cut, so that the reader cannot take the answer for complete.
pub type BodyError = Box<dyn std::error::Error + Send + Sync>;

/// A response body: bytes at hand, or a stream.
pub struct Payload {
    kind: Kind,
    /// Released when the body has been sent or dropped.
    guard: Option<Box<dyn Send>>,
}

enum Kind {
    /// All of it, known in advance. `None` once it was taken.
    Full(Option<Bytes>),
    /// Piece by piece.
    Stream(Pin<Box<dyn Body<Data = Bytes, Error = BodyError> + Send>>),
}

impl Payload {
    /// A body without bytes.
    #[must_use]
    pub const fn empty() -> Self {
        Self { kind: Kind::Full(None), guard: None }
    }

    /// The same body; `guard` lives as long as it does.
    #[must_use]
    pub fn guarded(mut self, guard: impl Send + 'static) -> Self {
        self.guard = Some(Box::new(guard));
        self
    }

    /// A streamed body.
    pub fn stream(body: impl Body<Data = Bytes, Error = BodyError> + Send + 'static) -> Self {
        Self { kind: Kind::Stream(Box::pin(body)), guard: None }
    }
}

impl From<Bytes> for Payload {
    fn from(bytes: Bytes) -> Self {
        Self { kind: Kind::Full((!bytes.is_empty()).then_some(bytes)), guard: None }
    }
}

impl From<String> for Payload {
    fn from(text: String) -> Self {
        Bytes::from(text).into()
    }
}

impl Body for Payload {
    type Data = Bytes;
    type Error = BodyError;

    fn poll_frame(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        match &mut self.get_mut().kind {
            Kind::Full(bytes) => Poll::Ready(bytes.take().map(|bytes| Ok(Frame::data(bytes)))),
            Kind::Stream(body) => body.as_mut().poll_frame(context),
        }
    }

    fn is_end_stream(&self) -> bool {
        match &self.kind {
            Kind::Full(bytes) => bytes.is_none(),
            Kind::Stream(body) => body.is_end_stream(),
        }
    }

    fn size_hint(&self) -> SizeHint {
        match &self.kind {
            Kind::Full(bytes) => SizeHint::with_exact(bytes.as_ref().map_or(0, Bytes::len) as u64),
            Kind::Stream(body) => body.size_hint(),
        }
    }
}
