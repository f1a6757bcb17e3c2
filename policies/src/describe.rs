//! A policy in force, as data: what `/policy` shows and what [`diff`](crate::diff) compares.

use std::time::SystemTime;

use jiff::Timestamp;
use router_core::keyring::Key;
use router_core::{
    Bands, Comparison, Condition, Model, ModelId, OutOfDomain, Prices, Pricing, Profile, ProfileIndex,
    Provider, ProviderTls, Requested, Rule, Secret, Snapshot, Tenant, UpstreamModel,
};
use serde_json::{Map, Value, json};

use crate::compile::STRUCTURE;
use crate::units::show;

mod action;
mod attempts;
mod cache;
mod charter;

/// The whole policy with its defaults filled in, in the words of `policy.toml`. Secrets are `[redacted]`, key
/// hashes are cut after twelve digits.
#[must_use]
pub fn describe(snapshot: &Snapshot) -> Value {
    let mut policy = json!({
        "generation": snapshot.generation(),
        "scorer": snapshot.scorer.name(),
        "baseline": snapshot.baseline.map(|id| model_name(snapshot, id)),
        "out_of_domain": match snapshot.out_of_domain {
            OutOfDomain::Structure => STRUCTURE,
            OutOfDomain::Model(id) => model_name(snapshot, id),
        },
        "providers": object(snapshot.providers().map(|p| (&*p.name, provider(p)))),
        "models": object(snapshot.models().map(|m| (&*m.name, model(snapshot, m)))),
        "aliases": aliases(snapshot),
        "profiles": object(snapshot.profiles().iter().map(|p| (&*p.name, profile(snapshot, p)))),
        "rules": snapshot.rules().iter().map(|rule| self::rule(snapshot, rule)).collect::<Vec<_>>(),
        "cache": cache::cache(snapshot),
        "outcomes": cache::outcomes(&snapshot.outcomes),
        "attempts": attempts::attempts(&snapshot.attempts),
        "unpriced": charter::unpriced(snapshot),
        "reserve_output_tokens": snapshot.charter.reserve_output_tokens,
        "quotas": charter::quotas(snapshot),
        "budgets": charter::budgets(snapshot),
        "cors": charter::origins(snapshot),
        "tenants": object(snapshot.tenants.iter().map(|t| (&*t.name, tenant(snapshot, t)))),
    });
    drop_nulls(&mut policy);
    policy
}

fn object<'a>(entries: impl Iterator<Item = (&'a str, Value)>) -> Map<String, Value> {
    entries.map(|(name, value)| (name.to_owned(), value)).collect()
}

/// Keys that say nothing are left out, as in a file.
fn drop_nulls(value: &mut Value) {
    match value {
        Value::Object(entries) => {
            entries.retain(|_, value| !value.is_null());
            entries.values_mut().for_each(drop_nulls);
        }
        Value::Array(elements) => elements.iter_mut().for_each(drop_nulls),
        _ => {}
    }
}

fn model_name(snapshot: &Snapshot, id: ModelId) -> &str {
    snapshot.model(id).map_or("", |model| &model.name)
}

fn model_names(snapshot: &Snapshot, ids: &[ModelId]) -> Vec<String> {
    ids.iter().map(|id| model_name(snapshot, *id).to_owned()).collect()
}

/// Shortest decimal that reads back as the same `f32`: 0.4, not 0.4000000059604645.
fn fraction(value: f32) -> Value {
    value.to_string().parse::<f64>().map_or(Value::Null, Value::from)
}

fn bands(bands: Bands) -> Value {
    json!({ "hybrid": fraction(bands.hybrid), "external": fraction(bands.external) })
}

fn redacted(_: &Secret) -> &'static str {
    "[redacted]"
}

fn provider(provider: &Provider) -> Value {
    let Provider { timeouts, health, pool, .. } = provider;
    let breaker = &health.breaker;
    json!({
        "dialect": provider.dialect.as_str(),
        "base_url": provider.base_url,
        "placement": provider.placement.as_str(),
        "api_key": provider.api_key.as_ref().map(redacted),
        "headers": object(provider.headers.iter().map(|(name, value)| (&**name, redacted(value).into()))),
        "timeouts": {
            "connect": show::duration(timeouts.connect),
            "first_byte": show::duration(timeouts.first_byte),
            "idle": show::duration(timeouts.idle),
            "total": show::duration(timeouts.total),
        },
        "breaker": attempts::breaker(breaker),
        "weight": provider.weight,
        "group": provider.group,
        "probe": provider.probe.as_ref().map(|probe| json!({ "interval": show::duration(probe.interval), "path": probe.path })),
        "pool": { "max_idle": pool.max_idle, "max_connections": pool.max_connections },
        "tls": (provider.tls != ProviderTls::default()).then(|| json!({
            "roots": provider.tls.roots.as_ref().map(redacted),
            "identity": provider.tls.identity.as_ref().map(|(_, key)| redacted(key)),
        })),
        "http2": if pool.http2_prior_knowledge { "prior-knowledge" } else { "auto" },
        "stream_usage": provider.stream_usage,
    })
}

fn model(snapshot: &Snapshot, model: &Model) -> Value {
    let price = match &model.pricing {
        Pricing::Unpriced if model.price_list.is_some() => Value::from("catalogue"),
        Pricing::Unpriced => Value::from("unpriced"),
        Pricing::Priced(tariff) if tariff.tiers().is_empty() => prices(tariff.base(), None),
        Pricing::Priced(tariff) => std::iter::once(prices(tariff.base(), None))
            .chain(tariff.tiers().iter().map(|tier| prices(&tier.prices, Some(tier.above))))
            .collect(),
    };
    let upstream = match &model.upstream_model {
        UpstreamModel::Named(name) => &**name,
        UpstreamModel::AsRequested => "*",
    };
    let streaming = router_core::Capability::Streaming;
    let capabilities = model.capabilities.without(streaming).iter().map(router_core::Capability::as_str);
    json!({
        "provider": snapshot.provider(model.provider).map(|provider| &*provider.name),
        "upstream_model": upstream,
        "price": price,
        "price_source": if model.price_list.is_some() { "catalogue" } else { model.price_source.as_str() },
        "context": model.context_tokens,
        "max_output": model.max_output_tokens,
        "tier": model.tier,
        "capabilities": capabilities.collect::<Vec<_>>(),
        "streaming": model.capabilities.contains(streaming),
    })
}

