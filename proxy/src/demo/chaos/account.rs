//! What callers saw of the storm.

use std::collections::BTreeMap;
use std::fmt;
use std::time::Duration;

use serde::Serialize;

use super::Damage;
use crate::demo::client::{Ending, Reply};
use crate::demo::report::quantile;
use crate::sidecar::Sidecar;

/// The object `chaos` of `demo --chaos --json`.
#[derive(Debug, Serialize)]
pub(in crate::demo) struct Account {
    /// How long the storm lasted.
    seconds: f64,
    /// What went wrong, and how often.
    faults: BTreeMap<&'static str, u32>,
    /// Requests during the storm.
    requests: usize,
    /// Those that were answered in full, after more than one attempt.
    hidden: usize,
    /// Those whose callers noticed.
    noticed: usize,
    /// What they noticed, and how often.
    errors: BTreeMap<String, usize>,
    /// The same by what was going on.
    noticed_during: BTreeMap<String, BTreeMap<String, usize>>,
    /// Answers that ended without their end and without an error. There must be none.
    silent_truncations: usize,
    retries: u64,
    hedges: Hedges,
    escalations: u64,
    breaker_openings: u32,
    /// Until the first byte of a streamed answer that a provider gave.
    first_token_ms: Compared,
}

#[derive(Debug, Serialize)]
struct Hedges {
    won: u64,
    lost: u64,
    failed: u64,
}

#[derive(Debug, Serialize)]
struct Compared {
    calm: Quantiles,
    storm: Quantiles,
}

#[derive(Debug, Serialize)]
struct Quantiles {
    p50: f64,
    p99: f64,
}

impl Quantiles {
    fn of(replies: &[Reply]) -> Self {
        let mut times: Vec<Duration> =
            replies.iter().filter(|reply| reply.was_asked()).filter_map(|reply| reply.first_token).collect();
        times.sort_unstable();
        let ms = |share| (quantile(&times, share).as_secs_f64() * 1e4).round() / 10.0;
        Self { p50: ms(0.5), p99: ms(0.99) }
    }
}

impl Account {
    pub(in crate::demo) fn new(damage: Damage, calm: &[Reply], storm: &[Reply], sidecar: &Sidecar) -> Self {
        let mut errors = BTreeMap::new();
        let mut noticed_during = BTreeMap::<String, BTreeMap<String, usize>>::new();
        for reply in storm.iter().filter(|reply| !reply.is_ok()) {
            let (kind, act) =
                (reply.ending.to_string(), damage.act_at(reply.began + reply.elapsed).to_owned());
            *errors.entry(kind.clone()).or_default() += 1;
            *noticed_during.entry(act).or_default().entry(kind).or_default() += 1;
        }
        let count = |wanted: &dyn Fn(&Reply) -> bool| storm.iter().filter(|reply| wanted(reply)).count();
        let metrics = &sidecar.app().metrics;
        let hedges = |result| metrics.upstream.hedges.with_label_values(&[result]).get();
        Self {
            seconds: (damage.lasted.as_secs_f64() * 10.0).round() / 10.0,
            faults: damage.faults,
            requests: storm.len(),
            hidden: count(&|reply| reply.is_ok() && reply.attempts > 1),
            noticed: count(&|reply| !reply.is_ok()),
            errors,
            noticed_during,
            silent_truncations: count(&|reply| reply.ending == Ending::Silent),
            retries: metrics.upstream.retries.get(),
            hedges: Hedges { won: hedges("won"), lost: hedges("lost"), failed: hedges("failed") },
            escalations: metrics.upstream.escalations.get(),
            breaker_openings: damage.openings,
            first_token_ms: Compared { calm: Quantiles::of(calm), storm: Quantiles::of(storm) },
        }
    }

    /// Whether a stream was cut and did not say so.
    pub(in crate::demo) fn has_lied(&self) -> bool {
        self.silent_truncations > 0
    }
}

impl fmt::Display for Account {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let acts: u32 = self.faults.values().sum();
        writeln!(f, "\n  Rough weather: {acts} acts in {:.1} s", self.seconds)?;
        let faults: Vec<_> = self.faults.iter().map(|(name, times)| format!("{name} × {times}")).collect();
        for line in faults.chunks(5) {
            writeln!(f, "    {}", line.join(", "))?;
        }
        writeln!(f, "\n  What callers saw of it, in {} requests", self.requests)?;
        writeln!(f, "    {:>6}  hidden: answered in full after another attempt", self.hidden)?;
        writeln!(f, "    {:>6}  noticed", self.noticed)?;
        for (act, errors) in &self.noticed_during {
            for (kind, count) in errors {
                writeln!(f, "    {count:>6}    {kind} ({act})")?;
            }
        }
        writeln!(f, "    {:>6}  answers that were cut and did not say so", self.silent_truncations)?;
        let Hedges { won, lost, failed } = self.hedges;
        writeln!(
            f,
            "\n  {} retries, {} second attempts beside a late one ({won} were sooner), {} breakers opened",
            self.retries,
            won + lost + failed,
            self.breaker_openings
        )?;
        let Compared { calm, storm } = &self.first_token_ms;
        writeln!(
            f,
            "  First token       calm p50 {:.0} ms, p99 {:.0} ms; storm p50 {:.0} ms, p99 {:.0} ms",
            calm.p50, calm.p99, storm.p50, storm.p99
        )
    }
}
