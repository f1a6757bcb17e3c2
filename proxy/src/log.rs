//! Logs: JSON lines on stderr, no prompt text, no secrets.

use tracing_subscriber::EnvFilter;

/// Starts logging at `level`. `XYNERGY_ROUTER_LOG` goes before it (`debug`, `router_proxy=trace`).
pub fn init(level: &str) {
    let filter = EnvFilter::try_from_env("XYNERGY_ROUTER_LOG").unwrap_or_else(|_| EnvFilter::new(level));
    tracing_subscriber::fmt()
        .json()
        .flatten_event(true)
        .with_current_span(false)
        .with_span_list(false)
        .with_writer(std::io::stderr)
        .with_env_filter(filter)
        .init();
}
