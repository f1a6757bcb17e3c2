//! What choosing a target costs: at most 2 µs, with everything on that a request meets.

use std::hint::black_box;
use std::sync::Arc;
use std::time::{Duration, Instant};

use criterion::{BenchmarkId, Criterion, criterion_group, criterion_main};
use router_core::balance::{Affinity, Ask, Candidate, Home, Prefix, choose, place};
use router_core::health::{Allowance, Health, HealthSettings, Outcome, Size};
use router_core::ids::{ModelId, TenantId};

const SIZE: Size = Size { prompt_tokens: 800, answer_tokens: 300 };

/// Providers with a past: latencies, failures, rate limits, quotas; all can take a request.
fn providers(count: usize, settings: &HealthSettings, begin: Instant) -> Vec<Arc<Health>> {
    let mut rng = fastrand::Rng::with_seed(1);
    let healths: Vec<_> = (0..count).map(|_| Arc::new(Health::new(begin))).collect();
    for (index, health) in healths.iter().enumerate() {
        for round in 0..50 {
            let now = begin + Duration::from_secs(round * 2);
            let Ok(mut admission) = health.admit(SIZE, settings, now) else { continue };
            let then = now + Duration::from_millis(300 + 10 * index as u64 + rng.u64(..100));
            admission.first_token(settings, then);
            let quota =
                Allowance { limit: Some(10_000), remaining: 9_000, resets_in: Duration::from_secs(6) };
            admission.observe_quota(Some(quota), None, then);
            let outcome = match round % 10 {
                3 => Outcome::Failure { retry_after: None },
                7 => Outcome::RateLimited { retry_after: Some(Duration::from_secs(1)) },
                _ => Outcome::Success { answer_tokens: 300 },
            };
            admission.record(outcome, settings, then, &mut rng);
        }
    }
    healths
}

fn bench(criterion: &mut Criterion) {
    let settings = HealthSettings::default();
    let begin = Instant::now();
    let now = begin + Duration::from_secs(101);
    let mut group = criterion.benchmark_group("balance");
    for count in [2, 4, 8, 16] {
        let healths = providers(count, &settings, begin);
        let candidate = |health| Candidate { health, settings: &settings, weight: 1.0, group: 0 };
        let candidates: Vec<_> = healths.iter().map(candidate).collect();
        let ask = Ask { size: SIZE, ..Ask::default() };
        let at_home = Ask { home: Some(Home { index: 0, share: 1.0 }), ..ask };
        let mut rng = fastrand::Rng::with_seed(2);
        group.bench_function(BenchmarkId::new("choose", count), |bencher| {
            bencher.iter(|| choose(black_box(&candidates), black_box(&ask), black_box(now), &mut rng));
        });
        group.bench_function(BenchmarkId::new("choose at home", count), |bencher| {
            bencher.iter(|| choose(black_box(&candidates), black_box(&at_home), black_box(now), &mut rng));
        });
        group.bench_function(BenchmarkId::new("place and record", count), |bencher| {
            bencher.iter(|| {
                let placed = place(black_box(&candidates), black_box(&ask), now, &mut rng);
                placed.map(|(choice, admission)| {
                    admission.record(Outcome::Success { answer_tokens: 1 }, &settings, now, &mut rng);
                    choice
                })
            });
        });
    }
    let affinity = Affinity::new(16_384, begin);
    for kib in [1, 4, 16, 64] {
        let text = "a prompt of some length that many share, ".repeat(26 * kib);
        affinity.hold_all(&Prefix::of(TenantId::ANONYMOUS, &text), ModelId::new(3), now);
        group.bench_function(BenchmarkId::new("affinity, KiB", kib), |bencher| {
            bencher.iter(|| {
                let prefix = Prefix::of(TenantId::ANONYMOUS, black_box(&text));
                affinity.find_home(&prefix, now, |_, model| Some(model))
            });
        });
    }
    group.finish();
}

criterion_group!(benches, bench);
criterion_main!(benches);
