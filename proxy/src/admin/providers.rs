//! How each provider and model is doing.

use std::time::Instant;

use router_core::cache::bound::Standing;
use router_core::cache::matcher::Kind;
use router_core::{Model, ModelState, Phase, Provider};
use serde::Serialize;

use super::page::escape;
use crate::app::App;

/// The prompt size that `/providers` shows the answer length for.
const TYPICAL_PROMPT_TOKENS: u64 = 1_000;

/// One model as one provider serves it.
#[derive(Debug, Serialize)]
pub(super) struct Health {
    provider: String,
    model: String,
    dialect: &'static str,
    placement: &'static str,
    health_score: f64,
    success_rate: f64,
    breaker: &'static str,
    failures_in_row: u32,
    first_token_ms: Option<f64>,
    mean_output_tokens: Option<u64>,
    in_flight: u32,
    /// Attempts at a time that the provider bears.
    limit: u32,
    rate_limited_for_seconds: Option<f64>,
    priced: bool,
}

fn each<T>(app: &App, mut visit: impl FnMut(&Model, &Provider, &ModelState) -> T) -> Vec<T> {
    let snapshot = app.snapshot();
    let known = |model: &router_core::Model| {
        let (model, provider) = snapshot.target(model.id)?;
        Some(visit(model, provider, app.state.model(model.id)?))
    };
    snapshot.models().filter_map(known).collect()
}

/// All of them, in the order of the policy's ids.
pub(super) fn list(app: &App, now: Instant) -> Vec<Health> {
    each(app, |model, provider, state| {
        let view = state.health.view(&provider.health, now);
        Health {
            provider: provider.name.to_string(),
            model: model.name.to_string(),
            dialect: provider.dialect.as_str(),
            placement: provider.placement.as_str(),
            health_score: thousandths(view.score),
            success_rate: thousandths(view.success_rate),
            breaker: phase_name(view.phase),
            failures_in_row: view.failures_in_row,
            first_token_ms: view.first_token.map(|time| time.as_secs_f64() * 1e3),
            mean_output_tokens: state.mean_output_tokens(TYPICAL_PROMPT_TOKENS),
            in_flight: view.in_flight,
            limit: view.limit,
            rate_limited_for_seconds: view.limited_until.map(|until| (until - now).as_secs_f64()),
            priced: model.price_list.is_some() || matches!(model.pricing, router_core::Pricing::Priced(_)),
        }
    })
}

fn thousandths(share: f32) -> f64 {
    (f64::from(share) * 1e3).round() / 1e3
}

const fn phase_name(phase: Phase) -> &'static str {
    match phase {
        Phase::Closed => "closed",
        Phase::HalfOpen => "half_open",
        Phase::Open { .. } => "open",
    }
}

/// Brings the gauges up to date before they are scraped.
pub(super) fn observe(app: &App, now: Instant) {
    each(app, |model, provider, state| {
        let labels = [&*provider.name, &*model.name];
        let view = state.health.view(&provider.health, now);
        app.metrics.upstream.breaker_state.with_label_values(&labels).set(view.phase.gauge().into());
        app.metrics.upstream.health_score.with_label_values(&labels).set(view.score.into());
        app.metrics.upstream.success_ratio.with_label_values(&labels).set(view.success_rate.into());
        app.metrics.upstream.attempts_in_flight.with_label_values(&labels).set(view.in_flight.into());
        if let Some(time) = view.first_token {
            app.metrics.upstream.first_token_estimate.with_label_values(&labels).set(time.as_secs_f64());
        }
    });
    super::money::observe(app);
    app.state.cache.settle();
    app.metrics.cache.entries.with_label_values(&["exact"]).set(app.state.cache.entries() as i64);
    app.metrics.cache.bytes.with_label_values(&["exact"]).set(app.state.cache.bytes() as i64);
    observe_near(app);
}

/// What is filed by meaning, and what near hits promise.
fn observe_near(app: &App) {
    let (near, metrics) = (app.state.cache.near(), &app.metrics);
    let size = near.size();
    metrics.cache.entries.with_label_values(&["semantic"]).set(size.entries as i64);
    metrics.cache.bytes.with_label_values(&["semantic"]).set(size.bytes as i64);
    let serving = app.sentences.status().matcher;
    for matcher in ["builtin", "fastembed", "off"] {
        metrics.cache.near_matcher.with_label_values(&[matcher]).set((matcher == serving).into());
    }
    for kind in [Kind::BuiltIn, Kind::Embedded] {
        let account = near.promise(kind).account();
        for standing in Standing::ALL {
            let labels = [kind.name(), standing.name()];
            metrics
                .cache
                .near_standing
                .with_label_values(&labels)
                .set((account.terms.standing == standing).into());
        }
        let matcher = [kind.name()];
        // No score reaches 2.
        metrics
            .cache
            .near_threshold
            .with_label_values(&matcher)
            .set(account.terms.threshold.map_or(2.0, f64::from));
        metrics.cache.near_wrong_limit.with_label_values(&matcher).set(account.wrong_share_limit);
        metrics.cache.near_labels.with_label_values(&matcher).set(account.labels as i64);
    }
}

impl Health {
    /// A row of the status page.
    pub(super) fn row(&self) -> String {
        let class = if self.breaker == "closed" { "ok" } else { "bad" };
        let first_token = self.first_token_ms.map_or_else(|| "–".to_owned(), |ms| format!("{ms:.0} ms"));
        format!(
            "<tr><td>{}<td>{}<td>{}<td class={class}>{}<td>{:.2}<td>{first_token}<td>{}</tr>",
            escape(&self.model),
            escape(&self.provider),
            self.placement,
            self.breaker,
            self.health_score,
            self.in_flight,
        )
    }
}
