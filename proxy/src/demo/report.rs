//! What the demo tells at the end.

use std::fmt;
use std::path::Path;
use std::time::{Duration, Instant};

use router_core::{Digest, Endpoint, RouteRequest, TenantId, decide};
use serde::Serialize;

use super::chaos::Account;
use super::client::Reply;
use super::workload;
use crate::explain::Explanation;
use crate::sidecar::Sidecar;

/// The report; its fields are those of `demo --json`.
#[derive(Debug, Serialize)]
pub(super) struct Report {
    requests: usize,
    errors: usize,
    cost_usd: f64,
    baseline_cost_usd: f64,
    saved_ratio: f64,
    cache: Cache,
    bands: Bands,
    placement: Placement,
    overhead_us: Overhead,
    #[serde(skip_serializing_if = "Option::is_none")]
    chaos: Option<Account>,
    #[serde(skip)]
    refused_traps: u64,
    #[serde(skip)]
    latency: Latency,
    #[serde(skip)]
    example: Option<Explanation>,
}

#[derive(Debug, Serialize)]
struct Cache {
    hit: usize,
    near: usize,
    shared: usize,
    miss: usize,
    bypass: usize,
}

#[derive(Debug, Serialize)]
struct Bands {
    internal: usize,
    hybrid: usize,
    external: usize,
}

#[derive(Debug, Serialize)]
struct Placement {
    internal: usize,
    external: usize,
    none: usize,
}

#[derive(Debug, Serialize)]
struct Overhead {
    p50: u64,
    p99: u64,
}

#[derive(Debug)]
struct Latency {
    cached: Duration,
    asked: Duration,
}

/// The value below which `share` of the sorted values lie.
pub(super) fn quantile<T: Copy + Default>(sorted: &[T], share: f64) -> T {
    let at = (sorted.len() as f64 * share).ceil() as usize;
    sorted.get(at.saturating_sub(1)).copied().unwrap_or_default()
}

impl Report {
    pub(super) fn new(sidecar: &Sidecar, replies: &[Reply]) -> anyhow::Result<Self> {
        let count = |wanted: &dyn Fn(&Reply) -> bool| replies.iter().filter(|reply| wanted(reply)).count();
        let cached = |name: &str| count(&|reply| reply.cache == name);
        let band = |name: &str| count(&|reply| reply.band == name);
        let asked = Reply::was_asked;
        let placed = |name: &str| count(&|reply| asked(reply) && reply.placement == name);
        let metrics = &sidecar.app().metrics;
        let (cost_usd, baseline_cost_usd) = (metrics.total_cost(), metrics.total_baseline_cost());
        let mut overheads: Vec<u64> = replies.iter().map(|reply| reply.overhead_us).collect();
        overheads.sort_unstable();
        let (internal, external) = (placed("internal"), placed("external"));
        Ok(Self {
            requests: replies.len(),
            errors: count(&|reply| !reply.is_ok()),
            cost_usd,
            baseline_cost_usd,
            saved_ratio: if baseline_cost_usd > 0.0 { 1.0 - cost_usd / baseline_cost_usd } else { 0.0 },
            cache: Cache {
                hit: cached("hit"),
                near: cached("near"),
                shared: cached("shared"),
                miss: cached("miss"),
                bypass: cached("bypass"),
            },
            bands: Bands { internal: band("internal"), hybrid: band("hybrid"), external: band("external") },
            placement: Placement { internal, external, none: replies.len() - internal - external },
            overhead_us: Overhead { p50: quantile(&overheads, 0.5), p99: quantile(&overheads, 0.99) },
            chaos: None,
            refused_traps: metrics.cache.lookups.with_label_values(&["semantic", "vetoed"]).get(),
            latency: Latency {
                cached: median(replies.iter().filter(|reply| !asked(reply))),
                asked: median(replies.iter().filter(|reply| asked(reply))),
            },
            example: example(sidecar),
        })
    }

    /// The same with what the storm did.
    pub(super) fn in_weather(self, chaos: Account) -> Self {
        Self { chaos: Some(chaos), ..self }
    }

    /// Whether something happened that must not: in fair weather a failed request, in rough weather a stream that hid its failure.
    pub(super) fn has_failed(&self) -> bool {
        self.chaos.as_ref().map_or(self.errors > 0, Account::has_lied)
    }
}

