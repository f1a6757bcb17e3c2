//! The providers and models a policy defines.

mod model;
mod provider;
mod secret;

pub use model::{Listed, Model, PriceList, PriceSource, Pricing, UpstreamModel};
pub use provider::{Placement, PoolSettings, Probe, Provider, ProviderTls, Timeouts};
pub use secret::Secret;
