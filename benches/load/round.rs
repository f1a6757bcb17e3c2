//! One round at one target, and its figures.

use std::sync::Arc;
use std::sync::atomic::AtomicU64;
use std::time::Duration;

use crate::arrivals::{Arrivals, Tally};
use crate::bodies::Bodies;
use crate::process::Process;
use crate::scenario::Scenario;
use crate::stage::Target;

/// A round that takes longer has failed.
const LIMIT: Duration = Duration::from_secs(300);

/// What one round says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Figure {
    /// User and system time of the target.
    Cpu,
    /// Answers a second.
    Rate,
    /// Median of the time to the answer's last byte.
    Median,
    /// Its 99th percentile.
    Tail,
    /// Median of the time to the first byte of the answer's body.
    FirstByteMedian,
    /// Its 99th percentile.
    FirstByteTail,
    /// Memory held at the end of the round.
    Resident,
}

impl Figure {
    /// All of them, in the order of the report.
    pub(crate) const ALL: [Self; 7] = [
        Self::Cpu,
        Self::Rate,
        Self::Median,
        Self::Tail,
        Self::FirstByteMedian,
        Self::FirstByteTail,
        Self::Resident,
    ];

    /// Its key in JSON.
    pub(crate) const fn key(self) -> &'static str {
        match self {
            Self::Cpu => "cpu_seconds_per_10k",
            Self::Rate => "requests_per_second",
            Self::Median => "latency_p50_us",
            Self::Tail => "latency_p99_us",
            Self::FirstByteMedian => "first_byte_p50_us",
            Self::FirstByteTail => "first_byte_p99_us",
            Self::Resident => "resident_bytes",
        }
    }
}

/// The figures of one round, in the order of [`Figure::ALL`], and its errors.
#[derive(Clone, Debug)]
pub(crate) struct Round {
    pub(crate) figures: [f64; Figure::ALL.len()],
    pub(crate) errors: u64,
    pub(crate) first_error: Option<String>,
}

/// How the rounds of a scenario are driven.
pub(crate) struct Drive {
    pub(crate) scenario: Scenario,
    pub(crate) requests: u64,
    pub(crate) connections: usize,
    /// Requests a second; `None`: as many as the target can do.
    pub(crate) rate: Option<u32>,
    /// Requests that do not count, before all others.
    pub(crate) warm_up: u64,
    /// The number of the next request.
    pub(crate) numbers: Arc<AtomicU64>,
}

impl Drive {
    /// Sends requests that do not count, so that connections stand and caches are filled.
    ///
    /// # Errors
    /// The target does not answer.
    pub(crate) async fn warm_up(
        &self,
        target: Target,
        process: &Process,
        requests: u64,
    ) -> anyhow::Result<()> {
        self.arrivals(target, process, false).run(requests, self.connections, LIMIT).await?;
        Ok(())
    }

    /// Sends the requests that count.
    ///
    /// # Errors
    /// The target does not come to an end.
    pub(crate) async fn send(&self, target: Target, process: &Process) -> anyhow::Result<Tally> {
        self.arrivals(target, process, true).run(self.requests, self.connections, LIMIT).await
    }

    /// One round.
    ///
    /// # Errors
    /// The target is gone or does not come to an end.
    pub(crate) async fn round(&self, target: Target, process: &Process) -> anyhow::Result<Round> {
        self.warm_up(target, process, 4 * self.connections as u64).await?;
        let before = process.cpu_seconds()?;
        let mut tally = self.send(target, process).await?;
        let cpu = process.cpu_seconds()? - before;
        let resident = process.resident_bytes()? as f64;
        tally.latencies.sort_unstable();
        tally.first_bytes.sort_unstable();
        let answered = tally.latencies.len() as f64;
        Ok(Round {
            figures: [
                cpu / self.requests as f64 * 10_000.0,
                answered / tally.elapsed.as_secs_f64(),
                percentile(&tally.latencies, 50),
                percentile(&tally.latencies, 99),
                percentile(&tally.first_bytes, 50),
                percentile(&tally.first_bytes, 99),
                resident,
            ],
            errors: tally.errors,
            first_error: tally.first_error,
        })
    }

    fn arrivals(&self, target: Target, process: &Process, strict: bool) -> Arc<Arrivals> {
        Arc::new(Arrivals {
            target: process.address,
            scenario: self.scenario,
            cache: (strict && target == Target::Sidecar).then(|| self.scenario.cache()),
            rate: self.rate.filter(|_| strict),
            bodies: Arc::new(Bodies::new(&process.address.to_string(), self.scenario.streams())),
            numbers: Arc::clone(&self.numbers),
        })
    }
}

/// A percentile of sorted times in microseconds, by nearest rank; 0 of none.
fn percentile(sorted: &[Duration], percent: usize) -> f64 {
    let rank = (sorted.len() * percent).div_ceil(100).max(1);
    sorted.get(rank - 1).map_or(0.0, |time| time.as_secs_f64() * 1e6)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn percentiles_are_times_that_were_seen() {
        let times: Vec<Duration> = (1..=200).map(Duration::from_micros).collect();
        assert_eq!(percentile(&times, 50), 100.0);
        assert_eq!(percentile(&times, 99), 198.0);
        assert_eq!(percentile(&times[..1], 99), 1.0);
        assert_eq!(percentile(&[], 99), 0.0);
    }
}
