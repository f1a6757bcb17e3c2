//! Providers that do what a script says.

use std::ops::Range;
use std::time::Duration;

/// A distribution of durations.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Times {
    Fixed(Duration),
    Lognormal { median: Duration, sigma: f64 },
}

/// Always the same.
pub(crate) fn fixed(duration: Duration) -> Times {
    Times::Fixed(duration)
}

/// Lognormal around a median.
pub(crate) fn lognormal(median: Duration, sigma: f64) -> Times {
    Times::Lognormal { median, sigma }
}

impl Times {
    fn draw(self, rng: &mut fastrand::Rng) -> Duration {
        match self {
            Self::Fixed(duration) => duration,
            Self::Lognormal { median, sigma } => median.mul_f64((sigma * normal(rng)).exp()),
        }
    }
}

/// A standard normal draw (Box and Muller).
fn normal(rng: &mut fastrand::Rng) -> f64 {
    (-2.0 * (1.0 - rng.f64()).ln()).sqrt() * (std::f64::consts::TAU * rng.f64()).cos()
}

/// What goes wrong.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Fault {
    /// No connection, known after so long.
    Refuses { after: Duration },
    /// This share of requests gets a 5xx after so long.
    Errors { share: f64, after: Duration },
    /// 429 with this `Retry-After`.
    Limited { retry_after: Duration },
    /// Rejects the request for what the caller put into it.
    CallerFaults,
    /// First tokens take so many times longer.
    Slower { factor: f64 },
    /// This share of streams is cut after the first token.
    Cuts { share: f64 },
}

/// How a provider reacts to one request; durations from its arrival.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Reply {
    Answer { first_token: Duration, end: Duration },
    Cut { first_token: Duration, end: Duration },
    Unsent { after: Duration },
    Error { after: Duration },
    Limited { after: Duration, retry_after: Duration },
    CallerFault { after: Duration },
}

/// A scripted provider.
#[derive(Clone, Debug)]
pub(crate) struct Script {
    pub(crate) group: u8,
    pub(crate) weight: f32,
    first_token: Times,
    writing: Times,
    faults: Vec<(Range<Duration>, Fault)>,
}

/// The round trip of an answer that the provider doesn't have to think about.
const ROUND_TRIP: Duration = Duration::from_millis(30);

/// A provider in perfect health.
pub(crate) fn provider(first_token: Times) -> Script {
    Script { group: 0, weight: 1.0, first_token, writing: fixed(Duration::from_secs(2)), faults: Vec::new() }
}

impl Script {
    pub(crate) fn group(self, group: u8) -> Self {
        Self { group, ..self }
    }

    pub(crate) fn weight(self, weight: f32) -> Self {
        Self { weight, ..self }
    }

    /// Adds a fault for part of the simulated time.
    pub(crate) fn during(mut self, when: Range<Duration>, fault: Fault) -> Self {
        self.faults.push((when, fault));
        self
    }

    /// Adds a fault for all of the simulated time.
    pub(crate) fn always(self, fault: Fault) -> Self {
        self.during(Duration::ZERO..Duration::MAX, fault)
    }

    /// The reply to a request that arrives `at` this time from the beginning.
    pub(crate) fn reply(&self, at: Duration, rng: &mut fastrand::Rng) -> Reply {
        let mut first_token = self.first_token.draw(rng);
        let mut cut = false;
        for (_, fault) in self.faults.iter().filter(|(when, _)| when.contains(&at)) {
            match *fault {
                Fault::Refuses { after } => return Reply::Unsent { after },
                Fault::Errors { share, after } if rng.f64() < share => return Reply::Error { after },
                Fault::Errors { .. } => {}
                Fault::Limited { retry_after } => return Reply::Limited { after: ROUND_TRIP, retry_after },
                Fault::CallerFaults => return Reply::CallerFault { after: ROUND_TRIP },
                Fault::Slower { factor } => first_token = first_token.mul_f64(factor),
                Fault::Cuts { share } => cut = rng.f64() < share,
            }
        }
        let end = first_token + self.writing.draw(rng);
        if cut { Reply::Cut { first_token, end } } else { Reply::Answer { first_token, end } }
    }
}
