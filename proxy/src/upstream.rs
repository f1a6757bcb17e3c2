//! Connections to providers: one pool each, with separate time limits.

mod connect;
mod fault;
mod outgoing;
mod pool;

pub use fault::UpstreamFault;
pub use outgoing::Outgoing;
pub use pool::{Answer, Upstream, Upstreams};
