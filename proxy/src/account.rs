//! What is counted about one request, exactly once.

use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant};

use http::header::HeaderValue;

use crate::metrics::Metrics;

/// The label of what the policy does not name.
pub const OTHER: &str = "_other";

/// Counts a request when it ends. Dropped without an end, the caller has gone: `cancelled`.
#[derive(Debug)]
pub struct Account {
    metrics: Arc<Metrics>,
    endpoint: &'static str,
    tenant: OnceLock<Box<str>>,
    /// The request's id, where every request gets a log line.
    logged: Option<HeaderValue>,
    arrived: Instant,
    outcome: OnceLock<&'static str>,
}

impl Account {
    /// Opens the account of a request that came in at `arrived`. With the id in `logged` it gets a log line.
    #[must_use]
    pub fn open(
        metrics: &Arc<Metrics>,
        endpoint: &'static str,
        arrived: Instant,
        logged: Option<HeaderValue>,
    ) -> Self {
        metrics.in_flight.inc();
        Self {
            metrics: Arc::clone(metrics),
            endpoint,
            tenant: OnceLock::new(),
            logged,
            arrived,
            outcome: OnceLock::new(),
        }
    }

    /// Says who asked, once that is known. The first word counts.
    pub fn of_tenant(&self, tenant: &str) {
        self.tenant.get_or_init(|| tenant.into());
    }

    /// Who asked, as a label.
    #[must_use]
    pub fn tenant(&self) -> &str {
        self.tenant.get().map_or(OTHER, |tenant| tenant)
    }

    /// When the request came in.
    #[must_use]
    pub fn arrived(&self) -> Instant {
        self.arrived
    }

    /// How the request ended, once it has.
    #[must_use]
    pub fn outcome(&self) -> Option<&'static str> {
        self.outcome.get().copied()
    }

    /// Ends the account. Only the first end counts.
    pub fn close(&self, outcome: &'static str) {
        if self.outcome.set(outcome).is_err() {
            return;
        }
        self.metrics.in_flight.dec();
        let elapsed = self.arrived.elapsed();
        self.metrics.finished(self.endpoint, self.tenant(), outcome, elapsed);
        if let Some(id) = &self.logged {
            let (endpoint, tenant, seconds) = (self.endpoint, self.tenant(), elapsed.as_secs_f64());
            tracing::info!(
                event = "request",
                request_id = id.to_str().unwrap_or_default(),
                endpoint,
                tenant,
                outcome,
                seconds
            );
        }
    }
}

impl Drop for Account {
    fn drop(&mut self) {
        self.close("cancelled");
    }
}

/// Tells the router's own time from time spent waiting for others.
#[derive(Clone, Copy, Debug)]
pub struct Stopwatch {
    started: Instant,
    waited: Duration,
}

impl Stopwatch {
    /// Starts at `started`.
    #[must_use]
    pub const fn new(started: Instant) -> Self {
        Self { started, waited: Duration::ZERO }
    }

    /// Waits for somebody else: the time does not count.
    pub async fn wait<T>(&mut self, others: impl Future<Output = T>) -> T {
        let began = Instant::now();
        let result = others.await;
        self.waited += began.elapsed();
        result
    }

    /// The router's own time so far.
    #[must_use]
    pub fn own(&self) -> Duration {
        self.started.elapsed().saturating_sub(self.waited)
    }
}
