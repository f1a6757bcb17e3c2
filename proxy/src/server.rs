//! Listeners and their connections.

mod connection;
mod drain;

pub use connection::{ConnectionLimits, serve};
pub use drain::{Drain, Draining};
