//! What is judged with the real sentence model, through the program. Without a model these tests say so and pass.

use std::io::Write;
use std::path::PathBuf;

use serde_json::{Value, json};

use crate::support::{Speech, run, until, world_with};

/// The directory in `$XYNERGY_ROUTER_TEST_MODELS`, which must hold a model, or `target/models`, which may.
fn models() -> Option<String> {
    let named = std::env::var("XYNERGY_ROUTER_TEST_MODELS").ok();
    let usual = concat!(env!("CARGO_MANIFEST_DIR"), "/../target/models");
    let folder = named.clone().unwrap_or_else(|| usual.into());
    if PathBuf::from(&folder).join("model.onnx").exists() {
        return Some(folder);
    }
    assert!(named.is_none(), "no model in {folder}");
    let message = format!("!! SKIPPED: no sentence model in {folder}; scripts/fetch-models {folder}\n");
    // What the macros print is captured, and nobody would hear of it.
    std::io::stderr().write_all(message.as_bytes()).unwrap();
    None
}

/// Pairs in a file: cached, incoming, and whether one answer serves both.
fn written(pairs: &[(&str, &str, u8)]) -> tempfile::NamedTempFile {
    let mut file = tempfile::NamedTempFile::new().unwrap();
    for (a, b, label) in pairs {
        writeln!(file, "{}", json!({"id": "x", "a": a, "b": b, "label": label})).unwrap();
    }
    file
}

fn evaluated(pairs: &[(&str, &str, u8)], more: &[&str]) -> Value {
    let file = written(pairs);
    let mut arguments = vec!["eval", "cache", "--json", "--data", file.path().to_str().unwrap()];
    arguments.extend(more);
    let ended = run(&arguments, "");
    assert_eq!(ended.code, 0, "{}", ended.stderr);
    serde_json::from_str(&ended.stdout).unwrap()
}

const OTHER_WORDS: (&str, &str, u8) =
    ("Can coffee raise my blood pressure?", "Does drinking coffee increase blood pressure?", 1);
const SAME_WORDS: (&str, &str, u8) = ("How do I reset my password?", "how to reset a password", 1);
const TRAP: (&str, &str, u8) = ("How do I turn on dark mode?", "How do I turn off dark mode?", 0);

#[test]
fn the_sentence_model_finds_what_words_do_not() {
    let Some(models) = models() else { return };
    let pairs = [OTHER_WORDS, SAME_WORDS, TRAP];
    let by_words = evaluated(&pairs, &[]);
    assert_eq!(
        (by_words["true_hits"].as_u64(), by_words["false_hits"].as_u64()),
        (Some(1), Some(0)),
        "{by_words}"
    );
    let by_meaning = evaluated(&pairs, &["--matcher", "fastembed", "--models", &models]);
    assert_eq!((&by_meaning["true_hits"], &by_meaning["false_hits"]), (&json!(2), &json!(0)), "{by_meaning}");
    assert_eq!(by_meaning["vetoed"]["antonyms"], 1);
}

#[test]
fn texts_too_long_to_be_seen_whole_are_no_hit() {
    let Some(models) = models() else { return };
    // Within the limits of the built-in matcher, above the model's 256 tokens.
    let long = format!("Please summarise this: {}", "uncharacteristically unpronounceable ".repeat(45));
    let pairs = [(long.as_str(), long.as_str(), 1)];
    let report = evaluated(&pairs, &["--matcher", "fastembed", "--models", &models]);
    assert_eq!((&report["n"], &report["served"]), (&json!(1), &json!(0)));
    assert_eq!(evaluated(&pairs, &[])["served"], 1);
}

#[test]
fn without_a_model_the_way_to_one_is_told() {
    let folder = tempfile::tempdir().unwrap();
    let (file, models) = (written(&[SAME_WORDS]), folder.path().to_str().unwrap());
    let data = file.path().to_str().unwrap();
    let ended = run(&["eval", "cache", "--matcher", "fastembed", "--models", models, "--data", data], "");
    assert_eq!((ended.code, ended.stdout.as_str()), (1, ""));
    assert!(ended.stderr.contains(&format!("scripts/fetch-models {models}")), "{}", ended.stderr);
}

/// Near hits by the real model, which may take its time.
fn with_the_model(base: String) -> String {
    let models = models().map(|folder| std::path::absolute(folder).unwrap()).unwrap_or_default();
    format!(
        "{base}\n[cache]\nsemantic = true\nmatcher = \"fastembed\"\nmodels = {models:?}\nembed_deadline = \"60s\"\nshadow = 0.0\n"
    )
}

#[tokio::test]
async fn a_question_in_other_words_is_answered_and_a_trap_is_not() {
    if models().is_none() {
        return;
    }
    let world = world_with(with_the_model).await;
    let client = &world.client;
    let ask = |prompt: &'static str| async move {
        client.ask(Speech::OpenAi, &Speech::OpenAi.body(prompt, json!({"temperature": 0}))).await
    };
    ask(OTHER_WORDS.0).await;
    until(|| async { client.metric("cache_entries", &["tier=\"semantic\""]).await == 1.0 }).await;
    let near = ask(OTHER_WORDS.1).await;
    assert_eq!((near.cache(), near.header("x-router-cache-bound")), ("near", "prior"));
    let trap = ask("Can coffee lower my blood pressure?").await;
    assert_eq!((trap.cache(), trap.header("x-router-cache-vetoes")), ("miss", "antonyms"));
    assert_eq!(client.metric("embeddings_total", &["result=\"ok\""]).await, 2.0);
}
