//! Requests, and how they were decided.

use prometheus::{Histogram, HistogramOpts, HistogramVec, IntCounter, IntCounterVec, IntGauge};

use super::family::Family;

/// Request durations: from a cached answer to the longest answers that the default timeouts allow.
const DURATION_BUCKETS_SECONDS: &[f64] =
    &[0.001, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 120.0, 300.0, 600.0];
/// The router's own time: a decision takes microseconds, so the buckets start there.
const OVERHEAD_BUCKETS_SECONDS: &[f64] =
    &[1e-5, 2.5e-5, 5e-5, 1e-4, 2.5e-4, 5e-4, 1e-3, 2.5e-3, 5e-3, 1e-2, 2.5e-2, 0.1];
/// Complexity by tenths, so that the default thresholds 0.4 and 0.8 are bucket borders.
const COMPLEXITY_BUCKETS: &[f64] = &[0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 1.0];

/// Requests, and how they were decided.
#[derive(Debug)]
pub struct Traffic {
    /// `requests_total{endpoint,tenant,outcome}`
    pub requests: IntCounterVec,
    /// `request_duration_seconds{endpoint}`
    pub duration: HistogramVec,
    /// `overhead_seconds{path}`
    pub overhead: HistogramVec,
    /// `decisions_total{rule,band,placement}`
    pub decisions: IntCounterVec,
    /// `complexity_score`
    pub complexity: Histogram,
    /// `out_of_domain_total`
    pub out_of_domain: IntCounter,
    /// `in_flight_requests`
    pub in_flight: IntGauge,
    /// `queued_requests`
    pub queued: IntGauge,
}

impl Traffic {
    pub(super) fn try_new(family: &Family<'_>) -> prometheus::Result<Self> {
        Ok(Self {
            requests: family.counters(
                "requests_total",
                "Requests by endpoint, tenant and how they ended.",
                &["endpoint", "tenant", "outcome"],
            )?,
            duration: family.histograms(
                "request_duration_seconds",
                "From the first byte of the request to the last byte of the answer.",
                DURATION_BUCKETS_SECONDS,
                &["endpoint"],
            )?,
            overhead: family.histograms(
                "overhead_seconds",
                "The router's own time until the headers are sent, without waiting for callers and providers.",
                OVERHEAD_BUCKETS_SECONDS,
                &["path"],
            )?,
            decisions: family.counters(
                "decisions_total",
                "Decisions by matched rule, band and the placement of the first choice.",
                &["rule", "band", "placement"],
            )?,
            complexity: family.keep(Histogram::with_opts(
                HistogramOpts::from(Family::opts("complexity_score", "Served complexity of the prompts, 0 to 1."))
                    .buckets(COMPLEXITY_BUCKETS.to_vec()),
            ))?,
            out_of_domain: family.keep(IntCounter::with_opts(Family::opts(
                "out_of_domain_total",
                "Prompts unlike the scorer's training data, so that the learned score was not used.",
            )))?,
            in_flight: family.gauge("in_flight_requests", "Requests being answered.")?,
            queued: family.gauge("queued_requests", "Requests waiting for a place.")?,
        })
    }
}
