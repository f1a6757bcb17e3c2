//! Anthropic's language: messages, token counts, errors, models, limits.

use std::time::{SystemTime, UNIX_EPOCH};

use http::{HeaderMap, HeaderName, HeaderValue};
use serde_json::Value;

use crate::answer::{Answer, Content, Finish, Usage};
use crate::json::{Json, object};
use crate::prompt::{Format, Invalid, Prompt};
use crate::reply::{Events, Reply, tokens_of};

/// Reads `POST /v1/messages` and `POST /v1/messages/count_tokens`.
pub(crate) fn read(body: &Value, digest: u64) -> Result<Prompt, Invalid> {
    let missing = |field: &str| Invalid::new(format!("{field}: Field required"), None);
    if body["model"].as_str().is_none() {
        return Err(missing("model"));
    }
    let mut prompt = Prompt::try_new(body, digest)?;
    let messages = body["messages"].as_array().ok_or_else(|| missing("messages"))?;
    if messages.is_empty() {
        return Err(Invalid::new("messages: at least one message is required", None));
    }
    prompt.hear("system", &body["system"]);
    for message in messages {
        prompt.hear(message["role"].as_str().unwrap_or_default(), &message["content"]);
    }
    prompt.format = Format::read(&body["output_config"]["format"]);
    prompt.cacheable = marks_cache(body);
    Ok(prompt)
}

/// Whether a part of the request is marked for the provider's cache, as Anthropic wants it to be.
fn marks_cache(body: &Value) -> bool {
    let marked =
        |parts: &Value| parts.as_array().into_iter().flatten().any(|p| p.get("cache_control").is_some());
    let messages = body["messages"].as_array().into_iter().flatten();
    body.get("cache_control").is_some()
        || marked(&body["system"])
        || marked(&body["tools"])
        || messages.map(|message| &message["content"]).any(marked)
}

pub(crate) fn render(prompt: &Prompt, answer: &Answer) -> Reply {
    let message = Message { prompt, answer };
    if prompt.stream {
        return Reply::stream(message.events(), prompt.input_tokens());
    }
    Reply::answer(&message.body(), prompt.input_tokens(), tokens_of(&answer.content.text()))
}

/// The answer of `POST /v1/messages/count_tokens`.
pub(crate) fn count(prompt: &Prompt) -> Reply {
    Reply::answer(&object! {"input_tokens": prompt.input_tokens()}, 0, 0)
}

/// The error body for a status.
pub(crate) fn error(status: u16, message: &str) -> Json {
    let kind = match status {
        401 => "authentication_error",
        403 => "permission_error",
        404 => "not_found_error",
        413 => "request_too_large",
        429 => "rate_limit_error",
        300..=499 => "invalid_request_error",
        504 => "timeout_error",
        529 => "overloaded_error",
        _ => "api_error",
    };
    object! {"type": "error", "error": object! {"type": kind, "message": message}, "request_id": Json::NULL}
}

/// The error event of a stream.
pub(crate) fn overloaded() -> Json {
    object! {"type": "error", "error": object! {"type": "overloaded_error", "message": "Overloaded"}}
}

/// `GET /v1/models`.
pub(crate) fn models(names: &[String]) -> Json {
    object! {
        "data": names.iter().map(|name| model(name)).collect::<Vec<_>>(),
        "has_more": false,
        "first_id": names.first(),
        "last_id": names.last(),
    }
}

/// `GET /v1/models/{id}`.
pub(crate) fn model(name: &str) -> Json {
    object! {
        "type": "model",
        "id": name,
        "display_name": name,
        "created_at": "2025-10-09T08:53:20Z",
        "lifecycle": "active",
        "max_input_tokens": 200_000_u32,
        "max_tokens": 64_000_u32,
    }
}

/// The headers that state what is left of a limit of 50 requests and 40,000 tokens a minute.
pub(crate) fn limit(headers: &mut HeaderMap, requests_left: u32) {
    let tokens_left = requests_left.saturating_mul(800).min(40_000);
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs();
    let reset = HeaderValue::try_from(rfc3339(now + 60)).unwrap_or(HeaderValue::from_static(""));
    headers.extend([
        (HeaderName::from_static("anthropic-ratelimit-requests-limit"), HeaderValue::from(50)),
        (HeaderName::from_static("anthropic-ratelimit-requests-remaining"), HeaderValue::from(requests_left)),
        (HeaderName::from_static("anthropic-ratelimit-requests-reset"), reset.clone()),
        (HeaderName::from_static("anthropic-ratelimit-tokens-limit"), HeaderValue::from(40_000)),
        (HeaderName::from_static("anthropic-ratelimit-tokens-remaining"), HeaderValue::from(tokens_left)),
        (HeaderName::from_static("anthropic-ratelimit-tokens-reset"), reset),
    ]);
}

