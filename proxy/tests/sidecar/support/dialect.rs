//! The two dialects, so that one test speaks both.

use serde_json::{Value, json};

/// A dialect as a caller speaks it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Speech {
    OpenAi,
    Anthropic,
}

pub const DIALECTS: [Speech; 2] = [Speech::OpenAi, Speech::Anthropic];

impl Speech {
    pub fn path(self) -> &'static str {
        match self {
            Self::OpenAi => "/v1/chat/completions",
            Self::Anthropic => "/v1/messages",
        }
    }

    /// What SDKs of this dialect send.
    pub fn headers(self) -> &'static [(&'static str, &'static str)] {
        match self {
            Self::OpenAi => &[],
            Self::Anthropic => &[("anthropic-version", "2023-06-01")],
        }
    }

    /// The model of the internal provider.
    pub fn small(self) -> &'static str {
        match self {
            Self::OpenAi => "small",
            Self::Anthropic => "small-a",
        }
    }

    /// The event that says: this answer is complete.
    pub fn terminator(self) -> &'static str {
        match self {
            Self::OpenAi => "data: [DONE]",
            Self::Anthropic => "event: message_stop",
        }
    }

    /// A request of one user turn to the small model.
    pub fn body(self, prompt: &str, more: Value) -> Value {
        self.body_to(self.small(), prompt, more)
    }

    pub fn body_to(self, model: &str, prompt: &str, more: Value) -> Value {
        match self {
            Self::OpenAi => chat_with(model, prompt, more),
            Self::Anthropic => message(model, prompt, more),
        }
    }

    /// A streamed request of one user turn to the small model, with the dialect's way to ask for usage.
    pub fn streamed(self, prompt: &str) -> Value {
        match self {
            Self::OpenAi => {
                let usage = json!({"stream": true, "stream_options": {"include_usage": true}});
                self.body(prompt, usage)
            }
            Self::Anthropic => self.body(prompt, json!({"stream": true})),
        }
    }

    /// The text of a plain answer.
    pub fn text(self, answer: &Value) -> String {
        let text = match self {
            Self::OpenAi => &answer["choices"][0]["message"]["content"],
            Self::Anthropic => &answer["content"][0]["text"],
        };
        text.as_str().unwrap_or_default().to_owned()
    }

    /// The text in one event of a stream.
    pub fn delta(self, event: &Value) -> &str {
        let text = match self {
            Self::OpenAi => &event["choices"][0]["delta"]["content"],
            Self::Anthropic => &event["delta"]["text"],
        };
        text.as_str().unwrap_or_default()
    }

    /// The text of a whole stream.
    pub fn streamed_text(self, stream: &[u8]) -> String {
        super::data(stream).iter().map(|event| self.delta(event)).collect()
    }

    /// Whether these are the keys of the dialect's errors, and these alone.
    pub fn is_error(self, body: &Value) -> bool {
        let keys = |value: &Value| {
            let mut keys: Vec<_> = value.as_object().into_iter().flat_map(|o| o.keys().cloned()).collect();
            keys.sort();
            keys
        };
        match self {
            Self::OpenAi => {
                keys(body) == ["error"] && keys(&body["error"]) == ["code", "message", "param", "type"]
            }
            Self::Anthropic => {
                body["type"] == "error"
                    && keys(body) == ["error", "type"]
                    && keys(&body["error"]) == ["code", "message", "type"]
            }
        }
    }
}

/// A chat request of one user turn.
pub fn chat(model: &str, prompt: &str) -> Value {
    json!({"model": model, "messages": [{"role": "user", "content": prompt}]})
}

/// The same with more fields.
pub fn chat_with(model: &str, prompt: &str, more: Value) -> Value {
    merged(chat(model, prompt), more)
}

/// A messages request of one user turn.
pub fn message(model: &str, prompt: &str, more: Value) -> Value {
    chat_with(model, prompt, merged(json!({"max_tokens": 200}), more))
}

/// The fields of both; the second wins.
pub fn merged(mut a: Value, b: Value) -> Value {
    for (name, value) in b.as_object().unwrap() {
        a[name] = value.clone();
    }
    a
}
