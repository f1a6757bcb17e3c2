//! What can be wrong with an answer that arrived in good order.
//!
//! Only what a machine can tell: empty, cut at the token limit, a refusal in so many words, no JSON where JSON was asked for, tool
//! arguments that are none. In the hybrid band such an answer of an internal model is replaced by an external one.

use std::borrow::Cow;

use router_core::{Capabilities, Capability};
use serde::Deserialize;
use serde::de::IgnoredAny;
use serde_json::Value;
use serde_json::value::RawValue;

use crate::relay::Relay;
use crate::wire::finish::Finish;
use crate::wire::reading::Reading;

/// A refusal stands at the beginning: so many characters of the text are looked at.
const OPENING_CHARS: usize = 160;

/// How models begin to refuse, in lower case with plain apostrophes. Each names the speaker and the refusal, so that an answer which only
/// mentions one ("I can't believe …") does not match.
const REFUSALS: [&str; 12] = [
    "i can't help with",
    "i cannot help with",
    "i can't assist with",
    "i cannot assist with",
    "i'm unable to help",
    "i am unable to help",
    "i'm unable to assist",
    "i can't provide",
    "i cannot provide",
    "i'm sorry, but i can't",
    "i'm sorry, but i cannot",
    "as an ai language model, i",
];

/// The parts of a plain answer that can be wrong; all else is passed over.
#[derive(Deserialize)]
struct Answer<'a> {
    #[serde(borrow, default)]
    choices: Option<Vec<Choice<'a>>>,
    #[serde(borrow, default)]
    content: Option<Vec<Block<'a>>>,
}

#[derive(Deserialize)]
struct Choice<'a> {
    #[serde(borrow, default)]
    message: Option<Message<'a>>,
}

#[derive(Deserialize)]
struct Message<'a> {
    /// A string, or whatever else a provider thinks of.
    #[serde(borrow, default)]
    content: Option<&'a RawValue>,
    #[serde(borrow, default)]
    tool_calls: Option<Vec<Call<'a>>>,
}

#[derive(Deserialize)]
struct Call<'a> {
    #[serde(borrow, default)]
    function: Option<Function<'a>>,
}

#[derive(Deserialize)]
struct Function<'a> {
    #[serde(borrow, default)]
    arguments: Option<Cow<'a, str>>,
}

#[derive(Deserialize)]
struct Block<'a> {
    #[serde(borrow, default)]
    text: Option<Cow<'a, str>>,
}

/// What has been seen of an answer.
#[derive(Debug, Default)]
pub struct Seen {
    text: String,
    arguments: Vec<String>,
    /// Whether this is all of it.
    whole: bool,
    reading: Reading,
}

