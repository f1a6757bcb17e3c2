//! What a simulation has seen.

use std::fmt;
use std::ops::Range;
use std::time::Duration;

use router_core::health::HealthView;

/// Everything that callers and providers saw.
#[derive(Debug, Default)]
pub(crate) struct Report {
    /// Requests that ended in an error the caller sees.
    pub(crate) errors: usize,
    /// Requests that ended in an error of the caller's own.
    pub(crate) caller_faults: usize,
    /// Second attempts for late first tokens.
    pub(crate) hedges: usize,
    /// When each request arrived.
    pub(crate) arrivals: Vec<Duration>,
    /// When each attempt was sent, and to whom.
    pub(crate) sent: Vec<(Duration, usize)>,
    /// When each answered request arrived, and how long its first token took.
    pub(crate) first_tokens: Vec<(Duration, Duration)>,
    /// The providers' health at the end.
    pub(crate) health: Vec<HealthView>,
}

impl Report {
    pub(crate) fn attempts_per_request(&self) -> f64 {
        self.sent.len() as f64 / self.arrivals.len() as f64
    }

    pub(crate) fn error_share(&self) -> f64 {
        self.errors as f64 / self.arrivals.len() as f64
    }

    pub(crate) fn hedge_share(&self) -> f64 {
        self.hedges as f64 / self.arrivals.len() as f64
    }

    /// The part of all attempts that went to one provider.
    pub(crate) fn share(&self, provider: usize) -> f64 {
        self.share_during(provider, Duration::ZERO..Duration::MAX)
    }

    /// The part of the attempts in some time that went to one provider.
    pub(crate) fn share_during(&self, provider: usize, when: Range<Duration>) -> f64 {
        let all = self.sent.iter().filter(|(at, _)| when.contains(at));
        let (mut total, mut its) = (0, 0);
        for (_, to) in all {
            total += 1;
            its += usize::from(*to == provider);
        }
        its as f64 / f64::from(total.max(1))
    }

    /// Attempts in some time at one provider.
    pub(crate) fn sent_during(&self, provider: usize, when: Range<Duration>) -> usize {
        self.sent.iter().filter(|(at, to)| *to == provider && when.contains(at)).count()
    }

    /// When the first attempt from some time on was sent to one provider; never is the end of time.
    pub(crate) fn first_sent_after(&self, provider: usize, from: Duration) -> Duration {
        let mut its = self.sent.iter().filter(|(at, to)| *to == provider && *at >= from);
        its.next().map_or(Duration::MAX, |&(at, _)| at)
    }

    /// A quantile of the callers' first-token times.
    pub(crate) fn first_token(&self, quantile: f64) -> Duration {
        self.first_token_during(quantile, Duration::ZERO..Duration::MAX)
    }

    /// A quantile of the first-token times of requests that arrived in some time.
    pub(crate) fn first_token_during(&self, quantile: f64, when: Range<Duration>) -> Duration {
        let answered = self.first_tokens.iter().filter(|(at, _)| when.contains(at));
        let mut times: Vec<_> = answered.map(|&(_, took)| took).collect();
        assert!(!times.is_empty(), "nobody was answered");
        times.sort_unstable();
        times[((times.len() - 1) as f64 * quantile).round() as usize]
    }

    /// Requests that arrived in some time.
    pub(crate) fn arrived_during(&self, when: Range<Duration>) -> usize {
        self.arrivals.iter().filter(|at| when.contains(at)).count()
    }

    /// Requests that arrived in some time and were answered.
    pub(crate) fn answered_during(&self, when: Range<Duration>) -> usize {
        self.first_tokens.iter().filter(|(at, _)| when.contains(at)).count()
    }
}

/// One line, for people.
impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (requests, errors) = (self.arrivals.len(), self.errors);
        write!(f, "{requests} requests, {errors} errors ({:.3} %), ", self.error_share() * 100.0)?;
        write!(
            f,
            "{:.4} attempts/request, hedged {:.3} %",
            self.attempts_per_request(),
            self.hedge_share() * 100.0
        )?;
        if !self.first_tokens.is_empty() {
            let millis = |quantile| self.first_token(quantile).as_millis();
            write!(f, ", first token p50 {} p99 {} ms", millis(0.5), millis(0.99))?;
        }
        write!(f, ", shares")?;
        (0..self.health.len()).try_for_each(|provider| write!(f, " {:.3} %", self.share(provider) * 100.0))
    }
}
