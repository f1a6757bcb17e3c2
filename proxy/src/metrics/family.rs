//! How families come about: one prefix, one registry.

use prometheus::{
    CounterVec, GaugeVec, HistogramOpts, HistogramVec, IntCounterVec, IntGauge, IntGaugeVec, Opts, Registry,
};

/// Registers families under the product's prefix.
pub(super) struct Family<'r>(pub(super) &'r Registry);

impl Family<'_> {
    /// Registers one.
    pub(super) fn keep<C: prometheus::core::Collector + Clone + 'static>(
        &self,
        collector: prometheus::Result<C>,
    ) -> prometheus::Result<C> {
        let collector = collector?;
        self.0.register(Box::new(collector.clone()))?;
        Ok(collector)
    }

    /// Its name and what it says.
    pub(super) fn opts(name: &str, help: &str) -> Opts {
        Opts::new(format!("xynergy_router_{name}"), help)
    }

    /// A family of counters.
    pub(super) fn counters(
        &self,
        name: &str,
        help: &str,
        labels: &[&str],
    ) -> prometheus::Result<IntCounterVec> {
        self.keep(IntCounterVec::new(Self::opts(name, help), labels))
    }

    /// A family of counters of fractions.
    pub(super) fn amounts(&self, name: &str, help: &str, labels: &[&str]) -> prometheus::Result<CounterVec> {
        self.keep(CounterVec::new(Self::opts(name, help), labels))
    }

    /// A family of gauges.
    /// One gauge.
    pub(super) fn gauges(&self, name: &str, help: &str, labels: &[&str]) -> prometheus::Result<IntGaugeVec> {
        self.keep(IntGaugeVec::new(Self::opts(name, help), labels))
    }

    /// A family of gauges of fractions.
    pub(super) fn measures(&self, name: &str, help: &str, labels: &[&str]) -> prometheus::Result<GaugeVec> {
        self.keep(GaugeVec::new(Self::opts(name, help), labels))
    }

    /// One gauge.
    pub(super) fn gauge(&self, name: &str, help: &str) -> prometheus::Result<IntGauge> {
        self.keep(IntGauge::with_opts(Self::opts(name, help)))
    }

    /// A family of histograms.
    pub(super) fn histograms(
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
