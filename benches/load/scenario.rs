//! What is asked of the targets.

use serde::Serialize;

/// Prompts that [`Scenario::Hit`] asks for over and over.
const POPULAR: u64 = 64;

/// A kind of traffic.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, clap::ValueEnum)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Scenario {
    /// Plain answers to prompts that are all new: scored, matched, looked up in vain, forwarded, stored.
    Miss,
    /// Plain answers to 64 prompts over and over: the sidecar has them in its cache, the bare proxy forwards.
    Hit,
    /// Streams of 40 events, 2 ms apart, to prompts that are all new.
    Stream,
    /// As `miss`, with a log line for every request.
    Logged,
    /// As `miss`, with a key, quotas, budgets, spending written before each request, and a ledger; beside the sidecar without all that.
    Paid,
}

impl Scenario {
    /// All of them, in the order of the report.
    pub(crate) const ALL: [Self; 5] = [Self::Miss, Self::Hit, Self::Stream, Self::Logged, Self::Paid];

    /// What it is called on the command line.
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Miss => "miss",
            Self::Hit => "hit",
            Self::Stream => "stream",
            Self::Logged => "logged",
            Self::Paid => "paid",
        }
    }

    /// One line for the report.
    pub(crate) const fn summary(self) -> &'static str {
        match self {
            Self::Miss => "miss: plain answers, every prompt new",
            Self::Hit => "hit: plain answers out of the cache; the bare proxy forwards",
            Self::Stream => "stream: 40 events 2 ms apart, every prompt new",
            Self::Logged => "logged: as miss, with a log line for every request",
            Self::Paid => {
                "paid: as miss, with a key, quotas, budgets and a ledger, against the sidecar without"
            }
        }
    }

    /// Whether the answers are streams.
    pub(crate) fn streams(self) -> bool {
        self == Self::Stream
    }

    /// Arguments of the scripted provider.
    pub(crate) const fn upstream(self) -> &'static [&'static str] {
        match self {
            Self::Stream => &["--answer-tokens", "80", "--chunk-tokens", "2", "--tokens-per-second", "1000"],
            Self::Miss | Self::Hit | Self::Logged | Self::Paid => &["--fast"],
        }
    }

    /// What the sidecar must say in `x-router-cache`.
    pub(crate) const fn cache(self) -> &'static str {
        match self {
            Self::Hit => "hit",
            Self::Miss | Self::Stream | Self::Logged | Self::Paid => "miss",
        }
    }

    /// Whether the sidecar logs requests.
    pub(crate) fn logs(self) -> bool {
        self == Self::Logged
    }

    /// Whether the sidecar counts money, and is compared with one that does not instead of with the bare proxy.
    pub(crate) fn pays(self) -> bool {
        self == Self::Paid
    }

    /// What the sidecar is compared with.
    pub(crate) fn yardstick(self) -> &'static str {
        if self.pays() { "unpaid" } else { "bare" }
    }

    /// Which prompt the request with this number asks.
    pub(crate) const fn prompt(self, number: u64) -> u64 {
        match self {
            Self::Hit => number % POPULAR,
            Self::Miss | Self::Stream | Self::Logged | Self::Paid => number,
        }
    }

    /// Requests in a round: a stream costs and takes about as much as ten plain answers.
    pub(crate) const fn requests(self, plain: u64) -> u64 {
        match self {
            Self::Stream => plain.div_ceil(10),
            Self::Miss | Self::Hit | Self::Logged | Self::Paid => plain,
        }
    }

    /// How every whole answer ends.
    pub(crate) const fn ending(self) -> &'static [u8] {
        match self {
            Self::Stream => b"data: [DONE]\n\n",
            Self::Miss | Self::Hit | Self::Logged | Self::Paid => b"}",
        }
    }
}
