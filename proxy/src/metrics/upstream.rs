//! Providers and the attempts at them.

use prometheus::{GaugeVec, HistogramVec, IntCounter, IntCounterVec, IntGaugeVec};

use super::family::Family;

/// Time to first token, by the OpenTelemetry convention for `gen_ai.server.time_to_first_token`.
const FIRST_TOKEN_BUCKETS_SECONDS: &[f64] =
    &[0.001, 0.005, 0.01, 0.02, 0.04, 0.06, 0.08, 0.1, 0.25, 0.5, 0.75, 1.0, 2.5, 5.0, 7.5, 10.0];
/// The labels of one model as one provider serves it.
const TARGET: &[&str] = &["provider", "model"];

/// Providers and the attempts at them.
#[derive(Debug)]
pub struct Upstream {
    /// `upstream_requests_total{provider,model,outcome}`
    pub requests: IntCounterVec,
    /// `time_to_first_token_seconds{provider,model}`
    pub first_token: HistogramVec,
    /// `breaker_state{provider,model}`
    pub breaker_state: IntGaugeVec,
    /// `health_score{provider,model}`
    pub health_score: GaugeVec,
    /// `success_ratio{provider,model}`
    pub success_ratio: GaugeVec,
    /// `first_token_estimate_seconds{provider,model}`
    pub first_token_estimate: GaugeVec,
    /// `attempts_in_flight{provider,model}`
    pub attempts_in_flight: IntGaugeVec,
    /// `retries_total`
    pub retries: IntCounter,
    /// `hedges_total{result}`
    pub hedges: IntCounterVec,
    /// `escalations_total`
    pub escalations: IntCounter,
    /// `streams_truncated_total{side}`
    pub streams_truncated: IntCounterVec,
}

impl Upstream {
    pub(super) fn try_new(family: &Family<'_>) -> prometheus::Result<Self> {
        Ok(Self {
            requests: family.counters(
                "upstream_requests_total",
                "Attempts at providers by how they ended.",
                &["provider", "model", "outcome"],
            )?,
            first_token: family.histograms(
                "time_to_first_token_seconds",
                "From the request sent to the first byte of the answer's body.",
                FIRST_TOKEN_BUCKETS_SECONDS,
                TARGET,
            )?,
            breaker_state: family.gauges("breaker_state", "0 closed, 1 half-open, 2 open.", TARGET)?,
            health_score: family.measures("health_score", "0 out of service to 1 healthy.", TARGET)?,
            success_ratio: family.measures("success_ratio", "Share of attempts that succeed now.", TARGET)?,
            first_token_estimate: family.measures(
                "first_token_estimate_seconds",
                "Time to the first token of an empty prompt by which providers are chosen.",
                TARGET,
            )?,
            attempts_in_flight: family.gauges("attempts_in_flight", "Attempts under way.", TARGET)?,
            retries: family.keep(IntCounter::with_opts(Family::opts(
                "retries_total",
                "Attempts beyond a request's first.",
            )))?,
            hedges: family.counters(
                "hedges_total",
                "Second attempts beside a late first one, by whether they won.",
                &["result"],
            )?,
            escalations: family.keep(IntCounter::with_opts(Family::opts(
                "escalations_total",
                "Internal answers that failed a check, so that another model was asked.",
            )))?,
            streams_truncated: family.counters(
                "streams_truncated_total",
                "Streams that ended before their completion marker, by who broke off.",
                &["side"],
            )?,
        })
    }
}
