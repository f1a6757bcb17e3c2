//! The core through its public interface: what is decided, what attempts leave behind, what is cached, how bodies are
//! read.

#![allow(missing_docs, unreachable_pub, clippy::expect_used, clippy::unwrap_used, clippy::panic)]

#[path = "../support/ask.rs"]
mod ask;
mod attempts;
mod cache;
mod conditions;
mod decide;
mod digest;
mod estimate;
mod fingerprint;
mod names;
mod near;
#[path = "../support/policy.rs"]
mod policy;
mod prefixes;
mod receipts;
mod splices;
#[path = "../support/world.rs"]
mod world;
