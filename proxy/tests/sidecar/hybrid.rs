//! In the hybrid band an internal answer that fails a check is replaced by an external one.

use http::StatusCode;
use router_upstream::Rule;
use serde_json::json;

use crate::support::{chat, chat_with, fault, world_with};

/// Everything is hybrid.
fn hybrid(base: String) -> String {
    format!("{base}\n[[rules]]\nname = \"middle\"\nuse = {{ bands = {{ hybrid = 0.0, external = 1.0 }} }}\n")
}

#[tokio::test]
async fn a_flawed_answer_is_replaced() {
    let world = world_with(hybrid).await;
    let schema = json!({"response_format": {"type": "json_object"}});
    for (name, more) in
        [("empty", json!({})), ("refusal", json!({})), ("length", json!({})), ("invalid-json", schema)]
    {
        world.inside.script(Rule::next(fault(name), 1));
        let reply = world.client.chat(chat_with("auto", &format!("a question about {name}"), more)).await;
        assert_eq!(reply.status, StatusCode::OK, "{name}: {}", reply.text());
        assert_eq!(
            (reply.header("x-router-model"), reply.header("x-router-attempts")),
            ("big", "2"),
            "{name}"
        );
    }
    assert_eq!(world.client.metric("escalations_total", &[]).await, 4.0);
    assert_eq!(
        world.client.metric("breaker_state", &["model=\"small\""]).await,
        0.0,
        "its health is not in doubt"
    );
    assert!(
        world.client.metric("tokens_total", &["model=\"small\""]).await > 0.0,
        "what it said is paid for"
    );
}

#[tokio::test]
async fn a_sound_answer_stays() {
    let world = world_with(hybrid).await;
    let reply = world.client.chat(chat("auto", "a question")).await;
    assert_eq!((reply.header("x-router-band"), reply.header("x-router-model")), ("hybrid", "small"));
}

#[tokio::test]
async fn nobody_is_asked_twice_where_nobody_else_may_answer() {
    let world = world_with(hybrid).await;
    world.inside.script(fault("refusal"));
    let reply = world.client.chat(chat("small", "a question")).await;
    assert_eq!((reply.status, reply.header("x-router-attempts")), (StatusCode::OK, "1"));
    assert_eq!(world.calls(), 1);
}

#[tokio::test]
async fn a_flawed_stream_is_replaced_while_it_is_held_back() {
    let world = world_with(|base| hybrid(base) + "[attempts]\nhold_back = { bytes = \"1MiB\" }\n").await;
    for name in ["empty", "refusal", "length"] {
        world.inside.script(Rule::next(fault(name), 1));
        let reply = world.client.chat(chat_with("auto", name, json!({"stream": true}))).await;
        assert_eq!(
            (reply.header("x-router-model"), reply.header("x-router-attempts")),
            ("big", "2"),
            "{name}"
        );
        assert!(reply.text().contains("[big:"), "{name}: {}", reply.text());
    }
}

/// Another opinion is no retry: it does not wait for the budget of those.
#[tokio::test]
async fn every_flawed_answer_is_replaced_however_many_there_are() {
    let world =
        world_with(|base| hybrid(base) + "[attempts]\nretry = { share = 0.0, floor = 0, most = 0 }\n").await;
    world.inside.script(fault("refusal"));
    for number in 0..30 {
        let reply = world.client.chat(chat("auto", &format!("question {number}"))).await;
        assert_eq!((reply.status, reply.header("x-router-model")), (StatusCode::OK, "big"), "{number}");
        let cost: f64 = reply.header("x-router-cost-usd").parse().unwrap();
        assert!(cost > 0.0);
    }
    assert_eq!(world.client.metric("escalations_total", &[]).await, 30.0);
    let header_costs = world.client.metric("cost_usd_total", &["model=\"small\""]).await;
    assert!(header_costs > 0.0);
}

#[tokio::test]
async fn the_receipt_adds_up_what_both_answers_cost() {
    let world = world_with(hybrid).await;
    world.inside.script(Rule::next(fault("refusal"), 1));
    let reply = world.client.chat(chat("auto", "a question")).await;
    let cost: f64 = reply.header("x-router-cost-usd").parse().unwrap();
    let counted = world.client.metric("cost_usd_total", &[]).await;
    assert!((cost - counted).abs() < 1e-9, "{cost} {counted}");
    assert!(counted > world.client.metric("cost_usd_total", &["model=\"big\""]).await);
}
