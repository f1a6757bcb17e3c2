//! A second attempt beside one whose first token is late.

use http::StatusCode;
use router_upstream::Rule;
use serde_json::{Value, json};

use crate::records::{keeping, lines, tenants};
use crate::support::{DIALECTS, Plan, Reply, Speech, World, chat_with, fault, merged, within};

/// The trigger is learned from five first tokens, and every request pays in a fifth of a hedge.
fn hedged(base: String) -> String {
    base + "[attempts]\nhedge = { share = 0.2 }\n"
}

/// First tokens after 200 ms are what the router gets to know, so that nothing else is late on a busy machine.
const USUAL: &str = "slow-first-token=200";
/// It never comes.
const NEVER: &str = "slow-first-token=3600000";

fn streamed(speech: Speech, model: &str, more: Value) -> Value {
    speech.body_to(model, "greet the team", merged(json!({"stream": true}), more))
}

/// A world whose router has learned how late the small model's first tokens usually are.
async fn learned(plan: Plan, speech: Speech, headers: &[(&str, &str)]) -> World {
    let world = plan.start().await;
    world.inside.script(Rule::next(fault(USUAL), 5));
    for _ in 0..5 {
        let reply =
            world.client.ask_with(speech, headers, &streamed(speech, speech.small(), json!({}))).await;
        assert_eq!(reply.status, StatusCode::OK, "{}", reply.text());
    }
    assert_eq!(hedges(&world, "").await, 0.0, "nothing is known yet");
    world
}

async fn hedges(world: &World, result: &str) -> f64 {
    world.client.metric("hedges_total", &[result]).await
}

fn assert_whole(speech: Speech, reply: &Reply) {
    assert_eq!(reply.status, StatusCode::OK, "{}", reply.text());
    assert!(reply.text().contains(speech.terminator()), "{}", reply.text());
}

#[tokio::test]
async fn a_late_first_token_is_overtaken_and_the_loser_is_cancelled_and_paid() {
    for speech in DIALECTS {
        let folder = tempfile::tempdir().unwrap();
        let plan = Plan { policy: hedged, settings: keeping(&folder), ..Plan::default() };
        let world = learned(plan, speech, &[]).await;
        world.inside.script(Rule::next(fault(NEVER), 1));
        let reply = world.client.ask(speech, &streamed(speech, "auto", json!({}))).await;
        assert_whole(speech, &reply);
        assert_eq!(
            (reply.header("x-router-model"), reply.header("x-router-attempts")),
            (speech.small(), "2"),
            "a dearer model is no second attempt"
        );
        let overhead: u64 = reply.header("x-router-overhead-us").parse().unwrap();
        assert!(overhead < 200_000, "waiting for the first one is not the router's own time: {overhead}");
        within(world.inside.wait_for(|stats| stats.cancelled == 1 && stats.in_flight == 0)).await;
        assert_eq!((hedges(&world, "result=\"won\"").await, hedges(&world, "").await), (1.0, 1.0));
        let client = &world.client;
        assert_eq!(client.metric("upstream_requests_total", &["outcome=\"outrun\""]).await, 1.0);
        assert_eq!(client.metric("retries_total", &[]).await, 0.0, "nothing had failed");
        assert_eq!(client.metric("breaker_state", &[]).await, 0.0);
        let (cost, baseline) =
            (client.metric("cost_usd_total", &[]).await, client.metric("baseline_cost_usd_total", &[]).await);
        world.sidecar.drain().await;
        assert_ledger(&lines(&folder.path().join("ledger")), cost, baseline);
    }
}

/// The hedged request shows both attempts, and the sums are those of the metrics.
fn assert_ledger(ledger: &[Value], cost: f64, baseline: f64) {
    assert_eq!(ledger.len(), 6);
    let sum = |key: &str| ledger.iter().filter_map(|entry| entry[key].as_f64()).sum::<f64>();
    assert!((sum("cost_usd") - cost).abs() < 1e-9, "{} {cost}", sum("cost_usd"));
    assert!((sum("baseline_usd") - baseline).abs() < 1e-9, "{} {baseline}", sum("baseline_usd"));
    let attempts = |entry: &Value| entry["attempts"].as_array().unwrap().clone();
    let entry = ledger.iter().find(|entry| attempts(entry).len() == 2).expect("one was hedged");
    let mut parts: Vec<_> =
        attempts(entry).iter().map(|a| (a["part"].to_string(), a["cost_usd"].as_f64())).collect();
    parts.sort_by(|a, b| a.0.cmp(&b.0));
    assert_eq!([&*parts[0].0, &*parts[1].0], ["\"hedged\"", "\"served\""]);
    assert!(parts.iter().all(|(_, cost)| *cost > Some(0.0)), "{parts:?}");
}

#[tokio::test]
async fn the_first_attempt_may_still_win() {
    let speech = Speech::OpenAi;
    let world = learned(Plan { policy: hedged, ..Plan::default() }, speech, &[]).await;
    world.inside.script(Rule::next(fault("slow-first-token=1500"), 1));
    world.inside.script(Rule::next(fault(NEVER), 1));
    let reply = world.client.ask(speech, &streamed(speech, "small", json!({}))).await;
    assert_whole(speech, &reply);
    assert_eq!(reply.header("x-router-attempts"), "1");
    within(world.inside.wait_for(|stats| stats.cancelled == 1)).await;
    assert_eq!((hedges(&world, "result=\"lost\"").await, hedges(&world, "").await), (1.0, 1.0));
}

