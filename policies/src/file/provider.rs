//! `[providers.NAME]`

use std::time::Duration;

use router_core::{Dialect, Placement};
use toml::de::DeValue;

use super::read_secret;
use crate::diagnostics::Quoted;
use crate::fault::Fault;
use crate::read;
use crate::secret::SecretRef;
use crate::source::At;
use crate::table::{Named, Node, Table};

/// Words for [`Dialect`].
pub(super) const DIALECTS: &[(&str, Dialect)] =
    &[("openai", Dialect::OpenAi), ("anthropic", Dialect::Anthropic)];

/// Words for [`Placement`].
pub(super) const PLACEMENTS: &[(&str, Placement)] =
    &[("internal", Placement::Internal), ("external", Placement::External)];

const HTTP2: &[(&str, Http2)] = &[("auto", Http2::Auto), ("prior-knowledge", Http2::PriorKnowledge)];

/// When to speak HTTP/2 to a provider.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Http2 {
    /// Where TLS negotiates it.
    #[default]
    Auto,
    /// Always, without asking; for plain-text addresses that are known to speak it.
    PriorKnowledge,
}

/// The value of an extra header.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum HeaderEntry {
    /// As written.
    Plain(String),
    /// Fetched when the policy is loaded.
    Secret(SecretRef),
}

/// `timeouts = { … }`
#[derive(Clone, Debug, Default)]
pub struct TimeoutsEntry {
    /// Until a connection stands.
    pub connect: Option<At<Duration>>,
    /// From the request sent to the first byte of the answer.
    pub first_byte: Option<At<Duration>>,
    /// Between two pieces of the answer.
    pub idle: Option<At<Duration>>,
    /// The whole attempt.
    pub total: Option<At<Duration>>,
}

/// `breaker = { … }`
#[derive(Clone, Debug, Default)]
pub struct BreakerEntry {
    /// Consecutive failures that open the breaker.
    pub failures: Option<At<u32>>,
    /// How long it stays open.
    pub recovery: Option<At<Duration>>,
    /// Opens also when fewer of the recent attempts succeed.
    pub success_rate: Option<At<f64>>,
    /// Attempts before the success rate counts.
    pub least_answers: Option<At<u32>>,
    /// How far back the success rate looks.
    pub window: Option<At<Duration>>,
    /// A first token later than this counts as a failure.
    pub slow_first_token: Option<At<Duration>>,
    /// How long traffic takes to return in full.
    pub slow_start: Option<At<Duration>>,
}

/// `probe = { … }`
#[derive(Clone, Debug, Default)]
pub struct ProbeEntry {
    /// Between two looks.
    pub interval: Option<At<Duration>>,
    /// What is fetched, below the base URL.
    pub path: Option<At<String>>,
}

impl ProbeEntry {
    fn read(table: &mut Table<'_, '_>) -> Self {
        Self {
            interval: table.optional("interval", read::duration),
            path: table.optional("path", read::text),
        }
    }
}

/// `tls = { … }`
#[derive(Clone, Debug, Default)]
pub struct ProviderTlsEntry {
    /// Roots of trust in place of the system's, a PEM file.
    pub roots: Option<At<SecretRef>>,
    /// The certificate chain that the router shows, a PEM file.
    pub cert: Option<At<SecretRef>>,
    /// Its key, a PEM file.
    pub key: Option<At<SecretRef>>,
}

impl ProviderTlsEntry {
    fn read(table: &mut Table<'_, '_>) -> Self {
        let entry = Self {
            roots: table.optional("roots", pem),
            cert: table.optional("cert", pem),
            key: table.optional("key", pem),
        };
        if entry.cert.is_some() != entry.key.is_some() {
            let span = table.span();
            table.sink().error(span, "cert and key belong together");
        }
        entry
    }

    /// All that is stated.
    pub(crate) fn files(&self) -> impl Iterator<Item = &At<SecretRef>> {
        [&self.roots, &self.cert, &self.key].into_iter().flatten()
    }
}

