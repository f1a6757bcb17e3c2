//! What is changed in a body, and that nothing else is.

use bytes::Bytes;
use proptest::prelude::*;
use router_core::{Changes, Digest, Endpoint, FingerprintKey};

#[path = "../../../fuzz/checks/digest.rs"]
mod invariants;

const KEY: FingerprintKey = FingerprintKey::new(3, 5);

fn change_at(endpoint: Endpoint, body: &str, changes: &Changes<'_>) -> String {
    let bytes = Bytes::copy_from_slice(body.as_bytes());
    let digest = Digest::read(endpoint, &bytes, &KEY).unwrap_or_else(|fault| panic!("{body}: {fault}"));
    String::from_utf8(digest.splices.apply(&bytes, changes).to_vec()).expect("text")
}

fn change(body: &str, changes: &Changes<'_>) -> String {
    change_at(Endpoint::ChatCompletions, body, changes)
}

/// Replaces `@` by the messages that every body needs.
fn with_messages(body: &str) -> String {
    body.replace('@', r#""messages":[{"role":"user","content":"a \"model\": \"x\""}]"#)
}

#[track_caller]
fn becomes(changes: &Changes<'_>, before: &str, after: &str) {
    assert_eq!(change(&with_messages(before), changes), with_messages(after));
}

#[test]
fn the_model_is_replaced_where_it_stands() {
    let to = |model| Changes { model: Some(model), ..Changes::default() };
    becomes(&to("gpt"), r#"{"model":"auto",@}"#, r#"{"model":"gpt",@}"#);
    becomes(&to("gpt"), "{ @ ,\n\t\"model\" :  \"auto\"  } ", "{ @ ,\n\t\"model\" :  \"gpt\"  } ");
    becomes(&to("gpt"), r#"{"mod\u0065l":"auto",@}"#, r#"{"mod\u0065l":"gpt",@}"#);
    becomes(&to("a\"b\\c\né"), r#"{"model":"auto",@}"#, r#"{"model":"a\"b\\c\né",@}"#);
    becomes(
        &to("gpt"),
        r#"{"tools":[{"model":"auto"}],"metadata":{"model":"auto"},@,"model":"auto","x":"model"}"#,
        r#"{"tools":[{"model":"auto"}],"metadata":{"model":"auto"},@,"model":"gpt","x":"model"}"#,
    );
    becomes(&to("gpt"), r#"{"model":"a",@,"model":"auto"}"#, r#"{"model":"gpt",@,"model":"gpt"}"#);
}

#[test]
fn without_a_difference_the_body_itself_comes_back() {
    let body = Bytes::from(with_messages(
        r#"{"model":"g\u0070t",@,"max_tokens":5,"stream":true,"stream_options":{"include_usage":true}}"#,
    ));
    let digest = Digest::read(Endpoint::ChatCompletions, &body, &KEY).expect("well formed");
    for changes in [
        Changes::default(),
        Changes { model: Some("gpt"), max_output_tokens: Some(5), stream_usage: true },
        Changes { max_output_tokens: Some(6), ..Changes::default() },
    ] {
        assert_eq!(digest.splices.apply(&body, &changes).as_ptr(), body.as_ptr(), "{changes:?}");
    }
}

#[test]
fn limits_are_clamped_added_and_never_raised() {
    let limit = |limit| Changes { max_output_tokens: Some(limit), ..Changes::default() };
    becomes(&limit(10), r#"{"model":"m",@,"max_tokens":11}"#, r#"{"model":"m",@,"max_tokens":10}"#);
    becomes(&limit(10), r#"{"model":"m",@,"max_tokens":9}"#, r#"{"model":"m",@,"max_tokens":9}"#);
    becomes(&limit(10), r#"{"model":"m",@}"#, r#"{"max_tokens":10,"model":"m",@}"#);
    becomes(&limit(10), r#"{"model":"m",@,"max_tokens": null}"#, r#"{"model":"m",@,"max_tokens": 10}"#);
    becomes(
        &limit(10),
        r#"{"model":"m",@,"max_completion_tokens":99,"max_tokens":null}"#,
        r#"{"model":"m",@,"max_completion_tokens":10,"max_tokens":null}"#,
    );
    becomes(
        &limit(10),
        r#"{"max_tokens":5,"model":"m",@,"max_completion_tokens":50}"#,
        r#"{"max_tokens":5,"model":"m",@,"max_completion_tokens":10}"#,
    );
    // Unknown here, so not ours to touch.
    becomes(
        &limit(10),
        r#"{"model":"m",@,"max_output_tokens":99}"#,
        r#"{"max_tokens":10,"model":"m",@,"max_output_tokens":99}"#,
    );
}

#[test]
fn limits_by_endpoint() {
    let limit = Changes { max_output_tokens: Some(10), ..Changes::default() };
    let messages = with_messages(r#"{"model":"m",@,"max_tokens":4096}"#);
    assert_eq!(
        change_at(Endpoint::Messages, &messages, &limit),
        with_messages(r#"{"model":"m",@,"max_tokens":10}"#)
    );
    let responses = r#"{"model":"m","input":"q","max_output_tokens":4096}"#;
    assert_eq!(
        change_at(Endpoint::Responses, responses, &limit),
        r#"{"model":"m","input":"q","max_output_tokens":10}"#
    );
    assert_eq!(
        change_at(Endpoint::Responses, r#"{"model":"m","input":"q"}"#, &limit),
        r#"{"max_output_tokens":10,"model":"m","input":"q"}"#
    );
    // Nothing is generated, so there is nothing to limit.
    let embeddings = r#"{"model":"m","input":"q"}"#;
    assert_eq!(change_at(Endpoint::Embeddings, embeddings, &limit), embeddings);
    let counted = with_messages(r#"{"model":"m",@}"#);
    assert_eq!(change_at(Endpoint::CountTokens, &counted, &limit), counted);
}

#[test]
fn usage_is_asked_for_within_what_stands_there() {
    const ASK: Changes<'static> = Changes { model: None, max_output_tokens: None, stream_usage: true };
    for (before, after) in [
        ("", None),
        (r#","stream_options":null"#, Some(r#","stream_options":{"include_usage":true}"#)),
        (r#","stream_options":{}"#, Some(r#","stream_options":{"include_usage":true}"#)),
        (r#","stream_options": { }"#, Some(r#","stream_options": {"include_usage":true }"#)),
        (r#","stream_options":{"include_usage":false}"#, Some(r#","stream_options":{"include_usage":true}"#)),
        (
            r#","stream_options":{"include_usage": null ,"x":1}"#,
            Some(r#","stream_options":{"include_usage": true ,"x":1}"#),
        ),
        (
            r#","stream_options":{ "b" :[1, 2],"a":1.50}"#,
            Some(r#","stream_options":{"include_usage":true, "b" :[1, 2],"a":1.50}"#),
        ),
        (
            r#","stream_options":{"include\u005fusage":false}"#,
            Some(r#","stream_options":{"include\u005fusage":true}"#),
        ),
        (
            r#","stream_options":{"include_usage":false,"include_usage":true}"#,
            Some(r#","stream_options":{"include_usage":true,"include_usage":true}"#),
        ),
    ] {
        let stated = with_messages(&format!(r#"{{"model":"m","stream":true,@{before}}}"#));
        let expected = match after {
            Some(after) => with_messages(&format!(r#"{{"model":"m","stream":true,@{after}}}"#)),
            None => with_messages(r#"{"stream_options":{"include_usage":true},"model":"m","stream":true,@}"#),
        };
        assert_eq!(change(&stated, &ASK), expected);
    }
}

#[test]
fn usage_is_asked_for_on_streams_of_chats_and_completions_only() {
    const ASK: Changes<'static> = Changes { model: None, max_output_tokens: None, stream_usage: true };
    for body in [r#"{"model":"m",@}"#, r#"{"model":"m","stream":false,@,"stream_options":{}}"#] {
        becomes(&ASK, body, body);
    }
    let messages = with_messages(r#"{"model":"m","stream":true,@}"#);
    assert_eq!(change_at(Endpoint::Messages, &messages, &ASK), messages);
    let responses = r#"{"model":"m","stream":true,"input":"q"}"#;
    assert_eq!(change_at(Endpoint::Responses, responses, &ASK), responses);
    assert_eq!(
        change_at(Endpoint::Completions, r#"{"model":"m","stream":true,"prompt":"q"}"#, &ASK),
        r#"{"stream_options":{"include_usage":true},"model":"m","stream":true,"prompt":"q"}"#
    );
}

#[test]
fn all_changes_at_once() {
    becomes(
        &Changes { model: Some("gpt"), max_output_tokens: Some(10), stream_usage: true },
        r#"{"stream":true,@,"model":"auto","temperature":0}"#,
        r#"{"max_tokens":10,"stream_options":{"include_usage":true},"stream":true,@,"model":"gpt","temperature":0}"#,
    );
}

#[test]
fn a_body_that_the_splices_are_not_from_is_no_panic() {
    let body = with_messages(r#"{"model":"m",@,"stream":true,"stream_options":{"x":1},"max_tokens":100}"#);
    let digest = Digest::read(Endpoint::ChatCompletions, body.as_bytes(), &KEY).expect("well formed");
    let changes = Changes { model: Some("gpt"), max_output_tokens: Some(10), stream_usage: true };
    for other in ["", "{}", "x", "ééééééééééééééé", &body[..body.len() / 2]] {
        let _ = digest.splices.apply(&Bytes::copy_from_slice(other.as_bytes()), &changes);
    }
}

/// A member of the top-level object, well formed or nearly so.
fn member() -> impl Strategy<Value = String> {
    let value = prop_oneof![
        Just("null"),
        Just("true"),
        Just("0"),
        Just("17"),
        Just("1e3"),
        Just("\"text\""),
        Just("[]"),
        Just("{}"),
        Just("{\"include_usage\":false,\"x\" : [1]}"),
        Just("{ \"include_usage\" : null }"),
        Just("{\"y\":{}}"),
        Just("[{\"role\":\"user\",\"content\":\"q\"}]"),
        Just("[{\"role\":\"user\",\"content\":[{\"type\":\"text\",\"text\":\"é\\u00e9\"}]}]"),
    ];
    let name = prop_oneof![
        Just("model"),
        Just("messages"),
        Just("stream"),
        Just("stream_options"),
        Just("max_tokens"),
        Just("input"),
        Just("max_completion_tokens"),
        Just("max_output_tokens"),
        Just("temperature"),
        Just("prompt"),
        Just("x"),
    ];
    let blank = || prop_oneof![Just(""), Just(" "), Just("\n\t")];
    (blank(), name, blank(), blank(), value, blank())
        .prop_map(|(a, name, b, c, value, d)| format!("{a}\"{name}\"{b}:{c}{value}{d}"))
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2_000))]

    #[test]
    fn everything_else_is_byte_identical(
        members in prop::collection::vec(member(), 0..6),
        place in 0_usize..6,
        content in prop::sample::select(vec!["\"messages\":[{\"role\":\"user\",\"content\":\"q\"}]", "\"input\":\"q\"", "\"prompt\":\"q\""]),
    ) {
        let mut members = members;
        members.insert(place.min(members.len()), format!("\"model\": \"auto\",{content}"));
        invariants::check(format!("{{{}}}", members.join(",")).as_bytes());
    }

    #[test]
    fn any_bytes_at_all(body in prop::collection::vec(any::<u8>(), 0..200)) {
        invariants::check(&body);
    }
}
