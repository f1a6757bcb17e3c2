//! What a decision costs in memory: it must not grow with the policy.

#![allow(dead_code, clippy::expect_used, clippy::unwrap_used, clippy::panic, missing_docs, unreachable_pub)]

#[path = "support/ask.rs"]
mod ask;
#[path = "support/policy.rs"]
mod policy;
#[path = "support/world.rs"]
mod world;

use std::sync::Arc;
use std::time::Duration;

use allocation_counter::measure;
use bytes::Bytes;
use router_core::cache::digest::Digest as Question;
use router_core::cache::semantic::Vector;
use router_core::{
    CacheKey, Comparison, Condition, Digest, Endpoint, Entry, Framing, ModelId, Operator, ResponseCache,
    ScopeKey, TenantId, decide, estimate_tokens,
};

use crate::ask::ask;
use crate::policy::{Policy, model, policy, then};
use crate::world::World;

/// A policy of so many rules of which the last one matches.
fn with_rules(count: usize) -> Policy {
    let mut policy =
        policy().internal("small", model()).external("big", model()).external("claude", model().anthropic());
    for _ in 1..count {
        let conditions = vec![
            Condition::Tag("team".into(), ["a".into(), "b-*".into()].into()),
            Condition::Model(["gpt-*".into(), "auto".into()].into()),
            Condition::Complexity(Comparison { operator: Operator::Greater, bound: 0.2 }),
        ];
        policy = policy.rule("never", conditions, then());
    }
    policy.rule("always", vec![], then().candidates(&["small", "big"]))
}

/// Allocations of one decision.
fn allocations(policy: &Policy) -> u64 {
    let world = World::of(policy);
    let ask = ask("0.5 a question of some words").tag("team", "c");
    let digest = ask.digest(&world.state.fingerprint_key);
    let request = ask.route(&digest);
    let counted = measure(|| {
        let decision =
            decide(&world.snapshot, &world.state, &request, world.now, &mut fastrand::Rng::with_seed(3))
                .expect("admitted");
        assert!(decision.receipt.rule.is_some());
    });
    counted.count_total
}

#[test]
fn a_decision_allocates_nothing_whatever_the_number_of_rules() {
    // The counter itself works.
    assert_eq!(measure(|| drop(std::hint::black_box(Box::new(1)))).count_total, 1);
    for rules in [1, 2, 20, 200] {
        assert_eq!(allocations(&with_rules(rules)), 0, "{rules} rules");
    }
}

#[test]
fn choosing_among_equals_allocates_nothing_however_long_the_prompt() {
    let world = World::of(&policy().internal("one", model()).internal("two", model()));
    let digest = ask(&"a long question ".repeat(2_000)).digest(&world.state.fingerprint_key);
    let request = ask("").route(&digest);
    let counted = measure(|| {
        let mut rng = fastrand::Rng::with_seed(3);
        let decision =
            decide(&world.snapshot, &world.state, &request, world.now, &mut rng).expect("admitted");
        assert_eq!(decision.prefix.blocks().count(), 3);
        let attempt = world.begin("one", false).expect("admitted").reading(decision.prefix);
        attempt.record(router_core::Outcome::Success { answer_tokens: 1 }, world.now);
    });
    assert_eq!(counted.count_total, 0);
}

#[test]
fn a_digest_allocates_as_often_for_a_long_body_as_for_a_short_one() {
    let key = router_core::FingerprintKey::new(1, 2);
    let count = |words: usize| {
        let body = ask(&"word ".repeat(words)).temperature(0.0).max_tokens(100).body();
        measure(|| drop(Digest::read(Endpoint::ChatCompletions, body.as_bytes(), &key).expect("well formed")))
            .count_total
    };
    let (short, long) = (count(10), count(2_000));
    assert_eq!(short, long);
    assert!(short <= 3, "the model's name, the text, and one to spare: {short}");
}

#[test]
fn an_estimate_allocates_nothing() {
    let text = "A sentence that is repeated. ".repeat(1_000);
    assert_eq!(measure(|| assert!(estimate_tokens(&text) > 1_000)).count_total, 0);
}

/// A hundred thousand answers of 1 KB with questions and vectors fit into 400 MiB, all that finding them takes included, and the cache
/// counts no less than it uses.
#[test]
fn a_hundred_thousand_answers_fit_into_400_mib() {
    const ENTRIES: usize = 100_000;
    const ROOM: u64 = 400 << 20;
    let world = World::of(&policy().internal("small", model()).cache(|cache| cache.semantic = true));
    let (key, scope) = {
        let ask = ask("what").temperature(0.0);
        let digest = ask.digest(&world.state.fingerprint_key);
        let request = ask.route(&digest);
        let receipt = world.decide(&ask).expect("admitted").receipt;
        let secret = &world.state.fingerprint_key;
        let scope =
            move |space| ScopeKey::of(secret, space, &world.snapshot, &request, &receipt).expect("plain");
        let key =
            |n: usize| CacheKey::from(world.state.fingerprint_key.hasher(b't').number(n as u64).finish());
        (key, (0..100).map(scope).collect::<Vec<_>>())
    };
    let vector: Vec<f32> = (0..384).map(|n| (n as f32).sin()).collect();
    let mut cache = None;
    let used = measure(|| {
        let filled = ResponseCache::new(ROOM);
        for n in 0..ENTRIES {
            let text = format!(
                "Why does the green machine number {n} in the second hall make a strange noise when it starts?"
            );
            let question = Question::of(&text);
            let entry = Entry {
                body: Bytes::from(vec![b'x'; 1_000]),
                framing: Framing::Plain,
                content_type: Bytes::from_static(b"application/json"),
                model: ModelId::new(0),
                usage: None,
                tenant: TenantId::ANONYMOUS,
                tags: Arc::new([]),
                index_bytes: 2 * question.bytes() + vector.len(),
            };
            filled.store(key(n), entry, Duration::from_secs(3600), world.now);
            filled.file(
                &key(n),
                scope[n % scope.len()],
                question,
                Some(Vector::try_new(&vector).expect("a direction")),
            );
        }
        filled.settle();
        cache = Some(filled);
    });
    let cache = cache.expect("filled");
    let (used, counted) = (used.bytes_current as u64, cache.bytes());
    println!("{} answers: {} MiB in use, {} MiB counted", cache.entries(), used >> 20, counted >> 20);
    assert_eq!((cache.entries(), cache.near().size().entries), (ENTRIES as u64, ENTRIES));
    assert!(used <= ROOM, "{} MiB", used >> 20);
    assert!(counted <= ROOM && counted >= used, "{counted} counted, {used} used");
}
