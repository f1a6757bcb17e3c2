//! The body of a request on its way to a provider.

use std::convert::Infallible;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll};

use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};
use http_body_util::Full;

/// A body that tells when the connection takes it: from then on the provider may have the request, and bill it.
#[derive(Debug)]
pub struct Outgoing {
    body: Full<Bytes>,
    taken: Option<Arc<AtomicBool>>,
}

impl Outgoing {
    /// A body of these bytes.
    #[must_use]
    pub fn new(bytes: Bytes) -> Self {
        Self { body: Full::new(bytes), taken: None }
    }

    /// Sets `taken` once the body is on its way.
    pub fn tell(&mut self, taken: &Arc<AtomicBool>) {
        self.taken = Some(Arc::clone(taken));
    }
}

impl Body for Outgoing {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        if let Some(taken) = self.taken.take() {
            taken.store(true, Ordering::Release);
        }
        Pin::new(&mut self.body).poll_frame(context)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}
