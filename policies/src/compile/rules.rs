//! Rules: that each can match, does something, and leaves somebody to answer.

use std::collections::HashMap;

use router_core::{Bands, Capability, Comparison, Dialect, Placement};

use super::names::Names;
use super::profiles::{bands, verify_bands, verify_candidates};
use crate::diagnostics::Quoted;
use crate::file::{ModelEntry, PolicyFile, RuleEntry, UseEntry, WhenEntry};
use crate::nearest::nearest;
use crate::sink::Sink;
use crate::source::{At, Span};
use crate::table::Named;

/// Verifies every rule.
pub(super) fn verify(file: &PolicyFile, names: &Names<'_>, sink: &mut Sink) {
    verify_order(file, sink);
    for rule in &file.rules {
        let rule = &rule.value;
        if let Some(when) = &rule.when {
            verify_when(&when.value, rule, names, sink);
        }
        if let Some(action) = &rule.action {
            verify_use(&action.value, names, sink);
            verify_answerable(rule, &action.value, names, sink);
        }
    }
}

/// Reports repeated names, and rules that an earlier one leaves nothing to match.
fn verify_order(file: &PolicyFile, sink: &mut Sink) {
    let mut names: HashMap<&str, Span> = HashMap::new();
    let mut stated: HashMap<&str, &str> = HashMap::new();
    let mut catch_all: Option<&str> = None;
    for rule in &file.rules {
        let rule = &rule.value;
        let Some(name) = &rule.name else { continue };
        if let Some(first) = names.insert(&name.value, name.span) {
            let (line, _) = sink.source().position(first.start);
            sink.error(name.span, format!("duplicate rule {}, first on line {line}", Quoted(&name.value)));
        }
        let typed = rule.when.as_ref().map_or("", |when| when.value.typed.as_str());
        match (stated.get(typed), catch_all) {
            (Some(earlier), _) => {
                let message =
                    format!("the rule never matches: rule {} has the same conditions", Quoted(earlier));
                sink.error(rule.when.as_ref().map_or(rule.span, |when| when.span), message);
            }
            (None, Some(earlier)) => {
                sink.warn(rule.span, format!("the rule never matches: rule {} matches all", Quoted(earlier)));
            }
            (None, None) => {}
        }
        stated.entry(typed).or_insert(&name.value);
        if typed.is_empty() {
            catch_all.get_or_insert(&name.value);
        }
    }
}

fn verify_when(when: &WhenEntry, rule: &RuleEntry, names: &Names<'_>, sink: &mut Sink) {
    for tenant in when.tenant.iter().flat_map(|tenants| &tenants.value) {
        names.require_tenant(tenant, sink);
    }
    for model in when.model.iter().flat_map(|models| &models.value) {
        verify_requested(model, rule, names, sink);
    }
    if let Some(complexity) = &when.complexity {
        let bounds = complexity.value.iter().map(|at| at.value.bound);
        let between =
            bounds.clone().flat_map(|a| bounds.clone().chain([0.0, 1.0]).map(move |b| f32::midpoint(a, b)));
        let points = bounds.clone().chain(between).chain([0.0, 1.0]).collect::<Vec<_>>();
        verify_range(complexity, &points, sink);
    }
    if let Some(tokens) = &when.tokens {
        let bounds = tokens.value.iter().map(|at| at.value.bound);
        let near = bounds.flat_map(|bound| [bound.saturating_sub(1), bound, bound.saturating_add(1)]);
        verify_range(tokens, &near.chain([0]).collect::<Vec<_>>(), sink);
    }
    if let (Some(dialect), Some(endpoints)) = (&when.dialect, &when.endpoint)
        && endpoints.value.iter().all(|endpoint| endpoint.value.dialect() != dialect.value)
    {
        sink.error(
            dialect.span,
            format!("the rule never matches: no such endpoint speaks {}", dialect.value),
        );
    }
}

/// Reports comparisons that no value satisfies. `points` holds one value of every stretch between bounds.
fn verify_range<T: PartialOrd + Copy>(
    comparisons: &At<Vec<At<Comparison<T>>>>,
    points: &[T],
    sink: &mut Sink,
) {
    let holds = |point: &T| comparisons.value.iter().all(|comparison| comparison.value.holds(point));
    if !points.iter().any(holds) {
        sink.error(comparisons.span, "the rule never matches: no value satisfies this");
    }
}

/// Whether a requested name of a condition makes sense. Rules may give meaning to names that the policy does
/// not define, as long as they say who answers.
fn verify_requested(name: &At<String>, rule: &RuleEntry, names: &Names<'_>, sink: &mut Sink) {
    let pattern = name.value.as_str();
    let prefix = pattern.strip_suffix('*');
    if prefix.unwrap_or(pattern).contains('*') {
        return sink.error(name.span, format!("{}: a star stands at the end", Quoted(pattern)));
    }
    let known =
        prefix.map_or_else(|| names.target(pattern).is_some(), |prefix| names.any_starts_with(prefix));
    if known {
        return;
    }
    let near = nearest(pattern, names.requestable());
    let action = rule.action.as_ref().map(|action| &action.value);
    let answers = action.is_some_and(|a| a.candidates.is_some() || a.profile.is_some() || a.deny.is_some());
    let message = format!("the policy defines no model {}", Quoted(pattern));
    match (answers, near) {
        (false, near) => {
            sink.error_with(name.span, format!("{message}, and the rule names none to answer"), near)
        }
        (true, Some(near)) => sink.warn_with(name.span, message, Some(near)),
        (true, None) => {}
    }
}

