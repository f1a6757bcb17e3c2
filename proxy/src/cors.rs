//! Web pages that ask: only those of allowed origins, and they are told what they may do.
//!
//! A browser sends the page's origin along and hides the answer from the page unless the answer allows it. Hiding is not enough here, as an
//! answer costs money before it is hidden, so a request of a foreign origin is refused. Who is no browser sends no origin and is not concerned.

use http::header::{self, HeaderMap, HeaderValue};
use http::{Method, Request, Response, StatusCode};
use router_core::Snapshot;

use crate::payload::Payload;
use crate::refusal::Refusal;

/// Seconds for which a browser may remember what it was told; the longest that Chromium honours.
const MAX_AGE_SECONDS: u64 = 7_200;

/// What a page may see of an answer beside its body.
const EXPOSED: &str = "x-request-id, x-router-model, x-router-provider, x-router-placement, x-router-complexity, \
    x-router-band, x-router-rule, x-router-cache, x-router-cache-similarity, x-router-attempts, x-router-cost-usd, \
    x-router-overhead-us, x-router-error, x-ratelimit-limit-requests, x-ratelimit-remaining-requests, \
    x-ratelimit-reset-requests, x-ratelimit-limit-tokens, x-ratelimit-remaining-tokens, x-ratelimit-reset-tokens, \
    retry-after, retry-after-ms, x-should-retry";

/// The origin of the page that asks, where one does and may.
///
/// # Errors
/// [`Refusal::ForeignOrigin`] where one does and may not, or more than one is named.
pub fn admit(snapshot: &Snapshot, headers: &HeaderMap) -> Result<Option<HeaderValue>, Refusal> {
    let mut origins = headers.get_all(header::ORIGIN).iter();
    match (origins.next(), origins.next()) {
        (None, _) => Ok(None),
        (Some(origin), None) if snapshot.origins.allows(origin.as_bytes()) => Ok(Some(origin.clone())),
        _ => Err(Refusal::ForeignOrigin),
    }
}

/// Whether a browser asks beforehand what it may send.
#[must_use]
pub fn is_preflight<B>(request: &Request<B>) -> bool {
    request.method() == Method::OPTIONS
        && request.headers().contains_key(header::ACCESS_CONTROL_REQUEST_METHOD)
}

/// The answer to a browser that asks beforehand. What it wants to send it may send: who asks is told by the key, not by header names.
#[must_use]
pub fn preflight(wanted: Option<&HeaderValue>) -> Response<Payload> {
    let mut response = Response::new(Payload::from(String::new()));
    *response.status_mut() = StatusCode::NO_CONTENT;
    let headers = response.headers_mut();
    headers.insert(header::ACCESS_CONTROL_ALLOW_METHODS, HeaderValue::from_static("GET, POST"));
    if let Some(wanted) = wanted {
        headers.insert(header::ACCESS_CONTROL_ALLOW_HEADERS, wanted.clone());
    }
    headers.insert(header::ACCESS_CONTROL_MAX_AGE, HeaderValue::from(MAX_AGE_SECONDS));
    response
}

/// Lets the page of `origin` see an answer.
pub fn allow(headers: &mut HeaderMap, origin: HeaderValue) {
    headers.insert(header::ACCESS_CONTROL_ALLOW_ORIGIN, origin);
    headers.insert(header::ACCESS_CONTROL_EXPOSE_HEADERS, HeaderValue::from_static(EXPOSED));
    headers.append(header::VARY, HeaderValue::from_static("origin"));
}
