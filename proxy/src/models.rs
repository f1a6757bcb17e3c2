//! `GET /v1/models`: what this caller may ask for.

use std::time::SystemTime;

use http::Response;
use http::header::{self, HeaderMap, HeaderValue};
use router_core::{Requested, Snapshot, Tenant};
use serde_json::{Value, json};

use crate::app::App;
use crate::auth;
use crate::headers::name;
use crate::payload::Payload;
use crate::refusal::Refusal;
use crate::server::Certificate;

/// Both dialects want a creation time; the router does not know one and says the epoch's first second.
const CREATED: u64 = 1;

/// The list, or one model of it, in the caller's dialect.
///
/// # Errors
/// An unknown key, or an unknown model.
pub fn answer(
    app: &App,
    path: &str,
    headers: &HeaderMap,
    certificate: Option<&Certificate>,
) -> Result<Response<Payload>, Refusal> {
    let snapshot = app.snapshot();
    let caller = auth::authenticate(&snapshot, headers, certificate, SystemTime::now())?;
    let anthropic = headers.contains_key(&name::ANTHROPIC_VERSION);
    let names = names(&snapshot, caller.known);
    let body = match path.strip_prefix("/v1/models/") {
        None if anthropic => anthropic_list(&names),
        None => json!({"object": "list", "data": names.iter().map(openai_model).collect::<Vec<_>>()}),
        Some(wanted) => match names.iter().find(|(name, _)| *name == wanted) {
            Some(model) if anthropic => anthropic_model(model),
            Some(model) => openai_model(model),
            None => return Err(unknown(&snapshot, wanted)),
        },
    };
    let mut response = Response::new(Payload::from(body.to_string()));
    response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
    Ok(response)
}

fn unknown(snapshot: &Snapshot, wanted: &str) -> Refusal {
    Refusal::Rejected(router_core::Reason::ModelNotFound {
        name: wanted.into(),
        near: snapshot.near_names(wanted).into_iter().map(Into::into).collect(),
    })
}

/// Names and who owns them, sorted: `auto` first.
fn names<'s>(snapshot: &'s Snapshot, tenant: Option<&Tenant>) -> Vec<(&'s str, &'s str)> {
    let mut names: Vec<(&str, &str)> = snapshot
        .names()
        .filter(|(_, requested)| tenant.is_none_or(|tenant| tenant.may_ask(*requested)))
        .filter_map(|(name, requested)| match requested {
            Requested::Auto(profile) => snapshot
                .profile(profile)
                .filter(|profile| !profile.candidates.is_empty())
                .map(|_| (name, "router")),
            Requested::Model(model) => snapshot.target(model).map(|(_, provider)| (name, &*provider.name)),
        })
        .collect();
    names.sort_by_key(|(name, _)| (*name != "auto", *name));
    names
}

fn openai_model((name, owner): &(&str, &str)) -> Value {
    json!({"id": name, "object": "model", "created": CREATED, "owned_by": owner})
}

fn anthropic_model((name, _): &(&str, &str)) -> Value {
    json!({"type": "model", "id": name, "display_name": name, "created_at": "1970-01-01T00:00:01Z"})
}

fn anthropic_list(names: &[(&str, &str)]) -> Value {
    let data: Vec<Value> = names.iter().map(anthropic_model).collect();
    json!({
        "data": data,
        "has_more": false,
        "first_id": names.first().map(|(name, _)| name),
        "last_id": names.last().map(|(name, _)| name),
    })
}