fn prices(prices: &Prices, above: Option<u64>) -> Value {
    json!({
        "above": above,
        "input": show::price(prices.input),
        "cached_input": show::price(prices.cached_input),
        "cache_write": show::price(prices.cache_write),
        "output": show::price(prices.output),
        "reasoning": show::price(prices.reasoning),
    })
}

/// Names that are neither a model's own nor `auto`.
fn aliases(snapshot: &Snapshot) -> Map<String, Value> {
    let is_own = |name: &str, requested: Requested| match requested {
        Requested::Model(id) => model_name(snapshot, id) == name,
        Requested::Auto(_) => name == "auto" || name.starts_with("auto:"),
    };
    let target = |requested: Requested| match requested {
        Requested::Model(id) => model_name(snapshot, id).to_owned(),
        Requested::Auto(index) => {
            format!("auto:{}", snapshot.profile(index).map_or("", |profile| &profile.name))
        }
    };
    let names = snapshot.names().filter(|(name, requested)| !is_own(name, *requested));
    object(names.map(|(name, requested)| (name, target(requested).into())))
}

fn profile(snapshot: &Snapshot, profile: &Profile) -> Value {
    json!({
        "candidates": model_names(snapshot, &profile.candidates),
        "objective": profile.objective.as_str(),
        "bands": bands(profile.bands),
        "fallback": profile.fallback,
    })
}

fn rule(snapshot: &Snapshot, rule: &Rule) -> Value {
    let mut when = Map::new();
    for condition in rule.conditions() {
        state(snapshot, condition, &mut when);
    }
    json!({ "name": rule.name, "when": when, "use": action::action(snapshot, &rule.action) })
}

/// Adds one condition in the words of a rule's `when`.
fn state(snapshot: &Snapshot, condition: &Condition, when: &mut Map<String, Value>) {
    let (key, value) = match condition {
        Condition::Dialect(dialect) => ("dialect", dialect.as_str().into()),
        Condition::Placement(placement) => ("placement", placement.as_str().into()),
        Condition::Endpoint(endpoints) => {
            ("endpoint", endpoints.iter().map(|endpoint| endpoint.path()).collect::<Vec<_>>().into())
        }
        Condition::Needs(capability, wanted) => (action::need(*capability), (*wanted).into()),
        Condition::Tenant(tenants) => {
            let names = tenants.iter().filter_map(|id| snapshot.tenants.tenant(*id));
            ("tenant", names.map(|tenant| &*tenant.name).collect::<Vec<_>>().into())
        }
        Condition::Complexity(comparison) => {
            return push(when, "complexity", compared(comparison));
        }
        Condition::PromptTokens(comparison) => {
            return push(when, "tokens", compared(comparison));
        }
        Condition::Model(patterns) => {
            ("model", patterns.iter().map(|name| &**name).collect::<Vec<_>>().into())
        }
        Condition::Tag(key, values) => {
            let tags = when.entry("tags").or_insert_with(|| Value::Object(Map::new()));
            if let Value::Object(tags) = tags {
                tags.insert(key.to_string(), values.iter().map(|value| &**value).collect::<Vec<_>>().into());
            }
            return;
        }
    };
    when.insert(key.to_owned(), value);
}

/// Appends to a list; comparisons of one kind may be several.
fn push(when: &mut Map<String, Value>, key: &str, value: impl Into<Value>) {
    let list = when.entry(key).or_insert_with(|| Value::Array(Vec::new()));
    if let Value::Array(list) = list {
        list.push(value.into());
    }
}

fn compared<T: std::fmt::Display>(comparison: &Comparison<T>) -> String {
    format!("{} {}", show::operator(comparison.operator), comparison.bound)
}

fn tenant(snapshot: &Snapshot, tenant: &Tenant) -> Value {
    let tags = tenant.tags.iter().map(|(key, value)| (&**key, Value::from(&**value)));
    let profile = |index: &ProfileIndex| snapshot.profile(*index).map(|profile| profile.name.to_string());
    json!({
        "keys": tenant.keys.iter().map(key).collect::<Vec<_>>(),
        "certificates": (!tenant.certificates.is_empty()).then(|| tenant.certificates.iter().map(key).collect::<Vec<_>>()),
        "tags": object(tags),
        "keep_prompts": tenant.keep_prompts,
        "tier": tenant.tier,
        "models": tenant.models.as_ref().map(|models| model_names(snapshot, models)),
        "profiles": tenant.profiles.as_ref().map(|list| list.iter().filter_map(profile).collect::<Vec<_>>()),
        "placement": tenant.placement.map(router_core::Placement::as_str),
    })
}

/// Enough of a key's hash to recognise it by, and when it is taken where that is limited.
fn key(key: &Key) -> Value {
    let name = format!("sha256:{}…", key.hash.id());
    if key.not_before.is_none() && key.expires.is_none() {
        return name.into();
    }
    let moment =
        |at: Option<SystemTime>| at.and_then(|at| Timestamp::try_from(at).ok()).map(|at| at.to_string());
    json!({ "hash": name, "not_before": moment(key.not_before), "expires": moment(key.expires) })
}
