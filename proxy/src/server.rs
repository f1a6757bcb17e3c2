//! Listeners and their connections.

mod connection;
mod drain;
mod tls;

pub use connection::{ConnectionLimits, serve};
pub use drain::{Drain, Draining};
pub use tls::{Certificate, Tls};
