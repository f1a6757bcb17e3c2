//! From chunks to one body.

use std::borrow::Cow;

use bytes::Bytes;
use serde::Serialize;

use super::TEXTS;
use crate::wire::replay::object::{Object, Raw, decode, is_nothing};
use crate::wire::sse::Frame;

/// Puts the chunks of a chat stream together. Without a usage report there is no plain answer, since every
/// plain answer has one.
pub(in crate::wire::replay) fn assemble_chat(frames: &[Frame]) -> Option<Bytes> {
    let mut chat = Chat::default();
    for frame in frames {
        let Some(data) = frame.fields().data else { continue };
        if data.trim_ascii() == b"[DONE]" {
            break;
        }
        let data = match data {
            Cow::Borrowed(data) => data,
            // Data in several lines: no provider sends it, and it could not be borrowed from.
            Cow::Owned(_) => return None,
        };
        chat.add_chunk(Object::read(std::str::from_utf8(data).ok()?)?)?;
    }
    chat.into_body()
}

/// The `response` of the event that completes a responses stream is the plain answer.
pub(in crate::wire::replay) fn assemble_response(frames: &[Frame]) -> Option<Bytes> {
    let last = frames.iter().rev().find_map(|frame| {
        let data = frame.fields().data?;
        let event = Object::read(std::str::from_utf8(&data).ok()?)?;
        let completed = event.text("type")? == "response.completed";
        completed.then(|| event.get("response").map(|response| Bytes::from(response.get().to_owned())))
    });
    last?
}

/// A chat answer with one choice, growing.
#[derive(Default)]
struct Chat<'a> {
    /// What stands beside the choices; later values replace earlier ones, but for what names the answer.
    envelope: Object<'a>,
    usage: Option<Raw<'a>>,
    role: Option<String>,
    /// In the order of appearance. `None`: only null so far.
    texts: Vec<(&'static str, Option<String>)>,
    tool_calls: Vec<ToolCall>,
    finish_reason: Option<Raw<'a>>,
    /// What stands beside the message.
    beside: Object<'a>,
}

#[derive(Default, Serialize)]
struct ToolCall {
    id: String,
    r#type: String,
    function: Function,
}

#[derive(Default, Serialize)]
struct Function {
    name: String,
    arguments: String,
}

impl<'a> Chat<'a> {
    /// `None`: this stream can't be put together.
    fn add_chunk(&mut self, chunk: Object<'a>) -> Option<()> {
        for (name, value) in chunk {
            match &*name {
                "choices" => self.add_choices(&value)?,
                "usage" if value.get() != "null" => self.usage = Some(value),
                "usage" | "object" | "obfuscation" => {}
                "error" if !is_nothing(&value) => return None,
                // The first to say something, as in the SDKs; some servers open with an empty chunk.
                "id" | "created" | "model" if !is_blank(self.envelope.get(&name)) => {}
                _ => self.envelope.merge(name, value),
            }
        }
        Some(())
    }

    fn add_choices(&mut self, choices: &Raw<'a>) -> Option<()> {
        let Cow::Borrowed(choices) = choices else { return None };
        let choices: Vec<Object<'a>> = serde_json::from_str(choices.get()).ok()?;
        choices.into_iter().try_for_each(|choice| self.add_choice(choice))
    }

    fn add_choice(&mut self, choice: Object<'a>) -> Option<()> {
        for (name, value) in choice {
            match (&*name, value) {
                ("index", value) if value.get() == "0" => {}
                ("index", _) => return None,
                ("delta", Cow::Borrowed(delta)) => self.add_delta(Object::read(delta.get())?)?,
                ("logprobs", value) if !is_nothing(&value) => return None,
                ("logprobs", _) => {}
                ("finish_reason", value) if value.get() == "null" => {}
                ("finish_reason", value) => self.finish_reason = Some(value),
                (_, value) if is_nothing(&value) => {}
                (_, value) => self.beside.set(name, value),
            }
        }
        Some(())
    }

