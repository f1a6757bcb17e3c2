//! A text to a vector with the real sentence model, on one thread: what a near hit waits for.
//!
//! Needs a model (`scripts/fetch-models target/models`, or `$XYNERGY_ROUTER_MODELS`); says so without one.

#![allow(missing_docs, reason = "criterion's macros make undocumented functions")]

use std::hint::black_box;
use std::path::Path;

use criterion::{Criterion, criterion_group, criterion_main};
use router_classifiers::embed::{Embedder, ModelFiles, SentenceModel, model_directory};

fn embed(c: &mut Criterion) {
    let variable = |name: &str| std::env::var_os(name);
    let usual = Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/../target/models"));
    let named = variable("XYNERGY_ROUTER_MODELS").is_some();
    let folder = model_directory((!named).then_some(usual), variable);
    let loaded = ModelFiles::find(&folder, variable).and_then(|files| SentenceModel::load(&files));
    let mut model = match loaded {
        Ok(model) => model,
        Err(error) => return eprintln!("embed: not measured: {error}"),
    };
    let mut group = c.benchmark_group("embed");
    for words in [10, 20, 100, 250] {
        // A word a token.
        let text = "how does the red house look ".repeat(words / 6 + 1);
        let text = text.split_inclusive(' ').take(words).collect::<String>();
        group.bench_function(format!("{words} words"), |b| {
            b.iter(|| model.embed(black_box(&text)).map(|v| v.len()))
        });
    }
    group.finish();
}

criterion_group!(benches, embed);
criterion_main!(benches);
