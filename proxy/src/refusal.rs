//! What the router itself answers when it does not pass on a provider's answer. The one place that knows statuses.

use std::time::Duration;

use bytes::Bytes;
use http::header::{self, HeaderValue};
use http::{Response, StatusCode};
use router_core::{BodyFault, Dialect, Reason};
use thiserror::Error;

use crate::error_body::{self, Problem};
use crate::headers::name;
use crate::payload::Payload;

/// The official SDKs do not wait longer; what takes longer is asked about again.
const MAX_RETRY_AFTER: Duration = Duration::from_secs(30);

/// Why the router answers with an error of its own.
#[derive(Debug, Error)]
pub enum Refusal {
    /// The body cannot be routed.
    #[error("{0}")]
    Body(#[from] BodyFault),
    /// A header or the message framing is wrong.
    #[error("{message}")]
    InvalidRequest {
        /// What is wrong and what would be right.
        message: String,
        /// The header or parameter at fault.
        param: Option<&'static str>,
    },
    /// No key, or one that is unknown or expired: the answer does not tell which.
    #[error("missing or invalid API key: send a router key as 'Authorization: Bearer …' or 'x-api-key'")]
    InvalidKey,
    /// The core refuses it.
    #[error("{0}")]
    Rejected(Reason),
    /// No such path.
    #[error("unknown path {path}")]
    NotFound {
        /// The path that was asked for.
        path: String,
    },
    /// The path is known, the method is not.
    #[error("method {method} is not allowed here; use {allow}")]
    MethodNotAllowed {
        /// The method that was used.
        method: String,
        /// The methods that would work.
        allow: &'static str,
    },
    /// More body than the limit.
    #[error("the request body is larger than the limit of {limit} bytes")]
    BodyTooLarge {
        /// The limit in bytes.
        limit: u64,
    },
    /// The caller took too long to send its body.
    #[error("the request body did not arrive in time")]
    SlowBody,
    /// The provider could not be reached, failed, or broke off.
    #[error("{message}")]
    Upstream {
        /// What happened, without addresses or secrets.
        message: String,
    },
    /// The provider did not answer in time.
    #[error("{message}")]
    UpstreamTimeout {
        /// Which time limit passed.
        message: String,
    },
    /// A quota is used up.
    #[error("quota '{quota}' is used up: {what}")]
    RateLimited {
        /// Its name.
        quota: Box<str>,
        /// What it counts.
        what: &'static str,
        /// When to come back; `None`: the request is larger than the quota and never fits.
        wait: Option<Duration>,
    },
    /// A budget has no money left.
    #[error("{message}")]
    BudgetExceeded {
        /// Which one, and when it starts over.
        message: String,
    },
    /// A web page of an origin that the policy does not allow.
    #[error("the policy does not let pages of this origin ask")]
    ForeignOrigin,
    /// What a request costs could not be written down.
    #[error("the router cannot write down what requests cost; try again later")]
    Unrecorded,
    /// A defect of the router ended the request.
    #[error("the router failed; its log says where")]
    Internal,
    /// As many requests in flight as are allowed.
    #[error("too many requests in flight; try again soon")]
    Overloaded,
    /// The process is about to end.
    #[error("this router is shutting down; ask another instance")]
    Draining,
    /// The request came through this router before.
    #[error("the request came through this router before: a provider's base_url leads back to it")]
    Loop,
}

impl Refusal {
    /// A wrong header or framing.
    pub fn invalid(message: impl Into<String>, param: Option<&'static str>) -> Self {
        Self::InvalidRequest { message: message.into(), param }
    }

    /// The HTTP status.
    #[must_use]
    pub const fn status(&self) -> StatusCode {
        match self {
            Self::Body(_) | Self::InvalidRequest { .. } => StatusCode::BAD_REQUEST,
            Self::InvalidKey => StatusCode::UNAUTHORIZED,
            Self::Rejected(reason) => reason_status(reason),
            Self::NotFound { .. } => StatusCode::NOT_FOUND,
            Self::MethodNotAllowed { .. } => StatusCode::METHOD_NOT_ALLOWED,
            Self::SlowBody => StatusCode::BAD_REQUEST,
            Self::BodyTooLarge { .. } => StatusCode::PAYLOAD_TOO_LARGE,
            Self::Upstream { .. } => StatusCode::BAD_GATEWAY,
            Self::UpstreamTimeout { .. } => StatusCode::GATEWAY_TIMEOUT,
            Self::RateLimited { .. } => StatusCode::TOO_MANY_REQUESTS,
            Self::BudgetExceeded { .. } | Self::ForeignOrigin => StatusCode::FORBIDDEN,
            Self::Overloaded | Self::Draining | Self::Unrecorded => StatusCode::SERVICE_UNAVAILABLE,
            Self::Internal => StatusCode::INTERNAL_SERVER_ERROR,
            Self::Loop => StatusCode::LOOP_DETECTED,
        }
    }

