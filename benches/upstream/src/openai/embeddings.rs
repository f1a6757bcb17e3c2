//! `POST /v1/embeddings`: unit vectors that depend on model and input alone.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use fastrand::Rng;
use serde_json::Value;

use crate::answer::text;
use crate::json::{Json, object};
use crate::prompt::{Invalid, Prompt};
use crate::reply::Reply;

/// As many inputs as OpenAI takes in one request.
const MAX_INPUTS: usize = 2_048;
/// The length of the longest vector that OpenAI's models make.
const MAX_DIMENSIONS: u64 = 3_072;

pub(crate) fn read(body: &Value, digest: u64) -> Result<Prompt, Invalid> {
    let mut prompt = Prompt::try_new(body, digest)?;
    let inputs = inputs(body);
    if inputs.is_empty() || inputs.len() > MAX_INPUTS {
        return Err(Invalid::new("'input' must hold 1 to 2048 texts.", Some("input")));
    }
    if let Some(dimensions) = body.get("dimensions").filter(|wanted| !wanted.is_null()) {
        let fits = dimensions.as_u64().is_some_and(|wanted| (1..=MAX_DIMENSIONS).contains(&wanted));
        if !fits {
            return Err(Invalid::new("'dimensions' must be 1 to 3072.", Some("dimensions")));
        }
    }
    for input in inputs {
        prompt.hear("user", &Value::String(input));
    }
    Ok(prompt)
}

pub(crate) fn render(prompt: &Prompt, body: &Value, dimensions: u32) -> Reply {
    let wanted = body["dimensions"].as_u64().unwrap_or(dimensions.into()).min(MAX_DIMENSIONS) as usize;
    let base64 = body["encoding_format"] == "base64";
    let data = inputs(body).into_iter().enumerate().map(|(index, input)| {
        let vector = vector(&prompt.model, &input, wanted);
        let embedding = if base64 { Json::from(packed(&vector)) } else { Json::from(vector) };
        object! {"object": "embedding", "index": index, "embedding": embedding}
    });
    let tokens = prompt.input_tokens();
    let body = object! {
        "object": "list",
        "data": data.collect::<Vec<_>>(),
        "model": &prompt.model,
        "usage": object! {"prompt_tokens": tokens, "total_tokens": tokens},
    };
    Reply::answer(&body, tokens, 0)
}

/// One text, several, one list of token numbers, or several.
fn inputs(body: &Value) -> Vec<String> {
    match &body["input"] {
        Value::String(text) => vec![text.clone()],
        Value::Array(tokens) if tokens.first().is_some_and(Value::is_number) => {
            vec![body["input"].to_string()]
        }
        Value::Array(items) => {
            items.iter().map(|item| item.as_str().map_or_else(|| item.to_string(), str::to_owned)).collect()
        }
        _ => Vec::new(),
    }
}

fn vector(model: &str, input: &str, dimensions: usize) -> Vec<f32> {
    let mut rng = Rng::with_seed(text::hash(model.as_bytes()) ^ text::hash(input.as_bytes()).rotate_left(1));
    let mut vector: Vec<f32> = (0..dimensions).map(|_| rng.f32() * 2.0 - 1.0).collect();
    let length = vector.iter().map(|x| x * x).sum::<f32>().sqrt().max(f32::MIN_POSITIVE);
    vector.iter_mut().for_each(|x| *x /= length);
    vector
}

/// Little-endian floats in base64, which is what OpenAI's own SDKs ask for.
fn packed(vector: &[f32]) -> String {
    STANDARD.encode(vector.iter().flat_map(|x| x.to_le_bytes()).collect::<Vec<_>>())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_vector_depends_on_model_and_input_and_has_length_one() {
        let vector_of = |model: &str, input: &str| vector(model, input, 64);
        assert_eq!(vector_of("m", "a"), vector_of("m", "a"));
        assert_ne!(vector_of("m", "a"), vector_of("m", "b"));
        assert_ne!(vector_of("m", "a"), vector_of("n", "a"));
        let length: f32 = vector_of("m", "a").iter().map(|x| x * x).sum();
        assert!((length - 1.0).abs() < 1e-5);
    }

    #[test]
    fn both_encodings_say_the_same() {
        let vector = vector("m", "a", 3);
        let bytes = STANDARD.decode(packed(&vector)).unwrap();
        let read: Vec<f32> =
            bytes.chunks(4).map(|four| f32::from_le_bytes(four.try_into().unwrap())).collect();
        assert_eq!(read, vector);
    }
}
