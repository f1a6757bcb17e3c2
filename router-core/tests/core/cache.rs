//! Whether a request takes part in the cache, what its key depends on, and how long and how much the cache keeps.

use std::time::{Duration, Instant};

use bytes::Bytes;
use router_core::{
    CacheKey, CachePlan, CacheRule, Condition, Endpoint, Entry, FingerprintKey, Framing, ModelId, Placement,
    ResponseCache, RouteRequest, TenantId, decide,
};
use serde_json::json;

use crate::ask::{Ask, ask};
use crate::policy::{Policy, Then, model, policy, then};
use crate::world::World;

const HOUR: Duration = Duration::from_secs(3600);
const OFF: (bool, bool) = (false, false);
const ON: (bool, bool) = (true, true);

fn one() -> Policy {
    policy().internal("small", model()).external("big", model())
}

fn plan(policy: &Policy, ask: &Ask) -> CachePlan {
    World::of(policy).decide(ask).expect("admitted").cache
}

/// Read and write.
fn takes_part(policy: &Policy, ask: &Ask) -> (bool, bool) {
    let plan = plan(policy, ask);
    assert_eq!(plan.bypassed(), !plan.read && !plan.write);
    (plan.read, plan.write)
}

fn rule(change: impl FnOnce(&mut CacheRule)) -> Then {
    then().action(|action| change(&mut action.cache))
}

#[test]
fn only_a_stated_temperature_of_0_is_cached() {
    assert_eq!(takes_part(&one(), &ask("0.1")), OFF);
    assert_eq!(takes_part(&one(), &ask("0.1").with("temperature", json!(null))), OFF);
    assert_eq!(takes_part(&one(), &ask("0.1").temperature(0.7)), OFF);
    assert_eq!(takes_part(&one(), &ask("0.1").temperature(1e-9)), OFF);
    assert_eq!(takes_part(&one(), &ask("0.1").with("temperature", json!(0))), ON);
    assert_eq!(takes_part(&one(), &ask("0.1").temperature(0.0)), ON);
    assert_eq!(takes_part(&one(), &ask("0.1").temperature(-0.0)), ON);
    assert_eq!(takes_part(&one(), &ask("0.1").temperature(0.0).stream()), ON);
    assert_eq!(takes_part(&one(), &ask("0.1").embeddings()), ON, "nothing is sampled");
}

#[test]
fn a_rule_may_widen_narrow_or_switch() {
    let zero = || ask("0.1").temperature(0.0);
    let widened = one().rule("wide", vec![], rule(|cache| cache.any_temperature = Some(true)));
    assert_eq!(takes_part(&widened, &ask("0.1")), ON);
    assert_eq!(takes_part(&widened, &ask("0.1").temperature(1.0)), ON);
    let off = one().rule("off", vec![], rule(|cache| cache.enabled = Some(false)));
    assert_eq!(takes_part(&off, &zero()), OFF);
    let disabled = one().cache(|cache| cache.enabled = false);
    assert_eq!(takes_part(&disabled, &zero()), OFF);
    let on = disabled.rule("on", vec![], rule(|cache| cache.enabled = Some(true)));
    assert_eq!(takes_part(&on, &zero()), ON);
    assert_eq!(takes_part(&on, &ask("0.1")), OFF, "on is not for any temperature");
}

#[test]
fn a_rule_that_does_not_match_widens_nothing() {
    let streams = vec![Condition::Needs(router_core::Capability::Streaming, true)];
    let widened = one().rule("wide", streams, rule(|cache| cache.any_temperature = Some(true)));
    assert_eq!(takes_part(&widened, &ask("0.1")), OFF);
    assert_eq!(takes_part(&widened, &ask("0.1").stream()), ON);
}

#[test]
fn the_caller_may_abstain() {
    let zero = || ask("0.1").temperature(0.0);
    assert_eq!(takes_part(&one(), &zero().no_cache()), (false, true));
    assert_eq!(takes_part(&one(), &zero().no_store()), OFF);
    assert_eq!(takes_part(&one(), &zero().cache_ttl(Duration::ZERO)), (true, false));
}

