//! Two questions, one a line: guards, verifier and agreement of answers.

#![no_main]

#[path = "../checks/guards.rs"]
mod checks;

libfuzzer_sys::fuzz_target!(|input: &[u8]| checks::check(input));
