//! The sidecar: a thin hyper reverse proxy around `router-core`.
//!
//! Read [`handler`] first: the way of one request, from its head to its last byte.

pub mod account;
pub mod admin;
pub mod app;
pub mod args;
pub mod audit;
pub mod auth;
pub mod books;
pub mod cached;
pub mod commands;
pub mod cors;
mod demo;
pub mod error_body;
pub mod explain;
pub mod flaw;
pub mod flight;
pub mod front;
pub mod funds;
pub mod gate;
pub mod handler;
pub mod headers;
pub mod judge;
pub mod keys;
pub mod ledger;
mod lines;
pub mod log;
pub mod metrics;
pub mod models;
pub mod ollama;
pub mod outcomes;
pub mod payload;
pub mod probe;
pub mod quota;
pub mod recount;
pub mod refusal;
pub mod relay;
pub mod reload;
pub mod respond;
pub mod sentences;
pub mod server;
pub mod settle;
pub mod sidecar;
pub mod spool;
pub mod upstream;
pub mod wire;
pub mod wishes;
