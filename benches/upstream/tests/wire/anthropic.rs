//! Anthropic's dialect.

use router_upstream::{Upstream, tag};
use serde_json::{Value, json};

use crate::client::{Client, joined};

const MESSAGES: &str = "/v1/messages";

fn message(question: &str) -> Value {
    json!({"model": "big", "max_tokens": 100, "messages": [{"role": "user", "content": question}]})
}

fn client(upstream: &Upstream) -> Client {
    Client::of(upstream).header("anthropic-version", "2023-06-01")
}

fn streamed(mut body: Value) -> Value {
    body["stream"] = json!(true);
    body
}

#[tokio::test]
async fn a_message_has_the_shape_clients_parse() {
    let upstream = Upstream::builder().strict(true).start().await.unwrap();
    let received = client(&upstream).post(MESSAGES, &message("Why?")).await;
    assert!(received.header("request-id").starts_with("req_"));
    let body = received.json();
    assert_eq!((&body["type"], &body["role"]), (&json!("message"), &json!("assistant")));
    assert_eq!((&body["model"], &body["stop_reason"]), (&json!("big"), &json!("end_turn")));
    assert!(body["content"][0]["text"].as_str().unwrap().starts_with(&tag("big", "Why?")));
    assert_eq!(body["usage"]["input_tokens"], 1);
    assert_eq!(body["usage"]["output_tokens"], 48);
}

#[tokio::test]
async fn a_stream_follows_the_documented_sequence() {
    let upstream = Upstream::start().await.unwrap();
    let client = client(&upstream);
    let plain = client.post(MESSAGES, &message("Why?")).await.json();
    let stream = client.post(MESSAGES, &streamed(message("Why?"))).await;
    let events = stream.events();
    let kinds: Vec<_> = events.iter().map(|event| event["type"].as_str().unwrap()).collect();
    assert_eq!(&kinds[..4], ["message_start", "content_block_start", "ping", "content_block_delta"]);
    assert_eq!(&kinds[kinds.len() - 3..], ["content_block_stop", "message_delta", "message_stop"]);
    let names = stream.text();
    let names: Vec<_> = names.lines().filter_map(|line| line.strip_prefix("event: ")).collect();
    assert_eq!(names, kinds);
    assert_eq!(joined(&events, "/delta/text"), plain["content"][0]["text"].as_str().unwrap());
    let closing = &events[events.len() - 2];
    assert_eq!(closing["delta"]["stop_reason"], "end_turn");
    assert_eq!(closing["usage"]["output_tokens"], plain["usage"]["output_tokens"]);
}

#[tokio::test]
async fn a_tool_is_used_whole_and_streamed() {
    let upstream = Upstream::start().await.unwrap();
    let client = client(&upstream);
    let mut body = message("The weather in Bonn?");
    body["tools"] = json!([{"name": "get_weather", "input_schema": {
        "type": "object", "properties": {"city": {"type": "string"}}}}]);
    let plain = client.post(MESSAGES, &body).await.json();
    assert_eq!(plain["stop_reason"], "tool_use");
    let block = &plain["content"][0];
    assert_eq!((&block["type"], &block["name"]), (&json!("tool_use"), &json!("get_weather")));
    assert!(block["input"]["city"].is_string());
    let events = client.post(MESSAGES, &streamed(body)).await.events();
    let input: Value = serde_json::from_str(&joined(&events, "/delta/partial_json")).unwrap();
    assert_eq!(input, block["input"]);
}

#[tokio::test]
async fn cached_parts_are_counted_apart() {
    let upstream = Upstream::builder().cached_share(0.5).start().await.unwrap();
    let client = client(&upstream);
    let mut body = message("Why?");
    let text = "word ".repeat(1_600);
    body["system"] = json!([{"type": "text", "text": text, "cache_control": {"type": "ephemeral"}}]);
    let usage = client.post(MESSAGES, &body).await.json()["usage"].clone();
    let count = |key: &str| usage[key].as_u64().unwrap();
    assert_eq!(count("cache_read_input_tokens"), 896);
    assert_eq!(count("cache_creation_input_tokens"), 1_024);
    assert_eq!(count("input_tokens") + 896 + 1_024, 2_001);
    body["system"] = json!(text);
    let unmarked = client.post(MESSAGES, &body).await.json();
    assert_eq!(unmarked["usage"]["cache_read_input_tokens"], 0);
}

#[tokio::test]
async fn tokens_are_counted_without_an_answer() {
    let upstream = Upstream::start().await.unwrap();
    let body = json!({"model": "big", "messages": [{"role": "user", "content": "twelve bytes"}]});
    let counted = client(&upstream).post("/v1/messages/count_tokens", &body).await.json();
    assert_eq!(counted, json!({"input_tokens": 3}));
}

#[tokio::test]
async fn models_come_in_anthropics_shape_to_its_clients() {
    let upstream = Upstream::builder().models(["a", "b"]).start().await.unwrap();
    let list = client(&upstream).get("/v1/models").await.json();
    assert_eq!((&list["has_more"], &list["last_id"]), (&json!(false), &json!("b")));
    assert_eq!(list["data"][0]["type"], "model");
}

#[tokio::test]
async fn mistakes_get_errors_in_the_dialect() {
    let upstream = Upstream::builder().strict(true).api_key("right").start().await.unwrap();
    let error = async |client: Client, body: Value| {
        let received = client.post(MESSAGES, &body).await;
        let body = received.json();
        assert_eq!(body["type"], "error");
        (received.status.as_u16(), body["error"]["type"].as_str().unwrap().to_owned())
    };
    let known = || client(&upstream).header("x-api-key", "right");
    let versionless = Client::of(&upstream).header("x-api-key", "right");
    assert_eq!(error(client(&upstream), message("Why?")).await, (401, "authentication_error".into()));
    assert_eq!(error(versionless, message("Why?")).await, (400, "invalid_request_error".into()));
    assert_eq!(error(known(), json!({"model": "big"})).await, (400, "invalid_request_error".into()));
    let mut unknown = message("Why?");
    unknown["model"] = json!("gone");
    assert_eq!(error(known(), unknown).await, (404, "not_found_error".into()));
    assert_eq!(known().post(MESSAGES, &message("Why?")).await.status, 200);
}
