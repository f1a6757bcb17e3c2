//! Prompts that begin alike go where their beginning has been read.

use std::collections::BTreeSet;
use std::time::Duration;

use http::StatusCode;
use router_upstream::Delay;
use serde_json::json;

use crate::failover::equals;
use crate::support::{Plan, World, fault};

async fn who_answers(world: &World, system: impl Fn(u32) -> String) -> BTreeSet<String> {
    let mut names = BTreeSet::new();
    for number in 0..12 {
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
    // Both take 100 ms to their first token, so that which of them is busier on this machine counts for little.
    let first_token = Duration::from_millis(100);
    let plan = Plan {
        policy: |base| equals(base).replace("\ngroup = 1", ""),
        upstream: |builder| builder.delay(Delay { first_token: Duration::from_millis(100), ..Delay::ZERO }),
        ..Plan::default()
    };
    let world = plan.start().await;
    let handbook = "The handbook of the help desk, which every answer has to follow. ".repeat(40);
    let homes = who_answers(&world, |_| handbook.clone()).await;
    assert_eq!(homes.len(), 1);
    let (home, name) =
        if homes.contains("small") { (&world.inside, "small") } else { (&world.outside, "big") };
    // Home is twice as slow from now on: nothing holds others there.
    home.script(fault(&format!("slow-first-token={}", first_token.as_millis())));
    let others = who_answers(&world, |number| format!("Edition {number}. {handbook}")).await;
    assert!(others.iter().any(|other| other != name), "{others:?}");
}
