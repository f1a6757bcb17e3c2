//! Why a request is not sent to any provider.

use std::fmt;
use std::time::Duration;

use thiserror::Error;

use crate::decision::Receipt;
use crate::registry::Placement;

/// Whose fault it is that a request fails.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// The request itself.
    Caller,
    /// The policy refuses it.
    Policy,
    /// No provider can serve it now.
    Upstream,
    /// The router.
    Router,
}

/// Why the core refuses a request. The code is stable and reaches the caller.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum Reason {
    /// No model or alias has this name.
    #[error("the model '{name}' does not exist or you may not use it{}", did_you_mean(.near))]
    ModelNotFound {
        /// The name the caller asked for.
        name: Box<str>,
        /// Known names that look like it.
        near: Vec<Box<str>>,
    },
    /// A rule refuses it.
    #[error("{message}")]
    PolicyDenied {
        /// The rule's own message.
        message: Box<str>,
    },
    /// Nothing that is placed where the request must stay can serve it.
    #[error("no {placement} model can serve this request, and it must not leave")]
    PlacementUnavailable {
        /// Where it must stay.
        placement: Placement,
    },
    /// Every model that could serve it is expected to cost more than allowed, or has no price.
    #[error("every model that can serve this request is expected to cost more than the limit of ${limit}")]
    CostLimit {
        /// The limit in force.
        limit: crate::money::Usd,
    },
    /// No model of the right dialect has the capabilities, the context window or the health.
    #[error("no model can serve this request: {why}")]
    NoCandidate {
        /// The candidates' reasons, shortened.
        why: Box<str>,
    },
}

/// `; did you mean 'x' or 'y'?`
fn did_you_mean(names: &[Box<str>]) -> String {
    match names {
        [] => String::new(),
        names => {
            let quoted: Vec<_> = names.iter().map(|name| format!("'{name}'")).collect();
            format!("; did you mean {}?", quoted.join(" or "))
        }
    }
}

impl Reason {
    /// The stable code.
    #[must_use]
    pub const fn code(&self) -> &'static str {
        match self {
            Self::ModelNotFound { .. } => "model_not_found",
            Self::PolicyDenied { .. } => "policy_denied",
            Self::PlacementUnavailable { .. } => "placement_unavailable",
            Self::CostLimit { .. } => "cost_limit",
            Self::NoCandidate { .. } => "no_candidate",
        }
    }

    /// Whose fault it is.
    #[must_use]
    pub const fn fault(&self) -> Fault {
        match self {
            Self::ModelNotFound { .. } => Fault::Caller,
            Self::NoCandidate { .. } => Fault::Upstream,
            _ => Fault::Policy,
        }
    }

    /// When asking again can help, and how soon.
    #[must_use]
    pub const fn retry_after(&self) -> Option<Duration> {
        match self {
            Self::NoCandidate { .. } => Some(Duration::from_secs(5)),
            _ => None,
        }
    }
}

/// A refusal with the receipt of how it came about.
#[derive(Clone, Debug)]
pub struct Rejection {
    /// Why.
    pub reason: Reason,
    /// How far the decision came.
    pub receipt: Box<Receipt>,
}

impl fmt::Display for Rejection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.reason.fmt(f)
    }
}

impl std::error::Error for Rejection {}
