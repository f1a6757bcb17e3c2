//! `POST /v1/responses`.

use serde_json::Value;

use super::CREATED;
use crate::answer::{Answer, Content, Finish, Usage};
use crate::json::{Json, object};
use crate::prompt::{Format, Invalid, Prompt};
use crate::reply::{Events, Reply, tokens_of};

pub(crate) fn read(body: &Value, digest: u64) -> Result<Prompt, Invalid> {
    let mut prompt = Prompt::try_new(body, digest)?;
    prompt.hear("system", &body["instructions"]);
    match &body["input"] {
        text @ Value::String(_) => prompt.hear("user", text),
        Value::Array(items) if !items.is_empty() => {
            items.iter().for_each(|item| hear_item(&mut prompt, item))
        }
        _ => return Err(Invalid::missing("input")),
    }
    prompt.format = Format::read(&body["text"]["format"]);
    prompt.think(&body["reasoning"]["effort"]);
    Ok(prompt)
}

fn hear_item(prompt: &mut Prompt, item: &Value) {
    match item["type"].as_str() {
        Some("function_call_output") => prompt.hear("tool", &item["output"]),
        Some("function_call") => prompt.hear("assistant", &item["arguments"]),
        _ => prompt.hear(item["role"].as_str().unwrap_or_default(), &item["content"]),
    }
}

pub(crate) fn render(prompt: &Prompt, answer: &Answer) -> Reply {
    let response = Response { prompt, answer };
    if prompt.stream {
        return Reply::stream(response.events(), prompt.input_tokens());
    }
    let output_tokens = tokens_of(&answer.content.text()) + prompt.reasoning_tokens;
    Reply::answer(&response.finished(), prompt.input_tokens(), output_tokens)
}

/// The event that reports an error in the place of event number `sequence`.
pub(crate) fn error_event(sequence: usize) -> Json {
    let error = object! {
        "type": "server_error",
        "code": "server_error",
        "message": "The server had an error while answering.",
        "param": Json::NULL,
    };
    object! {"type": "error", "sequence_number": sequence, "error": error}
}

fn usage(usage: &Usage) -> Json {
    object! {
        "input_tokens": usage.input,
        "input_tokens_details": object! {
            "cached_tokens": usage.cached,
            "cache_write_tokens": usage.written,
        },
        "output_tokens": usage.output,
        "output_tokens_details": object! {"reasoning_tokens": usage.reasoning},
        "total_tokens": usage.total(),
    }
}

struct Response<'a> {
    prompt: &'a Prompt,
    answer: &'a Answer,
}

