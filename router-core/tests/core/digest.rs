//! What is read from a body.

mod refusals;

use router_core::{BodyFault, Capability, Digest, Endpoint, FingerprintKey, Temperature};
use serde_json::{Value, json};

const KEY: FingerprintKey = FingerprintKey::new(3, 5);

fn read(endpoint: Endpoint, body: &str) -> Result<Digest, BodyFault> {
    Digest::read(endpoint, body.as_bytes(), &KEY)
}

fn digest(endpoint: Endpoint, body: &Value) -> Digest {
    read(endpoint, &body.to_string()).unwrap_or_else(|fault| panic!("{body}: {fault}"))
}

fn chat(messages: Value) -> Digest {
    digest(Endpoint::ChatCompletions, &json!({"model": "m", "messages": messages}))
}

fn messages(messages: Value) -> Digest {
    digest(Endpoint::Messages, &json!({"model": "m", "max_tokens": 9, "messages": messages}))
}

fn responses(input: Value) -> Digest {
    digest(Endpoint::Responses, &json!({"model": "m", "input": input}))
}

#[track_caller]
fn texts(digest: &Digest, system: &str, history: &str, question: &str) {
    let prompt = digest.prompt();
    assert_eq!((prompt.system, prompt.history, prompt.question), (system, history, question));
}

#[test]
fn a_chat_in_order() {
    let digest = chat(json!([
        {"role": "system", "content": "be brief"},
        {"role": "user", "content": "first"},
        {"role": "assistant", "content": "answer"},
        {"role": "user", "content": "second"}
    ]));
    texts(&digest, "be brief", "first\nanswer", "second");
    let prompt = digest.prompt();
    assert_eq!((prompt.turns, prompt.tools, prompt.images), (2, 0, 0));
    assert!(!prompt.tool_loop && !prompt.json_schema);
    assert_eq!(&*digest.model, "m");
    assert_eq!(digest.endpoint(), Endpoint::ChatCompletions);
    assert!(!digest.stream && !digest.ambiguous && !digest.wants_stream_usage);
    assert_eq!(
        (digest.temperature, digest.max_output_tokens, digest.choices),
        (Temperature::Absent, None, 1)
    );
}

#[test]
fn system_turns_come_together_wherever_they_stand() {
    let digest = chat(json!([
        {"role": "user", "content": "one"},
        {"role": "developer", "content": "rules"},
        {"role": "assistant", "content": "two"},
        {"role": "system", "content": "more rules"},
        {"role": "user", "content": "three"}
    ]));
    texts(&digest, "rules\nmore rules", "one\ntwo", "three");
}

#[test]
fn the_last_user_turn_is_the_question_even_when_others_follow() {
    let digest = chat(json!([
        {"role": "user", "content": "question"},
        {"role": "assistant", "content": null, "tool_calls": [
            {"id": "c", "type": "function", "function": {"name": "f", "arguments": "{}"}}
        ]},
        {"role": "tool", "tool_call_id": "c", "content": "result"}
    ]));
    texts(&digest, "", "result", "question");
    assert!(digest.prompt().tool_loop);
    let digest = chat(json!([
        {"role": "user", "content": "question"},
        {"role": "assistant", "content": "prefill"}
    ]));
    texts(&digest, "", "prefill", "question");
    assert!(!digest.prompt().tool_loop);
}

#[test]
fn without_a_user_turn_there_is_no_question() {
    let digest = chat(json!([{"role": "system", "content": "only this"}]));
    texts(&digest, "only this", "", "");
    assert_eq!(digest.prompt().turns, 0);
}

#[test]
fn parts_are_joined_and_images_counted() {
    let digest = chat(json!([{"role": "user", "content": [
        {"type": "text", "text": "above"},
        {"type": "image_url", "image_url": {"url": "data:image/png;base64,AAAA"}},
        {"type": "text", "text": "below"},
        {"type": "image_url", "image_url": {"url": "https://pictures.example/2.png"}}
    ]}]));
    texts(&digest, "", "", "above\nbelow");
    assert_eq!(digest.prompt().images, 2);
    assert!(digest.needs.contains(Capability::Vision));
}

#[test]
fn empty_turns_leave_no_trace_in_the_text() {
    let digest = chat(json!([
        {"role": "system", "content": ""},
        {"role": "user", "content": "one"},
        {"role": "assistant", "content": null},
        {"role": "assistant"},
        {"role": "user", "content": [{"type": "image_url", "image_url": {"url": "x"}}]}
    ]));
    texts(&digest, "", "one", "");
    assert_eq!(digest.prompt().turns, 2);
}

