//! `POST /v1/completions`, the older form without messages.

use serde_json::Value;

use super::{CREATED, chat};
use crate::answer::Answer;
use crate::json::{Json, object};
use crate::prompt::{Invalid, Prompt};
use crate::reply::{Events, Reply, tokens_of};

pub(crate) fn read(body: &Value, digest: u64) -> Result<Prompt, Invalid> {
    let mut prompt = Prompt::try_new(body, digest)?;
    match &body["prompt"] {
        text @ Value::String(_) => prompt.hear("user", text),
        // Of a batch, the first prompt is answered.
        Value::Array(texts) if texts.first().is_some_and(Value::is_string) => prompt.hear("user", &texts[0]),
        Value::Array(tokens) if !tokens.is_empty() => {
            prompt.hear("user", &Value::from(body["prompt"].to_string()));
        }
        _ => return Err(Invalid::missing("prompt")),
    }
    Ok(prompt)
}

pub(crate) fn render(prompt: &Prompt, answer: &Answer) -> Reply {
    let finish = chat::finish_reason(answer.finish);
    if !prompt.stream {
        let text = answer.content.text();
        let body = with_usage(body(prompt, &text, Some(finish)), answer);
        return Reply::answer(&body, prompt.input_tokens(), tokens_of(&text));
    }
    let mut events = Events::default();
    for piece in answer.content.pieces() {
        events.data(&body(prompt, piece, None).text(), tokens_of(piece));
    }
    events.data(&body(prompt, "", Some(finish)).text(), 0);
    if prompt.include_usage && answer.usage.is_some() {
        let last = envelope(prompt).with("choices", Vec::<Json>::new());
        events.data(&with_usage(last, answer).text(), 0);
    }
    events.data("[DONE]", 0);
    Reply::stream(events, prompt.input_tokens())
}

fn envelope(prompt: &Prompt) -> Json {
    object! {
        "id": format!("cmpl-{:016x}", prompt.digest),
        "object": "text_completion",
        "created": CREATED,
        "model": &prompt.model,
    }
}

fn body(prompt: &Prompt, text: &str, finish: Option<&str>) -> Json {
    let choice = object! {"text": text, "index": 0_u32, "logprobs": Json::NULL, "finish_reason": finish};
    envelope(prompt).with("choices", vec![choice])
}

fn with_usage(body: Json, answer: &Answer) -> Json {
    match &answer.usage {
        Some(counts) => body.with("usage", chat::usage(counts)),
        None => body,
    }
}