/// A Unix time in seconds as RFC 3339 (civil-from-days after Howard Hinnant, "chrono-compatible low-level
/// date algorithms").
fn rfc3339(unix_seconds: u64) -> String {
    let (days, rest) = (unix_seconds / 86_400 + 719_468, unix_seconds % 86_400);
    let (era, day_of_era) = (days / 146_097, days % 146_097);
    let year_of_era = (day_of_era - day_of_era / 1_460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let shifted = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * shifted + 2) / 5 + 1;
    let month = if shifted < 10 { shifted + 3 } else { shifted - 9 };
    let year = year_of_era + era * 400 + u64::from(month <= 2);
    let (hour, minute, second) = (rest / 3_600, rest / 60 % 60, rest % 60);
    format!("{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}Z")
}

struct Message<'a> {
    prompt: &'a Prompt,
    answer: &'a Answer,
}

impl Message<'_> {
    /// The message with the given content; `usage` is left out where a fault says so.
    fn envelope(&self, content: Vec<Json>, stop_reason: Option<&str>, usage: Option<Json>) -> Json {
        let message = object! {
            "model": &self.prompt.model,
            "id": format!("msg_{:016x}", self.prompt.digest),
            "type": "message",
            "role": "assistant",
            "content": content,
            "stop_reason": stop_reason,
            "stop_sequence": Json::NULL,
        };
        match usage {
            Some(usage) => message.with("usage", usage),
            None => message,
        }
    }

    fn body(&self) -> Json {
        let content = match &self.answer.content {
            Content::Nothing | Content::Refusal(_) => Vec::new(),
            Content::Text(_) => vec![object! {"type": "text", "text": self.answer.content.text()}],
            Content::Call { tool, input, .. } => vec![self.call(tool, input.clone().into())],
        };
        let usage = self.answer.usage.as_ref().map(|usage| full_usage(usage, usage.output));
        self.envelope(content, Some(self.stop_reason()), usage)
    }

    fn stop_reason(&self) -> &'static str {
        match self.answer.finish {
            Finish::Stop => "end_turn",
            Finish::Length => "max_tokens",
            Finish::ToolCall => "tool_use",
            Finish::Refusal => "refusal",
        }
    }

    fn call(&self, tool: &str, input: Json) -> Json {
        object! {
            "type": "tool_use",
            "id": format!("toolu_{:016x}", self.prompt.digest),
            "name": tool,
            "input": input,
        }
    }

    fn events(&self) -> Events {
        let mut events = Events::default();
        let usage = self.answer.usage.as_ref();
        let opening = usage.map(|usage| full_usage(usage, usage.output.min(1)));
        let opening = self.envelope(Vec::new(), None, opening);
        push(&mut events, "message_start", object! {"message": opening}, 0);
        self.content_events(&mut events);
        let delta = object! {"stop_reason": self.stop_reason(), "stop_sequence": Json::NULL};
        let closing = object! {"delta": delta};
        let closing = match usage {
            Some(usage) => closing.with("usage", closing_usage(usage)),
            None => closing,
        };
        push(&mut events, "message_delta", closing, 0);
        push(&mut events, "message_stop", object! {}, 0);
        events
    }

    fn content_events(&self, events: &mut Events) {
        let (block, kind, key) = match &self.answer.content {
            Content::Nothing | Content::Refusal(_) => return,
            Content::Text(_) => (object! {"type": "text", "text": ""}, "text_delta", "text"),
            Content::Call { tool, .. } => (self.call(tool, object! {}), "input_json_delta", "partial_json"),
        };
        push(events, "content_block_start", object! {"index": 0_u32, "content_block": block}, 0);
        push(events, "ping", object! {}, 0);
        for piece in self.answer.content.pieces() {
            let delta = object! {"type": kind}.with(key, piece);
            push(events, "content_block_delta", object! {"index": 0_u32, "delta": delta}, tokens_of(piece));
        }
        push(events, "content_block_stop", object! {"index": 0_u32}, 0);
    }
}

/// An event under the name that its `type` says.
fn push(events: &mut Events, kind: &'static str, members: Json, tokens: u32) {
    events.event(kind, &Json::typed(kind, members), tokens);
}

/// Anthropic counts the cached parts of the prompt apart from `input_tokens`.
fn full_usage(usage: &Usage, output: i64) -> Json {
    object! {
        "input_tokens": usage.fresh,
        "cache_creation_input_tokens": usage.written,
        "cache_read_input_tokens": usage.cached,
        "cache_creation": object! {
            "ephemeral_5m_input_tokens": usage.written,
            "ephemeral_1h_input_tokens": 0_u32,
        },
        "output_tokens": output,
        "service_tier": "standard",
    }
}

fn closing_usage(usage: &Usage) -> Json {
    object! {
        "input_tokens": usage.fresh,
        "cache_creation_input_tokens": usage.written,
        "cache_read_input_tokens": usage.cached,
        "output_tokens": usage.output,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dates_are_civil() {
        assert_eq!(rfc3339(0), "1970-01-01T00:00:00Z");
        assert_eq!(rfc3339(951_782_400), "2000-02-29T00:00:00Z");
        assert_eq!(rfc3339(1_760_000_000), "2025-10-09T08:53:20Z");
    }
}
