//! Providers: that none of them is the router itself, and that their limits make sense.

use std::collections::HashSet;
use std::net::{IpAddr, SocketAddr};

use router_core::{Dialect, Placement};

use crate::diagnostics::Quoted;
use crate::file::{PolicyFile, ProviderEntry};
use crate::sink::Sink;
use crate::source::At;

/// Verifies every provider. `listeners` are the router's own addresses.
pub(super) fn verify(file: &PolicyFile, listeners: &[SocketAddr], sink: &mut Sink) {
    for provider in &file.providers {
        verify_address(&provider.value, listeners, sink);
        verify_pool(&provider.value, sink);
        verify_headers(&provider.value, sink);
    }
}

fn verify_address(provider: &ProviderEntry, listeners: &[SocketAddr], sink: &mut Sink) {
    let Some(base_url) = &provider.base_url else { return };
    let Ok(uri) = base_url.value.parse::<http::Uri>() else { return };
    let host = uri.host().unwrap_or_default();
    let port = uri.port_u16().unwrap_or(if uri.scheme_str() == Some("https") { 443 } else { 80 });
    if let Some(listener) = listeners.iter().find(|listener| reaches(host, port, **listener)) {
        let message =
            format!("{} is the router itself, which listens on {listener}", Quoted(&base_url.value));
        return sink.error(base_url.span, message);
    }
    verify_path(provider, base_url, uri.path(), sink);
    let is_external = provider.placement.as_ref().is_none_or(|at| at.value == Placement::External);
    if provider.api_key.is_some() && uri.scheme_str() == Some("http") && is_external && !is_loopback(host) {
        sink.warn(base_url.span, "the provider's key travels unencrypted: use https");
    }
}

/// OpenAI addresses include `/v1`, Anthropic ones do not; SDKs differ here, so people mix them up.
fn verify_path(provider: &ProviderEntry, base_url: &At<String>, path: &str, sink: &mut Sink) {
    let path = path.trim_end_matches('/');
    match provider.dialect.as_ref().map(|dialect| dialect.value) {
        Some(Dialect::OpenAi) if path.is_empty() => {
            let mend = format!("{}/v1", base_url.value);
            sink.warn_with(base_url.span, "an OpenAI address usually includes /v1", Some(mend));
        }
        Some(Dialect::Anthropic) if path.ends_with("/v1") => {
            let mend = base_url.value.trim_end_matches("/v1");
            sink.error_with(base_url.span, "an Anthropic address does not include /v1", Some(mend));
        }
        _ => {}
    }
}

fn verify_pool(provider: &ProviderEntry, sink: &mut Sink) {
    let (Some(idle), Some(all)) = (&provider.pool.max_idle, &provider.pool.max_connections) else { return };
    if idle.value > all.value {
        let message = format!("max_idle {} is above max_connections {}", idle.value, all.value);
        sink.error(idle.span, message);
    }
}

fn verify_headers(provider: &ProviderEntry, sink: &mut Sink) {
    let mut seen = HashSet::new();
    for header in &provider.headers {
        let name = header.name.value.to_ascii_lowercase();
        if !seen.insert(name) {
            sink.error(header.name.span, format!("header {} is given twice", Quoted(&header.name.value)));
        }
    }
}

/// Whether a connection to `host:port` ends at `listener`. Names are not looked up, but for `localhost`;
/// what gets past this is stopped as a loop when it happens.
fn reaches(host: &str, port: u16, listener: SocketAddr) -> bool {
    if port != listener.port() || port == 0 {
        return false;
    }
    let listening = listener.ip().to_canonical();
    match address(host) {
        // Connecting to the unspecified address means the local machine.
        Some(ip) if ip.is_unspecified() => listening.is_unspecified() || listening.is_loopback(),
        Some(ip) => ip == listening || (ip.is_loopback() && listening.is_unspecified()),
        None => is_localhost(host) && (listening.is_loopback() || listening.is_unspecified()),
    }
}

fn address(host: &str) -> Option<IpAddr> {
    let bare = host.trim_start_matches('[').trim_end_matches(']');
    bare.parse::<IpAddr>().ok().map(|ip| ip.to_canonical())
}

/// RFC 6761: `localhost` and everything below it is the local machine.
fn is_localhost(host: &str) -> bool {
    let host = host.trim_end_matches('.').to_ascii_lowercase();
    host == "localhost" || host.ends_with(".localhost")
}

fn is_loopback(host: &str) -> bool {
    is_localhost(host) || address(host).is_some_and(|ip| ip.is_loopback())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_router_is_recognised_by_any_of_its_names() {
        for (host, listener, same) in [
            ("127.0.0.1", "127.0.0.1:8080", true),
            ("localhost", "127.0.0.1:8080", true),
            ("LOCALHOST.", "127.0.0.1:8080", true),
            ("router.localhost", "127.0.0.1:8080", true),
            ("0.0.0.0", "127.0.0.1:8080", true),
            ("[::1]", "[::1]:8080", true),
            ("[::ffff:127.0.0.1]", "127.0.0.1:8080", true),
            ("127.0.0.1", "0.0.0.0:8080", true),
            ("127.0.0.9", "0.0.0.0:8080", true),
            ("localhost", "[::]:8080", true),
            ("127.0.0.2", "127.0.0.1:8080", false),
            ("10.0.0.7", "0.0.0.0:8080", false),
            ("10.0.0.7", "10.0.0.7:8080", true),
            ("api.openai.com", "0.0.0.0:8080", false),
            ("127.0.0.1", "127.0.0.1:8081", false),
            ("127.0.0.1", "127.0.0.1:0", false),
        ] {
            assert_eq!(reaches(host, 8080, listener.parse().unwrap()), same, "{host} {listener}");
        }
    }
}
