//! A provider: one address that speaks one dialect.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use crate::dialect::Dialect;
use crate::health::HealthSettings;
use crate::ids::ProviderId;
use crate::registry::Secret;

/// Where a provider runs, seen from the caller's organisation.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Placement {
    /// On own ground: data does not leave.
    Internal,
    /// Somebody else's service.
    External,
}

impl Placement {
    /// The name used in policies, headers and labels.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Internal => "internal",
            Self::External => "external",
        }
    }

    /// The placement with this name.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        [Self::Internal, Self::External].into_iter().find(|placement| placement.as_str() == name)
    }
}

impl fmt::Display for Placement {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// How long each stage of an attempt may take.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Timeouts {
    /// Until a connection stands, TLS included.
    pub connect: Duration,
    /// From the request sent to the first byte of the answer.
    pub first_byte: Duration,
    /// Between two pieces of the answer.
    pub idle: Duration,
    /// The whole attempt.
    pub total: Duration,
}

impl Default for Timeouts {
    /// 5 s to connect, 30 s to the first byte (the platform's request timeout), 60 s of silence in mid-answer, and
    /// 600 s in all, which is what the official SDKs wait.
    fn default() -> Self {
        Self {
            connect: Duration::from_secs(5),
            first_byte: Duration::from_secs(30),
            idle: Duration::from_secs(60),
            total: Duration::from_secs(600),
        }
    }
}

/// Bounds on a provider's connections.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PoolSettings {
    /// Idle connections kept open.
    pub max_idle: usize,
    /// Requests in flight at most; more wait for the connect timeout.
    pub max_connections: usize,
    /// Speak HTTP/2 from the first byte on a plain-text address (with TLS it is negotiated by ALPN).
    pub http2_prior_knowledge: bool,
}

impl Default for PoolSettings {
    /// 20 idle and 100 at most: the platform's defaults.
    fn default() -> Self {
        Self { max_idle: 20, max_connections: 100, http2_prior_knowledge: false }
    }
}

/// A look at a provider that costs nothing: a list is fetched, never a prompt sent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Probe {
    /// Between two looks.
    pub interval: Duration,
    /// What is fetched, below the base URL.
    pub path: Box<str>,
}

/// What TLS towards one provider needs beyond the system's roots, as PEM.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ProviderTls {
    /// Roots of trust in place of the system's. Empty: nobody is trusted.
    pub roots: Option<Secret>,
    /// The certificate chain and key that the router shows. Empty: it cannot connect.
    pub identity: Option<(Secret, Secret)>,
}

/// A provider entry of the policy, compiled.
#[derive(Clone, Debug)]
pub struct Provider {
    /// Its id, stable across reloads while name and address stay.
    pub id: ProviderId,
    /// Its name in the policy.
    pub name: Box<str>,
    /// What it speaks.
    pub dialect: Dialect,
    /// Where it runs.
    pub placement: Placement,
    /// `http://host:port/prefix` or `https://…`, without a trailing slash.
    pub base_url: Box<str>,
    /// The key itself; the shell puts it into the dialect's header.
    pub api_key: Option<Secret>,
    /// Extra headers for every request: name in lower case, value.
    pub headers: Vec<(Box<str>, Secret)>,
    /// Time limits.
    pub timeouts: Timeouts,
    /// How its health is judged.
    pub health: Arc<HealthSettings>,
    /// Its share of the traffic relative to equals in its group; usually 1.
    pub weight: f32,
    /// How it is looked after while nobody asks it; `None`: not at all.
    pub probe: Option<Probe>,
    /// Its place in the order of preference among equals: 0 first. Others are asked while nobody is left in the groups before them.
    pub group: u8,
    /// Connection limits.
    pub pool: PoolSettings,
    /// What TLS needs.
    pub tls: ProviderTls,
    /// Whether streams are asked for their usage (`stream_options.include_usage`).
    pub stream_usage: bool,
}
