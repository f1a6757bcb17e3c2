//! The cache, exact and near.

use prometheus::{GaugeVec, IntCounterVec, IntGaugeVec};

use super::family::Family;

/// The cache, exact and near.
#[derive(Debug)]
pub struct Cache {
    /// `cache_lookups_total{tier,result}`
    pub lookups: IntCounterVec,
    /// `cache_vetoes_total{guard}`
    pub vetoes: IntCounterVec,
    /// `cache_labels_total{matcher,verdict}`
    pub labels: IntCounterVec,
    /// `near_hit_standing{matcher,standing}`
    pub near_standing: IntGaugeVec,
    /// `near_hit_threshold{matcher}`
    pub near_threshold: GaugeVec,
    /// `near_hit_wrong_ratio_limit{matcher}`
    pub near_wrong_limit: GaugeVec,
    /// `near_hit_labels{matcher}`
    pub near_labels: IntGaugeVec,
    /// `embeddings_total{result}`
    pub embeddings: IntCounterVec,
    /// `near_matcher{matcher}`
    pub near_matcher: IntGaugeVec,
    /// `errands_total{purpose,result}`
    pub errands: IntCounterVec,
    /// `cache_entries{tier}`
    pub entries: IntGaugeVec,
    /// `cache_bytes{tier}`
    pub bytes: IntGaugeVec,
}

impl Cache {
    pub(super) fn try_new(family: &Family<'_>) -> prometheus::Result<Self> {
        Ok(Self {
            lookups: family.counters(
                "cache_lookups_total",
                "Cache lookups by tier and result.",
                &["tier", "result"],
            )?,
            vetoes: family.counters(
                "cache_vetoes_total",
                "Near hits that a guard refused, by guard.",
                &["guard"],
            )?,
            labels: family.counters(
                "cache_labels_total",
                "Near candidates compared with a fresh answer, by verdict.",
                &["matcher", "verdict"],
            )?,
            near_standing: family.gauges(
                "near_hit_standing",
                "1 for what may be said about near hits: prior, measured, tightened or off.",
                &["matcher", "standing"],
            )?,
            near_threshold: family.measures(
                "near_hit_threshold",
                "The lowest score served; above 1 while nothing is.",
                &["matcher"],
            )?,
            near_wrong_limit: family.measures(
                "near_hit_wrong_ratio_limit",
                "Upper 95 % confidence limit of the share of near hits that are wrong, by the labels kept.",
                &["matcher"],
            )?,
            near_labels: family.gauges(
                "near_hit_labels",
                "Labels that the bound on near hits rests on.",
                &["matcher"],
            )?,
            embeddings: family.counters(
                "embeddings_total",
                "Questions given to the sentence model by requests, by what came of it.",
                &["result"],
            )?,
            near_matcher: family.gauges(
                "near_matcher",
                "1 for what compares questions: builtin, fastembed, or off.",
                &["matcher"],
            )?,
            errands: family.counters(
                "errands_total",
                "What the cache asked on the side, by purpose: shadow, refresh, judge.",
                &["purpose", "result"],
            )?,
            entries: family.gauges("cache_entries", "Answers held in the cache.", &["tier"])?,
            bytes: family.gauges("cache_bytes", "Bytes held in the cache.", &["tier"])?,
        })
    }
}
