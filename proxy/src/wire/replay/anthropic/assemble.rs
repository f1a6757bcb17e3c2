//! From events to one message.

use std::borrow::Cow;

use bytes::Bytes;
use serde_json::value::RawValue;

use super::is_known;
use crate::wire::replay::object::{Object, Raw, decode, is_nothing};
use crate::wire::sse::Frame;

/// Puts the events of a messages stream together.
pub(in crate::wire::replay) fn assemble(frames: &[Frame]) -> Option<Bytes> {
    let mut message = Message::default();
    for frame in frames {
        let data = match frame.fields().data {
            None => continue,
            Some(Cow::Borrowed(data)) => data,
            Some(Cow::Owned(_)) => return None,
        };
        message.add_event(Object::read(std::str::from_utf8(data).ok()?)?)?;
    }
    message.into_body()
}

/// A message, growing.
#[derive(Default)]
struct Message<'a> {
    head: Option<Object<'a>>,
    usage: Object<'a>,
    blocks: Vec<Block<'a>>,
    stopped: bool,
}

/// A content block, growing.
struct Block<'a> {
    start: Object<'a>,
    /// Fields that arrive in pieces.
    texts: Vec<(&'static str, String)>,
    input: String,
    citations: Vec<Raw<'a>>,
}

impl<'a> Message<'a> {
    /// `None`: this stream can't be put together.
    fn add_event(&mut self, mut event: Object<'a>) -> Option<()> {
        let kind = decode(&event.take("type")?)?;
        match &*kind {
            "ping" => Some(()),
            _ if self.stopped => None,
            "message_start" if self.head.is_none() => {
                self.start(Object::read(borrowed(event.take("message")?)?)?)
            }
            "content_block_start" => {
                let number: usize = event.take("index")?.get().parse().ok()?;
                let start = Object::read(borrowed(event.take("content_block")?)?)?;
                is_known(&start.text("type")?).then_some(())?;
                self.blocks.push(Block {
                    start,
                    texts: Vec::new(),
                    input: String::new(),
                    citations: Vec::new(),
                });
                (number + 1 == self.blocks.len()).then_some(())
            }
            "content_block_delta" => {
                let number: usize = event.take("index")?.get().parse().ok()?;
                let delta = Object::read(borrowed(event.take("delta")?)?)?;
                self.blocks.get_mut(number)?.add_delta(delta)
            }
            "content_block_stop" => Some(()),
            "message_delta" => self.add_delta(event),
            "message_stop" => {
                self.stopped = true;
                Some(())
            }
            _ => None,
        }
    }

    fn start(&mut self, mut head: Object<'a>) -> Option<()> {
        self.usage = Object::read(borrowed(head.get("usage")?.clone())?)?;
        head.take("content").is_some_and(|content| is_nothing(&content)).then_some(())?;
        self.head = Some(head);
        Some(())
    }

    /// The final stop reason, usage and what else belongs to the message.
    fn add_delta(&mut self, event: Object<'a>) -> Option<()> {
        let head = self.head.as_mut()?;
        for (name, value) in event {
            match &*name {
                "delta" => {
                    Object::read(borrowed(value)?)?
                        .into_iter()
                        .for_each(|(name, value)| head.merge(name, value));
                }
                "usage" => {
                    let usage = Object::read(borrowed(value)?)?;
                    usage.into_iter().for_each(|(name, value)| self.usage.merge(name, value));
                }
                _ => head.merge(name, value),
            }
        }
        Some(())
    }

    fn into_body(self) -> Option<Bytes> {
        let mut body = Object::default();
        let mut head = self.head?;
        head.some("stop_reason")?;
        for name in ["id", "type", "role", "model"] {
            body.set(name, head.take(name)?);
        }
        let blocks: Option<Vec<Object<'_>>> = self.blocks.into_iter().map(Block::into_object).collect();
        body.put("content", &blocks?)?;
        head.take("usage");
        head.into_iter().for_each(|(name, value)| body.set(name, value));
        body.put("usage", &self.usage)?;
        serde_json::to_vec(&body).ok().map(Bytes::from)
    }
}

impl<'a> Block<'a> {
    fn add_delta(&mut self, mut delta: Object<'a>) -> Option<()> {
        match &*decode(&delta.take("type")?)? {
            "text_delta" => self.append("text", &delta),
            "thinking_delta" => self.append("thinking", &delta),
            "signature_delta" => self.append("signature", &delta),
            "input_json_delta" => {
                self.input.push_str(&delta.text("partial_json")?);
                Some(())
            }
            "citations_delta" => {
                self.citations.push(delta.take("citation")?);
                Some(())
            }
            _ => None,
        }
    }

    fn append(&mut self, field: &'static str, delta: &Object<'_>) -> Option<()> {
        let piece = delta.text(field)?;
        match self.texts.iter_mut().find(|(name, _)| *name == field) {
            Some((_, text)) => text.push_str(&piece),
            None => self.texts.push((field, self.start.text(field).unwrap_or_default() + &piece)),
        }
        Some(())
    }

    fn into_object(self) -> Option<Object<'a>> {
        let mut block = self.start;
        for (field, text) in &self.texts {
            block.put(field, text)?;
        }
        if !self.input.is_empty() {
            block.set("input", Cow::Owned(RawValue::from_string(self.input).ok()?));
        }
        if !self.citations.is_empty() {
            block.some("citations").is_none_or(|given| is_nothing(given)).then_some(())?;
            let citations: Vec<&RawValue> = self.citations.iter().map(|citation| &**citation).collect();
            block.put("citations", &citations)?;
        }
        Some(block)
    }
}

/// The text of a value that lies in the stream.
fn borrowed(value: Raw<'_>) -> Option<&str> {
    match value {
        Cow::Borrowed(value) => Some(value.get()),
        Cow::Owned(_) => None,
    }
}