fn median<'r>(replies: impl Iterator<Item = &'r Reply>) -> Duration {
    let mut times: Vec<Duration> = replies.map(|reply| reply.elapsed).collect();
    times.sort_unstable();
    quantile(&times, 0.5)
}

/// One decision of the workload, in full.
fn example(sidecar: &Sidecar) -> Option<Explanation> {
    let app = sidecar.app();
    let snapshot = app.snapshot();
    let body = workload::example();
    let digest = Digest::read(Endpoint::ChatCompletions, body.as_bytes(), &app.state.fingerprint_key).ok()?;
    let request = RouteRequest::new(&digest, TenantId::ANONYMOUS);
    Some(Explanation::new(
        &snapshot,
        &decide(&snapshot, &app.state, &request, Instant::now(), &mut fastrand::Rng::new()),
    ))
}

/// A bar of up to `width` blocks for a share of 0..=1.
fn bar(share: f64, width: usize) -> String {
    let filled = (share.clamp(0.0, 1.0) * width as f64).round() as usize;
    format!("{}{}", "█".repeat(filled), "░".repeat(width - filled))
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let total = self.requests.max(1) as f64;
        let row = |f: &mut fmt::Formatter<'_>, name: &str, count: usize| {
            let share = count as f64 / total;
            writeln!(f, "    {name:<10} {count:>6}  {}  {:>5.1} %", bar(share, 30), share * 100.0)
        };
        writeln!(f, "\n  {} requests, {} errors\n", self.requests, self.errors)?;
        writeln!(f, "  Spent            ${:.5}", self.cost_usd)?;
        writeln!(f, "  Baseline         ${:.5}   everything to the dear model", self.baseline_cost_usd)?;
        writeln!(
            f,
            "  Saved            {:>7.1} %   {}\n",
            self.saved_ratio * 100.0,
            bar(self.saved_ratio, 30)
        )?;
        writeln!(f, "  How hard the prompts were")?;
        row(f, "internal", self.bands.internal)?;
        row(f, "hybrid", self.bands.hybrid)?;
        row(f, "external", self.bands.external)?;
        writeln!(f, "\n  Who answered")?;
        row(f, "internal", self.placement.internal)?;
        row(f, "external", self.placement.external)?;
        row(f, "cache", self.placement.none)?;
        let ms = |time: Duration| time.as_secs_f64() * 1e3;
        let Cache { hit, near, shared, .. } = self.cache;
        writeln!(
            f,
            "    of these: {hit} the same request, {near} the same question in other words, {shared} shared in flight"
        )?;
        writeln!(
            f,
            "    {} questions that only looked the same were refused by the guards",
            self.refused_traps
        )?;
        writeln!(f, "\n  Router overhead  p50 {} µs, p99 {} µs", self.overhead_us.p50, self.overhead_us.p99)?;
        writeln!(
            f,
            "  Median answer    {:.0} ms asked, {:.1} ms cached",
            ms(self.latency.asked),
            ms(self.latency.cached)
        )?;
        if let Some(chaos) = &self.chaos {
            return chaos.fmt(f);
        }
        if let Some(example) = &self.example {
            writeln!(f, "\n  One decision in full (a request for a lock-free queue with proofs)\n")?;
            for line in example.to_string().lines() {
                writeln!(f, "    {line}")?;
            }
        }
        Ok(())
    }
}

/// What to try while the demo serves.
pub(super) fn what_next(sidecar: &Sidecar, policy: &Path) -> String {
    let (data, admin) = (sidecar.data(), sidecar.admin());
    format!(
        r#"
  Still serving. Try:

    curl -i http://{data}/v1/chat/completions -d '{{"model":"auto","temperature":0,"messages":[{{"role":"user","content":"Greet the team in Italian."}}]}}'
    curl -N http://{data}/v1/messages -d '{{"model":"auto","max_tokens":200,"stream":true,"messages":[{{"role":"user","content":"Hello!"}}]}}'
    curl -s http://{admin}/explain -d '{{"model":"auto","messages":[{{"role":"user","content":"Prove that there are infinitely many primes."}}]}}'
    curl -s http://{admin}/metrics | grep cost_usd
    OPENAI_BASE_URL=http://{data}/v1 OPENAI_API_KEY=unused python your_script.py

  Status page  http://{admin}/
  Policy       {} (edit it: it is reloaded when you save)
  Ctrl-C ends.
"#,
        policy.display()
    )
}