impl Response<'_> {
    fn item_id(&self) -> String {
        let kind = if matches!(self.answer.content, Content::Call { .. }) { "fc" } else { "msg" };
        format!("{kind}_{:016x}", self.prompt.digest)
    }

    fn body(&self, status: &str, output: Vec<Json>, usage: Json) -> Json {
        let incomplete = (status == "incomplete").then(|| object! {"reason": "max_output_tokens"});
        object! {
            "id": format!("resp_{:016x}", self.prompt.digest),
            "object": "response",
            "created_at": CREATED,
            "status": status,
            "background": false,
            "error": Json::NULL,
            "incomplete_details": incomplete,
            "instructions": Json::NULL,
            "max_output_tokens": self.prompt.max_tokens,
            "model": &self.prompt.model,
            "output": output,
            "parallel_tool_calls": true,
            "previous_response_id": Json::NULL,
            "reasoning": object! {"effort": Json::NULL, "summary": Json::NULL},
            "store": false,
            "temperature": 1.0,
            "text": object! {"format": object! {"type": "text"}},
            "tool_choice": "auto",
            "tools": Vec::<Json>::new(),
            "top_p": 1.0,
            "truncation": "disabled",
            "usage": usage,
            "user": Json::NULL,
            "metadata": object! {},
        }
    }

    fn in_progress(&self) -> Json {
        self.body("in_progress", Vec::new(), Json::NULL)
    }

    fn finished(&self) -> Json {
        let status = if self.answer.finish == Finish::Length { "incomplete" } else { "completed" };
        let output = match self.answer.content {
            Content::Nothing => Vec::new(),
            _ => vec![self.item(status, true)],
        };
        self.body(status, output, self.answer.usage.as_ref().map(usage).into())
    }

    /// The output item, with its content or before it has any.
    fn item(&self, status: &str, filled: bool) -> Json {
        let text = if filled { self.answer.content.text() } else { String::new() };
        if let Content::Call { tool, .. } = &self.answer.content {
            return object! {
                "id": self.item_id(),
                "type": "function_call",
                "status": status,
                "arguments": text,
                "call_id": format!("call_{:016x}", self.prompt.digest),
                "name": tool,
            };
        }
        object! {
            "id": self.item_id(),
            "type": "message",
            "status": status,
            "content": if filled { vec![self.part(&text)] } else { Vec::new() },
            "role": "assistant",
        }
    }

    fn part(&self, text: &str) -> Json {
        if matches!(self.answer.content, Content::Refusal(_)) {
            return object! {"type": "refusal", "refusal": text};
        }
        object! {
            "type": "output_text",
            "annotations": Vec::<Json>::new(),
            "logprobs": Vec::<Json>::new(),
            "text": text,
        }
    }

    fn events(&self) -> Events {
        let mut stream = Numbered::default();
        stream.push("response.created", object! {"response": self.in_progress()}, 0);
        stream.push("response.in_progress", object! {"response": self.in_progress()}, 0);
        if self.answer.content != Content::Nothing {
            let item = object! {"output_index": 0_u32, "item": self.item("in_progress", false)};
            stream.push("response.output_item.added", item, 0);
            match &self.answer.content {
                Content::Call { .. } => self.argument_events(&mut stream),
                _ => self.text_events(&mut stream),
            }
            let item = object! {"output_index": 0_u32, "item": self.item("completed", true)};
            stream.push("response.output_item.done", item, 0);
        }
        let last = match self.answer.finish {
            Finish::Length => "response.incomplete",
            _ => "response.completed",
        };
        stream.push(last, object! {"response": self.finished()}, 0);
        stream.events
    }

    fn argument_events(&self, stream: &mut Numbered) {
        let place = || object! {"item_id": self.item_id(), "output_index": 0_u32};
        for piece in self.answer.content.pieces() {
            let event = place().with("delta", piece);
            stream.push("response.function_call_arguments.delta", event, tokens_of(piece));
        }
        let whole = place().with("arguments", self.answer.content.text());
        stream.push("response.function_call_arguments.done", whole, 0);
    }

    fn text_events(&self, stream: &mut Numbered) {
        let (delta, done, key) = match self.answer.content {
            Content::Refusal(_) => ("response.refusal.delta", "response.refusal.done", "refusal"),
            _ => ("response.output_text.delta", "response.output_text.done", "text"),
        };
        let place = || object! {"item_id": self.item_id(), "output_index": 0_u32, "content_index": 0_u32};
        let logged = |event: Json| match key {
            "text" => event.with("logprobs", Vec::<Json>::new()),
            _ => event,
        };
        stream.push("response.content_part.added", place().with("part", self.part("")), 0);
        for piece in self.answer.content.pieces() {
            stream.push(delta, logged(place().with("delta", piece)), tokens_of(piece));
        }
        let text = self.answer.content.text();
        stream.push(done, logged(place().with(key, &text)), 0);
        stream.push("response.content_part.done", place().with("part", self.part(&text)), 0);
    }
}

/// Events that carry their type and number.
#[derive(Default)]
struct Numbered {
    events: Events,
    next: u32,
}

impl Numbered {
    fn push(&mut self, kind: &'static str, members: Json, tokens: u32) {
        let numbered = object! {"sequence_number": self.next}.join(members);
        self.events.event(kind, &Json::typed(kind, numbered), tokens);
        self.next += 1;
    }
}
