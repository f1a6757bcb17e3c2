//! What Prometheus scrapes. Labels take their values from the policy, so their number is bounded by it.

mod cache;
mod family;
mod money;
mod policy;
mod traffic;
mod upstream;

use std::time::Duration;

use prometheus::{CounterVec, Encoder, Registry, TextEncoder};
use router_core::{TokenUsage, Usd};

pub use cache::Cache;
use family::Family;
pub use money::Money;
pub use policy::Policy;
pub use traffic::Traffic;
pub use upstream::Upstream;

/// The metric families of the router.
#[derive(Debug)]
pub struct Metrics {
    registry: Registry,
    /// Requests, and how they were decided.
    pub traffic: Traffic,
    /// The cache, exact and near.
    pub cache: Cache,
    /// Providers and the attempts at them.
    pub upstream: Upstream,
    /// Tokens, money, quotas and budgets.
    pub money: Money,
    /// The policy in force.
    pub policy: Policy,
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
            traffic: Traffic::try_new(&family)?,
            cache: Cache::try_new(&family)?,
            upstream: Upstream::try_new(&family)?,
            money: Money::try_new(&family)?,
            policy: Policy::try_new(&family)?,
            registry: registry.clone(),
        };
        family
            .gauges("build_info", "Version of the running program; always 1.", &["version"])?
            .with_label_values(&[env!("CARGO_PKG_VERSION")])
            .set(1);
        registry.register(Box::new(prometheus::process_collector::ProcessCollector::for_self()))?;
        for side in ["upstream", "client"] {
            metrics.upstream.streams_truncated.with_label_values(&[side]).reset();
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
                self.money.tokens.with_label_values(&labels(class)).inc_by(tokens);
            }
        }
        match charge.cost {
            Some(cost) => self
                .money
                .cost
                .with_label_values(&[charge.tenant, charge.provider, charge.model])
                .inc_by(cost.dollars()),
            None => self.money.unpriced.with_label_values(&[charge.model]).inc(),
        }
    }

    /// Counts what an answer would have cost at the baseline model.
    pub fn baseline(&self, tenant: &str, cost: Usd) {
        self.money.baseline_cost.with_label_values(&[tenant]).inc_by(cost.dollars());
    }

    /// Counts a finished request.
    pub fn finished(&self, endpoint: &str, tenant: &str, outcome: &str, elapsed: Duration) {
        self.traffic.requests.with_label_values(&[endpoint, tenant, outcome]).inc();
        self.traffic.duration.with_label_values(&[endpoint]).observe(elapsed.as_secs_f64());
    }

    /// Money spent since the start, in dollars.
    #[must_use]
    pub fn total_cost(&self) -> f64 {
        total(&self.money.cost)
    }

    /// What the baseline model would have cost since the start, in dollars.
    #[must_use]
    pub fn total_baseline_cost(&self) -> f64 {
        total(&self.money.baseline_cost)
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
