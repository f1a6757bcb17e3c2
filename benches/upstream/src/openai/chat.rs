//! `POST /v1/chat/completions`.

use serde_json::Value;

use super::CREATED;
use crate::answer::{Answer, Content, Finish, Usage};
use crate::json::{Json, object};
use crate::prompt::{Format, Invalid, Prompt};
use crate::reply::{Events, Reply, tokens_of};

pub(crate) fn read(body: &Value, digest: u64) -> Result<Prompt, Invalid> {
    let mut prompt = Prompt::try_new(body, digest)?;
    let messages = body["messages"].as_array().ok_or_else(|| Invalid::missing("messages"))?;
    if messages.is_empty() {
        return Err(Invalid::new("Invalid 'messages': empty array.", Some("messages")));
    }
    for message in messages {
        prompt.hear(message["role"].as_str().unwrap_or_default(), &message["content"]);
    }
    prompt.format = Format::read(&body["response_format"]);
    prompt.think(&body["reasoning_effort"]);
    Ok(prompt)
}

pub(crate) fn render(prompt: &Prompt, answer: &Answer, fingerprint: &str) -> Reply {
    let completion = Completion { prompt, answer, fingerprint };
    if prompt.stream {
        return Reply::stream(completion.events(), prompt.input_tokens());
    }
    let output_tokens = tokens_of(&answer.content.text()) + prompt.reasoning_tokens;
    Reply::answer(&completion.body(), prompt.input_tokens(), output_tokens)
}

/// The usage object of chat and completions.
pub(super) fn usage(usage: &Usage) -> Json {
    object! {
        "prompt_tokens": usage.input,
        "completion_tokens": usage.output,
        "total_tokens": usage.total(),
        "prompt_tokens_details": object! {
            "cached_tokens": usage.cached,
            "cache_write_tokens": usage.written,
            "audio_tokens": 0_u32,
        },
        "completion_tokens_details": object! {
            "reasoning_tokens": usage.reasoning,
            "audio_tokens": 0_u32,
            "accepted_prediction_tokens": 0_u32,
            "rejected_prediction_tokens": 0_u32,
        },
    }
}

pub(super) fn finish_reason(finish: Finish) -> &'static str {
    match finish {
        Finish::Stop | Finish::Refusal => "stop",
        Finish::Length => "length",
        Finish::ToolCall => "tool_calls",
    }
}

struct Completion<'a> {
    prompt: &'a Prompt,
    answer: &'a Answer,
    fingerprint: &'a str,
}

impl Completion<'_> {
    fn id(&self) -> String {
        format!("chatcmpl-{:016x}", self.prompt.digest)
    }

    fn call_id(&self) -> String {
        format!("call_{:016x}", self.prompt.digest)
    }

    fn body(&self) -> Json {
        let choice = object! {
            "index": 0_u32,
            "message": self.message(),
            "logprobs": Json::NULL,
            "finish_reason": finish_reason(self.answer.finish),
        };
        let body = object! {
            "id": self.id(),
            "object": "chat.completion",
            "created": CREATED,
            "model": &self.prompt.model,
            "choices": vec![choice],
        };
        let body = match &self.answer.usage {
            Some(counts) => body.with("usage", usage(counts)),
            None => body,
        };
        body.with("service_tier", "default").with("system_fingerprint", self.fingerprint)
    }

    fn message(&self) -> Json {
        let text = self.answer.content.text();
        let (content, refusal) = match &self.answer.content {
            Content::Nothing => (Some(String::new()), None),
            Content::Text(_) => (Some(text), None),
            Content::Refusal(_) => (None, Some(text)),
            Content::Call { tool, .. } => return self.call_message(tool, text),
        };
        object! {
            "role": "assistant",
            "content": content,
            "refusal": refusal,
            "annotations": Vec::<Json>::new(),
        }
    }

    fn call_message(&self, tool: &str, arguments: String) -> Json {
        let call = object! {
            "id": self.call_id(),
            "type": "function",
            "function": object! {"name": tool, "arguments": arguments},
        };
        object! {
            "role": "assistant",
            "content": Json::NULL,
            "tool_calls": vec![call],
            "refusal": Json::NULL,
            "annotations": Vec::<Json>::new(),
        }
    }

    fn events(&self) -> Events {
        let mut events = Events::default();
        events.data(&self.chunk(self.opening(), None).text(), 0);
        for piece in self.answer.content.pieces() {
            events.data(&self.chunk(self.delta(piece), None).text(), tokens_of(piece));
        }
        let finish = finish_reason(self.answer.finish);
        events.data(&self.chunk(object! {}, Some(finish)).text(), 0);
        if let (true, Some(counts)) = (self.prompt.include_usage, &self.answer.usage) {
            let last = self.envelope().with("choices", Vec::<Json>::new()).with("usage", usage(counts));
            events.data(&last.text(), 0);
        }
        events.data("[DONE]", 0);
        events
    }

    fn envelope(&self) -> Json {
        object! {
            "id": self.id(),
            "object": "chat.completion.chunk",
            "created": CREATED,
            "model": &self.prompt.model,
            "service_tier": "default",
            "system_fingerprint": self.fingerprint,
        }
    }

    /// A chunk with one choice. With `include_usage`, all but the last chunk have a null `usage`.
    fn chunk(&self, delta: Json, finish: Option<&str>) -> Json {
        let choice = object! {
            "index": 0_u32,
            "delta": delta,
            "logprobs": Json::NULL,
            "finish_reason": finish,
        };
        let chunk = self.envelope().with("choices", vec![choice]);
        if self.prompt.include_usage { chunk.with("usage", Json::NULL) } else { chunk }
    }

    fn opening(&self) -> Json {
        let Content::Call { tool, .. } = &self.answer.content else {
            return object! {"role": "assistant", "content": "", "refusal": Json::NULL};
        };
        let call = object! {
            "index": 0_u32,
            "id": self.call_id(),
            "type": "function",
            "function": object! {"name": tool, "arguments": ""},
        };
        object! {"role": "assistant", "content": Json::NULL, "tool_calls": vec![call], "refusal": Json::NULL}
    }

    fn delta(&self, piece: &str) -> Json {
        match &self.answer.content {
            Content::Refusal(_) => object! {"refusal": piece},
            Content::Call { .. } => {
                let call = object! {"index": 0_u32, "function": object! {"arguments": piece}};
                object! {"tool_calls": vec![call]}
            }
            Content::Nothing | Content::Text(_) => object! {"content": piece},
        }
    }
}
