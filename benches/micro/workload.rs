//! The request and the policy that the micro benches share.

#![allow(dead_code)]

use std::sync::Arc;

use router_core::{
    Action, CachePolicy, Capabilities, Capability, Comparison, Condition, Dialect, Model, ModelId, Operator,
    OutOfDomain, Parts, Placement, PoolSettings, Prices, Pricing, Profile, Provider, Rule, Scorer, Snapshot,
    State, Tenants, Timeouts, TokenPrice, UpstreamModel,
};

/// Prose with numbers in it, repeated until the body has about this size.
const PARAGRAPH: &str = "We run a small bakery and plan the next quarter. Our flour supplier raised prices by 12 % in \
March, and two of the five ovens need service before summer. Compare leasing with buying, list three risks, and say \
what you would ask the bank. ";

/// A chat of four turns of about `bytes` bytes.
pub(crate) fn chat(bytes: usize) -> Vec<u8> {
    let frame = br#"{"model":"auto","messages":[{"role":"system","content":"You are a careful assistant. Answer in plain English."},{"role":"user","content":"Hello, can you help me?"},{"role":"assistant","content":"Of course. What is it about?"},{"role":"user","content":""#;
    let tail = br#""}],"temperature":0,"max_tokens":512,"stream":true,"user":"u-1","metadata":{"team":"a"}}"#;
    let room = bytes.saturating_sub(frame.len() + tail.len());
    let mut body = frame.to_vec();
    body.extend(PARAGRAPH.bytes().cycle().take(room));
    body.extend_from_slice(tail);
    body
}

/// Two providers, four models, and `rules` rules of which the last one matches everything.
pub(crate) fn policy(state: &State, rules: usize, scorer: Arc<dyn Scorer>) -> Snapshot {
    let providers =
        vec![provider(state, "local", Placement::Internal), provider(state, "cloud", Placement::External)];
    let models: Vec<Model> =
        [("small", 0, 0.05, 1), ("middle", 0, 0.4, 2), ("big", 1, 2.5, 3), ("huge", 1, 5.0, 4)]
            .into_iter()
            .map(|(name, provider, price, tier)| model(state, name, &providers[provider], price, tier))
            .collect();
    let ids: Box<[ModelId]> = models.iter().map(|model| model.id).collect();
    let profile = Profile {
        name: "default".into(),
        candidates: ids.clone(),
        objective: router_core::Objective::Cheapest,
        bands: router_core::Bands::default(),
        fallback: true,
    };
    Snapshot::new(
        1,
        Parts {
            providers,
            models,
            aliases: Vec::new(),
            profiles: vec![profile],
            rules: (1..=rules).map(|number| rule(number, number == rules, &ids)).collect(),
            baseline: None,
            unlisted: Vec::new(),
            cache: CachePolicy::default(),
            tenants: Tenants::default(),
            scorer,
            out_of_domain: OutOfDomain::Structure,
            outcomes: router_core::OutcomePolicy::default(),
            attempts: router_core::AttemptPolicy::default(),
            charter: router_core::charter::Charter::default(),
            origins: router_core::origin::Origins::default(),
        },
    )
}

fn provider(state: &State, name: &str, placement: Placement) -> Provider {
    Provider {
        id: state.provider_id(name, "http://127.0.0.1:9/v1").expect("few providers"),
        name: name.into(),
        dialect: Dialect::OpenAi,
        placement,
        base_url: "http://127.0.0.1:9/v1".into(),
        api_key: None,
        headers: Vec::new(),
        timeouts: Timeouts::default(),
        health: std::sync::Arc::default(),
        weight: 1.0,
        probe: None,
        group: 0,
        pool: PoolSettings::default(),
        tls: router_core::ProviderTls::default(),
        stream_usage: true,
    }
}

fn model(state: &State, name: &str, provider: &Provider, price: f64, tier: u8) -> Model {
    let (input, output) = (TokenPrice::per_million(price), TokenPrice::per_million(4.0 * price));
    Model {
        id: state.model_id(name, provider.id, name).expect("few models"),
        name: name.into(),
        provider: provider.id,
        upstream_model: UpstreamModel::Named(name.into()),
        pricing: Pricing::Priced(Prices::flat(input, output).into()),
        price_source: router_core::PriceSource::Policy,
        price_list: None,
        context_tokens: Some(128_000),
        max_output_tokens: None,
        tier,
        capabilities: Capabilities::ALL,
    }
}

/// A rule with three conditions, of which a different one fails for each number, or one that matches.
fn rule(number: usize, matches: bool, candidates: &[ModelId]) -> Rule {
    if matches {
        let action = Action { candidates: Some(candidates.into()), ..Action::default() };
        return Rule::new("last", Vec::new(), action);
    }
    let far = Comparison { operator: Operator::Greater, bound: 0.99 };
    let near = Comparison { operator: Operator::Greater, bound: 0.0 };
    let tag = |value: &str| Condition::Tag("team".into(), [value.into(), "eu-*".into()].into());
    let conditions = match number % 4 {
        0 => vec![Condition::Complexity(far), Condition::Needs(Capability::Streaming, true), tag("search")],
        1 => vec![Condition::Complexity(near), Condition::Needs(Capability::Tools, true), tag("search")],
        2 => vec![Condition::Complexity(near), Condition::Dialect(Dialect::OpenAi), tag("payments")],
        _ => vec![Condition::Model(["gpt-*".into(), "claude-*".into()].into()), tag("search")],
    };
    Rule::new(format!("rule-{number}"), conditions, Action::default())
}
