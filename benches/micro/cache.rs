//! What a look into the exact cache costs: the key of a decided request, and the look-up among 10,000 answers.

#![allow(missing_docs, clippy::expect_used)]

use std::hint::black_box;
use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use criterion::{Criterion, criterion_group, criterion_main};
use router_classifiers::StructureScorer;
use router_core::{
    CacheKey, Digest, Endpoint, Entry, Framing, ModelId, ResponseCache, RouteRequest, State, TenantId, decide,
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

criterion_group!(benches, lookup);
criterion_main!(benches);
