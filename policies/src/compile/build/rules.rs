//! A typed rule → a compiled one.

use router_core::{Action, CacheRule, Capability, Condition, Rule};

use super::{Ids, profile_index};
use crate::compile::names::Names;
use crate::compile::profiles::bands;
use crate::compile::rules::profile_bands;
use crate::file::{RuleEntry, UseEntry, WhenEntry};
use crate::source::At;

/// Compiles one rule; only the conditions that it states are kept.
pub(super) fn rule(entry: &RuleEntry, names: &Names<'_>, ids: &Ids) -> Rule {
    let name = entry.name.as_ref().map_or("", |name| &name.value);
    let conditions = entry.when.as_ref().map(|when| conditions(&when.value, names, ids)).unwrap_or_default();
    let action =
        entry.action.as_ref().map(|action| self::action(&action.value, names, ids)).unwrap_or_default();
    Rule::new(name, conditions, action)
}

fn conditions(when: &WhenEntry, names: &Names<'_>, ids: &Ids) -> Vec<Condition> {
    let mut found = Vec::new();
    found.extend(when.dialect.as_ref().map(|at| Condition::Dialect(at.value)));
    found.extend(when.placement.as_ref().map(|at| Condition::Placement(at.value)));
    found.extend(when.endpoint.as_ref().map(|list| Condition::Endpoint(values(list))));
    found.extend(
        when.complexity.iter().flat_map(|list| &list.value).map(|at| Condition::Complexity(at.value)),
    );
    found.extend(when.tokens.iter().flat_map(|list| &list.value).map(|at| Condition::PromptTokens(at.value)));
    for (wanted, capability) in [
        (&when.tools, Capability::Tools),
        (&when.images, Capability::Vision),
        (&when.schema, Capability::JsonSchema),
        (&when.stream, Capability::Streaming),
    ] {
        found.extend(wanted.as_ref().map(|at| Condition::Needs(capability, at.value)));
    }
    found.extend(when.tenant.as_ref().map(|list| {
        let positions = list.value.iter().filter_map(|name| names.tenant(&name.value));
        Condition::Tenant(positions.filter_map(|at| ids.tenants.get(at).copied()).collect())
    }));
    found.extend(when.model.as_ref().map(|list| Condition::Model(texts(&list.value))));
    let tags = when.tags.iter().map(|tag| Condition::Tag(tag.name.value.as_str().into(), texts(&tag.value)));
    found.extend(tags);
    found
}

fn values<T: Copy>(list: &At<Vec<At<T>>>) -> Box<[T]> {
    list.value.iter().map(|at| at.value).collect()
}

fn texts(list: &[At<String>]) -> Box<[Box<str>]> {
    list.iter().map(|at| at.value.as_str().into()).collect()
}

fn action(entry: &UseEntry, names: &Names<'_>, ids: &Ids) -> Action {
    let profile = entry.profile.as_ref().and_then(|profile| names.profile(&profile.value));
    let cache = entry.cache.as_ref().map(|at| at.value).unwrap_or_default();
    Action {
        profile: profile.map(profile_index),
        bands: entry.bands.as_ref().map(|stated| bands(Some(stated), profile_bands(entry, names))),
        placement: entry.placement.as_ref().map(|at| at.value),
        candidates: entry.candidates.as_ref().map(|list| ids.candidates(&list.value, names)),
        objective: entry.objective.as_ref().map(|at| at.value),
        cache: CacheRule {
            enabled: cache.enabled,
            ttl: cache.ttl,
            any_temperature: cache.any_temperature,
            semantic: cache.semantic,
            tool_calls: cache.tool_calls,
        },
        max_cost: entry.max_cost.as_ref().map(|at| at.value),
        max_output_tokens: entry.max_tokens.as_ref().map(|at| at.value),
        deny: entry.deny.as_ref().map(|at| at.value.as_str().into()),
    }
}
