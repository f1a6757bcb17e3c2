//! Prompts that begin alike go where their beginning has been read.

use std::collections::BTreeSet;

use http::StatusCode;
use serde_json::json;

use crate::failover::equals;
use crate::support::{World, world_with};

async fn who_answers(world: &World, system: impl Fn(u32) -> String) -> BTreeSet<String> {
    let mut names = BTreeSet::new();
    for number in 0..40 {
        let body = json!({"model": "auto", "messages": [
            {"role": "system", "content": system(number)},
            {"role": "user", "content": format!("question {number}")},
        ]});
        let reply = world.client.chat(body).await;
        assert_eq!(reply.status, StatusCode::OK, "{}", reply.text());
        names.insert(reply.header("x-router-model").to_owned());
    }
    names
}

#[tokio::test]
async fn a_shared_beginning_stays_with_its_provider() {
    let world = world_with(|base| equals(base).replace("\ngroup = 1", "")).await;
    let handbook = "The handbook of the help desk, which every answer has to follow. ".repeat(40);
    assert_eq!(who_answers(&world, |_| handbook.clone()).await.len(), 1);
    assert_eq!(who_answers(&world, |number| format!("Edition {number}. {handbook}")).await.len(), 2);
}