fn pem(value: &DeValue<'_>) -> Result<SecretRef, Fault> {
    read::text(value).map(|path| SecretRef::Pem(path.into()))
}

/// `pool = { … }`
#[derive(Clone, Debug, Default)]
pub struct PoolEntry {
    /// Idle connections kept open.
    pub max_idle: Option<At<u32>>,
    /// Requests in flight at most.
    pub max_connections: Option<At<u32>>,
}

/// One provider, as typed.
#[derive(Clone, Debug, Default)]
pub struct ProviderEntry {
    /// What it speaks.
    pub dialect: Option<At<Dialect>>,
    /// Its address, without a trailing slash.
    pub base_url: Option<At<String>>,
    /// Where it runs.
    pub placement: Option<At<Placement>>,
    /// The key it wants.
    pub api_key: Option<At<SecretRef>>,
    /// Extra headers for every request, names in lower case.
    pub headers: Vec<Named<At<HeaderEntry>>>,
    /// Time limits.
    pub timeouts: TimeoutsEntry,
    /// When to stop asking.
    pub breaker: BreakerEntry,
    /// Connection limits.
    pub pool: PoolEntry,
    /// What TLS towards it needs.
    pub tls: ProviderTlsEntry,
    /// When to speak HTTP/2.
    pub http2: Option<At<Http2>>,
    /// Its share of the traffic among equals.
    pub weight: Option<At<u32>>,
    /// Its place in the order of preference among equals.
    pub group: Option<At<u32>>,
    /// How it is looked after while nobody asks it. Absent: not at all.
    pub probe: Option<ProbeEntry>,
    /// Whether its streams are asked for their usage.
    pub stream_usage: Option<At<bool>>,
}

impl ProviderEntry {
    pub(super) fn read(table: &mut Table<'_, '_>) -> Self {
        Self {
            dialect: table.required("dialect", read::one_of(DIALECTS)),
            base_url: table.required("base_url", base_url),
            placement: table.optional("placement", read::one_of(PLACEMENTS)),
            api_key: table.take("api_key").and_then(|node| read_secret(table, "api_key", node)),
            headers: table.each("headers", read_header),
            timeouts: table.section("timeouts", TimeoutsEntry::read).map(|at| at.value).unwrap_or_default(),
            breaker: table.section("breaker", BreakerEntry::read).map(|at| at.value).unwrap_or_default(),
            pool: table.section("pool", PoolEntry::read).map(|at| at.value).unwrap_or_default(),
            tls: table.section("tls", ProviderTlsEntry::read).map(|at| at.value).unwrap_or_default(),
            http2: table.optional("http2", read::one_of(HTTP2)),
            weight: table.optional("weight", read::integer(1..=1_000)),
            group: table.optional("group", read::integer(0..=255)),
            probe: table.section("probe", ProbeEntry::read).map(|at| at.value),
            stream_usage: table.optional("stream_usage", read::boolean),
        }
    }
}

impl TimeoutsEntry {
    fn read(table: &mut Table<'_, '_>) -> Self {
        Self {
            connect: table.optional("connect", read::duration),
            first_byte: table.optional("first_byte", read::duration),
            idle: table.optional("idle", read::duration),
            total: table.optional("total", read::duration),
        }
    }
}

impl BreakerEntry {
    fn read(table: &mut Table<'_, '_>) -> Self {
        Self {
            failures: table.optional("failures", read::integer(1..=1_000_000)),
            recovery: table.optional("recovery", read::duration),
            success_rate: table.optional("success_rate", read::share(1.0)),
            least_answers: table.optional("least_answers", read::integer(1..=1_000_000)),
            window: table.optional("window", read::duration),
            slow_first_token: table.optional("slow_first_token", read::duration),
            slow_start: table.optional("slow_start", read::duration_or_zero),
        }
    }
}

impl PoolEntry {
    fn read(table: &mut Table<'_, '_>) -> Self {
        Self {
            max_idle: table.optional("max_idle", read::integer(0..=65_535)),
            max_connections: table.optional("max_connections", read::integer(1..=65_535)),
        }
    }
}

