//! The top-level fields of a body.

use std::borrow::Cow;
use std::fmt;

use serde::Deserialize;
use serde::de::{Deserializer as _, MapAccess, Visitor};
use serde_json::value::RawValue;
use smallvec::SmallVec;

use super::fault::BodyFault;
use super::walk::{Place, Walk};
use super::{Endpoint, Temperature};
use crate::dialect::Dialect;

/// The members of the top-level object as they stand in the body, duplicates included.
pub(super) type Members<'a> = SmallVec<[(Cow<'a, str>, &'a RawValue); 16]>;

/// Splits the top-level object.
pub(super) fn members(body: &[u8]) -> Result<Members<'_>, BodyFault> {
    let fault = |error: serde_json::Error| BodyFault::Json(error.to_string());
    let mut deserializer = serde_json::Deserializer::from_slice(body);
    let members = deserializer.deserialize_map(MemberVisitor).map_err(fault)?;
    deserializer.end().map_err(fault)?;
    Ok(members)
}

struct MemberVisitor;

impl<'de> Visitor<'de> for MemberVisitor {
    type Value = Members<'de>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        let mut members = Members::new();
        while let Some(Name(name)) = map.next_key()? {
            members.push((name, map.next_value()?));
        }
        Ok(members)
    }
}

/// A key, borrowed where it contains no escapes.
#[derive(Deserialize)]
struct Name<'a>(#[serde(borrow)] Cow<'a, str>);

/// The fields that routing itself looks at.
#[derive(Default)]
pub(super) struct Fields {
    pub(super) model: Option<Box<str>>,
    pub(super) stream: bool,
    pub(super) wants_stream_usage: bool,
    pub(super) temperature: Temperature,
    pub(super) max_output_tokens: Option<u64>,
    pub(super) choices: Option<u64>,
    pub(super) json_schema: bool,
    pub(super) duplicate: bool,
    seen: SmallVec<[Box<str>; 16]>,
    has_content: bool,
}

#[derive(Deserialize)]
struct StreamOptions {
    #[serde(default)]
    include_usage: Option<bool>,
}

impl Fields {
    /// Reads one member and adds it to the walk's fingerprint.
    pub(super) fn take(
        &mut self,
        endpoint: Endpoint,
        name: &str,
        value: &RawValue,
        walk: &mut Walk<'_>,
    ) -> Result<(), BodyFault> {
        if self.seen.iter().any(|seen| **seen == *name) {
            self.duplicate = true;
        }
        self.seen.push(name.into());
        match name {
            "model" => {
                self.model = Some(read(value, "model", "a string: the name of a model, or \"auto\"")?);
                return Ok(());
            }
            "stream" => {
                self.stream = read::<Option<bool>>(value, "stream", "a boolean")?.unwrap_or(false);
                return Ok(());
            }
            "stream_options" => {
                let options = read::<Option<StreamOptions>>(value, "stream_options", "an object")?;
                self.wants_stream_usage = options.and_then(|o| o.include_usage).unwrap_or(false);
                return Ok(());
            }
            "temperature" => self.temperature = temperature(value)?,
            "max_tokens" => self.limit(value, "max_tokens")?,
            "max_completion_tokens" => self.limit(value, "max_completion_tokens")?,
            "max_output_tokens" => self.limit(value, "max_output_tokens")?,
            "n" => self.choices = read(value, "n", "a positive integer")?,
            _ => {}
        }
        let place = place(endpoint, name);
        self.has_content |= place.is_content();
        walk.member(name, value, place)?;
        self.json_schema |= walk.take_schema();
        Ok(())
    }

    /// The lowest of the limits that a request states.
    fn limit(&mut self, value: &RawValue, param: &'static str) -> Result<(), BodyFault> {
        if let Some(limit) = read::<Option<u64>>(value, param, "a positive integer")? {
            self.max_output_tokens = Some(self.max_output_tokens.map_or(limit, |other| other.min(limit)));
        }
        Ok(())
    }

    /// Refuses a body without what its endpoint requires.
    pub(super) fn require(&self, endpoint: Endpoint, walk: &Walk<'_>) -> Result<(), BodyFault> {
        if self.model.as_deref().is_none_or(str::is_empty) {
            return Err(BodyFault::field("model", "a string: the name of a model, or \"auto\""));
        }
        let (param, expected) = match endpoint {
            Endpoint::ChatCompletions | Endpoint::Messages | Endpoint::CountTokens => {
                ("messages", "a non-empty array of messages")
            }
            // A prompt template or a stored conversation may stand in for the input.
            Endpoint::Responses => return Ok(()),
            Endpoint::Embeddings => ("input", "a string or an array"),
            Endpoint::Completions => ("prompt", "a string or an array"),
        };
        let filled = match endpoint {
            Endpoint::Embeddings | Endpoint::Completions => self.has_content,
            _ => walk.messages() > 0,
        };
        if filled { Ok(()) } else { Err(BodyFault::field(param, expected)) }
    }
}

/// Where a top-level member stands in its endpoint's shape.
fn place(endpoint: Endpoint, name: &str) -> Place {
    match (endpoint, name) {
        (Endpoint::ChatCompletions | Endpoint::Messages | Endpoint::CountTokens, "messages") => {
            Place::Messages
        }
        (Endpoint::Messages | Endpoint::CountTokens, "system") => Place::System,
        (Endpoint::Responses, "instructions") => Place::System,
        (Endpoint::Responses, "input") => Place::Input,
        (Endpoint::Embeddings, "input") | (Endpoint::Completions, "prompt") => Place::Texts,
        (_, "tools" | "functions") => Place::Tools,
        (_, "response_format" | "output_format") => Place::Format,
        (Endpoint::Responses, "text") | (Endpoint::Messages, "output_config") => Place::FormatHolder,
        _ => Place::Other,
    }
}

fn temperature(value: &RawValue) -> Result<Temperature, BodyFault> {
    Ok(match read::<Option<f64>>(value, "temperature", "a number")? {
        None => Temperature::Absent,
        Some(0.0) => Temperature::Zero,
        Some(_) => Temperature::Above,
    })
}

fn read<'a, T: Deserialize<'a>>(
    value: &'a RawValue,
    param: &'static str,
    expected: &str,
) -> Result<T, BodyFault> {
    serde_json::from_str(value.get()).map_err(|_| BodyFault::field(param, expected))
}

/// The parameter that limits the answer, by the dialect and endpoint.
pub(super) const fn limit_param(endpoint: Endpoint) -> &'static str {
    match (endpoint, endpoint.dialect()) {
        (Endpoint::Responses, _) => "max_output_tokens",
        (_, Dialect::OpenAi | Dialect::Anthropic) => "max_tokens",
    }
}
