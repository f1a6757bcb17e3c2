//! `POST /cache/purge` and `POST /cache/warm`: what the cache holds, less and more.

use std::sync::Arc;
use std::time::{Duration, Instant};

use http::{Request, Response, StatusCode};
use hyper::body::Incoming;
use router_core::{ModelId, Snapshot, Stored, TenantId};
use serde::Deserialize;
use serde_json::json;

use super::{collect, json_response};
use crate::app::App;
use crate::audit::What;
use crate::handler::warm;
use crate::payload::Payload;
use crate::refusal::Refusal;

/// Mistakes that are reported of one file; with more it is the wrong file.
const MOST_MISTAKES: usize = 1_000;

#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct Purge {
    tenant: Option<String>,
    model: Option<String>,
    tag: Option<String>,
    older_than: Option<String>,
}

/// What is to go: everything that all stated conditions hold of.
struct Doomed {
    tenant: Option<TenantId>,
    models: Option<Vec<ModelId>>,
    tag: Option<(String, Option<String>)>,
    older_than: Option<Duration>,
}

impl Doomed {
    fn try_new(purge: &Purge, snapshot: &Snapshot) -> Result<Self, Refusal> {
        let unknown = |kind: &str, name: &str, field| {
            Refusal::invalid(format!("there is no {kind} '{name}' in the policy"), Some(field))
        };
        let tenant = purge.tenant.as_ref().map(|name| {
            let tenant = snapshot.tenants.iter().find(|tenant| *tenant.name == **name);
            tenant.map(|tenant| tenant.id).ok_or_else(|| unknown("tenant", name, "tenant"))
        });
        let models = purge.model.as_ref().map(|name| {
            let models: Vec<ModelId> =
                snapshot.models().filter(|model| *model.name == **name).map(|model| model.id).collect();
            if models.is_empty() { Err(unknown("model", name, "model")) } else { Ok(models) }
        });
        let older_than = purge.older_than.as_ref().map(|text| {
            router_policies::units::duration(text)
                .map_err(|fault| Refusal::invalid(fault.to_string(), Some("older_than")))
        });
        let tag = purge.tag.as_ref().map(|tag| match tag.split_once('=') {
            Some((key, value)) => (key.to_owned(), Some(value.to_owned())),
            None => (tag.clone(), None),
        });
        Ok(Self {
            tenant: tenant.transpose()?,
            models: models.transpose()?,
            tag,
            older_than: older_than.transpose()?,
        })
    }

    fn takes(&self, stored: &Stored, now: Instant) -> bool {
        self.tenant.is_none_or(|tenant| stored.tenant == tenant)
            && self.models.as_ref().is_none_or(|models| models.contains(&stored.model))
            && self.older_than.is_none_or(|age| now.saturating_duration_since(stored.stored_at) >= age)
            && self.tag.as_ref().is_none_or(|(key, value)| {
                let matches = |(k, v): &(Box<str>, Box<str>)| {
                    **k == **key && value.as_ref().is_none_or(|value| **v == **value)
                };
                stored.tags.iter().any(matches)
            })
    }
}

/// Removes stored answers, exact and near alike.
pub(super) async fn purge(app: &Arc<App>, request: Request<Incoming>) -> Result<Response<Payload>, Refusal> {
    let body = collect(request.into_body()).await?;
    let purge: Purge = match body.is_empty() {
        true => Purge::default(),
        false => serde_json::from_slice(&body).map_err(|error| {
            let usage = "send {\"tenant\"?, \"model\"?, \"tag\"?: \"k=v\" or \"k\", \"older_than\"?: \"1h\"}";
            Refusal::invalid(format!("{error}: {usage}"), None)
        })?,
    };
    let doomed = Doomed::try_new(&purge, &app.snapshot())?;
    let (purged, now) = (Arc::clone(app), Instant::now());
    let removed =
        tokio::task::spawn_blocking(move || purged.state.cache.purge(|stored| doomed.takes(stored, now)));
    let removed = removed.await.unwrap_or_default();
    app.books.note("admin", What::Purged { tenant: purge.tenant.map(Into::into), removed });
    Ok(json_response(StatusCode::OK, &json!({"removed": removed})))
}

/// Stores answers that were given elsewhere, one pair of request and response a line.
pub(super) async fn warm(app: &Arc<App>, request: Request<Incoming>) -> Result<Response<Payload>, Refusal> {
    let body = collect(request.into_body()).await?;
    let app = Arc::clone(app);
    let warmed = tokio::task::spawn_blocking(move || {
        let (mut stored, mut errors) = (0_u64, Vec::new());
        for (at, line) in body.split(|byte| *byte == b'\n').enumerate() {
            if line.trim_ascii().is_empty() {
                continue;
            }
            match warm::keep(&app, line) {
                Ok(()) => stored += 1,
                Err(message) if errors.len() < MOST_MISTAKES => {
                    errors.push(json!({"line": at + 1, "message": message}));
                }
                Err(_) => {}
            }
        }
        json!({"stored": stored, "errors": errors})
    });
    let failed = |_| Refusal::invalid("the lines could not be read", None);
    Ok(json_response(StatusCode::OK, &warmed.await.map_err(failed)?))
}
