//! Brings a new policy into force, or says why not.

use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};

use router_core::Snapshot;
use router_core::cache::matcher::Kind;
use router_policies::{Diagnostic, Reloaded};

use crate::app::App;
use crate::audit::What;
use crate::outcomes::Place;

/// Reloads the policy; the last good one stays when the new one is bad. `by` says who asked, for the log.
///
/// # Errors
/// Every error of the new policy.
pub fn reload(app: &App, by: &'static str) -> Result<Reloaded, Vec<Diagnostic>> {
    let result = app.live.reload();
    report(app, by, &result);
    result
}

/// Logs a reload and fits what hangs on the policy.
pub fn report(app: &App, by: &'static str, result: &Result<Reloaded, Vec<Diagnostic>>) {
    match result {
        Ok(Reloaded { generation, changed, warnings }) => {
            tracing::info!(event = "policy_reloaded", by, generation, changed = ?changed);
            for warning in warnings {
                tracing::warn!(event = "policy_warning", warning = %warning);
            }
            let changed = changed.iter().map(|changed| changed.as_str().into()).collect();
            app.books.note(by, What::Reloaded { generation: *generation, changed });
            adopt(app);
        }
        Err(errors) => {
            app.metrics.policy.reload_successful.set(0);
            app.books.note(by, What::ReloadRefused { errors: errors.len() as u64 });
            for error in errors {
                tracing::error!(event = "policy_refused", by, error = %error);
            }
        }
    }
}

/// Fits what hangs on the policy to the one in force.
pub fn adopt(app: &App) {
    let snapshot = app.snapshot();
    if let Some(rebuild) = app.books.adopt(&snapshot) {
        let books = Arc::clone(&app.books);
        let thread = std::thread::Builder::new().name("rebuild-budgets".to_owned());
        if let Err(error) = thread.spawn(move || books.rebuild(&rebuild)) {
            tracing::error!(event = "budgets_not_rebuilt", %error);
        }
    }
    app.upstreams.retain(snapshot.providers());
    app.state.cache.resize(snapshot.cache.max_bytes);
    for kind in [Kind::BuiltIn, Kind::Embedded] {
        app.state.cache.near().promise(kind).restate(snapshot.cache.max_false_hit_rate);
    }
    app.sentences.adopt(&snapshot);
    if let Err(error) = app.outcomes.log_to(outcome_log(&snapshot)) {
        tracing::error!(event = "outcome_log_unavailable", error = %error);
    }
    app.metrics.policy.reload_successful.set(1);
    app.metrics.policy.generation.set(snapshot.generation() as i64);
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    app.metrics.policy.reload_timestamp.set(now.as_secs_f64());
}

fn outcome_log(snapshot: &Snapshot) -> Option<Place> {
    let policy = &snapshot.outcomes;
    Some(Place { path: policy.log.clone()?, max_bytes: policy.max_bytes, files: policy.files })
}
