use bytes::Bytes;
use proptest::prelude::*;
use router_core::{Endpoint, Framing};
use serde_json::{Value, json};

use super::{Wanted, replay};
use crate::wire::completeness;
use crate::wire::reading::{Reading, read_body};
use crate::wire::sse::{Splitter, Tap};

const PLAIN: Wanted = Wanted { framing: Framing::Plain, include_usage: false };
const STREAM: Wanted = Wanted { framing: Framing::Stream, include_usage: false };
const STREAM_WITH_USAGE: Wanted = Wanted { framing: Framing::Stream, include_usage: true };

fn convert(endpoint: Endpoint, from: Framing, body: &str, wanted: Wanted) -> Option<String> {
    let body = Bytes::copy_from_slice(body.as_bytes());
    let converted = replay(endpoint, from, &body, wanted)?;
    Some(String::from_utf8(converted.to_vec()).unwrap())
}

fn assembled(endpoint: Endpoint, stream: &str) -> Option<Value> {
    let body = convert(endpoint, Framing::Stream, stream, PLAIN)?;
    Some(serde_json::from_str(&body).unwrap())
}

fn unrolled(endpoint: Endpoint, body: &Value, wanted: Wanted) -> Option<String> {
    convert(endpoint, Framing::Plain, &body.to_string(), wanted)
}

fn payloads(stream: &str) -> Vec<Value> {
    let lines = stream.lines().filter_map(|line| line.strip_prefix("data: "));
    lines.filter(|line| *line != "[DONE]").map(|line| serde_json::from_str(line).unwrap()).collect()
}

fn read_stream(stream: &str) -> Reading {
    let mut splitter = Splitter::new(stream.len());
    let mut tap = Tap::default();
    splitter.push(Bytes::copy_from_slice(stream.as_bytes()));
    while let Some(frame) = splitter.frame().unwrap() {
        tap.observe(&frame);
    }
    tap.reading()
}

fn events(payloads: &[Value]) -> String {
    payloads.iter().map(|payload| format!("data: {payload}\n\n")).collect()
}

fn chunk(delta: Value, finish: Value) -> Value {
    json!({"id": "c", "object": "chat.completion.chunk", "created": 7, "model": "m", "service_tier": "default",
        "system_fingerprint": "fp", "choices": [{"index": 0, "delta": delta, "logprobs": null,
        "finish_reason": finish}], "usage": null, "obfuscation": "x"})
}

fn chat_stream(deltas: &[Value], finish: &str) -> String {
    let mut chunks: Vec<Value> = deltas.iter().map(|delta| chunk(delta.clone(), Value::Null)).collect();
    chunks.push(chunk(json!({}), json!(finish)));
    chunks.push(json!({"id": "c", "object": "chat.completion.chunk", "created": 7, "model": "m",
        "choices": [], "usage": {"prompt_tokens": 3, "completion_tokens": 2, "total_tokens": 5}}));
    events(&chunks) + "data: [DONE]\n\n"
}

fn chat_body(message: Value, finish: &str) -> Value {
    json!({"id": "c", "object": "chat.completion", "created": 7, "model": "m", "service_tier": "default",
        "system_fingerprint": "fp", "choices": [{"index": 0, "message": message, "logprobs": null,
        "finish_reason": finish}], "usage": {"prompt_tokens": 3, "completion_tokens": 2, "total_tokens": 5}})
}

#[test]
fn a_chat_stream_becomes_the_plain_answer() {
    let stream = chat_stream(
        &[
            json!({"role": "assistant", "content": "", "refusal": null}),
            json!({"content": "Hello"}),
            json!({"content": " \u{1f600}\n"}),
        ],
        "stop",
    );
    let message = json!({"role": "assistant", "content": "Hello \u{1f600}\n", "refusal": null});
    assert_eq!(assembled(Endpoint::ChatCompletions, &stream), Some(chat_body(message, "stop")));
}

#[test]
fn streamed_tool_calls_become_plain_ones() {
    let call = |index: u64, rest: Value| json!({"tool_calls": [{"index": index, "function": rest}]});
    let open = |index: u64, id: &str| {
        json!({"tool_calls": [{"index": index, "id": id, "type": "function",
            "function": {"name": "f", "arguments": ""}}]})
    };
    let stream = chat_stream(
        &[
            json!({"role": "assistant", "content": null}),
            open(0, "a"),
            call(0, json!({"arguments": "{\"x\""})),
            call(0, json!({"arguments": ":1}"})),
            open(1, "b"),
            call(1, json!({"arguments": "{}"})),
        ],
        "tool_calls",
    );
    let call = |id: &str, arguments: &str| json!({"id": id, "type": "function", "function": {"name": "f", "arguments": arguments}});
    let message = json!({"role": "assistant", "content": null, "tool_calls": [call("a", "{\"x\":1}"), call("b", "{}")]});
    assert_eq!(assembled(Endpoint::ChatCompletions, &stream), Some(chat_body(message, "tool_calls")));
}

