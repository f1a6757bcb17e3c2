//! What scoring a prompt costs, by its length in words: the learned scorer, the structural heuristic alone, and how volatile
//! the answer is. Aim: 400 words in 10 µs, 4,000 in 100 µs, on one core.

#![allow(missing_docs, clippy::expect_used)]

use std::hint::black_box;

use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use router_classifiers::{LearnedScorer, StructureScorer, VolatilityScorer};
use router_core::score::{Prompt, Scorer};

/// Words of many lengths, so that a prompt of them looks like prose to the hash tables.
const SYLLABLES: [&str; 16] =
    ["ta", "re", "in", "con", "de", "mo", "ver", "si", "al", "per", "lu", "ent", "ro", "tion", "ca", "ly"];

/// `words` different-looking words, a number every twelve, a comma every nine and a full stop every fifteen.
fn prose(words: usize) -> String {
    let mut text = String::new();
    let mut state = 0x2545_f491_4f6c_dd1d_u64;
    for at in 1..=words {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        if at % 12 == 0 {
            text += &(state % 1000).to_string();
        } else {
            let length = 1 + state as usize % 4;
            (0..length)
                .for_each(|place| text += SYLLABLES[(state >> (4 * place + 8)) as usize % SYLLABLES.len()]);
        }
        text += if at % 15 == 0 {
            ". "
        } else if at % 9 == 0 {
            ", "
        } else {
            " "
        };
    }
    text
}

fn score(criterion: &mut Criterion) {
    let learned = LearnedScorer::shipped().expect("the shipped weights load");
    let volatility = VolatilityScorer::shipped().expect("the shipped weights load");
    let mut group = criterion.benchmark_group("score");
    for words in [20, 400, 4_000, 100_000] {
        let text = prose(words);
        let prompt = Prompt::of_question(&text);
        group.throughput(Throughput::Bytes(text.len() as u64));
        group.bench_function(BenchmarkId::new("learned", words), |bencher| {
            bencher.iter(|| learned.score(black_box(&prompt)));
        });
        group.bench_function(BenchmarkId::new("structure", words), |bencher| {
            bencher.iter(|| StructureScorer.score(black_box(&prompt)));
        });
        group.bench_function(BenchmarkId::new("volatility", words), |bencher| {
            bencher.iter(|| volatility.judge(black_box(&text)));
        });
        group.bench_function(BenchmarkId::new("both", words), |bencher| {
            bencher.iter(|| learned.score_with(black_box(&prompt), &volatility));
        });
    }
    group.finish();
}

criterion_group!(benches, score);
criterion_main!(benches);