#[test]
fn several_choices_and_ambiguous_bodies_bypass() {
    let widened = one().rule("wide", vec![], rule(|cache| cache.any_temperature = Some(true)));
    let zero = || ask("0.1").temperature(0.0);
    assert_eq!(takes_part(&widened, &zero().with("n", json!(1))), ON);
    assert_eq!(takes_part(&widened, &zero().with("n", json!(null))), ON);
    assert_eq!(takes_part(&widened, &zero().with("n", json!(2))), OFF);
    assert_eq!(takes_part(&widened, &zero().with("seed", json!(1e300))), OFF, "beyond exact comparison");
    let world = World::of(&widened);
    let body =
        br#"{"model":"auto","temperature":0,"messages":[{"role":"user","content":"a","content":"b"}]}"#;
    let digest = router_core::Digest::read(Endpoint::ChatCompletions, body, &world.state.fingerprint_key);
    let digest = digest.expect("duplicate keys are no fault");
    let request = RouteRequest::new(&digest, TenantId::ANONYMOUS);
    let decision =
        decide(&world.snapshot, &world.state, &request, world.now, &mut fastrand::Rng::with_seed(3))
            .expect("admitted");
    assert!(decision.cache.bypassed());
}

#[test]
fn time_to_live_is_the_policys_then_the_rules_and_a_caller_may_only_shorten_it() {
    let zero = || ask("0.1").temperature(0.0);
    assert_eq!(plan(&one(), &zero()).ttl, HOUR);
    let policy = one().cache(|cache| cache.ttl = 2 * HOUR);
    assert_eq!(plan(&policy, &zero()).ttl, 2 * HOUR);
    let policy = policy.rule("short", vec![], rule(|cache| cache.ttl = Some(HOUR / 2)));
    assert_eq!(plan(&policy, &zero()).ttl, HOUR / 2);
    assert_eq!(plan(&policy, &zero().cache_ttl(HOUR / 4)).ttl, HOUR / 4);
    assert_eq!(plan(&policy, &zero().cache_ttl(10 * HOUR)).ttl, HOUR / 2);
}

#[test]
fn what_the_key_depends_on() {
    let world = World::of(&one().profile("other", &["small", "big"]).alias("fast", "small"));
    let base = || ask("0.1 hello").temperature(0.0);
    let key = world.cache_key(&base());
    assert_eq!(key, world.cache_key(&base()));
    assert_eq!(key, world.cache_key(&base().stream()), "a stream replays a plain answer and back");
    assert_eq!(key, world.cache_key(&base().stream().with("stream_options", json!({"include_usage": true}))));
    let different = [
        base().tenant(TenantId::new(1)),
        base().model("small"),
        base().model("fast"),
        base().model("auto:other"),
        base().max_tokens(10),
        base().with("user", json!("someone")),
        base().with("unknown_to_us", json!(null)),
        base().placement(Placement::Internal),
        ask("0.1 hello!").temperature(0.0),
    ];
    let mut keys: Vec<CacheKey> = different.iter().map(|ask| world.cache_key(ask)).collect();
    keys.push(key);
    for (at, one) in keys.iter().enumerate() {
        assert!(keys.iter().skip(at + 1).all(|other| other != one), "request {at} shares a key");
    }
}

#[test]
fn endpoints_do_not_share_keys() {
    let world = World::of(&one().internal("claude", model().anthropic()));
    let base = || ask("0.1 hello").temperature(0.0).max_tokens(100);
    assert_ne!(world.cache_key(&base()), world.cache_key(&base().messages()));
}

#[test]
fn auto_is_forgotten_with_its_policy_and_a_named_model_is_not() {
    let mut world = World::of(&one());
    let (auto, named) = (ask("0.1").temperature(0.0), ask("0.1").temperature(0.0).model("small"));
    let (auto_before, named_before) = (world.cache_key(&auto), world.cache_key(&named));
    world.reload(&one());
    assert_ne!(world.cache_key(&auto), auto_before);
    assert_eq!(world.cache_key(&named), named_before);
    world.reload(&one().cache(|cache| cache.epoch = 1));
    assert_ne!(world.cache_key(&named), named_before, "another epoch forgets everything");
}

#[test]
fn a_rule_cannot_be_passed_by_through_the_cache() {
    let tagged = vec![Condition::Tag("data".into(), ["secret".into()].into())];
    let policy = one().rule("secret", tagged, then().candidates(&["small"]));
    let world = World::of(&policy);
    let named = || ask("0.1").temperature(0.0).model("big");
    assert_ne!(world.cache_key(&named()), world.cache_key(&named().tag("data", "secret")));
}

#[test]
fn unlisted_models_do_not_share_answers() {
    let world = World::of(&one().external("any", model().unpriced()).unlisted("gpt-", "any"));
    let key = |name| world.cache_key(&ask("0.1").temperature(0.0).model(name));
    assert_ne!(key("gpt-1"), key("gpt-2"));
    assert_eq!(key("gpt-1"), key("gpt-1"));
}

#[test]
fn another_secret_gives_other_keys() {
    let world = World::of(&one());
    let ask = ask("0.1").temperature(0.0);
    let other = FingerprintKey::new(1, 2);
    let digest = ask.digest(&other);
    let request = ask.route(&digest);
    let decision =
        decide(&world.snapshot, &world.state, &request, world.now, &mut fastrand::Rng::with_seed(3))
            .expect("admitted");
    assert_ne!(CacheKey::of(&other, &world.snapshot, &request, &decision.receipt), world.cache_key(&ask));
}