#[test]
fn a_plain_chat_answer_becomes_a_stream() {
    let message = json!({"role": "assistant", "content": "Hi", "refusal": null, "annotations": []});
    let stream = unrolled(Endpoint::ChatCompletions, &chat_body(message, "stop"), STREAM).unwrap();
    assert!(stream.ends_with("}\n\ndata: [DONE]\n\n"));
    let chunks = payloads(&stream);
    let deltas: Vec<&Value> = chunks.iter().map(|chunk| &chunk["choices"][0]["delta"]).collect();
    let first = json!({"role": "assistant", "content": "", "refusal": null});
    assert_eq!(deltas, [&first, &json!({"content": "Hi"}), &json!({})]);
    assert_eq!(chunks[2]["choices"][0]["finish_reason"], "stop");
    assert!(chunks.iter().all(|chunk| chunk["object"] == "chat.completion.chunk" && chunk["model"] == "m"));
    assert!(!stream.contains("usage"), "not asked for");
}

#[test]
fn the_usage_chunk_comes_only_when_asked_for() {
    let body = chat_body(json!({"role": "assistant", "content": "Hi"}), "stop");
    let stream = unrolled(Endpoint::ChatCompletions, &body, STREAM_WITH_USAGE).unwrap();
    let chunks = payloads(&stream);
    assert_eq!(chunks.last().unwrap()["choices"], json!([]));
    assert_eq!(chunks.last().unwrap()["usage"], body["usage"]);
    assert!(chunks[..chunks.len() - 1].iter().all(|chunk| chunk["usage"].is_null()));
    let mut without = body;
    without.as_object_mut().unwrap().remove("usage");
    assert!(unrolled(Endpoint::ChatCompletions, &without, STREAM_WITH_USAGE).is_none());
    assert!(unrolled(Endpoint::ChatCompletions, &without, STREAM).is_some());
}

#[test]
fn a_stored_stream_loses_its_usage_chunk_for_callers_who_did_not_ask() {
    let stream = chat_stream(&[json!({"content": "Hi"})], "stop");
    let with = convert(Endpoint::ChatCompletions, Framing::Stream, &stream, STREAM_WITH_USAGE);
    assert_eq!(with.as_ref(), Some(&stream));
    let without = convert(Endpoint::ChatCompletions, Framing::Stream, &stream, STREAM).unwrap();
    assert!(stream.starts_with(without.strip_suffix("data: [DONE]\n\n").unwrap()));
    assert_eq!(payloads(&without).len(), payloads(&stream).len() - 1);
    assert_eq!(convert(Endpoint::ChatCompletions, Framing::Stream, &without, STREAM_WITH_USAGE), None);
}

#[test]
fn what_would_lose_something_is_not_converted() {
    let two = json!({"index": 1, "delta": {"content": "x"}});
    let stream = |change: fn(&mut Value, &Value)| {
        let mut content = chunk(json!({"content": "x"}), Value::Null);
        change(&mut content, &two);
        let rest = chat_stream(&[json!({"content": "y"})], "stop");
        assembled(Endpoint::ChatCompletions, &(events(&[content]) + &rest))
    };
    assert!(stream(|_, _| {}).is_some());
    for change in [
        (|chunk, two| chunk["choices"] = json!([two])) as fn(&mut Value, &Value),
        |chunk, _| chunk["choices"][0]["logprobs"] = json!({"content": [{"token": "x"}]}),
        |chunk, _| chunk["choices"][0]["delta"]["audio"] = json!({"id": "a"}),
        |chunk, _| chunk["choices"][0]["delta"]["function_call"] = json!({"name": "f"}),
        |chunk, _| chunk["choices"][0]["delta"]["content"] = json!([{"type": "text"}]),
        |chunk, _| chunk["choices"][0]["delta"]["tool_calls"] = json!([{"index": 1, "id": "gap"}]),
        |chunk, _| chunk["error"] = json!({"message": "m"}),
    ] {
        assert_eq!(stream(change), None);
    }
    let plain = |change: fn(&mut Value)| {
        let mut body = chat_body(json!({"role": "assistant", "content": "x"}), "stop");
        change(&mut body);
        unrolled(Endpoint::ChatCompletions, &body, STREAM)
    };
    assert!(plain(|_| {}).is_some());
    for change in [
        (|body| body["choices"] = json!([body["choices"][0], body["choices"][0]])) as fn(&mut Value),
        |body| body["choices"] = json!([]),
        |body| body["choices"][0]["logprobs"] = json!({"content": []}),
        |body| body["choices"][0]["message"]["audio"] = json!({"id": "a"}),
        |body| {
            body["choices"][0]["message"]["tool_calls"] = json!([{"id": "a", "type": "custom", "custom": {}}])
        },
        |body| body["choices"][0]["finish_reason"] = Value::Null,
        |body| body["object"] = json!("list"),
    ] {
        assert_eq!(plain(change), None);
    }
}