    fn add_delta(&mut self, delta: Object<'a>) -> Option<()> {
        for (name, value) in delta {
            if let Some(field) = TEXTS.into_iter().find(|field| *field == name) {
                self.add_text(field, &value)?;
            } else if name == "role" {
                self.role = decode(&value).or(self.role.take());
            } else if name == "tool_calls" && !is_nothing(&value) {
                self.add_tool_calls(&value)?;
            } else if !is_nothing(&value) {
                return None;
            }
        }
        Some(())
    }

    fn add_text(&mut self, field: &'static str, value: &Raw<'_>) -> Option<()> {
        let at = self.texts.iter().position(|(name, _)| *name == field).unwrap_or_else(|| {
            self.texts.push((field, None));
            self.texts.len() - 1
        });
        if value.get() != "null" {
            let piece = decode(value)?;
            self.texts[at].1.get_or_insert_default().push_str(&piece);
        }
        Some(())
    }

    fn add_tool_calls(&mut self, calls: &Raw<'_>) -> Option<()> {
        let calls: Vec<Object<'_>> = serde_json::from_str(calls.get()).ok()?;
        calls.into_iter().try_for_each(|call| self.add_tool_call(call))
    }

    fn add_tool_call(&mut self, mut piece: Object<'_>) -> Option<()> {
        let index: usize = piece.take("index")?.get().parse().ok()?;
        if index == self.tool_calls.len() {
            self.tool_calls.push(ToolCall::default());
        }
        let call = self.tool_calls.get_mut(index)?;
        for (name, value) in piece {
            match &*name {
                "id" => set_once(&mut call.id, &value)?,
                "type" => set_once(&mut call.r#type, &value)?,
                "function" => call.function.add(Object::read(value.get())?)?,
                _ if is_nothing(&value) => {}
                _ => return None,
            }
        }
        Some(())
    }

    fn into_body(mut self) -> Option<Bytes> {
        let (finish_reason, usage) = (self.finish_reason.take()?, self.usage.take()?);
        let mut choice = Object::default();
        choice.put("index", &0)?;
        choice.put("message", &self.message()?)?;
        choice.put("logprobs", &())?;
        choice.set("finish_reason", finish_reason);
        self.beside.into_iter().for_each(|(name, value)| choice.set(name, value));
        let mut body = Object::default();
        body.set("id", self.envelope.take("id")?);
        body.put("object", &"chat.completion")?;
        body.set("created", self.envelope.take("created")?);
        body.set("model", self.envelope.take("model")?);
        body.put("choices", &[choice])?;
        body.set("usage", usage);
        self.envelope.into_iter().for_each(|(name, value)| body.set(name, value));
        serde_json::to_vec(&body).ok().map(Bytes::from)
    }

    /// The message. Beside tool calls an empty content is null, as it is in plain answers.
    fn message(&self) -> Option<Object<'static>> {
        let mut message = Object::default();
        message.put("role", &self.role.as_deref().unwrap_or("assistant"))?;
        message.put("content", &())?;
        for (field, text) in &self.texts {
            let empty = text.as_deref().is_none_or(str::is_empty);
            let null = empty && (*field != "content" || !self.tool_calls.is_empty());
            message.put(field, &text.as_deref().filter(|_| !null))?;
        }
        if !self.tool_calls.is_empty() {
            message.put("tool_calls", &self.tool_calls)?;
        }
        Some(message)
    }
}

impl Function {
    fn add(&mut self, piece: Object<'_>) -> Option<()> {
        for (name, value) in piece {
            match &*name {
                "name" => set_once(&mut self.name, &value)?,
                "arguments" if value.get() == "null" => {}
                "arguments" => self.arguments.push_str(&decode(&value)?),
                _ if is_nothing(&value) => {}
                _ => return None,
            }
        }
        Some(())
    }
}

/// Whether a field is missing, says nothing, or is zero.
fn is_blank(value: Option<&Raw<'_>>) -> bool {
    value.is_none_or(|value| is_nothing(value) || value.get() == "0")
}

/// Sets what is sent once; some servers repeat it, or send it empty in later pieces.
fn set_once(slot: &mut String, value: &Raw<'_>) -> Option<()> {
    if is_nothing(value) {
        return Some(());
    }
    let text = decode(value)?;
    if slot.is_empty() {
        *slot = text;
    } else if *slot != text {
        return None;
    }
    Some(())
}
