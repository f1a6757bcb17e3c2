//! OpenAI's dialect.

use http::Method;
use router_upstream::{Upstream, tag};
use serde_json::{Value, json};

use crate::client::{Client, joined};

const CHAT: &str = "/v1/chat/completions";
const CONTENT: &str = "/choices/0/delta/content";

fn chat(question: &str) -> Value {
    json!({"model": "small", "messages": [{"role": "user", "content": question}]})
}

fn weather_tool() -> Value {
    json!([{"type": "function", "function": {"name": "get_weather", "parameters": {
        "type": "object",
        "properties": {"city": {"type": "string"}, "days": {"type": "integer", "minimum": 2}},
        "required": ["city"],
    }}}])
}

fn with(mut body: Value, more: Value) -> Value {
    body.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    body
}

#[tokio::test]
async fn a_chat_answer_has_the_shape_clients_parse() {
    let upstream = Upstream::builder().name("cloud").start().await.unwrap();
    let received = Client::of(&upstream).post(CHAT, &chat("Why?")).await;
    let body = received.json();
    assert_eq!(received.status, 200);
    assert_eq!(received.header("content-type"), "application/json");
    assert_eq!(received.header("x-upstream-name"), "cloud");
    assert!(received.header("x-request-id").starts_with("req_"));
    assert_eq!((&body["object"], &body["model"]), (&json!("chat.completion"), &json!("small")));
    assert_eq!(body["system_fingerprint"], "fp_cloud");
    let choice = &body["choices"][0];
    assert_eq!(choice["finish_reason"], "stop");
    assert!(choice["message"]["content"].as_str().unwrap().starts_with(&tag("small", "Why?")));
    let usage = &body["usage"];
    assert_eq!(usage["prompt_tokens"], 1);
    assert_eq!(usage["total_tokens"], 1 + usage["completion_tokens"].as_u64().unwrap());
    assert_eq!(usage["prompt_tokens_details"]["cached_tokens"], 0);
}

#[tokio::test]
async fn equal_requests_get_equal_bytes_and_different_request_ids() {
    let upstream = Upstream::start().await.unwrap();
    let client = Client::of(&upstream);
    let first = client.post(CHAT, &chat("Why?")).await;
    let second = client.post(CHAT, &chat("Why?")).await;
    let other = client.post(CHAT, &chat("Why not?")).await;
    assert_eq!(first.bytes(), second.bytes());
    assert_ne!(first.bytes(), other.bytes());
    assert_ne!(first.header("x-request-id"), second.header("x-request-id"));
}

#[tokio::test]
async fn a_chat_stream_says_what_the_plain_answer_says() {
    let upstream = Upstream::start().await.unwrap();
    let client = Client::of(&upstream);
    let plain = client.post(CHAT, &chat("Why?")).await.json();
    let stream = client.post(CHAT, &with(chat("Why?"), json!({"stream": true}))).await;
    assert_eq!(stream.header("content-type"), "text/event-stream; charset=utf-8");
    assert_eq!(stream.data().last().unwrap(), "[DONE]");
    let events = stream.events();
    assert_eq!(events[0]["choices"][0]["delta"]["role"], "assistant");
    assert_eq!(joined(&events, CONTENT), plain["choices"][0]["message"]["content"].as_str().unwrap());
    assert_eq!(events.last().unwrap()["choices"][0]["finish_reason"], "stop");
    assert!(events.iter().all(|event| event.get("usage").is_none() && event["id"] == events[0]["id"]));
}

#[tokio::test]
async fn usage_is_streamed_only_to_those_who_ask() {
    let upstream = Upstream::start().await.unwrap();
    let client = Client::of(&upstream);
    let asked = json!({"stream": true, "stream_options": {"include_usage": true}});
    let events = client.post(CHAT, &with(chat("Why?"), asked)).await.events();
    let (last, others) = events.split_last().unwrap();
    assert_eq!(last["choices"], json!([]));
    let plain = client.post(CHAT, &chat("Why?")).await.json();
    assert_eq!(last["usage"], plain["usage"]);
    assert!(others.iter().all(|event| event.get("usage") == Some(&Value::Null)));
}

