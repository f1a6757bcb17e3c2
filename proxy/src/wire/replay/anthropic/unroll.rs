//! From one message to events.

use std::borrow::Cow;

use bytes::Bytes;
use serde::Serialize;
use serde_json::json;
use serde_json::value::RawValue;

use super::is_known;
use crate::wire::replay::object::{Object, decode, is_nothing};
use crate::wire::replay::write_event;

/// Usage fields that only `message_start` carries.
const USAGE_OF_START: [&str; 3] = ["cache_creation", "service_tier", "inference_geo"];

/// Usage fields that only `message_delta` carries.
const USAGE_OF_END: [&str; 4] = ["iterations", "output_tokens_details", "server_tool_use", "fallback_credit"];

/// Message fields that are known at the end only and travel in `message_delta.delta`.
const DELTA_OF_END: [&str; 4] = ["stop_reason", "stop_sequence", "stop_details", "container"];

/// Writes a message as a stream: each block in one piece.
pub(in crate::wire::replay) fn unroll(body: &[u8]) -> Option<Bytes> {
    let mut message = Object::read(std::str::from_utf8(body).ok()?)?;
    if message.text("type")? != "message" {
        return None;
    }
    message.some("stop_reason")?;
    let content = message.take("content")?;
    let content: Vec<Object<'_>> = serde_json::from_str(content.get()).ok()?;
    let usage = message.take("usage")?;
    let usage = Object::read(usage.get())?;
    let mut stream = Stream::default();
    stream.push("message_start", &message_start(&message, &usage)?)?;
    for (index, block) in content.into_iter().enumerate() {
        push_block(&mut stream, index, block)?;
    }
    stream.push("message_delta", &message_delta(&message, &usage)?)?;
    stream.push("message_stop", &json!({"type": "message_stop"}))?;
    Some(stream.0.into())
}

/// The message before its first token: no content, no stop reason, no output.
fn message_start<'a>(message: &Object<'a>, usage: &Object<'a>) -> Option<Object<'a>> {
    let mut head = Object::default();
    for (name, value) in message.members().filter(|(name, _)| *name != "context_management") {
        let known_later = DELTA_OF_END.contains(&&**name);
        head.set(name.clone(), if known_later { Cow::Borrowed(RawValue::NULL) } else { value.clone() });
    }
    let mut spent = Object::default();
    for (name, value) in usage.members().filter(|(name, _)| !USAGE_OF_END.contains(&&***name)) {
        spent.set(name.clone(), value.clone());
    }
    spent.put("output_tokens", &0)?;
    head.put("content", &[(); 0])?;
    head.put("usage", &spent)?;
    let mut event = Object::default();
    event.put("type", &"message_start")?;
    event.put("message", &head)?;
    Some(event)
}

/// Why the message stopped and what it cost.
fn message_delta<'a>(message: &Object<'a>, usage: &Object<'a>) -> Option<Object<'a>> {
    let (mut delta, mut spent) = (Object::default(), Object::default());
    for (name, value) in message.members().filter(|(name, _)| DELTA_OF_END.contains(&&***name)) {
        delta.set(name.clone(), value.clone());
    }
    for (name, value) in usage.members().filter(|(name, _)| !USAGE_OF_START.contains(&&***name)) {
        spent.set(name.clone(), value.clone());
    }
    let mut event = Object::default();
    event.put("type", &"message_delta")?;
    event.put("delta", &delta)?;
    event.put("usage", &spent)?;
    if let Some(context) = message.some("context_management") {
        event.set("context_management", context.clone());
    }
    Some(event)
}

fn push_block(stream: &mut Stream, index: usize, mut block: Object<'_>) -> Option<()> {
    let deltas = deltas(&mut block)?;
    stream.push_part("content_block_start", index, "content_block", &block)?;
    for delta in deltas {
        stream.push_part("content_block_delta", index, "delta", &delta)?;
    }
    stream.push("content_block_stop", &json!({"type": "content_block_stop", "index": index}))
}

/// Takes out of `block` what arrives in pieces, and leaves what it starts with; `None` for a kind of block
/// whose way of arriving is not known.
fn deltas(block: &mut Object<'_>) -> Option<Vec<Object<'static>>> {
    let mut deltas = Vec::new();
    match &*block.text("type")? {
        "text" => {
            deltas.extend(take_text(block, "text", "text_delta")?);
            deltas.extend(take_citations(block)?);
        }
        "thinking" => {
            deltas.extend(take_text(block, "thinking", "thinking_delta")?);
            deltas.extend(take_text(block, "signature", "signature_delta")?);
        }
        kind if kind.ends_with("tool_use") => {
            let input = block.take("input")?;
            block.put("input", &json!({}))?;
            let text = if is_nothing(&input) { "" } else { input.get() };
            deltas.push(delta("input_json_delta", "partial_json", &text)?);
        }
        kind => is_known(kind).then_some(())?,
    }
    Some(deltas)
}

/// Outer `None`: there is no such string.
fn take_text(block: &mut Object<'_>, field: &'static str, kind: &str) -> Option<Option<Object<'static>>> {
    let whole = decode(block.get(field)?)?;
    block.put(field, &"")?;
    if whole.is_empty() {
        return Some(None);
    }
    delta(kind, field, &whole).map(Some)
}

fn take_citations(block: &mut Object<'_>) -> Option<Vec<Object<'static>>> {
    let Some(citations) = block.some("citations").cloned() else { return Some(Vec::new()) };
    let citations: Vec<&RawValue> = serde_json::from_str(citations.get()).ok()?;
    let deltas = citations.iter().map(|citation| delta("citations_delta", "citation", citation)).collect();
    block.put("citations", &[(); 0])?;
    deltas
}

fn delta(kind: &str, field: &'static str, value: &impl Serialize) -> Option<Object<'static>> {
    let mut delta = Object::default();
    delta.put("type", &kind)?;
    delta.put(field, value)?;
    Some(delta)
}

/// Events as they are written.
#[derive(Default)]
struct Stream(Vec<u8>);

impl Stream {
    fn push(&mut self, name: &str, event: &impl Serialize) -> Option<()> {
        write_event(&mut self.0, Some(name), event)
    }

    /// An event of the content block `index`, with its `part` under `name`.
    fn push_part(&mut self, kind: &str, index: usize, name: &'static str, part: &Object<'_>) -> Option<()> {
        let mut event = Object::default();
        event.put("type", &kind)?;
        event.put("index", &index)?;
        event.put(name, part)?;
        self.push(kind, &event)
    }
}
