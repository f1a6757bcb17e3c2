//! The sidecar from outside: a client, the sidecar and two scripted providers, over real sockets of the loopback.
//!
//! One program, so that it is linked once. `cargo test --test sidecar streams::` runs one file of it.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    unreachable_pub,
    reason = "tests may fail, and what they share is for them alone"
)]

mod admin;
mod affinity;
mod bad_input;
mod budgets;
mod cache;
mod command_line;
mod counted;
mod crowds;
mod drain;
mod failover;
mod forwarding;
mod hedging;
mod hold_back;
mod hybrid;
mod keys;
mod limits;
mod models;
mod near;
mod origins;
mod quotas;
mod records;
mod reload;
mod sharing;
mod streams;
mod support;
mod tenants;
mod tls;
mod weights;
