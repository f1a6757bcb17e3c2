//! Who may see what on the admin plane.

use std::net::SocketAddr;

use http::header;
use http::{Method, Request, Response};
use router_core::Dialect;
use subtle::ConstantTimeEq;

use crate::app::App;
use crate::payload::Payload;
use crate::refusal::Refusal;

/// What everybody may read: it tells numbers and health, nothing of prompts, keys or policy.
const OPEN: [&str; 3] = ["/metrics", "/livez", "/readyz"];

/// The refusal of a request that may not be answered.
pub(super) fn refuse<B>(app: &App, peer: SocketAddr, request: &Request<B>) -> Option<Response<Payload>> {
    let path = request.uri().path();
    if request.method() == Method::POST && request.headers().contains_key(header::ORIGIN) {
        let message = "a request from a web page is refused here: remove the Origin header";
        return Some(denied(message));
    }
    let open = request.method() == Method::GET && OPEN.contains(&path);
    let local = peer.ip().to_canonical().is_loopback();
    if open || local || has_token(app, request) {
        return None;
    }
    Some(denied(
        "this address may read /metrics, /livez and /readyz only; set and send the admin_token for more",
    ))
}

fn has_token<B>(app: &App, request: &Request<B>) -> bool {
    let Some(token) = &app.admin_token else { return false };
    let sent = request.headers().get(header::AUTHORIZATION).map(header::HeaderValue::as_bytes);
    let sent = sent.and_then(|value| value.strip_prefix(b"Bearer ")).unwrap_or_default();
    !token.expose().is_empty() && bool::from(token.expose().as_ref().ct_eq(sent))
}

fn denied(message: &str) -> Response<Payload> {
    Refusal::Rejected(router_core::Reason::PolicyDenied { message: message.into() }).respond(Dialect::OpenAi)
}
