//! Weights that the policy names: loaded, exchanged, refused.

use std::fs;

use http::{Method, StatusCode};
use router_classifiers::dataset::Row;
use router_classifiers::learned::train::{Options, fit};
use serde_json::json;

use crate::support::{World, until_eq, world};

/// What `train complexity` makes of a few rows.
fn weights(name: &str) -> Vec<u8> {
    let rows: Vec<Row> = (0..16)
        .map(|n| Row {
            id: n.to_string(),
            prompt: format!("what is {n} times {}", n * n),
            category: None,
            weak_score: Some((n % 2) as f32),
            strong_score: Some(1.0),
            assumed: false,
        })
        .collect();
    fit(&rows, &Options { name: name.to_owned(), ..Options::default() }).unwrap().to_bytes()
}

/// Puts weights beside the policy.
fn put(world: &World, weights: &[u8]) {
    let path = world.policy.path();
    let new = path.with_file_name("weights.new");
    fs::write(&new, weights).unwrap();
    fs::rename(new, path.with_file_name("weights.bin")).unwrap();
}

async fn scorer(world: &World) -> String {
    let policy = world.client.admin(Method::GET, "/policy", "").await.json();
    policy["scorer"].as_str().unwrap().to_owned()
}

async fn until_scorer(world: &World, start: &str) {
    until_eq(true, || async { scorer(world).await.starts_with(start) }).await;
}

#[tokio::test]
async fn a_policy_brings_its_own_weights() {
    let world = world().await;
    let built_in = scorer(&world).await;
    let first = weights("first");
    put(&world, &first);
    let named = format!("{}[scorer]\nweights = \"weights.bin\"\n", world.base_policy());
    world.policy.rename_over(&named);
    until_scorer(&world, "first-").await;
    put(&world, &weights("second"));
    until_scorer(&world, "second-").await;

    put(&world, &[&first[..], b"x"].concat());
    let refused = world.client.admin(Method::POST, "/-/reload", "").await;
    assert_eq!(refused.status, StatusCode::UNPROCESSABLE_ENTITY, "{}", refused.text());
    let error = &refused.json()["errors"][0];
    assert_eq!(error["line"], json!(named.lines().count()));
    let message = error["message"].as_str().unwrap();
    assert!(message.starts_with("weights: \"weights.bin\" is refused: weight file is damaged"), "{message}");
    until_scorer(&world, "second-").await;

    world.policy.rename_over(&world.base_policy());
    until_scorer(&world, &built_in).await;
}