fn verify_use(action: &UseEntry, names: &Names<'_>, sink: &mut Sink) {
    if let Some(profile) = &action.profile {
        names.require_profile(profile, sink);
    }
    if let Some(candidates) = &action.candidates {
        verify_candidates(&candidates.value, names, sink);
    }
    if let Some(stated) = &action.bands {
        verify_bands(stated, profile_bands(action, names), sink);
    }
    if let Some(deny) = &action.deny {
        verify_deny(deny, action, sink);
    }
}

/// The thresholds of the profile that a rule chooses by.
pub(super) fn profile_bands(action: &UseEntry, names: &Names<'_>) -> Bands {
    let position = action.profile.as_ref().map_or(Some(0), |profile| names.profile(&profile.value));
    let profile = position.and_then(|at| names.profiles.get(at).copied().flatten());
    bands(profile.and_then(|profile| profile.value.bands.as_ref()), Bands::default())
}

fn verify_deny(deny: &At<String>, action: &UseEntry, sink: &mut Sink) {
    let others = [
        action.profile.is_some(),
        action.bands.is_some(),
        action.placement.is_some(),
        action.candidates.is_some(),
        action.objective.is_some(),
        action.cache.is_some(),
        action.max_cost.is_some(),
        action.max_tokens.is_some(),
    ];
    if others.contains(&true) {
        sink.error(deny.span, "deny refuses the request: nothing else in use has an effect");
    }
}

/// Reports rules after which no candidate can be left, whatever the request.
fn verify_answerable(rule: &RuleEntry, action: &UseEntry, names: &Names<'_>, sink: &mut Sink) {
    if action.deny.is_some() {
        return;
    }
    let Some((models, span)) = candidates_of(action, names) else {
        return warn_of_placement(action, names, sink);
    };
    let left = |fits: &dyn Fn(&ModelEntry) -> bool| {
        models.is_empty() || models.iter().any(|model| fits(&model.value))
    };
    if let Some(placement) = &action.placement
        && !left(&|model| is_placed(model, placement.value, names))
    {
        return sink.error(placement.span, format!("no candidate of the rule is {}", placement.value));
    }
    let Some(when) = rule.when.as_ref().map(|when| &when.value) else { return };
    let dialects = dialects_of(when);
    if !dialects.is_empty() && !left(&|model| speaks(model, &dialects, names)) {
        return sink.error(span, format!("no candidate of the rule speaks {}", dialects[0]));
    }
    for (wanted, capability) in [
        (&when.tools, Capability::Tools),
        (&when.images, Capability::Vision),
        (&when.schema, Capability::JsonSchema),
        (&when.stream, Capability::Streaming),
    ] {
        let needed = wanted.as_ref().is_some_and(|wanted| wanted.value);
        if needed && !left(&|model| can(model, capability)) {
            return sink.error(span, format!("no candidate of the rule can do {}", capability.as_str()));
        }
    }
}

/// The models that a rule itself puts up, and where it says so.
fn candidates_of<'f>(action: &UseEntry, names: &Names<'f>) -> Option<(Vec<&'f Named<ModelEntry>>, Span)> {
    if let Some(candidates) = &action.candidates {
        return Some((names.models_of(&candidates.value), candidates.span));
    }
    let profile = action.profile.as_ref()?;
    Some((names.models_of_profile(names.profile(&profile.value)?), profile.span))
}

fn warn_of_placement(action: &UseEntry, names: &Names<'_>, sink: &mut Sink) {
    let Some(placement) = &action.placement else { return };
    if !names.any_placed(placement.value) {
        let message = format!("no model is {}: every request that matches is refused", placement.value);
        sink.warn(placement.span, message);
    }
}

/// The dialects of the requests that can match; empty: any.
fn dialects_of(when: &WhenEntry) -> Vec<Dialect> {
    match (&when.dialect, &when.endpoint) {
        (Some(dialect), _) => vec![dialect.value],
        (None, Some(endpoints)) => endpoints.value.iter().map(|endpoint| endpoint.value.dialect()).collect(),
        (None, None) => Vec::new(),
    }
}

fn is_placed(model: &ModelEntry, placement: Placement, names: &Names<'_>) -> bool {
    names.provider_of(model).is_none_or(|provider| super::placement(provider) == placement)
}

fn speaks(model: &ModelEntry, dialects: &[Dialect], names: &Names<'_>) -> bool {
    let dialect = names.provider_of(model).and_then(|provider| provider.dialect.as_ref());
    dialect.is_none_or(|dialect| dialects.contains(&dialect.value))
}

fn can(model: &ModelEntry, capability: Capability) -> bool {
    // What the catalogue knows is no reason to refuse a rule: it changes with the release.
    super::capabilities(model, None).contains(capability)
}
