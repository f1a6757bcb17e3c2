//! Any text as a policy file and as a proxy file: checked without a panic, every diagnostic with a place in the file.

#![no_main]

#[path = "../checks/policy.rs"]
mod checks;

libfuzzer_sys::fuzz_target!(|file: &[u8]| checks::check(file));
