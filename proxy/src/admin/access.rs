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

#[cfg(test)]
mod tests {
    use router_core::Secret;
    use router_policies::Origin;

    use super::*;
    use crate::sidecar::{Settings, Sidecar};

    const NEAR: [&str; 3] = ["127.0.0.1:9", "[::1]:9", "[::ffff:127.0.0.2]:9"];
    const FAR: [&str; 3] = ["192.0.2.7:9", "[2001:db8::7]:9", "[::ffff:192.0.2.7]:9"];

    async fn sidecar(admin_token: Option<&str>) -> Sidecar {
        let policy = "[providers.p]\ndialect = \"openai\"\nbase_url = \"http://127.0.0.1:1/v1\"\n[models.m]\nprovider = \"p\"\n";
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("policy.toml");
        std::fs::write(&path, policy).unwrap();
        let any = SocketAddr::from(([127, 0, 0, 1], 0));
        let admin_token = admin_token.map(|token| Secret::new(token.to_owned()));
        let settings = Settings { listen: any, admin: any, admin_token, ..Settings::default() };
        Sidecar::start(settings, Origin::File(path), crate::commands::scorer()).await.unwrap()
    }

    fn refused(sidecar: &Sidecar, peer: &str, method: Method, path: &str, authorization: &str) -> bool {
        let request =
            Request::builder().method(method).uri(path).header(header::AUTHORIZATION, authorization);
        refuse(sidecar.app(), peer.parse().unwrap(), &request.body(()).unwrap()).is_some()
    }

    #[tokio::test]
    async fn other_machines_see_numbers_and_health_alone() {
        let sidecar = sidecar(None).await;
        for (path, open) in
            [("/metrics", true), ("/livez", true), ("/readyz", true), ("/policy", false), ("/", false)]
        {
            for peer in FAR {
                assert_eq!(refused(&sidecar, peer, Method::GET, path, "Bearer "), !open, "{peer} {path}");
                assert!(refused(&sidecar, peer, Method::POST, path, "Bearer "), "{peer} {path}");
            }
            for peer in NEAR {
                assert!(!refused(&sidecar, peer, Method::GET, path, ""), "{peer} {path}");
                assert!(!refused(&sidecar, peer, Method::POST, path, ""), "{peer} {path}");
            }
        }
    }

    #[tokio::test]
    async fn the_token_opens_everything_to_them() {
        let sidecar = sidecar(Some("the-token")).await;
        for (authorization, opens) in [
            ("Bearer the-token", true),
            ("Bearer the-toke", false),
            ("Bearer the-token ", false),
            ("Bearer ", false),
            ("the-token", false),
            ("", false),
        ] {
            for peer in FAR {
                assert_eq!(
                    !refused(&sidecar, peer, Method::GET, "/policy", authorization),
                    opens,
                    "{authorization}"
                );
                assert_eq!(!refused(&sidecar, peer, Method::POST, "/-/reload", authorization), opens);
            }
        }
    }
}
