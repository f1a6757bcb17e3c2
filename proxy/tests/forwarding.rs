//! What goes through, what is changed on the way, and what is not.

mod support;

use http::StatusCode;
use router_upstream::Fault;
use serde_json::json;
use support::{HARD, chat, chat_with, message, world, world_with};

fn fault(name: &str) -> Fault {
    name.parse().unwrap()
}

#[tokio::test]
async fn an_easy_request_is_answered_inside_and_says_so() {
    let world = world().await;
    let reply = world.client.chat(chat("auto", "hi there")).await;
    assert_eq!(reply.status, StatusCode::OK, "{}", reply.text());
    assert_eq!(reply.json()["model"], "small");
    for (name, value) in [
        ("x-router-model", "small"),
        ("x-router-provider", "local"),
        ("x-router-placement", "internal"),
        ("x-router-band", "internal"),
        ("x-router-cache", "bypass"),
        ("x-router-attempts", "1"),
    ] {
        assert_eq!(reply.header(name), value, "{name}");
    }
    assert!(reply.header("x-request-id").starts_with("req_"));
    assert!(reply.header("x-router-cost-usd").parse::<f64>().unwrap() > 0.0);
    assert!(reply.header("x-router-overhead-us").parse::<u64>().is_ok());
    assert_eq!(reply.header("x-router-complexity").len(), 5);
}

#[tokio::test]
async fn a_hard_request_goes_outside() {
    let world =
        world_with("[[rules]]\nname = \"low\"\nuse = { bands = { hybrid = 0.1, external = 0.2 } }\n").await;
    let reply = world.client.chat(chat("auto", HARD)).await;
    assert_eq!(reply.header("x-router-band"), "external", "{:?}", reply.headers);
    assert_eq!(reply.header("x-router-model"), "big");
    assert_eq!(reply.header("x-router-rule"), "low");
}

#[tokio::test]
async fn only_the_model_is_spliced() {
    let world = world().await;
    let body = "{ \"model\" :\"small-a\",\n\t\"max_tokens\": 9e0, \"x\": {\"model\": \"big\"},\"messages\":[{\"content\":\"caf\\u00e9\",\"role\":\"user\"}] }";
    let body = body.replace("9e0", "90");
    let reply = world.client.post("/v1/messages", &[], body.clone()).await;
    assert_eq!(reply.status, StatusCode::OK, "{}", reply.text());
    let seen = &world.inside.requests()[0];
    assert_eq!(String::from_utf8_lossy(&seen.body), body.replacen("small-a", "small", 1));
}

#[tokio::test]
async fn an_equal_name_leaves_the_body_as_it_is() {
    let world = world().await;
    let body = "{\"messages\":[{\"role\":\"user\",\"content\":\"x\"}],\"model\":\"small\",\"unknown_field\":[1,2.50,null]}  ";
    world.client.post("/v1/chat/completions", &[], body).await;
    assert_eq!(String::from_utf8_lossy(&world.inside.requests()[0].body), body);
}

#[tokio::test]
async fn credentials_and_router_headers_stay_and_the_rest_goes_on() {
    let world = world().await;
    let headers = [
        ("authorization", "Bearer caller-secret"),
        ("x-api-key", "caller-secret"),
        ("cookie", "a=b"),
        ("x-router-tags", "team=blue"),
        ("openai-organization", "org-1"),
        ("x-custom", "kept"),
        ("connection", "x-hop"),
        ("x-hop", "dropped"),
        ("accept-encoding", "gzip"),
        ("x-request-id", "mine-1"),
    ];
    let reply = world.client.post("/v1/chat/completions", &headers, chat("small", "x").to_string()).await;
    assert_eq!(reply.header("x-request-id"), "mine-1");
    let seen = &world.inside.requests()[0];
    assert!(!format!("{:?}", seen.headers).contains("caller-secret"));
    for absent in ["cookie", "x-router-tags", "x-hop", "x-api-key", "authorization"] {
        assert_eq!(seen.header(absent), None, "{absent}");
    }
    assert_eq!(seen.header("openai-organization"), Some("org-1"));
    assert_eq!(seen.header("x-custom"), Some("kept"));
    assert_eq!(seen.header("accept-encoding"), Some("identity"));
    assert_eq!(seen.header("x-request-id"), Some("mine-1"));
    assert!(seen.header("via").unwrap().starts_with("1.1 xynergy-router-"));
}

#[tokio::test]
async fn a_provider_error_passes_unchanged_where_nobody_else_can_answer() {
    let world = world().await;
    world.inside.script(fault("status_400"));
    let reply = world.client.chat(chat("small", "x")).await;
    assert_eq!(reply.status, StatusCode::BAD_REQUEST);
    assert!(reply.json()["error"]["message"].is_string());
    assert_eq!(reply.header("x-router-error"), "", "it is not the router's own");
    assert_eq!(reply.header("x-router-provider"), "local");
}

