//! Gauges of budgets, keys and records, brought up to date before they are scraped.

use std::time::{SystemTime, UNIX_EPOCH};

use router_core::Usd;

use crate::app::App;

/// Keys whose expiry is shown at most, those that expire first: the warning is about these.
const MAX_KEYS: usize = 500;

/// Budgets that are shown at most, in the order of the policy.
const MAX_BUDGETS: usize = 500;

/// Brings the gauges up to date.
pub(super) fn observe(app: &App) {
    let (snapshot, now) = (app.snapshot(), SystemTime::now());
    let metrics = &app.metrics;
    // What the policy does not name any more is gone.
    for family in [
        &metrics.money.budget_spent,
        &metrics.money.budget_reserved,
        &metrics.money.budget_limit,
        &metrics.money.key_expiry,
    ] {
        family.reset();
    }
    for entry in snapshot.charter.budgets().iter().take(MAX_BUDGETS) {
        let balance = entry.budget.balance(&entry.terms, now);
        let name = [&*entry.terms.name];
        metrics.money.budget_spent.with_label_values(&name).set(balance.spent.dollars());
        metrics.money.budget_reserved.with_label_values(&name).set(balance.reserved.dollars());
        if entry.terms.limit != Usd::MAX {
            metrics.money.budget_limit.with_label_values(&name).set(entry.terms.limit.dollars());
        }
    }
    let mut expiring: Vec<_> = snapshot.tenants.keys().expiries(now).collect();
    expiring.sort_by_key(|(key, left)| (*left, key.hash));
    for (key, _) in expiring.into_iter().take(MAX_KEYS) {
        let tenant = snapshot.tenants.tenant(key.tenant).map_or("", |tenant| &tenant.name);
        let expires = key.expires.and_then(|at| at.duration_since(UNIX_EPOCH).ok()).unwrap_or_default();
        let labels = [tenant, &key.hash.id().to_string()];
        metrics.money.key_expiry.with_label_values(&labels).set(expires.as_secs_f64());
    }
    let [ledger, audit] = app.books.counts().dropped;
    for (kind, dropped) in [("ledger", ledger), ("audit", audit)] {
        metrics
            .money
            .records_dropped
            .with_label_values(&[kind])
            .set(i64::try_from(dropped).unwrap_or(i64::MAX));
    }
    metrics.traffic.queued.set(i64::try_from(app.gate.waiting()).unwrap_or(i64::MAX));
}
