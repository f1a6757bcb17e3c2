//! Answers that were given elsewhere, stored as if they had come through here.

use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use http::header::{self, HeaderMap, HeaderValue};
use router_core::{
    Digest, Endpoint, Framing, Placement, RouteRequest, Snapshot, Tags, Tenant, TenantId, decide,
};
use serde::Deserialize;
use serde_json::value::RawValue;

use super::{shelved, tags};
use crate::app::App;
use crate::cached::Shelf;
use crate::refusal::Refusal;
use crate::wire::reading;

/// How long one line's question may take to be embedded. Without its vector the answer is kept for exact hits only.
const PATIENCE: Duration = Duration::from_secs(5);

/// A pair of request and response.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Pair<'a> {
    #[serde(borrow)]
    request: &'a RawValue,
    #[serde(borrow)]
    response: &'a RawValue,
    /// By default `/v1/chat/completions`, or `/v1/messages` where the response is a message.
    endpoint: Option<String>,
    tenant: Option<String>,
    placement: Option<String>,
    #[serde(default)]
    tags: std::collections::BTreeMap<String, String>,
}

/// Keeps one line's answer, under the policy in force.
///
/// # Errors
/// What is wrong with the line, or why its answer is not kept.
pub(crate) fn keep(app: &App, line: &[u8]) -> Result<(), String> {
    let pair: Pair<'_> = serde_json::from_slice(line).map_err(|error| error.to_string())?;
    let shelf = shelf(app, &app.snapshot(), &pair)?;
    // Lines come faster than texts are embedded: here somebody can wait.
    if let Some(meaning) = &shelf.meaning {
        let _ = tokio::runtime::Handle::current().block_on(meaning.vector(PATIENCE));
    }
    let answer = Bytes::copy_from_slice(pair.response.get().as_bytes());
    let mut headers = HeaderMap::new();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
    let read = reading::read_body(&answer);
    shelf.store(answer, Framing::Plain, &headers, &read).map_err(|reason| format!("response: {reason}"))
}

/// Where the answer to the pair's request belongs.
fn shelf(app: &App, snapshot: &Snapshot, pair: &Pair<'_>) -> Result<Shelf, String> {
    let endpoint = endpoint(pair)?;
    let tenant = tenant(snapshot, pair)?;
    let digest = Digest::read(endpoint, pair.request.get().as_bytes(), &app.state.fingerprint_key)
        .map_err(|fault| format!("request: {}", Refusal::from(fault).problem().message))?;
    let own = tenant.into_iter().flat_map(|tenant| &tenant.tags).map(|(key, value)| (&**key, &**value));
    let stated = pair.tags.iter().map(|(key, value)| (key.as_str(), value.as_str()));
    let request = RouteRequest {
        tags: own.chain(stated).collect::<Tags<'_>>(),
        placement: placement(pair)?,
        ..RouteRequest::new(&digest, tenant.map_or(TenantId::ANONYMOUS, |tenant| tenant.id))
    };
    let decision = decide(snapshot, &app.state, &request, Instant::now(), &mut fastrand::Rng::new())
        .map_err(|rejection| format!("request: {}", Refusal::Rejected(rejection.reason).problem().message))?;
    let (key, meaning) = shelved(app, snapshot, &request, &decision);
    let key = key.filter(|_| decision.cache.write).ok_or(
        "the policy does not cache this request: it must state temperature 0, or a rule must widen the cache",
    )?;
    let candidate = decision.candidates.first().ok_or("request: no model may answer it")?;
    Ok(Shelf {
        state: Arc::clone(&app.state),
        key,
        ttl: decision.cache.ttl,
        endpoint,
        model: candidate.model,
        cache_bytes: snapshot.cache.max_bytes,
        meaning,
        tool_calls: decision.cache.tool_calls,
        tenant: request.tenant,
        tags: tags(&request),
        trial: None,
    })
}

fn tenant<'s>(snapshot: &'s Snapshot, pair: &Pair<'_>) -> Result<Option<&'s Tenant>, String> {
    match &pair.tenant {
        None if snapshot.tenants.is_empty() => Ok(None),
        None => Err("'tenant' is missing: the policy has tenants, and every answer is one's own".to_owned()),
        Some(name) => {
            let found = snapshot.tenants.iter().find(|tenant| *tenant.name == **name);
            found.map(Some).ok_or_else(|| format!("there is no tenant '{name}' in the policy"))
        }
    }
}

fn placement(pair: &Pair<'_>) -> Result<Option<Placement>, String> {
    let Some(name) = pair.placement.as_deref() else { return Ok(None) };
    Placement::from_name(name)
        .map(Some)
        .ok_or_else(|| format!("'placement' must be 'internal' or 'external', not '{name}'"))
}

fn endpoint(pair: &Pair<'_>) -> Result<Endpoint, String> {
    match &pair.endpoint {
        Some(path) => Endpoint::from_path(path)
            .ok_or_else(|| format!("'endpoint' must be a data-plane path, not '{path}'")),
        None => {
            #[derive(Deserialize)]
            struct Kind<'a> {
                #[serde(borrow, default)]
                r#type: Option<std::borrow::Cow<'a, str>>,
            }
            let kind: Option<Kind<'_>> = serde_json::from_str(pair.response.get()).ok();
            let message = kind.and_then(|kind| kind.r#type).is_some_and(|kind| kind == "message");
            Ok(if message { Endpoint::Messages } else { Endpoint::ChatCompletions })
        }
    }
}
