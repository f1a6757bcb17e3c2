//! What Prometheus scrapes. Labels take their values from the policy, so their number is bounded by it.

use std::time::Duration;

use prometheus::{
    CounterVec, Encoder, Gauge, GaugeVec, Histogram, HistogramOpts, HistogramVec, IntCounter, IntCounterVec,
    IntGauge, IntGaugeVec, Opts, Registry, TextEncoder,
};
use router_core::{TokenUsage, Usd};

/// Request durations: from a cached answer to the longest answers that the default timeouts allow.
const DURATION_BUCKETS_SECONDS: &[f64] =
    &[0.001, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 120.0, 300.0, 600.0];
/// The router's own time: a decision takes microseconds, so the buckets start there.
const OVERHEAD_BUCKETS_SECONDS: &[f64] =
    &[1e-5, 2.5e-5, 5e-5, 1e-4, 2.5e-4, 5e-4, 1e-3, 2.5e-3, 5e-3, 1e-2, 2.5e-2, 0.1];
/// Time to first token, by the OpenTelemetry convention for `gen_ai.server.time_to_first_token`.
const FIRST_TOKEN_BUCKETS_SECONDS: &[f64] =
    &[0.001, 0.005, 0.01, 0.02, 0.04, 0.06, 0.08, 0.1, 0.25, 0.5, 0.75, 1.0, 2.5, 5.0, 7.5, 10.0];
/// Complexity by tenths, so that the default thresholds 0.4 and 0.8 are bucket borders.
/// The labels of one model as one provider serves it.
const TARGET: &[&str] = &["provider", "model"];

const COMPLEXITY_BUCKETS: &[f64] = &[0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 1.0];

/// The metric families of the router.
#[derive(Debug)]
pub struct Metrics {
    registry: Registry,
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
    /// `cache_lookups_total{tier,result}`
    pub cache_lookups: IntCounterVec,
    /// `cache_vetoes_total{guard}`
    pub cache_vetoes: IntCounterVec,
    /// `cache_labels_total{matcher,verdict}`
    pub cache_labels: IntCounterVec,
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
    pub cache_entries: IntGaugeVec,
    /// `cache_bytes{tier}`
    pub cache_bytes: IntGaugeVec,
    /// `upstream_requests_total{provider,model,outcome}`
    pub upstream_requests: IntCounterVec,
    /// `time_to_first_token_seconds{provider,model}`
    pub first_token: HistogramVec,
    tokens: IntCounterVec,
    cost: CounterVec,
    baseline_cost: CounterVec,
    /// `unpriced_requests_total{model}`
    pub unpriced: IntCounterVec,
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
    /// `policy_generation`
    pub policy_generation: IntGauge,
    /// `policy_last_reload_successful`
    pub reload_successful: IntGauge,
    /// `policy_last_reload_success_timestamp_seconds`
    pub reload_timestamp: Gauge,
    /// `usage_estimated_total{provider,model}`
    pub usage_estimated: IntCounterVec,
    /// `recounts_total{result}`
    pub recounts: IntCounterVec,
    /// `in_flight_requests`
    pub in_flight: IntGauge,
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
    /// `queued_requests`
    pub queued: IntGauge,
}

/// Registers families under the product's prefix.
struct Family<'r>(&'r Registry);

impl Family<'_> {
    fn keep<C: prometheus::core::Collector + Clone + 'static>(
        &self,
        collector: prometheus::Result<C>,
    ) -> prometheus::Result<C> {
        let collector = collector?;
        self.0.register(Box::new(collector.clone()))?;
        Ok(collector)
    }

    fn opts(name: &str, help: &str) -> Opts {
        Opts::new(format!("xynergy_router_{name}"), help)
    }

    fn counters(&self, name: &str, help: &str, labels: &[&str]) -> prometheus::Result<IntCounterVec> {
        self.keep(IntCounterVec::new(Self::opts(name, help), labels))
    }

    fn amounts(&self, name: &str, help: &str, labels: &[&str]) -> prometheus::Result<CounterVec> {
        self.keep(CounterVec::new(Self::opts(name, help), labels))
    }

    fn gauges(&self, name: &str, help: &str, labels: &[&str]) -> prometheus::Result<IntGaugeVec> {
        self.keep(IntGaugeVec::new(Self::opts(name, help), labels))
    }

    fn measures(&self, name: &str, help: &str, labels: &[&str]) -> prometheus::Result<GaugeVec> {
        self.keep(GaugeVec::new(Self::opts(name, help), labels))
    }

    fn gauge(&self, name: &str, help: &str) -> prometheus::Result<IntGauge> {
        self.keep(IntGauge::with_opts(Self::opts(name, help)))
    }

    fn histograms(
        &self,
        name: &str,
        help: &str,
        buckets: &[f64],
        labels: &[&str],
    ) -> prometheus::Result<HistogramVec> {
        let opts = HistogramOpts::from(Self::opts(name, help)).buckets(buckets.to_vec());
        self.keep(HistogramVec::new(opts, labels))
    }
}