#[test]
fn a_stream_that_is_not_complete_is_not_put_together() {
    let stream = chat_stream(&[json!({"content": "Hi"})], "stop");
    for cut in ["data: [DONE]", "data: {\"choices\":[],"] {
        let at = stream.find(cut).unwrap();
        assert_eq!(assembled(Endpoint::ChatCompletions, &stream[..at]), None, "before {cut}");
    }
    assert!(
        assembled(Endpoint::ChatCompletions, stream.trim_end()).is_some(),
        "only the blank line is missing"
    );
}

#[test]
fn what_other_servers_add_is_carried_over() {
    let stream = events(&[
        json!({"choices": [], "created": 0, "id": "", "model": "", "prompt_filter_results": [{"prompt_index": 0}]}),
        chunk(json!({"role": "assistant", "reasoning_content": "think"}), Value::Null),
        chunk(json!({"content": "Hi"}), Value::Null),
        chunk(json!({}), json!("stop")),
        json!({"id": "c", "created": 7, "model": "m", "choices": [],
            "usage": {"prompt_tokens": 1, "completion_tokens": 1, "cost": 0.10}}),
    ]) + "data: [DONE]\n\n";
    let body = assembled(Endpoint::ChatCompletions, &stream).unwrap();
    assert_eq!((&body["id"], &body["created"]), (&json!("c"), &json!(7)));
    assert_eq!(body["prompt_filter_results"], json!([{"prompt_index": 0}]));
    assert_eq!(body["choices"][0]["message"]["reasoning_content"], "think");
    assert_eq!(body["usage"]["cost"], json!(0.10));
    let again = unrolled(Endpoint::ChatCompletions, &body, STREAM_WITH_USAGE).unwrap();
    assert_eq!(assembled(Endpoint::ChatCompletions, &again), Some(body));
}

fn message_body() -> Value {
    json!({"id": "msg_1", "type": "message", "role": "assistant", "model": "m", "content": [
        {"type": "thinking", "thinking": "hm", "signature": "sig"},
        {"type": "text", "text": "Hi", "citations": [{"type": "char_location", "cited_text": "x"}]},
        {"type": "tool_use", "id": "t", "name": "f", "input": {"b": 1.50, "a": [null]}},
        {"type": "tool_use", "id": "u", "name": "g", "input": {}},
    ], "stop_reason": "tool_use", "stop_sequence": null, "container": {"id": "box"},
        "usage": {"input_tokens": 9, "cache_creation_input_tokens": 1, "cache_read_input_tokens": 2,
        "cache_creation": {"ephemeral_5m_input_tokens": 1}, "output_tokens": 30, "service_tier": "standard"}})
}

#[test]
fn a_message_becomes_a_stream_and_comes_back() {
    let body = message_body();
    let stream = unrolled(Endpoint::Messages, &body, STREAM).unwrap();
    let names: Vec<&str> = stream.lines().filter_map(|line| line.strip_prefix("event: ")).collect();
    assert_eq!(
        (names[0], names[1], *names.last().unwrap()),
        ("message_start", "content_block_start", "message_stop")
    );
    for (name, payload) in names.iter().zip(payloads(&stream)) {
        assert_eq!(payload["type"], *name);
    }
    let first = &payloads(&stream)[0]["message"];
    assert_eq!((&first["content"], &first["stop_reason"]), (&json!([]), &Value::Null));
    assert_eq!((&first["usage"]["input_tokens"], &first["usage"]["output_tokens"]), (&json!(9), &json!(0)));
    assert_eq!(assembled(Endpoint::Messages, &stream), Some(body));
}

#[test]
fn a_message_that_is_refused_or_strange_is_not_converted() {
    let stream = unrolled(Endpoint::Messages, &message_body(), STREAM).unwrap();
    for (from, to) in [
        ("event: message_stop\ndata: {\"type\":\"message_stop\"}\n\n", ""),
        ("\"type\":\"text_delta\"", "\"type\":\"new_delta\""),
        ("\"type\":\"content_block_stop\"", "\"type\":\"new_event\""),
        ("\"type\":\"thinking\"", "\"type\":\"fallback\""),
        ("\"type\":\"content_block_start\",\"index\":2", "\"type\":\"content_block_start\",\"index\":5"),
        ("\"partial_json\":\"{", "\"partial_json\":\"{{"),
        ("\"stop_reason\":\"tool_use\"", "\"stop_reason\":null"),
    ] {
        assert!(stream.contains(from), "{from}");
        assert_eq!(assembled(Endpoint::Messages, &stream.replace(from, to)), None, "{from}");
    }
    for (field, value) in [
        ("stop_reason", Value::Null),
        ("content", json!([{"type": "compaction", "content": "x"}])),
        ("content", json!("x")),
        ("type", json!("error")),
    ] {
        let mut body = message_body();
        body[field] = value;
        assert_eq!(unrolled(Endpoint::Messages, &body, STREAM), None, "{field}");
    }
}

