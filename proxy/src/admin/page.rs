//! The status page: one HTML page without scripts from elsewhere.

use std::fmt::Write as _;
use std::time::Instant;

use super::providers;
use crate::app::App;

const STYLE: &str = "body{font:15px/1.5 system-ui,sans-serif;margin:2rem auto;max-width:60rem;padding:0 1rem;color:#223}\
table{border-collapse:collapse;width:100%}th,td{text-align:left;padding:.35rem .6rem;border-bottom:1px solid #dde}\
.ok{color:#176f2c}.bad{color:#a11}code{background:#f2f3f7;padding:.1rem .3rem;border-radius:3px}";

/// The whole page.
pub(super) fn render(app: &App) -> String {
    let snapshot = app.snapshot();
    let mut page = String::with_capacity(4 << 10);
    // Writing to a string does not fail.
    let _ = write!(
        page,
        "<!doctype html><html lang=\"en\"><meta charset=\"utf-8\"><meta http-equiv=\"refresh\" content=\"5\">\
         <title>xynergy-router</title><style>{STYLE}</style><h1>xynergy-router</h1>\
         <p>{} · policy generation {} · {} requests in flight · {} answers cached ({} KiB)</p>\
         <table><tr><th>model<th>provider<th>placement<th>breaker<th>health<th>first token<th>in flight</tr>",
        if app.drain.has_begun() { "<b class=bad>draining</b>" } else { "<b class=ok>ready</b>" },
        snapshot.generation(),
        app.metrics.traffic.in_flight.get(),
        app.state.cache.entries(),
        app.state.cache.bytes() / 1024,
    );
    for health in providers::list(app, Instant::now()) {
        page.push_str(&health.row());
    }
    page.push_str(
        "</table><p><a href=\"/metrics\">/metrics</a> · <a href=\"/providers\">/providers</a> · \
         <a href=\"/policy\">/policy</a> · <a href=\"/readyz\">/readyz</a> · <code>POST /explain</code> · \
         <code>POST /-/reload</code></p></html>",
    );
    page
}

/// Text made safe for HTML.
pub(super) fn escape(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}