#[tokio::test]
async fn where_both_fail_the_caller_gets_what_the_provider_said() {
    let speech = Speech::OpenAi;
    let world = learned(Plan { policy: hedged, ..Plan::default() }, speech, &[]).await;
    world.inside.script(fault("slow-headers=600"));
    world.inside.script(Rule::next(fault("status-429=7"), 2));
    let reply = world.client.ask(speech, &streamed(speech, "small", json!({}))).await;
    assert_eq!(reply.status, StatusCode::TOO_MANY_REQUESTS, "{}", reply.text());
    assert_eq!(reply.header("x-router-attempts"), "2");
    assert_eq!((hedges(&world, "result=\"failed\"").await, hedges(&world, "").await), (1.0, 1.0));
}

#[tokio::test]
async fn requests_that_must_not_be_made_twice_are_not() {
    let speech = Speech::OpenAi;
    let world = learned(Plan { policy: hedged, ..Plan::default() }, speech, &[]).await;
    let tool = json!({"type": "function", "function": {"name": "book", "parameters": {"type": "object"}}});
    let stateful = json!({"model": "small", "input": "greet the team", "stream": true});
    let dear = streamed(speech, "big", json!({"max_tokens": 100_000}));
    let mut calls = world.calls();
    for (path, body, provider) in [
        ("/v1/chat/completions", streamed(speech, "small", json!({"tools": [tool]})), &world.inside),
        ("/v1/responses", stateful, &world.inside),
        ("/v1/chat/completions", dear, &world.outside),
    ] {
        provider.script(Rule::next(fault("slow-first-token=800"), 1));
        let reply = world.client.post(path, &[], body.to_string()).await;
        assert_eq!(reply.status, StatusCode::OK, "{}", reply.text());
        calls += 1;
        assert_eq!((world.calls(), reply.header("x-router-attempts")), (calls, "1"), "{body}");
    }
    assert_eq!(hedges(&world, "").await, 0.0);
    // The same world does hedge what may be hedged.
    world.inside.script(Rule::next(fault(NEVER), 1));
    assert_whole(speech, &world.client.ask(speech, &streamed(speech, "small", json!({}))).await);
    assert_eq!(hedges(&world, "result=\"won\"").await, 1.0);
}

#[tokio::test]
async fn what_costs_too_much_is_not_hedged() {
    let speech = Speech::OpenAi;
    let dear = |base: String| hedged(base).replace("share = 0.2", "share = 0.2, max_cost = \"$0.000001\"");
    let world = learned(Plan { policy: dear, ..Plan::default() }, speech, &[]).await;
    world.inside.script(Rule::next(fault("slow-first-token=800"), 1));
    let reply = world.client.ask(speech, &streamed(speech, "small", json!({}))).await;
    assert_whole(speech, &reply);
    assert_eq!((world.inside.stats().calls, hedges(&world, "").await), (6, 0.0));
}

/// A hedge is expected to cost about four micro-dollars: one fits into an hour, two do not.
#[tokio::test]
async fn a_tenants_second_attempts_have_a_cap_of_their_own() {
    let capped = |base: String| {
        hedged(base + &tenants()).replace("share = 0.2", "share = 0.2, tenant_hourly = \"$0.000009\"")
    };
    let (speech, blue, red) = (Speech::OpenAi, [("x-api-key", "key-of-blue")], [("x-api-key", "key-of-red")]);
    let world = learned(Plan { policy: capped, ..Plan::default() }, speech, &blue).await;
    let body = streamed(speech, "small", json!({}));
    let late = async |key, fault_name: &str| {
        world.inside.script(Rule::next(fault(fault_name), 1));
        let reply = world.client.ask_with(speech, key, &body).await;
        assert_whole(speech, &reply);
        reply.header("x-router-attempts").to_owned()
    };
    assert_eq!(late(&blue, NEVER).await, "2");
    for _ in 0..5 {
        assert_whole(speech, &world.client.ask_with(speech, &blue, &body).await);
    }
    assert_eq!(late(&blue, "slow-first-token=800").await, "1", "its hour is spent");
    assert_eq!(late(&red, NEVER).await, "2", "the other tenant's is not");
}

#[tokio::test]
async fn a_second_attempt_goes_to_an_equal_provider_where_there_is_one() {
    let equal = |base: String| hedged(crate::failover::equals(base));
    let speech = Speech::OpenAi;
    let world = learned(Plan { policy: equal, ..Plan::default() }, speech, &[]).await;
    world.inside.script(Rule::next(fault(NEVER), 1));
    let reply = world.client.chat(chat_with("auto", "greet the team", json!({"stream": true}))).await;
    assert_whole(speech, &reply);
    assert_eq!((reply.header("x-router-model"), world.outside.stats().calls), ("big", 1));
    assert_eq!(hedges(&world, "result=\"won\"").await, 1.0);
}
