//! A reader of event streams that shares nothing with the router's own.

use serde_json::Value;

/// The events of a stream, each with its blank line. What stands behind the last one is an event too.
pub fn events(stream: &[u8]) -> Vec<&[u8]> {
    let mut events = Vec::new();
    let mut rest = stream;
    while !rest.is_empty() {
        let end = [&b"\n\n"[..], b"\r\n\r\n"]
            .iter()
            .filter_map(|blank| Some(rest.windows(blank.len()).position(|w| w == *blank)? + blank.len()))
            .min()
            .unwrap_or(rest.len());
        let (event, behind) = rest.split_at(end);
        events.push(event);
        rest = behind;
    }
    events
}

/// The payloads that are JSON.
pub fn data(stream: &[u8]) -> Vec<Value> {
    let text = String::from_utf8_lossy(stream);
    let payloads = text.lines().filter_map(|line| line.strip_prefix("data:"));
    payloads.filter_map(|payload| serde_json::from_str(payload.trim()).ok()).collect()
}