impl Seen {
    /// A plain answer.
    #[must_use]
    pub fn of_body(body: &[u8], reading: &Reading) -> Self {
        let mut seen = Self { whole: true, reading: reading.clone(), ..Self::default() };
        if let Ok(answer) = serde_json::from_slice::<Answer<'_>>(body) {
            seen.add_answer(answer);
        }
        seen
    }

    /// What a stream holds back.
    #[must_use]
    pub fn of_stream(relay: &Relay) -> Self {
        let reading = relay.reading();
        let mut seen = Self { whole: reading.ended, reading, ..Self::default() };
        for piece in relay.held_back() {
            for line in piece.split(|byte| *byte == b'\n') {
                if let Some(Ok(event)) = line.strip_prefix(b"data:").map(serde_json::from_slice::<Value>) {
                    seen.add_event(&event);
                }
            }
        }
        seen
    }

    /// OpenAI chat and Anthropic messages.
    fn add_answer(&mut self, answer: Answer<'_>) {
        let message =
            answer.choices.and_then(|choices| choices.into_iter().next()).and_then(|first| first.message);
        if let Some(Message { content, tool_calls }) = message {
            let text = content.and_then(|content| serde_json::from_str::<Cow<'_, str>>(content.get()).ok());
            self.text.push_str(&text.unwrap_or_default());
            let functions = tool_calls.into_iter().flatten().filter_map(|call| call.function?.arguments);
            self.arguments.extend(functions.map(Cow::into_owned));
        }
        for text in answer.content.into_iter().flatten().filter_map(|block| block.text) {
            self.text.push_str(&text);
        }
    }

    fn add_event(&mut self, event: &Value) {
        self.add_text(&event["choices"][0]["delta"]["content"]);
        self.add_text(&event["delta"]["text"]);
    }

    fn add_text(&mut self, text: &Value) {
        self.text.push_str(text.as_str().unwrap_or_default());
    }

    /// The first thing wrong with it.
    #[must_use]
    pub fn flaw(&self, needs: Capabilities) -> Option<&'static str> {
        let Reading { finish, refusal, tool_calls, text_bytes, .. } = &self.reading;
        if *refusal || matches!(finish, Some(Finish::Refusal | Finish::ContentFilter)) || self.refuses() {
            return Some("a refusal");
        }
        if *finish == Some(Finish::Length) {
            return Some("cut at its token limit");
        }
        if !self.whole {
            return None;
        }
        if *text_bytes == 0 && !tool_calls {
            return Some("empty");
        }
        if self.arguments.iter().any(|arguments| !is_json(arguments)) {
            return Some("tool arguments that are not JSON");
        }
        let wants_json = needs.contains(Capability::JsonSchema) && !tool_calls;
        (wants_json && !is_json(&self.text)).then_some("no JSON where JSON was asked for")
    }

    fn refuses(&self) -> bool {
        let opening: String = self.text.chars().take(OPENING_CHARS).collect();
        let opening = opening.to_lowercase().replace('\u{2019}', "'");
        REFUSALS.iter().any(|refusal| opening.contains(refusal))
    }
}

fn is_json(text: &str) -> bool {
    serde_json::from_str::<IgnoredAny>(text).is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::reading::read_body;

    fn flaw(body: &str, needs: Capabilities) -> Option<&'static str> {
        Seen::of_body(body.as_bytes(), &read_body(body.as_bytes())).flaw(needs)
    }

    fn chat(content: &str, finish: &str) -> String {
        serde_json::json!({"choices": [{"message": {"role": "assistant", "content": content}, "finish_reason": finish}]}).to_string()
    }

    #[test]
    fn what_a_machine_can_tell_is_told() {
        let none = Capabilities::NONE;
        assert_eq!(flaw(&chat("Paris.", "stop"), none), None);
        assert_eq!(flaw(&chat("", "stop"), none), Some("empty"));
        assert_eq!(flaw(&chat("Once upon a", "length"), none), Some("cut at its token limit"));
        assert_eq!(flaw(&chat("I\u{2019}m sorry, but I can't do that.", "stop"), none), Some("a refusal"));
        assert_eq!(flaw(&chat("I can't believe how well it went!", "stop"), none), None);
        let schema = none.with(Capability::JsonSchema);
        assert_eq!(flaw(&chat("{\"a\":1}", "stop"), schema), None);
        assert_eq!(flaw(&chat("{\"a\":", "stop"), schema), Some("no JSON where JSON was asked for"));
    }

    #[test]
    fn tool_arguments_must_be_json() {
        let call = |arguments: &str| {
            let call = serde_json::json!({"id": "c", "type": "function", "function": {"name": "f", "arguments": arguments}});
            serde_json::json!({"choices": [{"message": {"content": null, "tool_calls": [call]}, "finish_reason": "tool_calls"}]}).to_string()
        };
        assert_eq!(flaw(&call("{\"city\":\"Rome\"}"), Capabilities::NONE), None);
        assert_eq!(flaw(&call("{\"city\":"), Capabilities::NONE), Some("tool arguments that are not JSON"));
    }

    #[test]
    fn an_anthropic_refusal_is_one() {
        let body = r#"{"type":"message","content":[{"type":"text","text":"I cannot help with that."}],"stop_reason":"end_turn"}"#;
        assert_eq!(flaw(body, Capabilities::NONE), Some("a refusal"));
    }
}
