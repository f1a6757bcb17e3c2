//! How a provider can fail before its answer's head is here.

use std::error::Error as StdError;

use thiserror::Error;

use super::connect::ConnectTimeout;
use crate::refusal::Refusal;

/// Why there is no answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum UpstreamFault {
    /// No connection stands.
    #[error("the provider could not be reached")]
    Connect,
    /// None stood in time.
    #[error("the provider could not be reached within its connect timeout")]
    ConnectTimeout,
    /// As many requests are in flight as the provider's pool allows.
    #[error("the provider's connections are all in use")]
    PoolExhausted,
    /// Nothing came in time.
    #[error("the provider did not answer within its first_byte timeout")]
    FirstByteTimeout,
    /// The answer stalled.
    #[error("the provider fell silent in mid-answer")]
    IdleTimeout,
    /// The answer took too long as a whole.
    #[error("the provider did not finish within its total timeout")]
    TotalTimeout,
    /// The connection broke before the answer was complete.
    #[error("the provider broke off before its answer was complete")]
    Broken,
    /// The provider began an answer and reported an error in it.
    #[error("the provider reported an error in mid-answer")]
    ErrorEvent,
    /// The answer failed a check, and another model is asked.
    #[error("the answer failed a check: {0}")]
    Unfit(&'static str),
    /// A budget has no money for the rest of the answer.
    #[error("a budget has no money left for the rest of the answer")]
    Unaffordable,
    /// The answer is larger than the router holds.
    #[error("the provider's answer is larger than the router accepts")]
    TooLarge,
    /// The answer is not what was asked for.
    #[error("the provider's answer is not valid: {0}")]
    Invalid(&'static str),
}

impl UpstreamFault {
    /// Reads the client's error.
    pub(super) fn of(error: &hyper_util::client::legacy::Error) -> Self {
        let mut cause: Option<&(dyn StdError + 'static)> = Some(error);
        while let Some(current) = cause {
            if current.is::<ConnectTimeout>() {
                return Self::ConnectTimeout;
            }
            cause = current.source();
        }
        if error.is_connect() { Self::Connect } else { Self::Broken }
    }

    /// Whether nothing of the request reached the provider.
    #[must_use]
    pub const fn is_unsent(self) -> bool {
        matches!(self, Self::Connect | Self::ConnectTimeout | Self::PoolExhausted)
    }

    /// Whether no connection could be made.
    #[must_use]
    pub const fn is_unreachable(self) -> bool {
        matches!(self, Self::Connect | Self::ConnectTimeout)
    }

    /// Whether a provider that has the request, but has not begun to answer, has probably worked on it and will bill it: it was given up
    /// while at work. One that closed the connection or answered with something else has not.
    #[must_use]
    pub const fn is_billed_unanswered(self) -> bool {
        matches!(self, Self::FirstByteTimeout | Self::IdleTimeout | Self::TotalTimeout)
    }

    /// Whether time ran out: asking the same provider again would only take as long.
    #[must_use]
    pub const fn is_timeout(self) -> bool {
        matches!(self, Self::ConnectTimeout | Self::FirstByteTimeout | Self::IdleTimeout | Self::TotalTimeout)
    }

    /// The outcome label of `upstream_requests_total`.
    #[must_use]
    pub const fn label(self) -> &'static str {
        match self {
            Self::Connect => "connect_error",
            Self::ConnectTimeout => "connect_timeout",
            Self::PoolExhausted => "pool_exhausted",
            Self::FirstByteTimeout | Self::IdleTimeout | Self::TotalTimeout => "timeout",
            Self::Broken => "broken",
            Self::ErrorEvent => "error_event",
            Self::Unfit(_) => "escalated",
            Self::Unaffordable => "budget_exceeded",
            Self::TooLarge | Self::Invalid(_) => "invalid",
        }
    }

    /// What the caller gets to see.
    #[must_use]
    pub fn refusal(self) -> Refusal {
        let message = self.to_string();
        match self {
            Self::ConnectTimeout | Self::FirstByteTimeout | Self::IdleTimeout | Self::TotalTimeout => {
                Refusal::UpstreamTimeout { message }
            }
            Self::Unaffordable => Refusal::BudgetExceeded { message },
            _ => Refusal::Upstream { message },
        }
    }
}