#[tokio::test]
async fn a_tool_is_called_with_arguments_that_fit() {
    let upstream = Upstream::start().await.unwrap();
    let client = Client::of(&upstream);
    let body = with(chat("The weather in Bonn?"), json!({"tools": weather_tool()}));
    let plain = client.post(CHAT, &body).await.json();
    let choice = &plain["choices"][0];
    assert_eq!(choice["finish_reason"], "tool_calls");
    let function = &choice["message"]["tool_calls"][0]["function"];
    assert_eq!(function["name"], "get_weather");
    let arguments: Value = serde_json::from_str(function["arguments"].as_str().unwrap()).unwrap();
    assert!(arguments["city"].is_string() && arguments["days"] == 2);

    let events = client.post(CHAT, &with(body, json!({"stream": true}))).await.events();
    let call = "/choices/0/delta/tool_calls/0/function";
    assert_eq!(joined(&events, &format!("{call}/name")), "get_weather");
    assert_eq!(joined(&events, &format!("{call}/arguments")), function["arguments"].as_str().unwrap());
}

#[tokio::test]
async fn a_tool_result_is_answered_in_words() {
    let upstream = Upstream::start().await.unwrap();
    let mut body = with(chat("The weather in Bonn?"), json!({"tools": weather_tool()}));
    let messages = body["messages"].as_array_mut().unwrap();
    messages.push(json!({"role": "assistant", "content": null, "tool_calls": []}));
    messages.push(json!({"role": "tool", "tool_call_id": "call_1", "content": "rain"}));
    let answer = Client::of(&upstream).post(CHAT, &body).await.json();
    let content = answer["choices"][0]["message"]["content"].as_str().unwrap();
    assert!(content.starts_with(&tag("small", "The weather in Bonn?")));
}

#[tokio::test]
async fn structured_answers_fit_their_schema() {
    let upstream = Upstream::start().await.unwrap();
    let schema = json!({"type": "object", "properties": {"total": {"type": "integer", "maximum": 0}}});
    let format = json!({"type": "json_schema", "json_schema": {"name": "sum", "schema": schema}});
    let body = with(chat("Add up."), json!({"response_format": format}));
    let answer = Client::of(&upstream).post(CHAT, &body).await.json();
    let content = answer["choices"][0]["message"]["content"].as_str().unwrap();
    assert_eq!(serde_json::from_str::<Value>(content).unwrap(), json!({"total": 0}));
}

#[tokio::test]
async fn max_tokens_and_reasoning_show_in_the_counts() {
    let upstream = Upstream::start().await.unwrap();
    let body = with(chat("Why?"), json!({"max_completion_tokens": 4, "reasoning_effort": "low"}));
    let answer = Client::of(&upstream).post(CHAT, &body).await.json();
    assert_eq!(answer["choices"][0]["finish_reason"], "length");
    assert_eq!(answer["usage"]["completion_tokens"], 4 + 16);
    assert_eq!(answer["usage"]["completion_tokens_details"]["reasoning_tokens"], 16);
}

#[tokio::test]
async fn a_response_stream_numbers_its_events_and_ends_with_the_whole() {
    let upstream = Upstream::start().await.unwrap();
    let client = Client::of(&upstream);
    let body = json!({"model": "small", "input": "Why?"});
    let plain = client.post("/v1/responses", &body).await.json();
    let events = client.post("/v1/responses", &with(body, json!({"stream": true}))).await.events();
    let kinds: Vec<_> = events.iter().map(|event| event["type"].as_str().unwrap()).collect();
    assert_eq!(&kinds[..3], ["response.created", "response.in_progress", "response.output_item.added"]);
    assert_eq!(kinds.last().unwrap(), &"response.completed");
    assert!(events.iter().enumerate().all(|(at, event)| event["sequence_number"] == at));
    let whole = &events.last().unwrap()["response"];
    assert_eq!(whole["output"][0]["content"], plain["output"][0]["content"]);
    assert_eq!((&whole["status"], &whole["usage"]), (&json!("completed"), &plain["usage"]));
    let text = plain["output"][0]["content"][0]["text"].as_str().unwrap();
    assert!(text.starts_with(&tag("small", "Why?")));
    let deltas: Vec<_> =
        events.iter().filter(|event| event["type"] == "response.output_text.delta").cloned().collect();
    assert_eq!(joined(&deltas, "/delta"), text);
}

