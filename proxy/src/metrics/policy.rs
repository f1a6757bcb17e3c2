//! The policy in force.

use prometheus::{Gauge, IntGauge};

use super::family::Family;

/// The policy in force.
#[derive(Debug)]
pub struct Policy {
    /// `policy_generation`
    pub generation: IntGauge,
    /// `policy_last_reload_successful`
    pub reload_successful: IntGauge,
    /// `policy_last_reload_success_timestamp_seconds`
    pub reload_timestamp: Gauge,
}

impl Policy {
    pub(super) fn try_new(family: &Family<'_>) -> prometheus::Result<Self> {
        Ok(Self {
            generation: family.gauge("policy_generation", "Number of the policy in force, from 1.")?,
            reload_successful: family.gauge(
                "policy_last_reload_successful",
                "1 if the last attempt to load the policy succeeded, else 0.",
            )?,
            reload_timestamp: family.keep(Gauge::with_opts(Family::opts(
                "policy_last_reload_success_timestamp_seconds",
                "When the policy in force was loaded, in seconds since 1970.",
            )))?,
        })
    }
}
