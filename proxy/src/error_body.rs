//! Error bodies and error events in each dialect.

use bytes::Bytes;
use http::StatusCode;
use router_core::Dialect;
use serde_json::json;

/// What an error says, in any dialect.
#[derive(Clone, Debug)]
pub struct Problem {
    /// The HTTP status, which decides the dialect's error type.
    pub status: StatusCode,
    /// The router's stable code.
    pub code: &'static str,
    /// For a person.
    pub message: String,
    /// The parameter at fault.
    pub param: Option<&'static str>,
}

/// The error type that the dialect's SDKs know for a status.
const fn kind(dialect: Dialect, status: StatusCode) -> &'static str {
    match (dialect, status.as_u16()) {
        (_, 400 | 405) | (Dialect::OpenAi, 404 | 413) => "invalid_request_error",
        (_, 401) => "authentication_error",
        (_, 403) => "permission_error",
        (Dialect::Anthropic, 404) => "not_found_error",
        (Dialect::Anthropic, 413) => "request_too_large",
        (_, 429) => "rate_limit_error",
        (Dialect::Anthropic, 503) => "overloaded_error",
        (Dialect::Anthropic, _) => "api_error",
        (Dialect::OpenAi, _) => "server_error",
    }
}

fn value(dialect: Dialect, problem: &Problem) -> serde_json::Value {
    let kind = kind(dialect, problem.status);
    match dialect {
        Dialect::OpenAi => json!({"error": {
            "message": problem.message, "type": kind, "code": problem.code, "param": problem.param,
        }}),
        Dialect::Anthropic => json!({"type": "error", "error": {
            "type": kind, "message": problem.message, "code": problem.code,
        }}),
    }
}

/// The body of an error response.
#[must_use]
pub fn body(dialect: Dialect, problem: &Problem) -> Bytes {
    Bytes::from(value(dialect, problem).to_string())
}

/// The event that ends a stream which failed after its first byte.
#[must_use]
pub fn event(dialect: Dialect, problem: &Problem) -> Bytes {
    let value = value(dialect, problem);
    Bytes::from(match dialect {
        Dialect::OpenAi => format!("data: {value}\n\n"),
        Dialect::Anthropic => format!("event: error\ndata: {value}\n\n"),
    })
}
