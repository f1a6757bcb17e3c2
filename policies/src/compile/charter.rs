//! Quotas and budgets: that what they count exists, and that they can do what they say.

use std::collections::HashSet;

use router_core::Placement;

use super::names::Names;
use crate::diagnostics::Quoted;
use crate::file::{AlertEntry, BudgetEntry, PolicyFile, ScopeEntry, ThenEntry, UnpricedEntry};
use crate::sink::Sink;
use crate::source::At;

/// What stands for each, counted apart.
pub(super) const EACH: &str = "*";

/// Most alert levels of a budget: what its marks have room for.
const MAX_ALERTS: usize = router_core::budget::Levels::MAX;

/// Whether a model without a price is charged nevertheless.
pub(super) fn has_ceiling(file: &PolicyFile) -> bool {
    matches!(file.unpriced.as_ref().map(|at| at.value), Some(UnpricedEntry::Ceiling(_)))
}

/// Verifies every quota and budget.
pub(super) fn verify(file: &PolicyFile, names: &Names<'_>, sink: &mut Sink) {
    unique(file.quotas.iter().filter_map(|quota| quota.value.name.as_ref()), sink);
    unique(file.budgets.iter().filter_map(|budget| budget.value.name.as_ref()), sink);
    for quota in &file.quotas {
        verify_scope(file, quota.value.scope.as_ref(), names, sink);
    }
    for budget in &file.budgets {
        verify_scope(file, budget.value.scope.as_ref(), names, sink);
        verify_budget(&budget.value, names, sink);
    }
    if file.unpriced.is_none()
        && let Some(limited) = file.budgets.iter().find(|budget| budget.value.limit.is_some())
        && let Some(model) = file.models.iter().find(|model| {
            let known = super::catalogued(&model.name.value, &model.value, names.provider_of(&model.value));
            model.value.price.is_none() && known.is_none()
        })
    {
        let name = Quoted(&model.name.value);
        let message = format!(
            "model {name} has no price, so the budget does not count it: state its price, or unpriced = \"refuse\""
        );
        sink.warn(limited.span, message);
    }
}

fn unique<'a>(names: impl Iterator<Item = &'a At<String>>, sink: &mut Sink) {
    let mut seen = HashSet::new();
    for name in names {
        if !seen.insert(name.value.as_str()) {
            sink.error(name.span, format!("the name {} is taken", Quoted(&name.value)));
        }
    }
}

fn verify_scope(file: &PolicyFile, scope: Option<&At<ScopeEntry>>, names: &Names<'_>, sink: &mut Sink) {
    let Some(At { value: ScopeEntry { tenant, key, model, rule, .. }, .. }) = scope else { return };
    let one = |name: &Option<At<String>>| name.clone().filter(|name| name.value != EACH);
    if let Some(tenant) = one(tenant) {
        names.require_tenant(&tenant, sink);
    }
    if let Some(model) = one(model) {
        names.require_model(&model, sink);
    }
    if let Some(rule) = one(rule) {
        let has_name = |name: &At<String>| name.value == rule.value;
        if !file.rules.iter().any(|known| known.value.name.as_ref().is_some_and(has_name)) {
            sink.error(rule.span, format!("unknown rule {}", Quoted(&rule.value)));
        }
    }
    if let Some(key) = one(key) {
        let mut keys = file.tenants.iter().flat_map(|tenant| &tenant.value.keys);
        if !keys.any(|known| known.value.hash.id().to_string() == key.value) {
            sink.error(key.span, format!("no tenant has the key {}", Quoted(&key.value)));
        }
    }
}

fn verify_budget(budget: &BudgetEntry, names: &Names<'_>, sink: &mut Sink) {
    if let Some(At { value: ScopeEntry { model: Some(model), .. }, .. }) = &budget.scope {
        sink.error(model.span, "a budget counts a tenant, a key, a rule, a tag or everything, not a model");
    }
    if let Some(alerts) = &budget.alerts {
        if alerts.value.len() > MAX_ALERTS {
            sink.error(alerts.span, format!("a budget has at most {MAX_ALERTS} alerts"));
        }
        for alert in &alerts.value {
            match (alert.value, &budget.limit) {
                (AlertEntry::Percent(_), None) => {
                    sink.error(alert.span, "a share of what? The budget has no limit");
                }
                (AlertEntry::Amount(amount), Some(limit)) if amount > limit.value => {
                    sink.error(alert.span, "is above the limit and never reached");
                }
                _ => {}
            }
        }
    }
    match budget.then.as_ref().map(|then| (&then.value, then.span)) {
        Some((_, span)) if budget.limit.is_none() => {
            sink.error(span, "the budget has no limit, so that nothing follows from it");
        }
        Some((ThenEntry::Profile(profile), _)) => names.require_profile(profile, sink),
        Some((ThenEntry::Internal, span)) if !names.any_placed(Placement::Internal) => {
            sink.error(span, "no model is internal");
        }
        _ => {}
    }
}
