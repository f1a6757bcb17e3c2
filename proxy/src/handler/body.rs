//! Reads a request's body within its limits.

use std::time::Duration;

use bytes::{Bytes, BytesMut};
use http::header::{self, HeaderMap};
use http_body::Body;
use http_body_util::BodyExt;
use hyper::body::Incoming;

use crate::refusal::Refusal;

/// Limits on what a caller may send.
#[derive(Clone, Copy, Debug)]
pub struct BodyLimits {
    /// Bytes at most.
    pub max_bytes: u64,
    /// Between two pieces at most.
    pub idle: Duration,
    /// For all of it at most.
    pub total: Duration,
}

impl Default for BodyLimits {
    /// 10 MiB; 30 s of silence; 120 s in all, so that a trickle cannot hold a connection for ever.
    fn default() -> Self {
        Self { max_bytes: 10 << 20, idle: Duration::from_secs(30), total: Duration::from_secs(120) }
    }
}

/// Collects the body.
///
/// # Errors
/// Too large, too slow, or malformed: always the caller's doing.
pub async fn read(mut body: Incoming, headers: &HeaderMap, limits: &BodyLimits) -> Result<Bytes, Refusal> {
    if body.size_hint().lower() > limits.max_bytes {
        return Err(Refusal::BodyTooLarge { limit: limits.max_bytes });
    }
    if headers.get(header::CONTENT_ENCODING).is_some_and(|coding| coding != "identity") {
        return Err(Refusal::invalid("send the body without Content-Encoding", Some("content-encoding")));
    }
    tokio::time::timeout(limits.total, collect(&mut body, limits)).await.map_err(|_| Refusal::SlowBody)?
}

async fn collect(body: &mut Incoming, limits: &BodyLimits) -> Result<Bytes, Refusal> {
    // Most bodies arrive in one piece, which is then passed on without a copy.
    let first = piece(body, limits.idle).await?.unwrap_or_default();
    let Some(second) = piece(body, limits.idle).await? else { return within(first, limits) };
    let mut whole = BytesMut::with_capacity(first.len() + second.len());
    whole.extend_from_slice(&first);
    let mut next = Some(second);
    while let Some(bytes) = next {
        whole.extend_from_slice(&bytes);
        if whole.len() as u64 > limits.max_bytes {
            return Err(Refusal::BodyTooLarge { limit: limits.max_bytes });
        }
        next = piece(body, limits.idle).await?;
    }
    Ok(whole.freeze())
}

fn within(bytes: Bytes, limits: &BodyLimits) -> Result<Bytes, Refusal> {
    if bytes.len() as u64 > limits.max_bytes {
        return Err(Refusal::BodyTooLarge { limit: limits.max_bytes });
    }
    Ok(bytes)
}

/// The next data; `None` at the end. Trailers are passed over.
async fn piece(body: &mut Incoming, idle: Duration) -> Result<Option<Bytes>, Refusal> {
    while !body.is_end_stream() {
        let frame = tokio::time::timeout(idle, body.frame()).await.map_err(|_| Refusal::SlowBody)?;
        match frame {
            None => return Ok(None),
            Some(Ok(frame)) => {
                if let Ok(data) = frame.into_data() {
                    return Ok(Some(data));
                }
            }
            Some(Err(error)) => {
                tracing::debug!(%error, "a request body was malformed or broken off");
                return Err(Refusal::invalid("the request body is malformed or was broken off", None));
            }
        }
    }
    Ok(None)
}
