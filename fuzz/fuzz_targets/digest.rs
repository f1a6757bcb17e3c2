//! Any bytes as a request body at every endpoint: read, spliced, read again.

#![no_main]

#[path = "../checks/digest.rs"]
mod checks;

libfuzzer_sys::fuzz_target!(|body: &[u8]| checks::check(body));