#[tokio::test]
async fn an_internal_failure_is_answered_outside() {
    let world = world().await;
    world.inside.script(router_upstream::Rule::next(fault("status_503"), 1));
    let reply = world.client.chat(chat("auto", "hi")).await;
    assert_eq!(reply.status, StatusCode::OK);
    assert_eq!((reply.header("x-router-model"), reply.header("x-router-attempts")), ("big", "2"));
    assert!(world.client.metric("retries_total").await >= 1.0);
}

#[tokio::test]
async fn a_model_that_fails_five_times_is_left_alone() {
    let world = world().await;
    world.inside.script(router_upstream::Rule::always(fault("status_500")));
    for _ in 0..5 {
        world.client.chat(chat("auto", "hi")).await;
    }
    let before = world.inside.stats().calls;
    let reply = world.client.chat(chat("auto", "hi")).await;
    assert_eq!((reply.status, reply.header("x-router-attempts")), (StatusCode::OK, "1"));
    assert_eq!(world.inside.stats().calls, before);
    assert_eq!(world.client.metric("breaker_state{model=\"small\",provider=\"local\"}").await, 2.0);
}

#[tokio::test]
async fn a_plain_answer_cut_short_is_a_502() {
    let world = world().await;
    world.inside.script(router_upstream::Rule::always(fault("body_cut")));
    let reply = world.client.chat(chat("small", "x")).await;
    assert_eq!(reply.status, StatusCode::BAD_GATEWAY, "{}", reply.text());
    assert_eq!(reply.header("x-router-error"), "upstream_error");
    assert_eq!(reply.json()["error"]["code"], "upstream_error");
}

#[tokio::test]
async fn a_silent_provider_is_a_504() {
    let world = world().await;
    world.inside.script(router_upstream::Rule::always(fault("slow_first_token=30000")));
    let reply = world.client.messages(message("small-a", "x", json!({}))).await;
    assert_eq!(reply.status, StatusCode::GATEWAY_TIMEOUT, "{}", reply.text());
    assert_eq!(reply.header("x-router-error"), "upstream_timeout");
    assert_eq!(reply.json()["type"], "error");
}

#[tokio::test]
async fn usage_is_asked_for_and_kept_from_who_did_not_ask() {
    let world = world().await;
    let reply = world.client.chat(chat_with("small", "x", json!({"stream": true}))).await;
    assert!(!reply.text().contains("\"choices\":[]"), "{}", reply.text());
    assert!(reply.text().trim_end().ends_with("data: [DONE]"));
    assert_eq!(world.inside.requests()[0].json()["stream_options"], json!({"include_usage": true}));
    assert!(
        world.client.metric("tokens_total{model=\"small\",provider=\"local\",type=\"output\"}").await > 0.0
    );
    let asked = json!({"stream": true, "stream_options": {"include_usage": true}});
    let reply = world.client.chat(chat_with("small", "x", asked)).await;
    assert!(reply.text().contains("\"choices\":[]"), "{}", reply.text());
}

#[tokio::test]
async fn max_tokens_is_clamped_by_a_rule() {
    let world = world_with("[[rules]]\nname = \"short\"\nuse = { max_tokens = 50 }\n").await;
    world.client.chat(chat_with("small", "x", json!({"max_tokens": 4000}))).await;
    world.client.chat(chat_with("small", "x", json!({"max_tokens": 20}))).await;
    let limits: Vec<_> =
        world.inside.requests().iter().map(|seen| seen.json()["max_tokens"].clone()).collect();
    assert_eq!(limits, [json!(50), json!(20)]);
}

#[tokio::test]
async fn a_loop_is_noticed() {
    let world = world().await;
    world.client.chat(chat("small", "x")).await;
    let via = world.inside.requests()[0].header("via").unwrap().to_owned();
    let reply =
        world.client.post("/v1/chat/completions", &[("via", &via)], chat("small", "x").to_string()).await;
    assert_eq!(reply.status, StatusCode::LOOP_DETECTED);
}

#[tokio::test]
async fn every_endpoint_reaches_a_provider_of_its_dialect() {
    let world = world().await;
    for (path, body) in [
        ("/v1/responses", json!({"model": "auto", "input": "hello"})),
        ("/v1/embeddings", json!({"model": "small", "input": ["a", "b"]})),
        ("/v1/completions", json!({"model": "small", "prompt": "once"})),
        (
            "/v1/messages/count_tokens",
            json!({"model": "small-a", "messages": [{"role": "user", "content": "x"}]}),
        ),
    ] {
        let reply = world.client.post(path, &[], body.to_string()).await;
        assert_eq!(reply.status, StatusCode::OK, "{path}: {}", reply.text());
        assert_eq!(world.inside.requests().last().unwrap().path, path);
    }
}
