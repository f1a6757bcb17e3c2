//! What is refused, with the field at fault, and what is bounded.

use router_core::{BodyFault, Digest, Endpoint};
use serde_json::json;

use super::{KEY, chat, read};

/// Bodies that must be refused, with the field at fault (none: not JSON).
const REFUSED: &[(Endpoint, &str, Option<&str>)] = {
    use Endpoint::{
        ChatCompletions as C, Completions as P, CountTokens as N, Embeddings as E, Messages as M,
        Responses as R,
    };
    &[
        (C, "", None),
        (C, "   ", None),
        (C, "null", None),
        (C, "[]", None),
        (C, "\"text\"", None),
        (C, "{", None),
        (C, "{\"model\":\"m\"", None),
        (C, "{\"model\":\"m\",}", None),
        (C, "{'model':'m'}", None),
        (C, "{\"model\":\"m\"} {}", None),
        (C, "{\"model\":\"m\"}x", None),
        (C, "\u{feff}{\"model\":\"m\"}", None),
        (C, "{\"model\":\"m\",\"messages\":[{\"role\":\"user\",\"content\":\"q\"}", None),
        (C, "{\"model\":\"m\",\"messages\":[{\"role\":\"user\",\"content\":\"a\nb\"}]}", None),
        (C, "{\"model\":\"m\",\"messages\":[{\"role\":\"user\",\"content\":\"\\ud800\"}]}", None),
        (C, "{\"model\":\"m\",\"x\":01}", None),
        (C, "{\"model\":\"m\",\"x\":NaN}", None),
        (C, "{\"model\":\"m\",\"x\":1e999}", None),
        (C, "{}", Some("model")),
        (C, "{\"messages\":[{\"role\":\"user\",\"content\":\"q\"}]}", Some("model")),
        (C, "{\"model\":5}", Some("model")),
        (C, "{\"model\":null}", Some("model")),
        (C, "{\"model\":\"\"}", Some("model")),
        (C, "{\"model\":[\"m\"]}", Some("model")),
        (C, "{\"model\":\"m\"}", Some("messages")),
        (C, "{\"model\":\"m\",\"messages\":null}", Some("messages")),
        (C, "{\"model\":\"m\",\"messages\":[]}", Some("messages")),
        (C, "{\"model\":\"m\",\"messages\":\"hello\"}", Some("messages")),
        (C, "{\"model\":\"m\",\"messages\":{\"role\":\"user\"}}", Some("messages")),
        (C, "{\"model\":\"m\",\"messages\":7}", Some("messages")),
        (C, "{\"model\":\"m\",\"messages\":true}", Some("messages")),
        (C, "{\"model\":\"m\",\"messages\":[\"hello\"]}", Some("messages")),
        (C, "{\"model\":\"m\",\"messages\":[null]}", Some("messages")),
        (C, "{\"model\":\"m\",\"messages\":[[]]}", Some("messages")),
        (C, "{\"model\":\"m\",\"messages\":[1]}", Some("messages")),
        (C, "{\"model\":\"m\",\"messages\":[{}]}", Some("messages")),
        (C, "{\"model\":\"m\",\"messages\":[{\"content\":\"q\"}]}", Some("messages")),
        (C, "{\"model\":\"m\",\"messages\":[{\"role\":null,\"content\":\"q\"}]}", Some("messages")),
        (C, "{\"model\":\"m\",\"messages\":[{\"role\":5,\"content\":\"q\"}]}", Some("messages")),
        (C, "{\"model\":\"m\",\"messages\":[{\"role\":[],\"content\":\"q\"}]}", Some("messages")),
        (C, "{\"model\":\"m\",\"messages\":[{\"role\":\"user\",\"content\":5}]}", Some("messages")),
        (C, "{\"model\":\"m\",\"messages\":[{\"role\":\"user\",\"content\":true}]}", Some("messages")),
        (C, "{\"model\":\"m\",\"messages\":[{\"role\":\"user\",\"content\":{}}]}", Some("messages")),
        (C, "{\"model\":\"m\",\"messages\":[{\"role\":\"user\",\"content\":[\"q\"]}]}", Some("messages")),
        (C, "{\"model\":\"m\",\"messages\":[{\"role\":\"user\",\"content\":[[]]}]}", Some("messages")),
        (
            C,
            "{\"model\":\"m\",\"messages\":[{\"role\":\"user\",\"content\":[{\"type\":\"text\",\"text\":5}]}]}",
            Some("messages"),
        ),
        (
            C,
            "{\"model\":\"m\",\"messages\":[{\"role\":\"user\",\"content\":\"q\"},{\"content\":\"r\"}]}",
            Some("messages"),
        ),
        (C, "{\"model\":\"m\",\"stream\":\"yes\"}", Some("stream")),
        (C, "{\"model\":\"m\",\"stream\":1}", Some("stream")),
        (C, "{\"model\":\"m\",\"stream_options\":true}", Some("stream_options")),
        (C, "{\"model\":\"m\",\"stream_options\":[]}", Some("stream_options")),
        (C, "{\"model\":\"m\",\"stream_options\":{\"include_usage\":\"yes\"}}", Some("stream_options")),
        (C, "{\"model\":\"m\",\"temperature\":\"hot\"}", Some("temperature")),
        (C, "{\"model\":\"m\",\"temperature\":[]}", Some("temperature")),
        (C, "{\"model\":\"m\",\"max_tokens\":-1}", Some("max_tokens")),
        (C, "{\"model\":\"m\",\"max_tokens\":\"many\"}", Some("max_tokens")),
        (C, "{\"model\":\"m\",\"max_tokens\":1.5}", Some("max_tokens")),
        (C, "{\"model\":\"m\",\"max_tokens\":99999999999999999999}", Some("max_tokens")),
        (C, "{\"model\":\"m\",\"max_completion_tokens\":-1}", Some("max_completion_tokens")),
        (C, "{\"model\":\"m\",\"n\":\"two\"}", Some("n")),
        (C, "{\"model\":\"m\",\"n\":-2}", Some("n")),
        (C, "{\"model\":\"m\",\"tools\":\"f\"}", Some("tools")),
        (C, "{\"model\":\"m\",\"tools\":{}}", Some("tools")),
        (C, "{\"model\":\"m\",\"functions\":5}", Some("functions")),
        (C, "{\"model\":\"m\",\"response_format\":\"json\"}", Some("response_format")),
        (M, "{\"model\":\"m\",\"max_tokens\":5}", Some("messages")),
        (M, "{\"model\":\"m\",\"messages\":[{\"content\":\"q\"}]}", Some("messages")),
        (M, "{\"model\":\"m\",\"messages\":[],\"system\":\"s\"}", Some("messages")),
        (M, "{\"model\":\"m\",\"system\":5}", Some("system")),
        (M, "{\"model\":\"m\",\"system\":{}}", Some("system")),
        (M, "{\"model\":\"m\",\"system\":[\"s\"]}", Some("system")),
        (M, "{\"model\":\"m\",\"max_tokens\":-1}", Some("max_tokens")),
        (M, "{\"model\":\"m\",\"output_config\":5}", Some("output_config")),
        (N, "{\"model\":\"m\"}", Some("messages")),
        (R, "{\"model\":\"m\",\"input\":5}", Some("input")),
        (R, "{\"model\":\"m\",\"input\":{}}", Some("input")),
        (R, "{\"model\":\"m\",\"input\":[\"q\"]}", Some("input")),
        (R, "{\"model\":\"m\",\"input\":[{\"role\":\"user\",\"content\":5}]}", Some("input")),
        (R, "{\"model\":\"m\",\"instructions\":5}", Some("instructions")),
        (R, "{\"model\":\"m\",\"max_output_tokens\":-1}", Some("max_output_tokens")),
        (R, "{\"model\":\"m\",\"text\":\"json\"}", Some("text")),
        (R, "{\"input\":\"q\"}", Some("model")),
        (E, "{\"model\":\"m\"}", Some("input")),
        (E, "{\"model\":\"m\",\"input\":null}", Some("input")),
        (E, "{\"model\":\"m\",\"input\":[]}", Some("input")),
        (E, "{\"model\":\"m\",\"input\":5}", Some("input")),
        (E, "{\"model\":\"m\",\"input\":{}}", Some("input")),
        (P, "{\"model\":\"m\"}", Some("prompt")),
        (P, "{\"model\":\"m\",\"prompt\":true}", Some("prompt")),
    ]
};

