//! The admin plane: metrics, health, reload, and why.

mod access;
mod cache;
mod feedback;
mod forget;
mod money;
mod page;
mod providers;

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Instant;

use bytes::Bytes;
use http::header::{self, HeaderValue};
use http::{Method, Request, Response, StatusCode};
use http_body_util::{BodyExt, Limited};
use hyper::body::Incoming;
use router_core::{Dialect, Digest, Endpoint, decide};
use serde::Serialize;
use serde_json::json;

use crate::app::App;
use crate::auth;
use crate::explain::Explanation;
use crate::payload::Payload;
use crate::refusal::Refusal;
use crate::reload;
use crate::wishes::Wishes;

/// Largest request that the admin plane reads: as large as the largest that `/explain` may be asked about.
const MAX_BODY_BYTES: usize = 16 << 20;

/// Answers one request of the admin plane.
pub async fn handle(app: Arc<App>, peer: SocketAddr, request: Request<Incoming>) -> Response<Payload> {
    if let Some(refused) = access::refuse(&app, peer, &request) {
        return refused;
    }
    let path = request.uri().path().to_owned();
    match (request.method(), path.as_str()) {
        (&Method::GET | &Method::HEAD, _) => read(&app, &path),
        (&Method::POST, "/-/reload") => reload(app).await,
        (&Method::POST, "/explain") => {
            explain(&app, request).await.unwrap_or_else(|r| r.respond(Dialect::OpenAi))
        }
        (&Method::POST, "/feedback") => answered(feedback::give(&app, request).await),
        (&Method::POST, "/-/forget") => answered(forget::forget(&app, request).await),
        (&Method::POST, "/cache/purge") => answered(cache::purge(&app, request).await),
        (&Method::POST, "/cache/warm") => answered(cache::warm(&app, request).await),
        (method, _) => {
            Refusal::MethodNotAllowed { method: method.to_string(), allow: "GET" }.respond(Dialect::OpenAi)
        }
    }
}

fn answered(result: Result<Response<Payload>, Refusal>) -> Response<Payload> {
    result.unwrap_or_else(|refusal| refusal.respond(Dialect::OpenAi))
}

fn read(app: &Arc<App>, path: &str) -> Response<Payload> {
    match path {
        "/" => text(StatusCode::OK, "text/html; charset=utf-8", page::render(app)),
        "/metrics" => metrics(app),
        "/livez" => text(StatusCode::OK, "text/plain; charset=utf-8", "ok\n".to_owned()),
        "/readyz" => ready(app),
        "/policy" => policy(app),
        "/providers" => json_response(StatusCode::OK, &providers::list(app, Instant::now())),
        "/-/reload" | "/-/forget" | "/explain" | "/feedback" | "/cache/purge" | "/cache/warm" => {
            Refusal::MethodNotAllowed { method: "GET".to_owned(), allow: "POST" }.respond(Dialect::OpenAi)
        }
        _ => Refusal::NotFound { path: path.to_owned() }.respond(Dialect::OpenAi),
    }
}

fn text(status: StatusCode, kind: &'static str, body: String) -> Response<Payload> {
    let mut response = Response::new(Payload::from(body));
    *response.status_mut() = status;
    response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static(kind));
    response
}

fn json_response(status: StatusCode, body: &impl Serialize) -> Response<Payload> {
    let body =
        serde_json::to_string(body).unwrap_or_else(|error| json!({"error": error.to_string()}).to_string());
    text(status, "application/json", body)
}

fn metrics(app: &App) -> Response<Payload> {
    providers::observe(app, Instant::now());
    match app.metrics.render() {
        Ok(body) => {
            let mut response = Response::new(Payload::from(Bytes::from(body)));
            let kind = HeaderValue::from_static("text/plain; version=0.0.4; charset=utf-8");
            response.headers_mut().insert(header::CONTENT_TYPE, kind);
            response
        }
        Err(error) => text(StatusCode::INTERNAL_SERVER_ERROR, "text/plain; charset=utf-8", error.to_string()),
    }
}

fn ready(app: &App) -> Response<Payload> {
    let draining = app.drain.has_begun();
    let status = if draining { StatusCode::SERVICE_UNAVAILABLE } else { StatusCode::OK };
    let body = json!({
        "ready": !draining,
        "draining": draining,
        "policy_generation": app.snapshot().generation(),
        "near_hits": app.sentences.status(),
    });
    json_response(status, &body)
}

fn policy(app: &App) -> Response<Payload> {
    let snapshot = app.snapshot();
    json_response(StatusCode::OK, &router_policies::describe(&snapshot))
}

/// Compiling a policy reads files, which must not hold up other requests.
async fn reload(app: Arc<App>) -> Response<Payload> {
    let reloaded = tokio::task::spawn_blocking(move || reload::reload(&app, "admin")).await;
    let Ok(reloaded) = reloaded else {
        return text(
            StatusCode::INTERNAL_SERVER_ERROR,
            "text/plain; charset=utf-8",
            "the reload failed\n".to_owned(),
        );
    };
    match reloaded {
        Ok(reloaded) => json_response(
            StatusCode::OK,
            &json!({"generation": reloaded.generation, "changed": reloaded.changed}),
        ),
        Err(errors) => json_response(StatusCode::UNPROCESSABLE_ENTITY, &json!({"errors": errors})),
    }
}

/// The whole body.
async fn collect(body: Incoming) -> Result<Bytes, Refusal> {
    let too_large = |_| Refusal::BodyTooLarge { limit: MAX_BODY_BYTES as u64 };
    Ok(Limited::new(body, MAX_BODY_BYTES).collect().await.map_err(too_large)?.to_bytes())
}

/// Decides on the body as the data plane would, for `?endpoint=PATH` (chat by default), and sends it nowhere.
async fn explain(app: &Arc<App>, request: Request<Incoming>) -> Result<Response<Payload>, Refusal> {
    let endpoint = endpoint(request.uri().query())?;
    let (head, body) = request.into_parts();
    let body = collect(body).await?;
    let snapshot = app.snapshot();
    let digest = Digest::read(endpoint, &body, &app.state.fingerprint_key)?;
    let wishes = Wishes::read(&head.headers)?;
    // Without a router key the question is asked for nobody in particular.
    let caller = auth::authenticate(&snapshot, &head.headers, None, std::time::SystemTime::now())
        .unwrap_or(auth::Caller::NOBODY);
    let request = wishes.request(&digest, caller.tenant, caller.known);
    let decided = decide(&snapshot, &app.state, &request, Instant::now(), &mut fastrand::Rng::new());
    Ok(json_response(StatusCode::OK, &Explanation::new(&snapshot, &decided)))
}

fn endpoint(query: Option<&str>) -> Result<Endpoint, Refusal> {
    let named =
        query.into_iter().flat_map(|query| query.split('&')).find_map(|pair| pair.strip_prefix("endpoint="));
    let Some(path) = named else { return Ok(Endpoint::ChatCompletions) };
    let path = path.replace("%2F", "/").replace("%2f", "/");
    Endpoint::from_name(&path).ok_or_else(|| {
        Refusal::invalid(format!("'endpoint' must be a data-plane path, not '{path}'"), Some("endpoint"))
    })
}
