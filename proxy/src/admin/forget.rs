//! `POST /-/forget`: removes what is held about a tenant or a user.

use std::sync::Arc;

use http::{Request, Response, StatusCode};
use hyper::body::Incoming;
use router_core::{Snapshot, TenantId};
use serde::Deserialize;
use serde_json::json;

use super::{collect, json_response};
use crate::app::App;
use crate::ledger::Whose;
use crate::payload::Payload;
use crate::refusal::Refusal;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Forget {
    tenant: Option<Box<str>>,
    user: Option<Box<str>>,
}

/// Removes it from ledger, audit, spending, the log of outcomes and the cache. Of one user's cached answers nobody knows which they are: those of
/// the tenant go, or all.
pub(super) async fn forget(app: &Arc<App>, request: Request<Incoming>) -> Result<Response<Payload>, Refusal> {
    let usage = "send {\"tenant\"?, \"user\"?}, at least one of them";
    let body = collect(request.into_body()).await?;
    let Forget { tenant, user } =
        serde_json::from_slice(&body).map_err(|error| Refusal::invalid(format!("{error}: {usage}"), None))?;
    let whose = match (tenant.clone(), user) {
        (tenant, Some(user)) => Whose::User { user, tenant },
        (Some(tenant), None) => Whose::Tenant(tenant),
        (None, None) => return Err(Refusal::invalid(usage, None)),
    };
    let app = Arc::clone(app);
    let forgotten = tokio::task::spawn_blocking(move || {
        let snapshot = app.snapshot();
        let id = tenant.as_deref().and_then(|name| id_of(&snapshot, name));
        let cached = app.state.cache.purge(|stored| tenant.is_none() || id == Some(stored.tenant));
        let outcomes = match &whose {
            Whose::Tenant(tenant) => app.outcomes.forget(tenant)?,
            Whose::User { .. } => 0,
        };
        let forgotten = app.books.forget(&whose, &snapshot)?;
        let mut report = json!(forgotten);
        report["cached_answers"] = cached.into();
        report["outcomes"] = outcomes.into();
        Ok::<_, std::io::Error>(report)
    });
    match forgotten.await {
        Ok(Ok(report)) => Ok(json_response(StatusCode::OK, &report)),
        Ok(Err(error)) => {
            tracing::error!(event = "not_forgotten", %error);
            Err(Refusal::Internal)
        }
        Err(_) => Err(Refusal::Internal),
    }
}

fn id_of(snapshot: &Snapshot, name: &str) -> Option<TenantId> {
    snapshot.tenants.iter().find(|tenant| *tenant.name == *name).map(|tenant| tenant.id)
}
