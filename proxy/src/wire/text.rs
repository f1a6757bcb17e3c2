//! What an answer says.

use bytes::Bytes;
use router_core::{Endpoint, Framing};
use serde_json::Value;

use super::replay::{Wanted, replay};

/// The text of a complete answer, all parts of it; `None` where it has none or cannot be read, and for an answer that calls tools,
/// which is more than its text.
#[must_use]
pub fn of_answer(endpoint: Endpoint, framing: Framing, body: &Bytes) -> Option<String> {
    let wanted = Wanted { framing: Framing::Plain, include_usage: false };
    let plain = replay(endpoint, framing, body, wanted)?;
    let answer: Value = serde_json::from_slice(&plain).ok()?;
    let mut text = String::new();
    match endpoint {
        Endpoint::ChatCompletions => {
            let message = &answer["choices"][0]["message"];
            if message["tool_calls"].as_array().is_some_and(|calls| !calls.is_empty()) {
                return None;
            }
            add(&mut text, &message["content"]);
        }
        Endpoint::Completions => add(&mut text, &answer["choices"][0]["text"]),
        Endpoint::Messages => {
            let blocks = answer["content"].as_array()?;
            if blocks.iter().any(|block| block["type"] == "tool_use") {
                return None;
            }
            blocks.iter().for_each(|block| add(&mut text, &block["text"]));
        }
        Endpoint::Responses => {
            let items = answer["output"].as_array()?;
            for part in items.iter().filter_map(|item| item["content"].as_array()).flatten() {
                add(&mut text, &part["text"]);
            }
        }
        Endpoint::Embeddings | Endpoint::CountTokens => return None,
    }
    (!text.is_empty()).then_some(text)
}

/// A string, or parts that have a text.
fn add(text: &mut String, content: &Value) {
    match content {
        Value::String(string) => text.push_str(string),
        Value::Array(parts) => parts.iter().for_each(|part| add(text, &part["text"])),
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(endpoint: Endpoint, framing: Framing, body: &'static str) -> Option<String> {
        of_answer(endpoint, framing, &Bytes::from_static(body.as_bytes()))
    }

    #[test]
    fn every_shape_is_read() {
        let plain = Framing::Plain;
        for (endpoint, body) in [
            (Endpoint::ChatCompletions, r#"{"choices":[{"message":{"content":"Hi there"}}]}"#),
            (
                Endpoint::ChatCompletions,
                r#"{"choices":[{"message":{"content":[{"type":"text","text":"Hi there"}]}}]}"#,
            ),
            (Endpoint::Completions, r#"{"choices":[{"text":"Hi there"}]}"#),
            (
                Endpoint::Messages,
                r#"{"content":[{"type":"text","text":"Hi "},{"type":"text","text":"there"}]}"#,
            ),
            (
                Endpoint::Responses,
                r#"{"output":[{"type":"message","content":[{"type":"output_text","text":"Hi there"}]}]}"#,
            ),
        ] {
            assert_eq!(text(endpoint, plain, body).as_deref(), Some("Hi there"), "{body}");
        }
        for (endpoint, body) in [
            (Endpoint::ChatCompletions, r#"{"choices":[{"message":{"content":"","tool_calls":[{}]}}]}"#),
            (Endpoint::Messages, r#"{"content":[{"type":"text","text":"Hi"},{"type":"tool_use"}]}"#),
            (Endpoint::Embeddings, r#"{"data":[]}"#),
            (Endpoint::ChatCompletions, "no JSON"),
        ] {
            assert_eq!(text(endpoint, plain, body), None, "{body}");
        }
    }

    #[test]
    fn a_stream_says_what_its_pieces_say() {
        let event = |delta: &str, finish: &str| {
            let head = r#"{"id":"c","object":"chat.completion.chunk","created":1,"model":"m","choices":[{"index":0,"#;
            format!("data: {head}\"delta\":{delta},\"finish_reason\":{finish}}}]}}\n\n")
        };
        let stream = [
            event(r#"{"role":"assistant","content":"Hi "}"#, "null"),
            event(r#"{"content":"there"}"#, "null"),
            event("{}", "\"stop\""),
            concat!(
                r#"data: {"id":"c","object":"chat.completion.chunk","created":1,"model":"m","choices":[],"#,
                r#""usage":{"prompt_tokens":3,"completion_tokens":2,"total_tokens":5}}"#,
                "\n\ndata: [DONE]\n\n"
            )
            .to_owned(),
        ]
        .concat();
        let said = of_answer(Endpoint::ChatCompletions, Framing::Stream, &Bytes::from(stream));
        assert_eq!(said.as_deref(), Some("Hi there"));
    }
}