fn entry(body: impl Into<Bytes>) -> Entry {
    Entry {
        body: body.into(),
        framing: Framing::Plain,
        content_type: Bytes::from_static(b"application/json"),
        model: ModelId::new(0),
        usage: None,
        tenant: TenantId::ANONYMOUS,
        tags: std::sync::Arc::new([]),
        index_bytes: 0,
    }
}

/// A key of its own for every number.
fn key(number: usize) -> CacheKey {
    thread_local!(static WORLD: World = World::of(&one()));
    WORLD.with(|world| world.cache_key(&ask(&format!("0.1 {number}")).temperature(0.0)))
}

#[test]
fn an_entry_is_served_until_it_expires() {
    let now = Instant::now();
    let cache = ResponseCache::new(1 << 20);
    assert!(cache.lookup(&key(1), now).is_none());
    cache.store(key(1), entry("answer"), HOUR, now);
    let last = now + HOUR - Duration::from_nanos(1);
    let found = cache.lookup(&key(1), last).expect("fresh");
    assert_eq!((&found.body[..], found.stored_at, found.expires_at), (&b"answer"[..], now, now + HOUR));
    assert!(cache.lookup(&key(2), now).is_none(), "another key");
    assert!(cache.lookup(&key(1), now + HOUR).is_none(), "expired");
    assert!(cache.lookup(&key(1), now).is_none(), "and forgotten");
}

#[test]
fn an_entry_can_be_replaced_and_removed() {
    let now = Instant::now();
    let cache = ResponseCache::new(1 << 20);
    cache.store(key(1), entry("old"), HOUR, now);
    let later = now + HOUR / 2;
    cache.store(key(1), entry("new"), HOUR, later);
    let found = cache.lookup(&key(1), now + HOUR).expect("the new one is fresh");
    assert_eq!(&found.body[..], b"new");
    cache.remove(&key(1));
    assert!(cache.lookup(&key(1), later).is_none());
}

#[test]
fn the_longest_time_to_live_does_not_overflow() {
    let now = Instant::now();
    let cache = ResponseCache::new(1 << 20);
    cache.store(key(1), entry("kept"), Duration::MAX, now);
    assert!(cache.lookup(&key(1), now + 1_000 * HOUR).is_some());
}

#[test]
fn bytes_are_bounded() {
    const BOUND: u64 = 100_000;
    let now = Instant::now();
    let cache = ResponseCache::new(BOUND);
    for number in 0..500 {
        cache.store(key(number), entry(vec![b'x'; 1_000]), HOUR, now);
    }
    cache.settle();
    assert!(cache.bytes() <= BOUND, "{} bytes", cache.bytes());
    assert!(cache.entries() >= 50, "{} entries", cache.entries());
    let found = (0..500).filter(|number| cache.lookup(&key(*number), now).is_some()).count();
    assert_eq!(found as u64, cache.entries());
}

#[test]
fn one_answer_larger_than_the_bound_is_not_kept() {
    let now = Instant::now();
    let cache = ResponseCache::new(10_000);
    cache.store(key(1), entry("small"), HOUR, now);
    cache.store(key(2), entry(vec![b'x'; 20_000]), HOUR, now);
    cache.settle();
    assert!(cache.lookup(&key(2), now).is_none());
    assert!(cache.lookup(&key(1), now).is_some());
    assert!(cache.bytes() <= 10_000);
}

#[test]
fn a_small_answer_counts_with_its_overhead() {
    let now = Instant::now();
    let cache = ResponseCache::new(1 << 20);
    for number in 0..100 {
        cache.store(key(number), entry(""), HOUR, now);
    }
    cache.settle();
    assert_eq!(cache.entries(), 100);
    assert!(cache.bytes() >= 100 * 300, "{} bytes for 100 empty answers", cache.bytes());
}

#[test]
fn another_bound_keeps_what_fits() {
    let now = Instant::now();
    let cache = ResponseCache::new(1 << 20);
    for number in 0..100 {
        cache.store(key(number), entry(vec![b'x'; 1_000]), HOUR, now);
    }
    cache.settle();
    cache.resize(2 << 20);
    cache.settle();
    assert_eq!(cache.entries(), 100);
    assert_eq!(cache.lookup(&key(7), now).expect("moved along").expires_at, now + HOUR);
    cache.resize(20_000);
    cache.settle();
    assert!(cache.bytes() <= 20_000 && cache.entries() > 0, "{} entries", cache.entries());
}