/// An address: `http://` or `https://`, a host, perhaps a path. The trailing slash is dropped.
fn base_url(value: &DeValue<'_>) -> Result<String, Fault> {
    parse_base_url(&read::text(value)?)
}

/// As [`base_url`], from text.
pub(crate) fn parse_base_url(text: &str) -> Result<String, Fault> {
    let url = text.trim();
    if !url.contains("://") {
        let guess = format!("http://{url}");
        let fits = check_url(&guess).is_ok();
        return Err(
            Fault::new("an address starts with http:// or https://").suggest_any(fits.then_some(guess))
        );
    }
    check_url(url)?;
    Ok(url.trim_end_matches('/').to_owned())
}

/// What an address must not be. Never repeats the address: it may hold a password.
fn check_url(url: &str) -> Result<(), Fault> {
    if let Some(at) = url.find(['?', '#']) {
        let stripped = url[..at].trim_end_matches('/');
        let mend = (!stripped.contains('@')).then_some(stripped);
        return Err(Fault::new("an address has no query and no fragment").suggest_any(mend));
    }
    let uri: http::Uri = url.parse().map_err(|_| Fault::new("is not an address"))?;
    match uri.scheme_str() {
        Some("http" | "https") => {}
        Some(other) => {
            return Err(Fault::new(format!("scheme {} is not http or https", Quoted(other))));
        }
        None => return Err(Fault::new("an address starts with http:// or https://")),
    }
    let Some(authority) = uri.authority() else { return Err(Fault::new("an address has a host")) };
    if authority.as_str().contains('@') {
        return Err(Fault::new("an address holds no user name or password: use api_key or headers"));
    }
    if authority.host().is_empty() {
        return Err(Fault::new("an address has a host"));
    }
    let port = authority.as_str().rsplit_once(']').map_or(authority.as_str(), |(_, rest)| rest);
    match port.rsplit_once(':') {
        Some((_, digits)) if digits.parse::<u16>().unwrap_or(0) == 0 => {
            Err(Fault::new(format!("{} is no port", Quoted(digits))))
        }
        _ => Ok(()),
    }
}

/// Headers that the router sets itself, or that belong to one connection (RFC 9110, section 7.6.1).
const RESERVED: [&str; 13] = [
    "host",
    "content-length",
    "content-type",
    "accept-encoding",
    "via",
    "connection",
    "keep-alive",
    "proxy-connection",
    "te",
    "trailer",
    "transfer-encoding",
    "upgrade",
    "expect",
];

/// Headers whose value is a credential.
const CREDENTIALS: [&str; 6] =
    ["authorization", "proxy-authorization", "x-api-key", "api-key", "cookie", "x-goog-api-key"];

fn read_header<'a>(table: &mut Table<'a, '_>, name: &str, node: Node<'a>) -> Option<At<HeaderEntry>> {
    let span = node.span().into();
    let lower = name.to_ascii_lowercase();
    if http::HeaderName::from_bytes(lower.as_bytes()).is_err() {
        table.sink().error(span, format!("{} is no header name", Quoted(name)));
        return None;
    }
    if RESERVED.contains(&lower.as_str()) || lower.starts_with("x-router-") {
        table.sink().error(span, format!("header {} is set by the router itself", Quoted(name)));
        return None;
    }
    if matches!(node.get_ref(), DeValue::Table(_)) || CREDENTIALS.contains(&lower.as_str()) {
        let secret = read_secret(table, name, node)?;
        return Some(At { value: HeaderEntry::Secret(secret.value), span: secret.span });
    }
    let plain = table.read(name, node, header_value)?;
    Some(At { value: HeaderEntry::Plain(plain.value), span: plain.span })
}

fn header_value(value: &DeValue<'_>) -> Result<String, Fault> {
    let text = read::text(value)?;
    if text.bytes().all(|byte| matches!(byte, b' '..=b'~')) {
        Ok(text.trim().to_owned())
    } else {
        Err(Fault::new("a header's value is visible ASCII"))
    }
}
