//! What a policy turns into.

use std::path::Path;
use std::time::Duration;

use router_core::keyring::Found;
use router_core::{
    Bands, Capabilities, Capability, Endpoint, Facts, KeyHash, ModelId, Objective, OutOfDomain, Placement,
    PriceSource, Pricing, ProfileIndex, Requested, Snapshot, TenantId, TokenPrice, UpstreamModel, Usd,
};
use router_policies::describe;

use crate::setup::{small_policy, snapshot_in, snapshot_of, state};

const CONTRACT: &str = include_str!("../accept/contract.toml");
const EVERY_KEY: &str = include_str!("../accept/every_key.toml");

fn model_id(snapshot: &Snapshot, name: &str) -> ModelId {
    match snapshot.resolve(name) {
        Some(Requested::Model(id)) => id,
        other => panic!("{name} is {other:?}"),
    }
}

fn facts(model: &'static str) -> Facts<'static> {
    Facts {
        tenant: TenantId::ANONYMOUS,
        tags: &[],
        endpoint: Endpoint::ChatCompletions,
        model,
        complexity: 0.5,
        prompt_tokens: 100,
        needs: Capabilities::NONE,
        placement: None,
    }
}

fn matched<'s>(snapshot: &'s Snapshot, facts: &Facts<'_>) -> Option<&'s str> {
    snapshot.first_match(facts).map(|(_, rule)| &*rule.name)
}

#[test]
fn models_keep_their_figures() {
    let snapshot = snapshot_of(CONTRACT);
    let (small, local) = snapshot.target(model_id(&snapshot, "fast")).unwrap();
    assert_eq!(&*small.name, "small");
    assert_eq!(small.upstream_model, UpstreamModel::Named("llama3.1:8b".into()));
    assert_eq!(small.context_tokens, Some(128_000));
    assert!(!small.capabilities.contains(Capability::Vision));
    assert!(small.capabilities.contains(Capability::Streaming));
    assert_eq!(local.placement, Placement::Internal);
    assert_eq!(local.api_key, None);
    let (big, cloud) = snapshot.target(model_id(&snapshot, "big")).unwrap();
    let Pricing::Priced(tariff) = &big.pricing else { panic!("{:?}", big.pricing) };
    let prices = tariff.base();
    assert_eq!(big.price_source, PriceSource::Policy);
    assert_eq!(prices.cached_input, TokenPrice::from_picos(1_250_000));
    assert_eq!(prices.cache_write, prices.input);
    assert_eq!(prices.reasoning, prices.output);
    assert_eq!(&cloud.api_key.as_ref().unwrap().expose()[..], b"value of OPENAI_API_KEY");
    assert_eq!(cloud.timeouts.first_byte, Duration::from_secs(30));
    assert_eq!(snapshot.baseline, Some(big.id));
}

#[test]
fn absent_keys_get_their_defaults() {
    let snapshot = snapshot_of(include_str!("../accept/smallest.toml"));
    let (model, provider) = snapshot.target(model_id(&snapshot, "llama3.1:8b")).unwrap();
    assert_eq!(provider.placement, Placement::External);
    assert!(provider.stream_usage);
    assert_eq!(provider.timeouts, router_core::Timeouts::default());
    assert_eq!(provider.health.breaker, router_core::BreakerSettings::default());
    assert_eq!(provider.pool, router_core::PoolSettings::default());
    assert_eq!(model.upstream_model, UpstreamModel::Named("llama3.1:8b".into()));
    assert_eq!(model.pricing, Pricing::Unpriced);
    assert_eq!(model.capabilities, Capabilities::ALL);
    assert_eq!(model.tier, 1);
    assert_eq!(snapshot.out_of_domain, OutOfDomain::Structure);
    assert_eq!(snapshot.cache, router_core::CachePolicy::default());
    assert_eq!(snapshot.anonymous(), Some(TenantId::ANONYMOUS));
    // Without a default profile, `auto` chooses among all models.
    assert_eq!(snapshot.resolve("auto"), Some(Requested::Auto(ProfileIndex::new(0))));
    let profile = snapshot.profile(ProfileIndex::new(0)).unwrap();
    assert_eq!(*profile.candidates, [model.id]);
    assert!(profile.fallback);
}

#[test]
fn the_default_profile_comes_first_wherever_it_stands() {
    let snapshot = snapshot_of(EVERY_KEY);
    let names: Vec<&str> = snapshot.profiles().iter().map(|profile| &*profile.name).collect();
    assert_eq!(names, ["default", "careful"]);
    let careful = Some(Requested::Auto(ProfileIndex::new(1)));
    assert_eq!(snapshot.resolve("auto:careful"), careful);
    assert_eq!(snapshot.resolve("careful"), careful);
    assert_eq!(snapshot.resolve("anything"), snapshot.resolve("auto"));
    assert_eq!(snapshot.resolve("quick"), snapshot.resolve("small"));
    assert_eq!(snapshot.resolve("unheard-of"), None);
}

#[test]
fn rules_are_compiled_in_order_with_all_their_parts() {
    let snapshot = snapshot_of(EVERY_KEY);
    let rule = &snapshot.rules()[0];
    let action = &rule.action;
    assert_eq!(action.profile, Some(ProfileIndex::new(1)));
    // The threshold that the rule does not state is the profile's.
    assert_eq!(action.bands, Some(Bands { hybrid: 0.1, external: 1.0 }));
    assert_eq!(action.placement, Some(Placement::External));
    assert_eq!(action.candidates.as_deref(), Some(&[model_id(&snapshot, "big")][..]));
    assert_eq!(action.objective, Some(Objective::Best));
    assert_eq!(action.max_cost, Some(Usd::from_nanos(20_000_000)));
    assert_eq!(action.max_output_tokens, Some(4_000));
    assert_eq!(action.cache.ttl, Some(Duration::from_secs(7 * 86_400)));
    assert_eq!(action.cache.any_temperature, Some(true));
    assert_eq!((action.cache.semantic, action.cache.tool_calls), (Some(true), Some(true)));
    // Two comparisons of complexity, two tags, and ten other conditions.
    assert_eq!(rule.conditions().len(), 14);
    assert_eq!(snapshot.rules()[1].action.deny.as_deref(), Some("embeddings are served elsewhere"));
    assert_eq!(snapshot.rules()[2].action.cache.enabled, Some(true));
}

#[test]
fn rules_match_what_they_state() {
    let text = format!(
        "{}\n{}",
        small_policy("1h"),
        r#"
        [[rules]]
        name = "confidential"
        when = { tags = { data = ["secret", "confidential"] } }
        use = { cache = false }

        [[rules]]
        name = "long-and-hard"
        when = { tokens = ">= 8k", complexity = ["> 0.4", "<= 0.8"] }
        use = { objective = "best" }

        [[rules]]
        name = "pictures"
        when = { images = true, stream = false }
        use = { objective = "best" }

        [[rules]]
        name = "old-names"
        when = { model = ["gpt-*", "small"], endpoint = "/v1/chat/completions" }
        use = { candidates = ["small"] }
        "#
    );
    let snapshot = snapshot_of(&text);
    let base = facts("auto");
    assert_eq!(matched(&snapshot, &base), None);
    let tags = [("data", "confidential")];
    assert_eq!(matched(&snapshot, &Facts { tags: &tags, ..base }), Some("confidential"));
    for (tokens, complexity, hit) in [
        (8_000, 0.5, true),
        (7_999, 0.5, false),
        (8_000, 0.4, false),
        (9_000, 0.8, true),
        (9_000, 0.81, false),
    ] {
        let facts = Facts { prompt_tokens: tokens, complexity, ..base };
        assert_eq!(matched(&snapshot, &facts) == Some("long-and-hard"), hit, "{tokens} {complexity}");
    }
    let needs = Capabilities::NONE.with(Capability::Vision);
    assert_eq!(matched(&snapshot, &Facts { needs, ..base }), Some("pictures"));
    let needs = needs.with(Capability::Streaming);
    assert_eq!(matched(&snapshot, &Facts { needs, ..base }), None);
    assert_eq!(matched(&snapshot, &facts("gpt-4o")), Some("old-names"));
    assert_eq!(matched(&snapshot, &Facts { endpoint: Endpoint::Responses, ..facts("gpt-4o") }), None);
}

#[test]
fn tenants_are_known_by_the_hash_of_their_key() {
    let snapshot = snapshot_of(EVERY_KEY);
    let now = std::time::SystemTime::now();
    let second = "sha256:fcde2b2edba56bf408601fb721fe9b5c338d10ee429ea04fae5511b68fbf8fb9";
    let Found::Valid(key) = snapshot.tenants.authenticate(&KeyHash::parse(second).unwrap(), now) else {
        panic!("the key is not known")
    };
    let tenant = snapshot.tenants.tenant(key.tenant).unwrap();
    assert_eq!(&*tenant.name, "team-a");
    assert_eq!(tenant.tags, [("cost-centre".into(), "4711".into())]);
    assert_eq!(snapshot.tenants.authenticate(&KeyHash::new([0; 32]), now), Found::Unknown);
    assert_eq!(snapshot.anonymous(), None);
}

#[test]
fn ids_outlive_a_reload_while_the_thing_stays_the_same() {
    let state = state();
    let first = snapshot_in(&state, CONTRACT);
    let second =
        snapshot_in(&state, &CONTRACT.replace("$0.05/M", "$0.06/M").replace("llama3.1:8b", "llama3.3:70b"));
    assert_eq!(model_id(&first, "big"), model_id(&second, "big"));
    assert_ne!(
        model_id(&first, "small"),
        model_id(&second, "small"),
        "another model upstream is another model"
    );
    assert!(second.model(model_id(&first, "small")).is_none());
}

#[test]
fn the_description_is_a_policy_with_its_secrets_hidden() {
    let snapshot = snapshot_of(EVERY_KEY);
    let found = serde_json::to_string_pretty(&describe(&snapshot)).unwrap() + "\n";
    for hidden in ["contents of", "value of", "2bb80d537b1da3e3", "prompt-caching"] {
        assert!(!found.contains(hidden), "{hidden} is shown");
    }
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/described.json");
    if std::env::var_os("UPDATE").is_some() {
        std::fs::write(path, &found).unwrap();
    }
    assert_eq!(found, std::fs::read_to_string(path).unwrap());
}

/// The tenants `names`, and a cache that they share so.
fn sharing(share: &str, names: &[&str]) -> String {
    let key = |at: usize| format!("sha256:{at:02x}{:062x}", 0);
    let tenant = |(at, name): (usize, &&str)| format!("[tenants.{name}]\nkeys = [\"{}\"]\n", key(at + 1));
    let tenants: String = names.iter().enumerate().map(tenant).collect();
    format!("{}share = {share}\n{tenants}", small_policy("1h"))
}

fn scope(snapshot: &Snapshot, tenant: &str) -> TenantId {
    let tenant = snapshot.tenants.iter().find(|known| &*known.name == tenant).unwrap();
    snapshot.cache_scope(tenant.id)
}

#[test]
fn tenants_keep_their_answers_to_themselves_unless_they_share() {
    let names = ["a", "b", "c", "d", "e"];
    let snapshot = snapshot_of(&sharing(r#"[["d", "b"], ["a", "e"]]"#, &names));
    assert_eq!(scope(&snapshot, "b"), scope(&snapshot, "d"));
    assert_eq!(scope(&snapshot, "a"), scope(&snapshot, "e"));
    let scopes: std::collections::BTreeSet<_> = names.iter().map(|name| scope(&snapshot, name)).collect();
    assert_eq!(scopes.len(), 3, "two groups and one alone");
    let own = |name: &str| snapshot.tenants.iter().find(|tenant| &*tenant.name == name).unwrap().id;
    assert_eq!(scope(&snapshot, "c"), own("c"));
    for name in ["a", "b", "d", "e"] {
        assert!(names.iter().all(|other| scope(&snapshot, name) != own(other)), "{name}");
    }
    let anonymous = snapshot_of(&small_policy("1h"));
    assert_eq!(anonymous.cache_scope(TenantId::ANONYMOUS), TenantId::ANONYMOUS);
}

#[test]
fn a_group_is_its_members() {
    let state = state();
    let names = ["a", "b", "c"];
    let of = |share: &str| scope(&snapshot_in(&state, &sharing(share, &names)), "a");
    let pair = of(r#"[["a", "b"]]"#);
    assert_eq!(of(r#"[["b", "a"]]"#), pair, "the order does not count, and a reload changes nothing");
    let three = of(r#"[["a", "b", "c"]]"#);
    let alone = of("[]");
    assert!(three != pair && alone != pair && alone != three, "who joins or leaves begins anew");
    assert_eq!(of(r#"[["a", "b"]]"#), pair);
}

#[test]
fn a_stated_time_to_live_is_the_time_and_the_question_says_where_none_is() {
    let cache = |keys: &str| {
        let policy = small_policy("1h").replace("ttl = \"1h\"\n", keys);
        snapshot_of(&policy).cache.clone()
    };
    let day = Duration::from_secs(86_400);
    for (keys, volatility, ttl, max_ttl) in [
        ("", true, day / 24, 7 * day),
        ("ttl = \"2d\"\n", false, 2 * day, 7 * day),
        ("ttl = \"2d\"\nvolatility = true\n", true, 2 * day, 7 * day),
        ("volatility = false\n", false, day / 24, 7 * day),
        ("ttl = \"30d\"\n", false, 30 * day, 30 * day),
        ("max_ttl = \"1d\"\n", true, day / 24, day),
        ("max_ttl = \"10m\"\n", true, day / 144, day / 144),
    ] {
        let cache = cache(keys);
        assert_eq!((cache.volatility, cache.ttl, cache.max_ttl), (volatility, ttl, max_ttl), "{keys:?}");
    }
}

#[test]
fn files_are_found_beside_the_policy() {
    let snapshot = snapshot_of(EVERY_KEY);
    let beside = |name: &str| Path::new("tests/accept").join(name);
    assert_eq!(snapshot.cache.models, Some(beside("models")));
    assert_eq!(snapshot.outcomes.log, Some(beside("outcomes.jsonl")));
    assert_eq!(snapshot.scorer.name(), "careful");
    let absolute = EVERY_KEY.replace("\"outcomes.jsonl\"", "\"/var/log/outcomes.jsonl\"");
    assert_eq!(snapshot_of(&absolute).outcomes.log, Some("/var/log/outcomes.jsonl".into()));
}

#[test]
fn a_tenant_may_differ_on_whether_prompts_are_kept() {
    let snapshot = snapshot_of(EVERY_KEY);
    let keeps = |snapshot: &Snapshot| -> Vec<bool> {
        snapshot.tenants.iter().map(|tenant| snapshot.keeps_prompts(tenant.id)).collect()
    };
    assert_eq!(keeps(&snapshot), [true, false]);
    let reversed =
        EVERY_KEY.replace("keep_prompts = true", "").replace("keep_prompts = false", "keep_prompts = true");
    assert_eq!(keeps(&snapshot_of(&reversed)), [false, true]);
    assert!(!snapshot_of(&small_policy("1h")).keeps_prompts(TenantId::ANONYMOUS));
}
