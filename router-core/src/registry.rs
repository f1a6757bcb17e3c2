//! The providers and models a policy defines.

mod model;
mod provider;
mod secret;

pub use model::{Model, Pricing, UpstreamModel};
pub use provider::{Placement, PoolSettings, Provider, Timeouts};
pub use secret::Secret;
