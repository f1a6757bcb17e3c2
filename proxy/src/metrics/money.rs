//! Tokens, money, quotas and budgets.

use prometheus::{CounterVec, GaugeVec, IntCounterVec, IntGaugeVec};

use super::family::Family;

/// The labels of one model as one provider serves it.
const TARGET: &[&str] = &["provider", "model"];

/// Tokens, money, quotas and budgets.
#[derive(Debug)]
pub struct Money {
    pub(super) tokens: IntCounterVec,
    pub(super) cost: CounterVec,
    pub(super) baseline_cost: CounterVec,
    /// `unpriced_requests_total{model}`
    pub unpriced: IntCounterVec,
    /// `usage_estimated_total{provider,model}`
    pub usage_estimated: IntCounterVec,
    /// `recounts_total{result}`
    pub recounts: IntCounterVec,
    /// `rate_limited_total{quota}`
    pub rate_limited: IntCounterVec,
    /// `budget_denials_total{budget}`
    pub budget_denials: IntCounterVec,
    /// `budget_alerts_total{budget}`
    pub budget_alerts: IntCounterVec,
    /// `budget_spent_usd{budget}`
    pub budget_spent: GaugeVec,
    /// `budget_reserved_usd{budget}`
    pub budget_reserved: GaugeVec,
    /// `budget_limit_usd{budget}`
    pub budget_limit: GaugeVec,
    /// `key_expiry_timestamp_seconds{tenant,key}`
    pub key_expiry: GaugeVec,
    /// `records_dropped{kind}`
    pub records_dropped: IntGaugeVec,
}

impl Money {
    pub(super) fn try_new(family: &Family<'_>) -> prometheus::Result<Self> {
        Ok(Self {
            tokens: family.counters(
                "tokens_total",
                "Tokens by class, as the provider counted them or, where it did not, as estimated.",
                &["provider", "model", "type"],
            )?,
            cost: family.amounts("cost_usd_total", "Money spent at providers.", &["tenant", "provider", "model"])?,
            baseline_cost: family.amounts(
                "baseline_cost_usd_total",
                "What the same answers would have cost at the baseline model.",
                &["tenant"],
            )?,
            unpriced: family.counters(
                "unpriced_requests_total",
                "Answers of models without a known price.",
                &["model"],
            )?,
            usage_estimated: family.counters(
                "usage_estimated_total",
                "Answers whose tokens the provider did not report, so that they were estimated.",
                TARGET,
            )?,
            recounts: family.counters(
                "recounts_total",
                "Answers without usage: counted by the model's vocabulary, or skipped because too many were waiting.",
                &["result"],
            )?,
            rate_limited: family.counters(
                "rate_limited_total",
                "Requests refused because a quota was used up.",
                &["quota"],
            )?,
            budget_denials: family.counters(
                "budget_denials_total",
                "Requests for which a budget had no money left.",
                &["budget"],
            )?,
            budget_alerts: family.counters(
                "budget_alerts_total",
                "Levels of spending that were reached.",
                &["budget"],
            )?,
            budget_spent: family.measures("budget_spent_usd", "Spent in the open day or month.", &["budget"])?,
            budget_reserved: family.measures(
                "budget_reserved_usd",
                "Set aside for requests under way.",
                &["budget"],
            )?,
            budget_limit: family.measures(
                "budget_limit_usd",
                "The most that may be spent in a day or month.",
                &["budget"],
            )?,
            key_expiry: family.measures(
                "key_expiry_timestamp_seconds",
                "When a key expires, in seconds since 1970.",
                &["tenant", "key"],
            )?,
            records_dropped: family.gauges(
                "records_dropped",
                "Records lost since the start because they could not be written.",
                &["kind"],
            )?,
        })
    }
}
