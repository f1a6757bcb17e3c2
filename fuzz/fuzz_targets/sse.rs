//! Any bytes as a stream of server-sent events, split at every boundary: the same events, and together the same bytes.

#![no_main]

#[path = "../checks/sse.rs"]
mod checks;

libfuzzer_sys::fuzz_target!(|stream: &[u8]| checks::check(stream));