#[test]
fn a_response_is_the_one_of_its_last_event() {
    let response = json!({"id": "r", "object": "response", "status": "completed", "output": []});
    let stream = events(&[
        json!({"type": "response.created", "response": {"id": "r", "status": "in_progress"}}),
        json!({"type": "response.completed", "response": response}),
    ]);
    assert_eq!(assembled(Endpoint::Responses, &stream), Some(response));
    assert_eq!(unrolled(Endpoint::Responses, &json!({"object": "response"}), STREAM), None);
}

#[test]
fn a_body_printed_over_several_lines_becomes_events_of_one_line_each() {
    let chat = chat_body(json!({"role": "assistant", "content": "a\nb"}), "stop");
    for (endpoint, body) in [(Endpoint::ChatCompletions, chat), (Endpoint::Messages, message_body())] {
        let pretty = serde_json::to_string_pretty(&body).unwrap().replace('\n', "\r\n");
        let stream = convert(endpoint, Framing::Plain, &pretty, STREAM_WITH_USAGE).unwrap();
        assert!(
            stream.split("\n\n").all(|event| event.lines().count() <= 2 && !event.contains('\r')),
            "{stream}"
        );
        assert_eq!(assembled(endpoint, &stream), Some(body));
    }
}

#[test]
fn the_same_framing_is_the_same_bytes() {
    let body = message_body().to_string();
    let same = convert(Endpoint::Messages, Framing::Plain, &body, PLAIN).unwrap();
    assert_eq!(same, body);
    assert_eq!(convert(Endpoint::Embeddings, Framing::Plain, &body, STREAM), None);
}

prop_compose! {
    fn chat_message()(
        content in prop_oneof![Just(None), ".{0,40}".prop_map(Some)],
        reasoning in prop_oneof![Just(None), ".{1,20}".prop_map(Some)],
        calls in prop::collection::vec(("[a-z]{1,8}", "\\PC{0,20}"), 0..3),
    ) -> Value {
        let mut message = json!({"role": "assistant", "content": content});
        if let Some(reasoning) = reasoning {
            message["reasoning_content"] = json!(reasoning);
        }
        if !calls.is_empty() {
            message["content"] = Value::Null;
            let call = |(name, arguments)| {
                json!({"id": name, "type": "function", "function": {"name": name, "arguments": arguments}})
            };
            message["tool_calls"] = calls.into_iter().map(call).collect();
        }
        message
    }
}

proptest! {
    #[test]
    fn chat_answers_survive_the_way_there_and_back(message in chat_message()) {
        let body = chat_body(message, "stop");
        let stream = unrolled(Endpoint::ChatCompletions, &body, STREAM_WITH_USAGE).unwrap();
        let back = assembled(Endpoint::ChatCompletions, &stream);
        prop_assert_eq!(back.as_ref(), Some(&body));
        let (streamed, plain) = (read_stream(&stream), read_body(body.to_string().as_bytes()));
        prop_assert_eq!((&streamed.usage, streamed.finish, streamed.ended), (&plain.usage, plain.finish, plain.ended));
        let check = |reading: &Reading| completeness::check(Endpoint::ChatCompletions, 200, reading, true);
        prop_assert_eq!(check(&streamed), check(&plain));
    }

    #[test]
    fn messages_survive_the_way_there_and_back(texts in prop::collection::vec(".{0,30}", 0..4)) {
        let mut body = message_body();
        body["content"] = texts.iter().map(|text| json!({"type": "text", "text": text})).collect();
        let stream = unrolled(Endpoint::Messages, &body, STREAM).unwrap();
        let back = assembled(Endpoint::Messages, &stream);
        prop_assert_eq!(back.as_ref(), Some(&body));
        let (streamed, plain) = (read_stream(&stream), read_body(body.to_string().as_bytes()));
        prop_assert_eq!(streamed.usage, plain.usage);
    }

    #[test]
    fn any_bytes_are_converted_or_refused_without_panic(bytes: Vec<u8>, plain: bool) {
        let from = if plain { Framing::Plain } else { Framing::Stream };
        for endpoint in Endpoint::ALL {
            for wanted in [PLAIN, STREAM, STREAM_WITH_USAGE] {
                let converted = replay(endpoint, from, &Bytes::from(bytes.clone()), wanted);
                prop_assert!(converted.is_none() || from == wanted.framing);
            }
        }
    }
}
