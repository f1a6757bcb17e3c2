//! Logs: JSON lines on stderr, no prompt text, no secrets.

use tracing_subscriber::EnvFilter;

/// Starts logging. `XYNERGY_ROUTER_LOG` sets the level (`debug`, `router_proxy=trace`); `info` without it.
pub fn init() {
    let filter = EnvFilter::try_from_env("XYNERGY_ROUTER_LOG").unwrap_or_else(|_| EnvFilter::new("info"));
    tracing_subscriber::fmt()
        .json()
        .flatten_event(true)
        .with_current_span(false)
        .with_span_list(false)
        .with_writer(std::io::stderr)
        .with_env_filter(filter)
        .init();
}
