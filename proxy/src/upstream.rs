//! Connections to providers: one pool each, with separate time limits.

mod connect;
mod fault;
mod pool;

pub use fault::UpstreamFault;
pub use pool::{Answer, Upstream, Upstreams};
