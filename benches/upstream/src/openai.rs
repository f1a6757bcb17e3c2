//! OpenAI's language: errors, models, limits; the endpoints have files of their own.

pub(crate) mod chat;
pub(crate) mod completions;
pub(crate) mod embeddings;
pub(crate) mod responses;

use http::{HeaderMap, HeaderName, HeaderValue};

use crate::json::{Json, object};
use crate::prompt::Invalid;

/// When everything was created (October 2025): fixed, so that equal requests get equal bytes.
pub(crate) const CREATED: u64 = 1_760_000_000;

/// The error body for a status.
pub(crate) fn error(status: u16, invalid: &Invalid) -> Json {
    let (kind, code) = match status {
        401 => ("invalid_request_error", Some("invalid_api_key")),
        403 => ("invalid_request_error", Some("unsupported_country_region_territory")),
        404 => ("invalid_request_error", Some("model_not_found")),
        429 => ("requests", Some("rate_limit_exceeded")),
        300..=499 => ("invalid_request_error", None),
        503 => ("service_unavailable_error", None),
        _ => ("server_error", None),
    };
    object! {"error": object! {
        "message": &invalid.message,
        "type": kind,
        "param": invalid.param,
        "code": code,
    }}
}

/// `GET /v1/models`.
pub(crate) fn models(names: &[String], owner: &str) -> Json {
    object! {"object": "list", "data": names.iter().map(|name| model(name, owner)).collect::<Vec<_>>()}
}

/// `GET /v1/models/{id}`.
pub(crate) fn model(name: &str, owner: &str) -> Json {
    object! {"id": name, "object": "model", "created": CREATED, "owned_by": owner}
}

/// `GET /api/tags`, the list of an Ollama server. Sizes and digests are made up.
pub(crate) fn ollama_tags(names: &[String]) -> Json {
    let models = names.iter().map(|name| {
        object! {
            "name": name,
            "model": name,
            "modified_at": "2025-10-09T08:53:20Z",
            "size": 4_920_753_328_u64,
            "digest": format!("{:064x}", crate::answer::text::hash(name.as_bytes())),
            "details": object! {
                "parent_model": "",
                "format": "gguf",
                "family": "scripted",
                "families": vec!["scripted"],
                "parameter_size": "8.0B",
                "quantization_level": "Q4_K_M",
            },
        }
    });
    object! {"models": models.collect::<Vec<_>>()}
}

/// The headers that state what is left of a limit of 500 requests and 200,000 tokens a minute.
pub(crate) fn limit(headers: &mut HeaderMap, requests_left: u32) {
    let tokens_left = requests_left.saturating_mul(400).min(200_000);
    headers.extend([
        (HeaderName::from_static("x-ratelimit-limit-requests"), HeaderValue::from(500)),
        (HeaderName::from_static("x-ratelimit-limit-tokens"), HeaderValue::from(200_000)),
        (HeaderName::from_static("x-ratelimit-remaining-requests"), HeaderValue::from(requests_left)),
        (HeaderName::from_static("x-ratelimit-remaining-tokens"), HeaderValue::from(tokens_left)),
        (HeaderName::from_static("x-ratelimit-reset-requests"), HeaderValue::from_static("1m0.5s")),
        (HeaderName::from_static("x-ratelimit-reset-tokens"), HeaderValue::from_static("120ms")),
    ]);
}
