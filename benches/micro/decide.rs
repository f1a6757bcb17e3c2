//! What one decision costs: a 1 KB chat request against a policy of 20 rules of which the last one matches.
//!
//! `rules` leaves the scorer out (it answers a constant), `structure` puts the heuristic in, `whole` reads the body, too.

#![allow(missing_docs, clippy::expect_used)]

use std::hint::black_box;
use std::sync::Arc;
use std::time::Instant;

use criterion::{BenchmarkId, Criterion, criterion_group, criterion_main};
use router_core::{Assessment, Digest, Endpoint, Prompt, RouteRequest, Scorer, State, TenantId, decide};

#[path = "workload.rs"]
mod workload;

/// Costs nothing.
#[derive(Debug)]
struct Constant;

impl Scorer for Constant {
    fn score(&self, _: &Prompt<'_>) -> Assessment {
        Assessment::new(0.5, 1.0)
    }

    fn name(&self) -> &str {
        "constant"
    }
}

fn rules(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("decide");
    let (state, now) = state();
    let mut rng = fastrand::Rng::with_seed(7);
    let body = workload::chat(1 << 10);
    let digest = Digest::read(Endpoint::ChatCompletions, &body, &state.fingerprint_key).expect("well formed");
    let mut request = RouteRequest::new(&digest, TenantId::ANONYMOUS);
    request.tags.push(("team", "search"));
    for count in [1, 20, 200] {
        let snapshot = workload::policy(&state, count, Arc::new(Constant));
        group.bench_function(BenchmarkId::new("rules", count), |bencher| {
            bencher.iter(|| decide(black_box(&snapshot), &state, black_box(&request), now, &mut rng));
        });
    }
    group.finish();
}

fn with_scorer(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("decide");
    let (state, now) = state();
    let mut rng = fastrand::Rng::with_seed(7);
    let body = workload::chat(1 << 10);
    let digest = Digest::read(Endpoint::ChatCompletions, &body, &state.fingerprint_key).expect("well formed");
    let request = RouteRequest::new(&digest, TenantId::ANONYMOUS);
    let snapshot = workload::policy(&state, 20, Arc::new(router_classifiers::StructureScorer));
    group.bench_function("structure", |bencher| {
        bencher.iter(|| decide(black_box(&snapshot), &state, black_box(&request), now, &mut rng));
    });
    group.bench_function("whole", |bencher| {
        bencher.iter(|| {
            let digest = Digest::read(Endpoint::ChatCompletions, black_box(&body), &state.fingerprint_key)
                .expect("well formed");
            decide(&snapshot, &state, &RouteRequest::new(&digest, TenantId::ANONYMOUS), now, &mut rng)
        });
    });
    group.finish();
}

fn state() -> (State, Instant) {
    let now = Instant::now();
    (State::new(now, (1, 2)), now)
}

criterion_group!(benches, rules, with_scorer);
criterion_main!(benches);
