//! What a look into the cache costs: the key of a decided request, the look-up among 10,000 answers, and the nearest question among
//! 1,000 to 50,000 of one scope.

#![allow(missing_docs, clippy::expect_used)]

use std::hint::black_box;
use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use criterion::{Criterion, criterion_group, criterion_main};
use router_classifiers::StructureScorer;
use router_core::cache::digest::Digest as Question;
use router_core::cache::semantic::Vector;
use router_core::{
    CacheKey, Digest, Endpoint, Entry, Framing, ModelId, ResponseCache, RouteRequest, ScopeKey, State,
    TenantId, decide,
};

#[path = "workload.rs"]
mod workload;

const ENTRIES: usize = 10_000;

fn lookup(criterion: &mut Criterion) {
    let now = Instant::now();
    let state = State::new(now, (1, 2));
    let snapshot = workload::policy(&state, 20, Arc::new(StructureScorer));
    let key_of = |body: &[u8]| {
        let digest =
            Digest::read(Endpoint::ChatCompletions, body, &state.fingerprint_key).expect("well formed");
        let request = RouteRequest::new(&digest, TenantId::ANONYMOUS);
        let decision =
            decide(&snapshot, &state, &request, now, &mut fastrand::Rng::with_seed(3)).expect("admitted");
        CacheKey::of(&state.fingerprint_key, &snapshot, &request, &decision.receipt)
    };
    let question = |number: usize| {
        format!(
            r#"{{"model":"auto","temperature":0,"messages":[{{"role":"user","content":"number {number}"}}]}}"#
        )
    };
    let cache = ResponseCache::new(64 << 20);
    let keys: Vec<CacheKey> = (0..ENTRIES).map(|number| key_of(question(number).as_bytes())).collect();
    for key in &keys {
        cache.store(*key, entry(), Duration::from_secs(3600), now);
    }
    cache.settle();
    assert_eq!(cache.entries(), ENTRIES as u64);

    let mut group = criterion.benchmark_group("cache");
    let mut next = keys.iter().cycle();
    group.bench_function("hit", |bencher| {
        bencher.iter(|| {
            let found = next.next().and_then(|key| cache.lookup(black_box(key), now));
            assert!(found.is_some());
        });
    });
    let absent = key_of(question(ENTRIES).as_bytes());
    group.bench_function("miss", |bencher| bencher.iter(|| cache.lookup(black_box(&absent), now)));
    let body = workload::chat(1 << 10);
    let digest = Digest::read(Endpoint::ChatCompletions, &body, &state.fingerprint_key).expect("well formed");
    let request = RouteRequest::new(&digest, TenantId::ANONYMOUS);
    let receipt =
        decide(&snapshot, &state, &request, now, &mut fastrand::Rng::with_seed(3)).expect("admitted").receipt;
    group.bench_function("key", |bencher| {
        bencher.iter(|| CacheKey::of(&state.fingerprint_key, &snapshot, black_box(&request), &receipt));
    });
    group.finish();
}

fn entry() -> Entry {
    Entry {
        body: Bytes::from(vec![b'x'; 1_000]),
        framing: Framing::Plain,
        content_type: Bytes::from_static(b"application/json"),
        model: ModelId::new(0),
        usage: None,
        tenant: TenantId::ANONYMOUS,
        tags: std::sync::Arc::new([]),
        index_bytes: 0,
    }
}

/// Questions with words in common, as in one product's support: the hard case for an index by words.
fn question(number: usize) -> String {
    const SUBJECTS: [&str; 12] = [
        "card",
        "account",
        "transfer",
        "refund",
        "password",
        "invoice",
        "address",
        "order",
        "delivery",
        "limit",
        "fee",
        "statement",
    ];
    const EVENTS: [&str; 10] = [
        "declined",
        "delayed",
        "missing",
        "blocked",
        "changed",
        "charged twice",
        "cancelled",
        "expired",
        "lost",
        "duplicated",
    ];
    let (subject, event) = (SUBJECTS[number % 12], EVENTS[number / 12 % 10]);
    format!("Why was my {subject} number {} {event} by the branch in street {}?", number / 120, number % 97)
}

/// The look-up of a question among so many in one scope, excluding its embedding.
fn near(criterion: &mut Criterion) {
    let now = Instant::now();
    let state = State::new(now, (1, 2));
    let scope = scope(&state, now);
    let vector = |seed: usize| {
        let mut rng = fastrand::Rng::with_seed(seed as u64);
        Vector::try_new(&(0..384).map(|_| rng.f32() - 0.5).collect::<Vec<_>>()).expect("a direction")
    };
    let mut group = criterion.benchmark_group("near");
    for entries in [1_000, 10_000, 50_000] {
        let cache = ResponseCache::new(1 << 30);
        for number in 0..entries {
            let key = CacheKey::from(state.fingerprint_key.hasher(b't').number(number as u64).finish());
            cache.store(key, entry(), Duration::from_secs(3600), now);
            cache.file(&key, scope, Question::of(&question(number)), Some(vector(number)));
        }
        assert_eq!(cache.near().size().entries, entries);
        let asked: Vec<Question> =
            (0..64).map(|at| Question::of(&format!("please tell me {}", question(at * 151)))).collect();
        let asked_vector = vector(usize::MAX);
        for (name, vector) in [("words", None), ("vectors", Some(&asked_vector))] {
            let mut next = asked.iter().cycle();
            group.bench_function(format!("{name}/{entries}"), |bencher| {
                bencher.iter(|| {
                    next.next().map(|question| cache.near().lookup(&scope, black_box(question), vector, now))
                });
            });
        }
    }
    group.bench_function("digest", |bencher| {
        bencher.iter(|| {
            Question::of(black_box("Why was my card payment declined by the branch in the old street?"))
        });
    });
    group.finish();
}

fn scope(state: &State, now: Instant) -> ScopeKey {
    let snapshot = workload::policy(state, 20, Arc::new(StructureScorer));
    let body = br#"{"model":"auto","temperature":0,"messages":[{"role":"user","content":"what"}]}"#;
    let digest = Digest::read(Endpoint::ChatCompletions, body, &state.fingerprint_key).expect("well formed");
    let request = RouteRequest::new(&digest, TenantId::ANONYMOUS);
    let decision =
        decide(&snapshot, state, &request, now, &mut fastrand::Rng::with_seed(3)).expect("admitted");
    ScopeKey::of(&state.fingerprint_key, 0, &snapshot, &request, &decision.receipt).expect("plain text")
}

criterion_group!(benches, lookup, near);
criterion_main!(benches);