#[test]
fn anthropic_system_stands_beside_the_messages_in_any_order() {
    let turns = json!([
        {"role": "user", "content": "one"},
        {"role": "assistant", "content": [{"type": "text", "text": "two"}]},
        {"role": "user", "content": [{"type": "text", "text": "three"}]}
    ]);
    for system in
        [json!("rules"), json!([{"type": "text", "text": "rules", "cache_control": {"type": "ephemeral"}}])]
    {
        let before = format!(r#"{{"model":"m","max_tokens":1,"system":{system},"messages":{turns}}}"#);
        let after = format!(r#"{{"messages":{turns},"system":{system},"max_tokens":1,"model":"m"}}"#);
        for body in [before, after] {
            let digest = read(Endpoint::Messages, &body).expect("well formed");
            texts(&digest, "rules", "one\ntwo", "three");
        }
    }
}

#[test]
fn an_anthropic_tool_result_is_no_question() {
    let digest = messages(json!([
        {"role": "user", "content": "weather?"},
        {"role": "assistant", "content": [{"type": "tool_use", "id": "t", "name": "f", "input": {"city": "Oslo"}}]},
        {"role": "user", "content": [{"type": "tool_result", "tool_use_id": "t", "content": [
            {"type": "text", "text": "rain"},
            {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": "AAAA"}}
        ]}]}
    ]));
    texts(&digest, "", "rain", "weather?");
    let prompt = digest.prompt();
    assert!(prompt.tool_loop);
    assert_eq!((prompt.turns, prompt.images), (1, 1));
}

#[test]
fn results_of_anthropic_server_tools_may_have_shapes_of_their_own() {
    let digest = messages(json!([
        {"role": "user", "content": "search"},
        {"role": "assistant", "content": [
            {"type": "web_search_tool_result", "tool_use_id": "t",
             "content": {"type": "web_search_tool_result_error", "error_code": "unavailable"}},
            {"type": "web_search_tool_result", "tool_use_id": "t",
             "content": [{"type": "web_search_result", "url": "u", "title": "a title", "encrypted_content": "x"}]},
            {"type": "text", "text": "found"}
        ]},
        {"role": "user", "content": "go on"}
    ]));
    texts(&digest, "", "search\nfound", "go on");
}

#[test]
fn attached_text_is_read_and_base64_is_not() {
    let attached = |data: &str, kind: &str| {
        messages(json!([{"role": "user", "content": [
            {"type": "document", "source": {"type": kind, "media_type": "text/plain", "data": data}},
            {"type": "text", "text": "sum it up"}
        ]}]))
    };
    texts(&attached("a document of words", "text"), "", "", "a document of words\nsum it up");
    let base64 = "QUJD".repeat(10_000);
    let digest = attached(&base64, "base64");
    texts(&digest, "", "", "sum it up");
    assert!(digest.prompt_tokens < 100, "{}", digest.prompt_tokens);
}

#[test]
fn responses_input_as_text_and_as_items() {
    texts(&responses(json!("just this")), "", "", "just this");
    let digest = digest(
        Endpoint::Responses,
        &json!({"model": "m", "instructions": "rules", "input": [
            {"role": "user", "content": "one"},
            {"type": "message", "role": "assistant", "content": [{"type": "output_text", "text": "two"}]},
            {"type": "message", "role": "user", "content": [
                {"type": "input_text", "text": "three"},
                {"type": "input_image", "image_url": "data:image/png;base64,AAAA"}
            ]}
        ]}),
    );
    texts(&digest, "rules", "one\ntwo", "three");
    assert_eq!((digest.prompt().turns, digest.prompt().images), (2, 1));
}

#[test]
fn a_responses_tool_loop() {
    let digest = responses(json!([
        {"role": "user", "content": "weather?"},
        {"type": "reasoning", "id": "r", "summary": [], "encrypted_content": "xxxx"},
        {"type": "function_call", "call_id": "c", "name": "f", "arguments": "{}"},
        {"type": "function_call_output", "call_id": "c", "output": "rain"}
    ]));
    texts(&digest, "", "rain", "weather?");
    assert!(digest.prompt().tool_loop);
    assert_eq!(digest.prompt().turns, 1);
    for output in [json!([{"type": "input_text", "text": "rain"}]), json!({"type": "computer_screenshot"})] {
        let digest = responses(json!([
            {"role": "user", "content": "go"},
            {"type": "computer_call_output", "call_id": "c", "output": output}
        ]));
        assert!(digest.prompt().tool_loop);
    }
}

#[test]
fn responses_may_do_without_input() {
    let stored = json!({"model": "m", "prompt": {"id": "pmpt_1"}});
    assert_eq!(digest(Endpoint::Responses, &stored).prompt().question, "");
    assert_eq!(responses(json!(null)).prompt().turns, 0);
}

#[test]
fn embeddings_and_completions() {
    let embed = |input: Value| digest(Endpoint::Embeddings, &json!({"model": "m", "input": input}));
    texts(&embed(json!("one")), "", "", "one");
    texts(&embed(json!(["one", "two"])), "", "", "one\ntwo");
    assert_eq!(embed(json!([1, 2, 3, 4])).prompt_tokens, embed(json!([[1, 2], [3, 4]])).prompt_tokens);
    assert!(embed(json!([5; 1_000].to_vec())).prompt_tokens >= 1_000);
    let completed = digest(Endpoint::Completions, &json!({"model": "m", "prompt": "once upon"}));
    texts(&completed, "", "", "once upon");
}

#[test]
fn counting_tokens_reads_like_messages() {
    let body = json!({"model": "m", "system": "s", "messages": [{"role": "user", "content": "q"}]});
    texts(&digest(Endpoint::CountTokens, &body), "s", "", "q");
}

#[test]
fn tools_and_schemas_by_dialect() {
    let needs = |endpoint: Endpoint, field: &str, value: Value| {
        let content = if endpoint == Endpoint::Responses { "input" } else { "messages" };
        let mut body = json!({"model": "m", "max_tokens": 5});
        body[content] = json!([{"role": "user", "content": "q"}]);
        body[field] = value;
        let digest = digest(endpoint, &body);
        (digest.prompt().tools, digest.prompt().json_schema)
    };
    use Endpoint::{ChatCompletions, Messages, Responses};
    let tool = json!([{"type": "function", "name": "f"}, {"type": "function", "name": "g"}]);
    assert_eq!(needs(ChatCompletions, "tools", tool.clone()), (2, false));
    assert_eq!(needs(ChatCompletions, "functions", tool.clone()), (2, false));
    assert_eq!(needs(Messages, "tools", tool.clone()), (2, false));
    assert_eq!(needs(Responses, "tools", tool), (2, false));
    assert_eq!(needs(ChatCompletions, "tools", json!([])), (0, false));
    assert_eq!(needs(ChatCompletions, "tools", json!(null)), (0, false));
    for kind in ["json_schema", "json_object"] {
        let format = json!({"type": kind, "json_schema": {"name": "n", "schema": {"type": "text"}}});
        assert_eq!(needs(ChatCompletions, "response_format", format.clone()), (0, true));
        assert_eq!(needs(Responses, "text", json!({"format": format.clone()})), (0, true));
        assert_eq!(needs(Messages, "output_format", format.clone()), (0, true));
        assert_eq!(needs(Messages, "output_config", json!({"format": format})), (0, true));
    }
    assert_eq!(needs(ChatCompletions, "response_format", json!({"type": "text"})), (0, false));
    assert_eq!(needs(Responses, "text", json!({"verbosity": "low"})), (0, false));
}

#[test]
fn streaming_usage_limits_and_temperature() {
    let with = |fields: &str| {
        let body = format!(r#"{{"model":"m","messages":[{{"role":"user","content":"q"}}]{fields}}}"#);
        read(Endpoint::ChatCompletions, &body).expect("well formed")
    };
    assert!(with(r#","stream":true"#).needs.contains(Capability::Streaming));
    assert!(!with(r#","stream":false"#).stream && !with(r#","stream":null"#).stream);
    assert!(with(r#","stream":true,"stream_options":{"include_usage":true}"#).wants_stream_usage);
    for no in ["null", "{}", r#"{"include_usage":false}"#, r#"{"include_usage":null}"#, r#"{"other":[1]}"#] {
        assert!(!with(&format!(r#","stream":true,"stream_options":{no}"#)).wants_stream_usage, "{no}");
    }
    assert_eq!(with(r#","max_tokens":10"#).max_output_tokens, Some(10));
    assert_eq!(with(r#","max_tokens":null"#).max_output_tokens, None);
    assert_eq!(with(r#","max_tokens":10,"max_completion_tokens":7"#).max_output_tokens, Some(7));
    assert_eq!(with(r#","n":3"#).choices, 3);
    for (stated, temperature) in [
        ("0", Temperature::Zero),
        ("0.0", Temperature::Zero),
        ("-0", Temperature::Zero),
        ("0e5", Temperature::Zero),
        ("0.01", Temperature::Above),
        ("2", Temperature::Above),
        ("null", Temperature::Absent),
    ] {
        assert_eq!(with(&format!(r#","temperature":{stated}"#)).temperature, temperature, "{stated}");
    }
}

#[test]
fn escapes_are_decoded() {
    let body = r#"{"mod\u0065l":"g\u0070t","m\u0065ssages":[{"rol\u0065":"user","content":"caf\u00e9 \ud83d\ude00\n\"x\""}]}"#;
    let digest = read(Endpoint::ChatCompletions, body).expect("well formed");
    assert_eq!(&*digest.model, "gpt");
    texts(&digest, "", "", "café 😀\n\"x\"");
}

#[test]
fn unknown_fields_are_fine() {
    let body = json!({
        "model": "m", "messages": [{"role": "user", "content": "q", "name": 5, "extra": [null]}],
        "metadata": {"a": [1, {"b": null}]}, "x": null, "tools_of_mine": 3, "n": null
    });
    texts(&digest(Endpoint::ChatCompletions, &body), "", "", "q");
}

#[test]
fn duplicate_keys_at_any_depth_are_ambiguous() {
    let base = r#""messages":[{"role":"user","content":"q"}]"#;
    let bodies = [
        format!(r#"{{"model":"m","model":"m",{base}}}"#),
        format!(r#"{{"model":"m","mod\u0065l":"x",{base}}}"#),
        format!(r#"{{"model":"m",{base},{base}}}"#),
        format!(r#"{{"model":"m",{base},"stream":true,"stream":false}}"#),
        format!(r#"{{"model":"m",{base},"stream_options":null,"stream_options":null}}"#),
        format!(r#"{{"model":"m",{base},"stream_options":{{"include_usage":true,"include_usage":false}}}}"#),
        format!(r#"{{"model":"m",{base},"stream_options":{{"x":{{"y":1,"y":1}}}}}}"#),
        format!(r#"{{"model":"m",{base},"temperature":0,"temperature":0}}"#),
        format!(r#"{{"model":"m",{base},"max_tokens":5,"max_tokens":6}}"#),
        format!(r#"{{"model":"m",{base},"metadata":{{"a":1,"a":2}}}}"#),
        format!(r#"{{"model":"m",{base},"metadata":[[{{"b":{{"a":1,"\u0061":2}}}}]]}}"#),
        r#"{"model":"m","messages":[{"role":"user","content":"q","role":"user"}]}"#.to_owned(),
        r#"{"model":"m","messages":[{"role":"user","content":[{"type":"text","text":"a","text":"b"}]}]}"#
            .to_owned(),
    ];
    for body in bodies {
        assert!(read(Endpoint::ChatCompletions, &body).expect("no fault").ambiguous, "{body}");
    }
    let same_name_elsewhere =
        format!(r#"{{"model":"m",{base},"a":{{"model":1}},"b":[{{"a":1}},{{"a":1}}]}}"#);
    assert!(!read(Endpoint::ChatCompletions, &same_name_elsewhere).expect("no fault").ambiguous);
}

#[test]
fn numbers_beyond_exact_comparison_are_ambiguous() {
    let ambiguous = |number: &str| {
        let body = format!(r#"{{"model":"m","messages":[{{"role":"user","content":"q"}}],"seed":{number}}}"#);
        read(Endpoint::ChatCompletions, &body).expect("well formed").ambiguous
    };
    for exact in ["0", "-1", "0.1", "18446744073709551615", "-9223372036854775808", "9007199254740991.0"] {
        assert!(!ambiguous(exact), "{exact}");
    }
    for inexact in ["18446744073709551616", "9007199254740993.0", "-9223372036854775809", "1e30"] {
        assert!(ambiguous(inexact), "{inexact}");
    }
}

#[test]
fn prompt_tokens_count_what_is_not_text_too() {
    let tokens = |messages: Value, tools: Value| {
        let body = json!({"model": "m", "messages": messages, "tools": tools});
        digest(Endpoint::ChatCompletions, &body).prompt_tokens
    };
    let question = json!([{"role": "user", "content": "hello"}]);
    let plain = tokens(question.clone(), json!(null));
    assert!((4..=8).contains(&plain), "{plain}");
    let tool = json!([{"type": "function", "function": {
        "name": "f", "description": "what it does ".repeat(100), "parameters": {"type": "object"}
    }}]);
    assert!(tokens(question, tool) > plain + 250, "tools");
    let call = json!([
        {"role": "user", "content": "hello"},
        {"role": "assistant", "tool_calls": [{"id": "c", "type": "function", "function": {
            "name": "f", "arguments": "some long argument ".repeat(100)
        }}]}
    ]);
    assert!(tokens(call, json!(null)) > plain + 400, "calls");
    let image = json!([{"role": "user", "content": [
        {"type": "image_url", "image_url": {"url": format!("data:image/png;base64,{}", "A".repeat(500_000))}}
    ]}]);
    assert!((500..2_000).contains(&tokens(image, json!(null))), "an image counts by what it shows");
}

#[test]
fn a_conversation_keeps_its_name_as_it_grows() {
    let first = json!({"role": "user", "content": "first"});
    let system = json!({"role": "system", "content": "rules"});
    let start = chat(json!([system, first])).conversation;
    let grown =
        chat(json!([system, first, {"role": "assistant", "content": "a"}, {"role": "user", "content": "b"}]));
    assert_eq!(grown.conversation, start);
    let others = [
        chat(json!([first])),
        chat(json!([system, {"role": "user", "content": "another"}])),
        chat(json!([{"role": "system", "content": "other rules"}, first])),
        responses(json!("first")),
        responses(json!("second")),
        digest(Endpoint::Embeddings, &json!({"model": "m", "input": "a"})),
        digest(Endpoint::Embeddings, &json!({"model": "m", "input": "b"})),
    ];
    let mut names: Vec<_> = others.iter().map(|digest| digest.conversation).collect();
    names.push(start);
    names.sort_unstable();
    names.dedup();
    assert_eq!(names.len(), others.len() + 1);
}

#[test]
fn the_end_user_is_whom_the_caller_names() {
    let chat = |more: &str| {
        let body = format!(r#"{{"model":"m","messages":[{{"role":"user","content":"q"}}]{more}}}"#);
        read(Endpoint::ChatCompletions, &body).unwrap().user
    };
    assert_eq!(chat(r#","user":"ada""#).as_deref(), Some("ada"));
    assert_eq!(
        chat(r#","safety_identifier":"h-\u0061da","metadata":{"user_id":"x"}"#).as_deref(),
        Some("h-ada")
    );
    for nobody in
        ["", r#","user":"""#, r#","user":7"#, r#","user":{"id":"ada"}"#, r#","metadata":{"user_id":"ada"}"#]
    {
        assert_eq!(chat(nobody), None, "{nobody}");
    }
    let long = format!(r#","user":"{}""#, "\u{e9}".repeat(300));
    assert_eq!(chat(&long).map(|user| user.len()), Some(256));
    let message = |metadata: Value| {
        let body = json!({"model": "m", "max_tokens": 9, "metadata": metadata, "messages": [{"role": "user", "content": "q"}]});
        digest(Endpoint::Messages, &body).user
    };
    assert_eq!(message(json!({"user_id": "ada"})).as_deref(), Some("ada"));
    assert_eq!(message(json!({"user_id": null})), None);
    assert_eq!(message(json!(null)), None);
}

#[test]
fn a_prompt_has_no_more_tokens_than_bytes() {
    for text in ["hi", "\u{1f9ff}\u{1f9ff}", "0x9f8e7d6c", "\u{4f60}\u{597d}"] {
        let digest = chat(json!([{"role": "user", "content": text}]));
        assert!(digest.prompt_tokens_at_most >= text.len() as u64 + 4, "{text}");
        assert!(digest.prompt_tokens_at_most <= text.len() as u64 + 17, "{text}");
    }
    let document = json!({"type": "document", "source": {"type": "base64", "data": "J".repeat(9_000)}});
    let digest = messages(json!([{"role": "user", "content": [document]}]));
    assert!(digest.prompt_tokens < 100 && digest.prompt_tokens_at_most > 9_000);
}
