//! What reading a body once costs, by length, and what the token estimate takes of it.

#![allow(missing_docs, clippy::expect_used)]

use std::hint::black_box;

use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use router_core::{Changes, Digest, Endpoint, FingerprintKey, estimate_tokens};

#[path = "workload.rs"]
mod workload;

const KEY: FingerprintKey = FingerprintKey::new(1, 2);

fn read(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("digest");
    for bytes in [1 << 10, 16 << 10, 1 << 20] {
        let body = workload::chat(bytes);
        group.throughput(Throughput::Bytes(body.len() as u64));
        group.bench_with_input(BenchmarkId::new("read", bytes), &body, |bencher, body| {
            bencher.iter(|| Digest::read(Endpoint::ChatCompletions, black_box(body), &KEY));
        });
    }
    group.finish();
}

fn estimate(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("estimate");
    let body = workload::chat(16 << 10);
    let text = String::from_utf8_lossy(&body);
    group.throughput(Throughput::Bytes(text.len() as u64));
    group.bench_function("16 KiB", |bencher| bencher.iter(|| estimate_tokens(black_box(&text))));
    group.finish();
}

fn splice(criterion: &mut Criterion) {
    let body = bytes::Bytes::from(workload::chat(1 << 10));
    let digest = Digest::read(Endpoint::ChatCompletions, &body, &KEY).expect("a well-formed body");
    let changes = Changes { model: Some("gpt-4o"), max_output_tokens: Some(256), stream_usage: true };
    criterion.bench_function("splice/1024", |bencher| {
        bencher.iter(|| digest.splices.apply(black_box(&body), &changes));
    });
}

criterion_group!(benches, read, estimate, splice);
criterion_main!(benches);
