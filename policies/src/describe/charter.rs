//! What may be used and spent, in the words of `policy.toml`.

use router_core::charter::WhenExhausted;
use router_core::{PriceSource, Pricing, Snapshot, Usd};
use serde_json::{Value, json};

use crate::units::show;

/// `unpriced`
pub(super) fn unpriced(snapshot: &Snapshot) -> Value {
    let ceiling = snapshot.models().find(|model| model.price_source == PriceSource::Ceiling);
    match ceiling.map(|model| &model.pricing) {
        Some(Pricing::Priced(tariff)) => json!({ "ceiling": show::price(tariff.base().input) }),
        _ if snapshot.charter.refuse_unpriced => "refuse".into(),
        _ => "allow".into(),
    }
}

/// `[[quotas]]`, one for each that is counted apart.
pub(super) fn quotas(snapshot: &Snapshot) -> Value {
    let quota = |entry: &router_core::charter::LimitEntry| {
        let rate = |quota: router_core::limit::Quota| {
            format!("{}/{}", quota.units(), show::duration(quota.window()))
        };
        json!({
            "name": &*entry.name,
            "requests": entry.limit.requests.map(rate),
            "tokens": entry.limit.tokens.map(rate),
            "concurrency": entry.limit.concurrency,
        })
    };
    snapshot.charter.limits().iter().map(quota).collect()
}

/// `[[budgets]]`, one for each that is counted apart.
pub(super) fn budgets(snapshot: &Snapshot) -> Value {
    let budget = |entry: &router_core::charter::BudgetEntry| {
        let terms = &entry.terms;
        json!({
            "name": &*terms.name,
            "per": entry.budget.period().name(),
            "limit": (terms.limit != Usd::MAX).then(|| show::amount(terms.limit)),
            "alerts": terms.alerts.iter().map(show::amount).collect::<Vec<_>>(),
            "zone": terms.zone.iana_name(),
            "guard": terms.spenders > 0,
            "then": match entry.when_exhausted {
                WhenExhausted::Deny => Value::from("deny"),
                WhenExhausted::Internal => "internal".into(),
                WhenExhausted::Profile(index) => {
                    json!({ "profile": snapshot.profile(index).map(|profile| &*profile.name) })
                }
            },
        })
    };
    snapshot.charter.budgets().iter().map(budget).collect()
}

/// `[cors]`
pub(super) fn origins(snapshot: &Snapshot) -> Value {
    match snapshot.origins.is_empty() {
        true => Value::Null,
        false => json!({ "origins": snapshot.origins.iter().collect::<Vec<_>>() }),
    }
}
