//! Two request bodies, one a line: whether they may be compared by meaning.

#![no_main]

#[path = "../checks/scope.rs"]
mod checks;

libfuzzer_sys::fuzz_target!(|input: &[u8]| checks::check(input));
