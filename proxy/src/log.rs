//! Logs: JSON lines on stderr, no prompt text, no secrets.

use std::panic::PanicHookInfo;

use tracing_subscriber::EnvFilter;

/// Starts logging at `level`, panics included. `XYNERGY_ROUTER_LOG` goes before it (`debug`, `router_proxy=trace`).
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
    std::panic::set_hook(Box::new(report));
}

/// Logs where a panic happened. Not its message: that may quote what was being worked on, a prompt or a key.
fn report(panic: &PanicHookInfo<'_>) {
    let place = panic.location().map_or_else(String::new, |at| format!("{}:{}", at.file(), at.line()));
    let thread = std::thread::current();
    tracing::error!(event = "panic", place, thread = thread.name().unwrap_or_default());
}
