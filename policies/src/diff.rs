//! What changed from one policy to the next, by name.

use std::collections::{BTreeSet, HashMap};

use router_core::Snapshot;
use serde_json::{Map, Value};

use crate::describe::describe;

/// What differs between two policies, defaults included: `models.small.price`, `cache.ttl`,
/// `models.new (added)`, `rules.night (removed)`, `rules (order)`. Sorted; empty when both do the same.
/// A changed secret is named, never shown.
#[must_use]
pub fn diff(before: &Snapshot, after: &Snapshot) -> Vec<String> {
    let mut changed = BTreeSet::new();
    if let (Value::Object(old), Value::Object(new)) = (describe(before), describe(after)) {
        for key in keys(&old, &new).filter(|key| *key != "generation" && *key != "rules") {
            compare_section(key, old.get(key), new.get(key), &mut changed);
        }
        compare_rules(old.get("rules"), new.get("rules"), &mut changed);
    }
    compare_secrets(before, after, &mut changed);
    changed.into_iter().collect()
}

fn keys<'a>(old: &'a Map<String, Value>, new: &'a Map<String, Value>) -> impl Iterator<Item = &'a str> {
    let both: BTreeSet<&str> = old.keys().chain(new.keys()).map(String::as_str).collect();
    both.into_iter()
}

/// A top-level value, a table of settings, or a table of named entries.
fn compare_section(path: &str, old: Option<&Value>, new: Option<&Value>, changed: &mut BTreeSet<String>) {
    if old == new {
        return;
    }
    let (Some(Value::Object(old)), Some(Value::Object(new))) = (old, new) else {
        changed.insert(path.to_owned());
        return;
    };
    for key in keys(old, new) {
        let path = format!("{path}.{key}");
        match (old.get(key), new.get(key)) {
            (Some(Value::Object(old)), Some(Value::Object(new))) => {
                let differing = keys(old, new).filter(|key| old.get(*key) != new.get(*key));
                changed.extend(differing.map(|key| format!("{path}.{key}")));
            }
            (Some(old), Some(new)) if old == new => {}
            (Some(_), Some(_)) => drop(changed.insert(path)),
            (None, _) => drop(changed.insert(format!("{path} (added)"))),
            (_, None) => drop(changed.insert(format!("{path} (removed)"))),
        }
    }
}

/// Rules are compared by name, and the order of those that stayed as one thing.
fn compare_rules(old: Option<&Value>, new: Option<&Value>, changed: &mut BTreeSet<String>) {
    let (old, new) = (by_name(old), by_name(new));
    let (old_rules, new_rules): (HashMap<_, _>, HashMap<_, _>) =
        (old.iter().copied().collect(), new.iter().copied().collect());
    for (name, rule) in &old {
        match new_rules.get(name) {
            None => drop(changed.insert(format!("rules.{name} (removed)"))),
            Some(now) if now != rule => drop(changed.insert(format!("rules.{name}"))),
            Some(_) => {}
        }
    }
    let added = new.iter().filter(|(name, _)| !old_rules.contains_key(name));
    changed.extend(added.map(|(name, _)| format!("rules.{name} (added)")));
    let stayed_old = old.iter().map(|(name, _)| name).filter(|name| new_rules.contains_key(**name));
    let stayed_new = new.iter().map(|(name, _)| name).filter(|name| old_rules.contains_key(**name));
    if !stayed_old.eq(stayed_new) {
        changed.insert("rules (order)".to_owned());
    }
}

fn by_name(rules: Option<&Value>) -> Vec<(&str, &Value)> {
    let rules = rules.and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
    rules.iter().filter_map(|rule| Some((rule.get("name")?.as_str()?, rule))).collect()
}

/// Descriptions hide secrets and most of a key's hash, so these are compared themselves.
fn compare_secrets(before: &Snapshot, after: &Snapshot, changed: &mut BTreeSet<String>) {
    for new in after.providers() {
        let Some(old) = before.providers().find(|old| old.name == new.name) else { continue };
        if old.api_key != new.api_key {
            changed.insert(format!("providers.{}.api_key", new.name));
        }
        if old.tls != new.tls {
            changed.insert(format!("providers.{}.tls", new.name));
        }
        if old.headers != new.headers {
            changed.insert(format!("providers.{}.headers", new.name));
        }
    }
    for new in after.tenants.iter() {
        let old = before.tenants.iter().find(|old| old.name == new.name);
        if old.is_some_and(|old| old.keys != new.keys) {
            changed.insert(format!("tenants.{}.keys", new.name));
        }
    }
}
