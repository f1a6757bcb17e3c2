//! Looks after providers while nobody asks them: a list is fetched now and then, never a prompt sent.
//!
//! Off unless the policy names a `probe`. What it finds goes into the breakers of the provider's models: a failed look counts as a failed
//! attempt, a good one closes a breaker that is half-open. Latency is not learned from it; a list says nothing about first tokens.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use http::{HeaderMap, Method};
use router_core::breaker::Verdict;
use router_core::{Provider, ProviderId, Snapshot};

use crate::app::App;

/// How often it is seen who is due.
const TICK: Duration = Duration::from_secs(1);

/// Runs for as long as the sidecar.
pub async fn run(app: Arc<App>) {
    let mut looked: HashMap<ProviderId, Instant> = HashMap::new();
    let mut tick = tokio::time::interval(TICK);
    tick.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    loop {
        tick.tick().await;
        let snapshot = app.snapshot();
        for provider in snapshot.providers() {
            if !is_due(provider, &looked) {
                continue;
            }
            looked.insert(provider.id, Instant::now());
            tokio::spawn(look(Arc::clone(&app), Arc::clone(&snapshot), provider.id));
        }
        looked.retain(|provider, _| snapshot.provider(*provider).is_some());
    }
}

fn is_due(provider: &Provider, looked: &HashMap<ProviderId, Instant>) -> bool {
    let Some(probe) = &provider.probe else { return false };
    looked.get(&provider.id).is_none_or(|last| last.elapsed() >= probe.interval)
}

/// Looks at one provider and tells the breakers of its models.
async fn look(app: Arc<App>, snapshot: Arc<Snapshot>, provider: ProviderId) {
    let Some(provider) = snapshot.provider(provider) else { return };
    let well = answers(&app, provider).await;
    tracing::debug!(event = "probe", provider = %provider.name, well);
    let (now, mut rng) = (Instant::now(), fastrand::Rng::new());
    for model in snapshot.models().filter(|model| model.provider == provider.id) {
        let Some(state) = app.state.model(model.id) else { continue };
        let breaker = state.health.breaker();
        if let Ok(pass) = breaker.admit(now) {
            let verdict = if well { Verdict::Good } else { Verdict::Bad };
            breaker.record(pass, verdict, &provider.health.breaker, now, &mut rng);
        }
    }
}

/// Whether the provider answers at all. An error of ours (a wrong key, an unknown path) is an answer; only 5xx and silence are not.
async fn answers(app: &App, provider: &Provider) -> bool {
    let Some(probe) = &provider.probe else { return true };
    let Ok(upstream) = app.upstreams.upstream(provider) else { return false };
    let request = upstream.request(provider, Method::GET, &probe.path, None, HeaderMap::new(), Bytes::new());
    let Ok(request) = request else { return false };
    upstream
        .send(request, &provider.timeouts, None)
        .await
        .is_ok_and(|answer| !answer.head.status.is_server_error())
}
