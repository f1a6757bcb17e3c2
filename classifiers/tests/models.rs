//! The real model, as `scripts/fetch-models` makes it. `scripts/test` sees to it that it is there; without it these
//! tests say so and pass.
#![allow(clippy::unwrap_used)]

use std::io::Write;
use std::path::PathBuf;

use router_classifiers::embed::{EmbedError, EmbedWorker, Embedder, MOST_TOKENS, ModelFiles, SentenceModel};
use router_core::cache::semantic::Vector;

/// The model in `$XYNERGY_ROUTER_TEST_MODELS`, which must be there, or in `target/models`, which may.
fn model() -> Option<SentenceModel> {
    let named = std::env::var_os("XYNERGY_ROUTER_TEST_MODELS").map(PathBuf::from);
    let folder =
        named.clone().unwrap_or_else(|| concat!(env!("CARGO_MANIFEST_DIR"), "/../target/models").into());
    match ModelFiles::find(&folder, |name| std::env::var_os(name)) {
        Ok(files) => Some(SentenceModel::load(&files).unwrap()),
        Err(error) => {
            assert!(named.is_none(), "{error}");
            // What the macros print is captured, and nobody would hear of it.
            std::io::stderr().write_all(format!("!! SKIPPED: {error}\n").as_bytes()).unwrap();
            None
        }
    }
}

fn cosine(model: &mut SentenceModel, a: &str, b: &str) -> f32 {
    let mut vector = |text| Vector::try_new(&model.embed(text).unwrap()).unwrap();
    vector(a).cosine(&vector(b)).unwrap()
}

#[test]
fn the_vectors_are_those_of_the_published_model() {
    let Some(mut model) = model() else { return };
    // The sums that fastembed's own tests expect of these sentences, of the model in 32 bits. Rounded to 8 bits, as
    // here, they are off by a twentieth at most.
    for (text, sum) in [
        ("Hello, World!", 0.59605527),
        ("This is an example passage.", 0.36542925),
        ("fastembed-rs is licensed under Apache-2.0", -0.16450031),
        ("Some other short text here blah blah blah", -0.40903988),
    ] {
        let vector = model.embed(text).unwrap();
        assert_eq!(vector.len(), 384);
        let (found, length) = (vector.iter().sum::<f32>(), vector.iter().map(|x| x * x).sum::<f32>());
        assert!((found - sum).abs() < 0.05, "{text}: {found}");
        assert!((length - 1.0).abs() < 1e-3, "{text}: {length}");
    }
}

#[test]
fn meaning_counts_more_than_words() {
    let Some(mut model) = model() else { return };
    let question = "Can coffee raise my blood pressure?";
    let near = cosine(&mut model, question, "Does drinking coffee increase blood pressure?");
    let far = cosine(&mut model, question, "Can my boss raise the blood sugar of coffee drinkers?");
    assert!(near > 0.85 && near > far + 0.2, "{near} {far}");
}

#[test]
fn a_text_is_embedded_whole_or_not_at_all() {
    let Some(mut model) = model() else { return };
    // One word is one token here; two more mark beginning and end.
    let words = |count: usize| "word ".repeat(count);
    let whole = model.embed(&words(MOST_TOKENS - 2)).unwrap();
    assert_eq!(model.embed(&words(MOST_TOKENS - 1)), Err(EmbedError::TooLong { most: MOST_TOKENS }));
    assert_eq!(model.embed(&" ".repeat(1 << 20)), Err(EmbedError::TooLong { most: MOST_TOKENS }));
    // What stands at the very end is seen.
    let other = model.embed(&format!("{}elephant", words(MOST_TOKENS - 3))).unwrap();
    assert!(Vector::try_new(&whole).unwrap().cosine(&Vector::try_new(&other).unwrap()).unwrap() < 0.999);
}

#[test]
fn odd_texts_do_no_harm() {
    let Some(mut model) = model() else { return };
    for text in [
        "",
        " ",
        "\0",
        "\u{200b}\u{feff}",
        "🦀🦀🦀",
        "日本語の質問です",
        "a\u{301}\u{301}\u{301}",
        "[CLS] [SEP] [PAD]",
    ] {
        assert!(Vector::try_new(&model.embed(text).unwrap()).is_ok(), "{text:?}");
    }
}

#[test]
fn a_second_model_shares_the_library_and_the_fingerprint() {
    let (Some(first), Some(second)) = (model(), model()) else { return };
    assert_eq!(first.fingerprint(), second.fingerprint());
    assert_eq!(first.dimensions(), 384);
}

#[test]
fn the_worker_embeds_with_it() {
    let Some(model) = model() else { return };
    let worker = EmbedWorker::start(model, 8).unwrap();
    let asked =
        ["How do I reset my password?", "how to reset a password"].map(|text| worker.embed(text).unwrap());
    let [a, b] = asked.map(|embedding| futures_executor::block_on(embedding).unwrap());
    assert!(a.cosine(&b).unwrap() > 0.8);
    let long = "word ".repeat(300);
    assert_eq!(
        futures_executor::block_on(worker.embed(&long).unwrap()),
        Err(EmbedError::TooLong { most: MOST_TOKENS })
    );
}