    /// The stable code of the contract.
    #[must_use]
    pub const fn code(&self) -> &'static str {
        match self {
            Self::Body(BodyFault::Json(_)) => "invalid_json",
            Self::Body(BodyFault::Field { .. }) | Self::InvalidRequest { .. } | Self::SlowBody => {
                "invalid_request"
            }
            Self::InvalidKey => "invalid_key",
            Self::Rejected(reason) => reason.code(),
            Self::NotFound { .. } => "not_found",
            Self::MethodNotAllowed { .. } => "method_not_allowed",
            Self::BodyTooLarge { .. } => "body_too_large",
            Self::Upstream { .. } => "upstream_error",
            Self::UpstreamTimeout { .. } => "upstream_timeout",
            Self::RateLimited { .. } => "rate_limited",
            Self::BudgetExceeded { .. } => "budget_exceeded",
            Self::ForeignOrigin => "policy_denied",
            Self::Overloaded | Self::Unrecorded => "overloaded",
            Self::Draining => "draining",
            Self::Internal => "internal_error",
            Self::Loop => "loop_detected",
        }
    }

    /// The outcome label of `requests_total`.
    #[must_use]
    pub const fn outcome(&self) -> &'static str {
        match self {
            Self::Rejected(Reason::ModelNotFound { .. }) => "client_error",
            Self::Rejected(Reason::NoCandidate { .. })
            | Self::Upstream { .. }
            | Self::UpstreamTimeout { .. } => "upstream_error",
            Self::Rejected(_)
            | Self::InvalidKey
            | Self::RateLimited { .. }
            | Self::BudgetExceeded { .. }
            | Self::ForeignOrigin => "denied",
            Self::Overloaded | Self::Draining | Self::Unrecorded | Self::Internal | Self::Loop => "error",
            _ => "client_error",
        }
    }

    const fn param(&self) -> Option<&'static str> {
        match self {
            Self::Body(BodyFault::Field { param, .. }) => Some(param),
            Self::InvalidRequest { param, .. } => *param,
            Self::Rejected(Reason::ModelNotFound { .. }) => Some("model"),
            _ => None,
        }
    }

    /// How long to wait before asking again, where that can help.
    const fn retry_after(&self) -> Option<Duration> {
        match self {
            Self::Rejected(reason) => reason.retry_after(),
            Self::RateLimited { wait: Some(wait), .. } if wait.as_nanos() < MAX_RETRY_AFTER.as_nanos() => {
                Some(*wait)
            }
            Self::RateLimited { .. } => Some(MAX_RETRY_AFTER),
            Self::Overloaded | Self::Draining | Self::Unrecorded => Some(Duration::from_secs(1)),
            _ => None,
        }
    }

    /// What the error bodies and events say.
    #[must_use]
    pub fn problem(&self) -> Problem {
        Problem { status: self.status(), code: self.code(), message: self.to_string(), param: self.param() }
    }

    /// The whole response in the caller's dialect.
    #[must_use]
    pub fn respond(&self, dialect: Dialect) -> Response<Payload> {
        let body: Bytes = error_body::body(dialect, &self.problem());
        let mut response = Response::new(Payload::from(body));
        *response.status_mut() = self.status();
        let headers = response.headers_mut();
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
        headers.insert(name::ERROR, HeaderValue::from_static(self.code()));
        if self.status() == StatusCode::FORBIDDEN || matches!(self, Self::RateLimited { wait: None, .. }) {
            headers.insert(name::SHOULD_RETRY, HeaderValue::from_static("false"));
        }
        if let Self::MethodNotAllowed { allow, .. } = self {
            headers.insert(header::ALLOW, HeaderValue::from_static(allow));
        }
        if let Some(wait) = self.retry_after() {
            headers.insert(
                header::RETRY_AFTER,
                HeaderValue::from(wait.as_millis().div_ceil(1_000).max(1) as u64),
            );
            headers.insert(
                name::RETRY_AFTER_MS,
                HeaderValue::from(wait.as_nanos().div_ceil(1_000_000).max(1) as u64),
            );
        }
        response
    }
}

const fn reason_status(reason: &Reason) -> StatusCode {
    match reason {
        Reason::ModelNotFound { .. } => StatusCode::NOT_FOUND,
        Reason::PolicyDenied { .. } | Reason::PlacementUnavailable { .. } | Reason::CostLimit { .. } => {
            StatusCode::FORBIDDEN
        }
        Reason::NoCandidate { .. } => StatusCode::SERVICE_UNAVAILABLE,
    }
}