#[test]
fn malformed_bodies_are_refused_with_the_field_at_fault() {
    let mut failures = Vec::new();
    for (endpoint, body, param) in REFUSED {
        match read(*endpoint, body) {
            Ok(_) => failures.push(format!("{endpoint} {body}: accepted")),
            Err(fault) if fault.param() != *param => {
                failures.push(format!("{endpoint} {body}: {:?}, not {param:?} ({fault})", fault.param()));
            }
            Err(_) => {}
        }
    }
    assert!(failures.is_empty(), "{}", failures.join("\n"));
}

#[test]
fn messages_say_what_would_be_right() {
    let says = |body| read(Endpoint::ChatCompletions, body).expect_err("malformed").to_string();
    assert_eq!(says(r#"{"model":"m"}"#), "'messages' must be a non-empty array of messages");
    assert_eq!(says(r#"{"model":"m","max_tokens":-1}"#), "'max_tokens' must be a positive integer");
    assert_eq!(
        says(r#"{"model":"m","messages":[{"role":"user","content":5}]}"#),
        "'messages' is malformed: expected content as a string or an array of parts at line 1 column 51"
    );
    assert!(says("{\"model\":").starts_with("the request body is not valid JSON: EOF"));
}

#[test]
fn the_first_fault_in_the_body_is_told() {
    let body = r#"{"model":"m","stream":"yes","max_tokens":-1}"#;
    let fault = read(Endpoint::ChatCompletions, body).expect_err("two faults");
    assert_eq!(fault.param(), Some("stream"));
}

#[test]
fn text_that_is_not_utf_8_is_refused() {
    let mut body = br#"{"model":"m","messages":[{"role":"user","content":"?"}]}"#.to_vec();
    let at = body.iter().position(|byte| *byte == b'?').expect("the mark");
    for bad in [&b"\xff"[..], b"\xc3", b"\xed\xa0\x80", b"\xf8\x88\x80\x80\x80"] {
        body.splice(at..body.len() - 4, bad.iter().copied());
        let fault = Digest::read(Endpoint::ChatCompletions, &body, &KEY).expect_err("not UTF-8");
        assert!(matches!(&fault, BodyFault::Json(_)), "{fault}");
    }
}

#[test]
fn nesting_is_bounded() {
    let nested = |depth: usize| {
        let (open, close) = ("[".repeat(depth), "]".repeat(depth));
        read(
            Endpoint::ChatCompletions,
            &format!(r#"{{"model":"m","messages":[{{"role":"user","content":"q"}}],"x":{open}{close}}}"#),
        )
    };
    assert!(nested(100).is_ok());
    for depth in [128, 10_000, 1_000_000] {
        let fault = nested(depth).expect_err("too deep");
        assert!(matches!(&fault, BodyFault::Json(why) if why.contains("recursion")), "{fault}");
    }
    let objects = format!("{}1{}", "{\"a\":".repeat(5_000), "}".repeat(5_000));
    for field in ["messages", "stream_options", "tools", "metadata", "model", "max_tokens"] {
        let body = format!(r#"{{"model":"m","{field}":{objects}}}"#);
        assert!(read(Endpoint::ChatCompletions, &body).is_err(), "{field}");
    }
}

#[test]
fn ten_megabytes_are_read() {
    let question = "A sentence of a very long document. ".repeat(300_000);
    let digest = chat(json!([{"role": "user", "content": question}]));
    assert_eq!(digest.prompt().question.len(), question.len());
    assert!((2_000_000..4_000_000).contains(&digest.prompt_tokens), "{}", digest.prompt_tokens);
}

#[test]
fn many_members_are_read_in_a_time_that_grows_with_their_number() {
    // Compared with one another, so many names would take minutes.
    let members: String = (0..200_000).map(|n| format!(",\"{n:x}\":0")).collect();
    let body = format!(r#"{{"model":"m","messages":[{{"role":"user","content":"q"}}]{members}}}"#);
    assert!(!read(Endpoint::ChatCompletions, &body).expect("well formed").ambiguous);
    let body = body.replacen(",\"ffff\":0", ",\"fffe\":0", 1);
    assert!(read(Endpoint::ChatCompletions, &body).expect("well formed").ambiguous);
}

#[test]
fn a_model_name_is_bounded() {
    let named = |length: usize| {
        let body = json!({"model": "m".repeat(length), "messages": [{"role": "user", "content": "q"}]});
        read(Endpoint::ChatCompletions, &body.to_string())
    };
    assert!(named(512).is_ok());
    assert_eq!(named(513).expect_err("too long").param(), Some("model"));
}
