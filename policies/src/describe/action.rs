//! What a rule does, in the words of its `use`.

use router_core::{Action, Capability, Snapshot};
use serde_json::{Value, json};

use super::{bands, model_names};
use crate::units::show;

/// The key of a rule's `when` that asks for a capability.
pub(super) fn need(capability: Capability) -> &'static str {
    match capability {
        Capability::Tools => "tools",
        Capability::Vision => "images",
        Capability::JsonSchema => "schema",
        Capability::Streaming => "stream",
    }
}

/// Everything that the action states.
pub(super) fn action(snapshot: &Snapshot, action: &Action) -> Value {
    let profile = action.profile.and_then(|index| snapshot.profile(index));
    json!({
        "profile": profile.map(|profile| &*profile.name),
        "bands": action.bands.map(bands),
        "placement": action.placement.map(router_core::Placement::as_str),
        "candidates": action.candidates.as_ref().map(|ids| model_names(snapshot, ids)),
        "objective": action.objective.map(router_core::Objective::as_str),
        "cache": cache(action),
        "max_cost": action.max_cost.map(show::amount),
        "max_tokens": action.max_output_tokens,
        "deny": action.deny,
    })
}

fn cache(action: &Action) -> Value {
    let rule = action.cache;
    if rule == router_core::CacheRule::default() {
        return Value::Null;
    }
    json!({
        "enabled": rule.enabled,
        "ttl": rule.ttl.map(show::duration),
        "any_temperature": rule.any_temperature,
        "semantic": rule.semantic,
        "tool_calls": rule.tool_calls,
    })
}
