//! From one body to chunks.

use std::borrow::Cow;

use bytes::Bytes;
use serde::{Deserialize, Serialize};
use serde_json::json;

use super::TEXTS;
use crate::wire::replay::object::{Object, Raw, decode, is_nothing};
use crate::wire::replay::write_event;

/// Fields that every chunk carries.
const ON_EVERY_CHUNK: [&str; 5] = ["id", "created", "model", "service_tier", "system_fingerprint"];

/// A tool call as it must be to be understood fully.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct ToolCall<'a> {
    #[serde(borrow)]
    id: Cow<'a, str>,
    #[serde(borrow)]
    r#type: Cow<'a, str>,
    function: Function<'a>,
}

#[derive(Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
struct Function<'a> {
    #[serde(borrow)]
    name: Cow<'a, str>,
    #[serde(borrow)]
    arguments: Cow<'a, str>,
}

/// Writes a chat answer as a stream: the role, each text and tool call in one piece, the finish reason,
/// the usage chunk if asked for, `[DONE]`.
pub(in crate::wire::replay) fn unroll_chat(body: &[u8], include_usage: bool) -> Option<Bytes> {
    let mut body = Object::read(std::str::from_utf8(body).ok()?)?;
    if body.some("error").is_some() || body.text("object")? != "chat.completion" {
        return None;
    }
    let choices = body.take("choices")?;
    let [mut choice]: [Object<'_>; 1] = serde_json::from_str(choices.get()).ok()?;
    if choice.some("logprobs").is_some() || choice.some("index").is_some_and(|index| index.get() != "0") {
        return None;
    }
    let usage = body.take("usage").filter(|usage| !is_nothing(usage));
    if include_usage && usage.is_none() {
        return None;
    }
    let finish_reason = choice.take("finish_reason").filter(|reason| !is_nothing(reason))?;
    let message = choice.take("message")?;
    let mut stream = Stream::new(&mut body, include_usage)?;
    for delta in deltas(Object::read(message.get())?)? {
        stream.push_choice(&delta, None, Object::default())?;
    }
    stream.last = body;
    stream.push_choice(&Object::default(), Some(finish_reason), choice)?;
    if include_usage {
        stream.push_usage(usage?)?;
    }
    stream.text.extend_from_slice(b"data: [DONE]\n\n");
    Some(stream.text.into())
}

/// The message in pieces; `None` if it has a field that is not understood.
fn deltas(message: Object<'_>) -> Option<Vec<Object<'static>>> {
    let mut first = Object::default();
    first.put("role", &message.text("role").as_deref().unwrap_or("assistant"))?;
    first.put("content", &message.some("content").map(|_| ""))?;
    if message.get("refusal").is_some() {
        first.put("refusal", &())?;
    }
    let mut deltas = vec![first];
    for (name, value) in message {
        if let Some(field) = TEXTS.into_iter().find(|field| *field == name) {
            deltas.extend(text_delta(field, &value)?);
        } else if name == "tool_calls" && !is_nothing(&value) {
            deltas.extend(tool_deltas(&value)?);
        } else if name != "role" && !is_nothing(&value) {
            return None;
        }
    }
    Some(deltas)
}

/// Outer `None`: not a string. Inner: nothing to say.
fn text_delta(field: &'static str, value: &Raw<'_>) -> Option<Option<Object<'static>>> {
    if is_nothing(value) {
        return Some(None);
    }
    let mut delta = Object::default();
    delta.put(field, &decode(value)?)?;
    Some(Some(delta))
}

fn tool_deltas(calls: &Raw<'_>) -> Option<Vec<Object<'static>>> {
    let calls: Vec<ToolCall<'_>> = serde_json::from_str(calls.get()).ok()?;
    let piece = |(index, call): (usize, &ToolCall<'_>)| {
        let piece = json!({"index": index, "id": call.id, "type": call.r#type, "function": call.function});
        let mut delta = Object::default();
        delta.put("tool_calls", &[piece]).map(|()| delta)
    };
    calls.iter().enumerate().map(piece).collect()
}

/// Chunks as they are written.
struct Stream<'a> {
    text: Vec<u8>,
    /// The fields of every chunk.
    head: Object<'a>,
    /// What else stood beside the choices: goes with the finish reason.
    last: Object<'a>,
    include_usage: bool,
}

impl<'a> Stream<'a> {
    /// Takes the fields of every chunk out of `body`.
    fn new(body: &mut Object<'a>, include_usage: bool) -> Option<Self> {
        let mut head = Object::default();
        body.take("object");
        head.put("object", &"chat.completion.chunk")?;
        for name in ON_EVERY_CHUNK {
            if let Some(value) = body.take(name) {
                head.set(name, value);
            }
        }
        Some(Self { text: Vec::new(), head, last: Object::default(), include_usage })
    }

    fn push_choice(&mut self, delta: &Object<'_>, finish: Option<Raw<'a>>, beside: Object<'a>) -> Option<()> {
        let mut choice = Object::default();
        choice.put("index", &0)?;
        choice.put("delta", delta)?;
        choice.put("logprobs", &())?;
        choice.put("finish_reason", &finish)?;
        beside.into_iter().for_each(|(name, value)| choice.set(name, value));
        let mut chunk = self.head.clone();
        chunk.put("choices", &[choice])?;
        if self.include_usage {
            chunk.put("usage", &())?;
        }
        if finish.is_some() {
            std::mem::take(&mut self.last).into_iter().for_each(|(name, value)| chunk.set(name, value));
        }
        self.push(&chunk)
    }

    fn push_usage(&mut self, usage: Raw<'a>) -> Option<()> {
        let mut chunk = self.head.clone();
        chunk.put("choices", &[(); 0])?;
        chunk.set("usage", usage);
        self.push(&chunk)
    }

    fn push(&mut self, chunk: &Object<'_>) -> Option<()> {
        write_event(&mut self.text, None, chunk)
    }
}
