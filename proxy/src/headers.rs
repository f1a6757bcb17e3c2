//! Header names of the contract, and which headers cross the router.

use http::header::{self, HeaderMap, HeaderName, HeaderValue};

/// Names of the headers that are the router's own.
pub mod name {
    use http::HeaderName;

    /// The request's id, ours or the caller's.
    pub const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");
    /// The provider's own request id, where it named one.
    pub const UPSTREAM_REQUEST_ID: HeaderName = HeaderName::from_static("x-router-upstream-request-id");
    /// Which model answered.
    pub const MODEL: HeaderName = HeaderName::from_static("x-router-model");
    /// Whose it is.
    pub const PROVIDER: HeaderName = HeaderName::from_static("x-router-provider");
    /// Where it runs; in a request: where it must.
    pub const PLACEMENT: HeaderName = HeaderName::from_static("x-router-placement");
    /// The served complexity.
    pub const COMPLEXITY: HeaderName = HeaderName::from_static("x-router-complexity");
    /// The band it fell into.
    pub const BAND: HeaderName = HeaderName::from_static("x-router-band");
    /// `outside` where the prompt is unlike the scorer's training data, so that the learned score was not used.
    pub const DOMAIN: HeaderName = HeaderName::from_static("x-router-domain");
    /// The rule that matched.
    pub const RULE: HeaderName = HeaderName::from_static("x-router-rule");
    /// What the cache did.
    pub const CACHE: HeaderName = HeaderName::from_static("x-router-cache");
    /// How alike the stored question is, 0 to 1.
    pub const SIMILARITY: HeaderName = HeaderName::from_static("x-router-cache-similarity");
    /// What the error bound of a near hit stands on.
    pub const BOUND: HeaderName = HeaderName::from_static("x-router-cache-bound");
    /// Guards that refused the nearest stored answer.
    pub const VETOES: HeaderName = HeaderName::from_static("x-router-cache-vetoes");
    /// Attempts made.
    pub const ATTEMPTS: HeaderName = HeaderName::from_static("x-router-attempts");
    /// What the answer cost, where known.
    pub const COST: HeaderName = HeaderName::from_static("x-router-cost-usd");
    /// The router's own time until the headers, in microseconds.
    pub const OVERHEAD: HeaderName = HeaderName::from_static("x-router-overhead-us");
    /// The stable code of the router's own errors.
    pub const ERROR: HeaderName = HeaderName::from_static("x-router-error");
    /// In a request: refuse rather than exceed.
    pub const MAX_COST: HeaderName = HeaderName::from_static("x-router-max-cost-usd");
    /// In a request: the conversation it belongs to.
    pub const SESSION: HeaderName = HeaderName::from_static("x-router-session");
    /// In a request: labels for rules and ledger.
    pub const TAGS: HeaderName = HeaderName::from_static("x-router-tags");
    /// In a request: how long the answer may be kept.
    pub const CACHE_TTL: HeaderName = HeaderName::from_static("x-router-cache-ttl");
    /// The quota on requests: limit, what is left, and when it is whole again.
    pub const RATE_LIMIT_REQUESTS: [HeaderName; 3] = [
        HeaderName::from_static("x-ratelimit-limit-requests"),
        HeaderName::from_static("x-ratelimit-remaining-requests"),
        HeaderName::from_static("x-ratelimit-reset-requests"),
    ];
    /// The quota on tokens.
    pub const RATE_LIMIT_TOKENS: [HeaderName; 3] = [
        HeaderName::from_static("x-ratelimit-limit-tokens"),
        HeaderName::from_static("x-ratelimit-remaining-tokens"),
        HeaderName::from_static("x-ratelimit-reset-tokens"),
    ];
    /// Tells the SDKs whether asking again can help.
    pub const SHOULD_RETRY: HeaderName = HeaderName::from_static("x-should-retry");
    /// Like `retry-after`, in milliseconds.
    pub const RETRY_AFTER_MS: HeaderName = HeaderName::from_static("retry-after-ms");
    /// The Anthropic dialect's credential.
    pub const API_KEY: HeaderName = HeaderName::from_static("x-api-key");
    /// The Anthropic dialect's version.
    pub const ANTHROPIC_VERSION: HeaderName = HeaderName::from_static("anthropic-version");
}

/// Headers that concern one connection only (RFC 9110, section 7.6.1), whether or not `Connection` lists them.
const HOP_BY_HOP: [HeaderName; 8] = [
    header::CONNECTION,
    header::TE,
    header::TRAILER,
    header::TRANSFER_ENCODING,
    header::UPGRADE,
    header::PROXY_AUTHENTICATE,
    header::PROXY_AUTHORIZATION,
    HeaderName::from_static("keep-alive"),
];

/// What a caller proves itself with; never for the provider's eyes.
const CREDENTIALS: [HeaderName; 5] = [
    header::AUTHORIZATION,
    header::COOKIE,
    name::API_KEY,
    HeaderName::from_static("api-key"),
    HeaderName::from_static("x-goog-api-key"),
];

/// Rewritten for the next hop.
const REWRITTEN: [HeaderName; 5] =
    [header::HOST, header::CONTENT_LENGTH, header::ACCEPT_ENCODING, header::EXPECT, name::REQUEST_ID];

/// Whether `name` is listed in a `Connection` header.
fn listed(connection: &[&str], name: &HeaderName) -> bool {
    connection.iter().any(|listed| listed.eq_ignore_ascii_case(name.as_str()))
}

/// The names that `Connection` lists.
fn connection_options(headers: &HeaderMap) -> Vec<&str> {
    headers
        .get_all(header::CONNECTION)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(','))
        .map(str::trim)
        .collect()
}

/// The caller's headers that go on to the provider.
#[must_use]
pub fn forwardable(headers: &HeaderMap) -> HeaderMap {
    let connection = connection_options(headers);
    let mut forwarded = HeaderMap::with_capacity(headers.len() + 6);
    for (name, value) in headers {
        let own = name.as_str().starts_with("x-router-");
        let blocked = own
            || HOP_BY_HOP.contains(name)
            || CREDENTIALS.contains(name)
            || REWRITTEN.contains(name)
            || listed(&connection, name);
        if !blocked {
            forwarded.append(name.clone(), value.clone());
        }
    }
    forwarded
}

/// The provider's headers that go back to the caller.
#[must_use]
pub fn relayable(headers: &HeaderMap) -> HeaderMap {
    let connection = connection_options(headers);
    let mut relayed = HeaderMap::with_capacity(headers.len() + 12);
    for (name, value) in headers {
        let text = name.as_str();
        let blocked = HOP_BY_HOP.contains(name)
            || *name == header::CONTENT_LENGTH
            || *name == header::SET_COOKIE
            || text.starts_with("x-ratelimit-")
            || text.starts_with("anthropic-ratelimit-")
            || text.starts_with("x-router-")
            || listed(&connection, name);
        if blocked {
            continue;
        }
        let name = if *name == name::REQUEST_ID { &name::UPSTREAM_REQUEST_ID } else { name };
        relayed.append(name.clone(), value.clone());
    }
    relayed
}

/// A header value from text that may contain anything: what cannot stand in a header becomes `?`.
#[must_use]
pub fn lossy_value(text: &str) -> HeaderValue {
    HeaderValue::from_str(text).unwrap_or_else(|_| {
        let ascii: String = text.chars().map(|c| if (' '..='~').contains(&c) { c } else { '?' }).collect();
        HeaderValue::from_str(&ascii).unwrap_or_else(|_| HeaderValue::from_static("?"))
    })
}