#[tokio::test]
async fn a_response_calls_tools_in_its_own_way() {
    let upstream = Upstream::start().await.unwrap();
    let tools = json!([{"type": "function", "name": "get_weather", "parameters": {"type": "object"}}]);
    let body = json!({"model": "small", "input": [{"role": "user", "content": [
        {"type": "input_text", "text": "The weather?"}]}], "tools": tools});
    let plain = Client::of(&upstream).post("/v1/responses", &body).await.json();
    let call = &plain["output"][0];
    assert_eq!((&call["type"], &call["name"]), (&json!("function_call"), &json!("get_weather")));
    assert_eq!(call["arguments"], "{}");
}

#[tokio::test]
async fn completions_are_answered_whole_and_streamed() {
    let upstream = Upstream::start().await.unwrap();
    let client = Client::of(&upstream);
    let body = json!({"model": "small", "prompt": "Once upon"});
    let plain = client.post("/v1/completions", &body).await.json();
    assert_eq!(plain["object"], "text_completion");
    let stream = client.post("/v1/completions", &with(body, json!({"stream": true}))).await;
    assert_eq!(joined(&stream.events(), "/choices/0/text"), plain["choices"][0]["text"].as_str().unwrap());
    assert_eq!(stream.data().last().unwrap(), "[DONE]");
}

#[tokio::test]
async fn an_embedding_depends_on_its_own_input_alone() {
    let upstream = Upstream::start().await.unwrap();
    let client = Client::of(&upstream);
    let embed = async |input: Value| {
        let body = json!({"model": "embed", "input": input, "dimensions": 8});
        client.post("/v1/embeddings", &body).await.json()
    };
    let alone = embed(json!("one")).await;
    let batch = embed(json!(["zero", "one"])).await;
    assert_eq!(alone["data"][0]["embedding"].as_array().unwrap().len(), 8);
    assert_eq!(alone["data"][0]["embedding"], batch["data"][1]["embedding"]);
    assert_ne!(batch["data"][0]["embedding"], batch["data"][1]["embedding"]);
    assert_eq!(batch["usage"]["prompt_tokens"], 2);
}

#[tokio::test]
async fn models_are_listed_for_everybody() {
    let upstream = Upstream::builder().models(["a", "b"]).start().await.unwrap();
    let client = Client::of(&upstream);
    let list = client.get("/v1/models").await.json();
    assert_eq!(list["object"], "list");
    assert_eq!(list["data"][1]["id"], "b");
    assert_eq!(client.get("/v1/models/a").await.json()["object"], "model");
    assert_eq!(client.get("/v1/models/c").await.status, 404);
    assert_eq!(client.get("/api/tags").await.json()["models"][0]["name"], "a");
}

#[tokio::test]
async fn mistakes_get_errors_in_the_dialect() {
    let upstream = Upstream::builder().strict(true).api_key("sk-right").start().await.unwrap();
    let client = Client::of(&upstream).header("authorization", "Bearer sk-right");
    let stranger = Client::of(&upstream).header("authorization", "Bearer sk-wrong");
    let refused = stranger.post(CHAT, &chat("Why?")).await;
    assert_eq!((refused.status.as_u16(), &refused.json()["error"]["code"]), (401, &json!("invalid_api_key")));
    let unknown = client.post(CHAT, &with(chat("Why?"), json!({"model": "gone"}))).await;
    assert_eq!((unknown.status.as_u16(), &unknown.json()["error"]["code"]), (404, &json!("model_not_found")));
    let empty = client.post(CHAT, &json!({"model": "small", "messages": []})).await;
    assert_eq!((empty.status.as_u16(), &empty.json()["error"]["param"]), (400, &json!("messages")));
    let broken = client.send(Method::POST, CHAT, "{".into()).await;
    assert_eq!(
        (broken.status.as_u16(), &broken.json()["error"]["type"]),
        (400, &json!("invalid_request_error"))
    );
    assert_eq!(client.get(CHAT).await.status, 405);
    assert_eq!(client.get("/v2/anything").await.status, 404);
}