impl Metrics {
    /// All families, registered once.
    ///
    /// # Errors
    /// Two families of one name: a defect that the first test finds.
    pub fn try_new() -> prometheus::Result<Self> {
        let registry = Registry::new();
        let family = Family(&registry);
        let metrics = Self {
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
            cache_lookups: family.counters(
                "cache_lookups_total",
                "Cache lookups by tier and result.",
                &["tier", "result"],
            )?,
            cache_vetoes: family.counters(
                "cache_vetoes_total",
                "Near hits that a guard refused, by guard.",
                &["guard"],
            )?,
            cache_labels: family.counters(
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
            cache_entries: family.gauges("cache_entries", "Answers held in the cache.", &["tier"])?,
            cache_bytes: family.gauges("cache_bytes", "Bytes held in the cache.", &["tier"])?,
            upstream_requests: family.counters(
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
            policy_generation: family.gauge("policy_generation", "Number of the policy in force, from 1.")?,
            reload_successful: family.gauge(
                "policy_last_reload_successful",
                "1 if the last attempt to load the policy succeeded, else 0.",
            )?,
            reload_timestamp: family.keep(Gauge::with_opts(Family::opts(
                "policy_last_reload_success_timestamp_seconds",
                "When the policy in force was loaded, in seconds since 1970.",
            )))?,
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
            in_flight: family.gauge("in_flight_requests", "Requests being answered.")?,
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
            queued: family.gauge("queued_requests", "Requests waiting for a place.")?,
            registry: registry.clone(),
        };
        family
            .gauges("build_info", "Version of the running program; always 1.", &["version"])?
            .with_label_values(&[env!("CARGO_PKG_VERSION")])
            .set(1);
        registry.register(Box::new(prometheus::process_collector::ProcessCollector::for_self()))?;
        for side in ["upstream", "client"] {
            metrics.streams_truncated.with_label_values(&[side]).reset();
        }
        Ok(metrics)
    }

    /// Counts tokens and money of one answer.
    pub fn charge(&self, charge: &Charge<'_>) {
        let labels = |class| [charge.provider, charge.model, class];
        let usage = &charge.usage;
        for (class, tokens) in [
            ("input", usage.input),
            ("cached_input", usage.cached_input),
            ("cache_write", usage.cache_write),
            ("output", usage.output),
            ("reasoning", usage.reasoning),
        ] {
            if tokens > 0 {
                self.tokens.with_label_values(&labels(class)).inc_by(tokens);
            }
        }
        match charge.cost {
            Some(cost) => self
                .cost
                .with_label_values(&[charge.tenant, charge.provider, charge.model])
                .inc_by(cost.dollars()),
            None => self.unpriced.with_label_values(&[charge.model]).inc(),
        }
    }

    /// Counts what an answer would have cost at the baseline model.
    pub fn baseline(&self, tenant: &str, cost: Usd) {
        self.baseline_cost.with_label_values(&[tenant]).inc_by(cost.dollars());
    }

    /// Counts a finished request.
    pub fn finished(&self, endpoint: &str, tenant: &str, outcome: &str, elapsed: Duration) {
        self.requests.with_label_values(&[endpoint, tenant, outcome]).inc();
        self.duration.with_label_values(&[endpoint]).observe(elapsed.as_secs_f64());
    }

    /// Money spent since the start, in dollars.
    #[must_use]
    pub fn total_cost(&self) -> f64 {
        total(&self.cost)
    }

    /// What the baseline model would have cost since the start, in dollars.
    #[must_use]
    pub fn total_baseline_cost(&self) -> f64 {
        total(&self.baseline_cost)
    }

    /// The text exposition.
    ///
    /// # Errors
    /// A family that does not encode.
    pub fn render(&self) -> prometheus::Result<Vec<u8>> {
        let mut text = Vec::with_capacity(16 << 10);
        TextEncoder::new().encode(&self.registry.gather(), &mut text)?;
        Ok(text)
    }
}

/// The sum over all labels.
fn total(counters: &CounterVec) -> f64 {
    let families = prometheus::core::Collector::collect(counters);
    families
        .iter()
        .flat_map(|family| family.get_metric())
        .map(|metric| metric.get_counter().get_value())
        .sum()
}

/// What one answer used and cost.
#[derive(Clone, Copy, Debug)]
pub struct Charge<'a> {
    /// Who pays.
    pub tenant: &'a str,
    /// Who answered.
    pub provider: &'a str,
    /// With which model of the policy.
    pub model: &'a str,
    /// Tokens by class.
    pub usage: TokenUsage,
    /// `None`: the model has no price.
    pub cost: Option<Usd>,
}
