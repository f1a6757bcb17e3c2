//! The top-level fields of a body.

use std::borrow::Cow;
use std::fmt;
use std::ops::Range;

use serde::Deserialize;
use serde::de::{DeserializeSeed, Deserializer, Error, MapAccess, Visitor};
use serde_json::error::Category;
use serde_json::value::RawValue;

use super::Temperature;
use super::fault::BodyFault;
use super::fingerprint::{Fingerprint, FingerprintKey};
use super::place::Place;
use super::splice::{Splices, StreamOptions, offset};
use super::walk::Walk;
use crate::dialect::Endpoint;

/// The longest model name that is looked up: names are compared with every known one when they are unknown. The longest
/// in use, resource names of cloud accounts, have about 150 bytes.
const MODEL_NAME_BYTES: usize = 512;

/// So much of an end user's name is kept. Providers ask for a hash or an id of at most 64 to 256 bytes.
const USER_BYTES: usize = 256;

const MODEL_EXPECTED: &str = "a string of at most 512 bytes: the name of a model, or \"auto\"";

/// A body while it is read: what routing itself looks at, and the walk over everything.
pub(super) struct Fields<'k, 'b> {
    endpoint: Endpoint,
    body: &'b str,
    pub(super) model: Box<str>,
    pub(super) stream: bool,
    pub(super) wants_stream_usage: bool,
    pub(super) temperature: Temperature,
    pub(super) max_output_tokens: Option<u64>,
    pub(super) choices: Option<u64>,
    /// The end user that the caller names.
    pub(super) user: Option<Box<str>>,
    pub(super) walk: Walk<'k>,
    pub(super) splices: Splices,
    /// Which of the fields outside the fingerprint were met, by position in [`UNHASHED`].
    met: [bool; UNHASHED.len()],
    /// The member being read, for the message where its value is misshapen.
    current: Option<(&'static str, Place)>,
    fault: Option<BodyFault>,
}

/// The fields that say how an answer is delivered or who gives it; the cache key has its own idea of the model.
const UNHASHED: [&str; 3] = ["model", "stream", "stream_options"];

/// A key, borrowed where it contains no escapes.
#[derive(Deserialize)]
pub(super) struct Name<'a>(#[serde(borrow)] pub(super) Cow<'a, str>);

impl<'k, 'b> Fields<'k, 'b> {
    pub(super) fn new(endpoint: Endpoint, body: &'b str, key: &'k FingerprintKey) -> Self {
        Self {
            endpoint,
            body,
            model: Box::default(),
            stream: false,
            wants_stream_usage: false,
            temperature: Temperature::Absent,
            max_output_tokens: None,
            choices: None,
            user: None,
            walk: Walk::new(key, body.len()),
            splices: Splices::new(endpoint, body),
            met: [false; UNHASHED.len()],
            current: None,
            fault: None,
        }
    }

    /// Bytes of the whole body.
    pub(super) const fn body_bytes(&self) -> usize {
        self.body.len()
    }

    /// Reads the whole body.
    pub(super) fn read(&mut self) -> Result<(), BodyFault> {
        let mut deserializer = serde_json::Deserializer::from_str(self.body);
        let read = deserializer.deserialize_map(TopLevel(self)).and_then(|()| deserializer.end());
        read.map_err(|error| self.fault(&error))?;
        let knows_usage = matches!(self.endpoint, Endpoint::ChatCompletions | Endpoint::Completions);
        self.splices.streams_usage = self.stream && knows_usage;
        self.require()
    }

    /// What was wrong, in the caller's notation.
    fn fault(&mut self, error: &serde_json::Error) -> BodyFault {
        match (self.fault.take(), self.current) {
            (Some(fault), _) => fault,
            (None, Some((param, _))) if error.classify() == Category::Data => {
                BodyFault::Field { param, message: format!("'{param}' is malformed: {error}") }
            }
            _ => BodyFault::Json(error.to_string()),
        }
    }

    /// Refuses a body without what its endpoint requires.
    fn require(&self) -> Result<(), BodyFault> {
        if self.model.is_empty() {
            return Err(BodyFault::field("model", MODEL_EXPECTED));
        }
        let (param, expected) = match self.endpoint {
            Endpoint::ChatCompletions | Endpoint::Messages | Endpoint::CountTokens => {
                ("messages", "a non-empty array of messages")
            }
            // A prompt template or a stored conversation may stand in for the input.
            Endpoint::Responses => return Ok(()),
            Endpoint::Embeddings => ("input", "a string or a non-empty array"),
            Endpoint::Completions => ("prompt", "a string or a non-empty array"),
        };
        if self.walk.messages() > 0 { Ok(()) } else { Err(BodyFault::field(param, expected)) }
    }

    /// Reads one member of the top-level object.
    fn member<'de: 'b, A: MapAccess<'de>>(&mut self, name: &str, map: &mut A) -> Result<(), A::Error> {
        if let Some(param) = routing_param(self.endpoint, name) {
            let raw: &RawValue = map.next_value()?;
            return self.take(param, raw).map_err(|fault| {
                self.fault = Some(fault);
                A::Error::custom("")
            });
        }
        let place = Place::top_level(self.endpoint, name);
        self.current = place_param(place, name).map(|param| (param, place));
        self.walk.open();
        let hash = map.next_value_seed(self.walk.step(place))?;
        self.walk.close(name, place, hash);
        self.current = None;
        Ok(())
    }

    /// Reads a field that routing itself looks at.
    fn take(&mut self, param: &'static str, raw: &RawValue) -> Result<(), BodyFault> {
        let range = self.range_of(raw);
        match param {
            "model" => self.take_model(raw, range)?,
            "stream" => self.stream = read::<Option<bool>>(raw, param, "a boolean")?.unwrap_or(false),
            "stream_options" => {
                let options = StreamOptions::read(raw, range)
                    .ok_or_else(|| BodyFault::field(param, "an object, and its 'include_usage' a boolean"))?;
                self.wants_stream_usage = options.include_usage;
                self.splices.stream_options = Some(options);
                // Hashed only to find duplicate keys.
                self.hash(raw)?;
            }
            "temperature" => self.temperature = temperature(raw)?,
            "n" => self.choices = read(raw, param, "a positive integer")?,
            "user" | "safety_identifier" | "metadata" => self.take_user(raw),
            _ => {
                if let Some(limit) = read::<Option<u64>>(raw, param, "a positive integer")? {
                    let others = self.max_output_tokens.unwrap_or(u64::MAX);
                    self.max_output_tokens = Some(limit.min(others));
                }
                self.splices.limits.push(range);
            }
        }
        if let Some(at) = UNHASHED.iter().position(|unhashed| *unhashed == param) {
            self.walk.ambiguous |= std::mem::replace(&mut self.met[at], true);
        } else {
            let hash = self.hash(raw)?;
            self.walk.close(param, Place::Other, hash);
        }
        Ok(())
    }

    fn take_model(&mut self, raw: &RawValue, range: Range<usize>) -> Result<(), BodyFault> {
        let Name(model) = read(raw, "model", MODEL_EXPECTED)?;
        if model.len() > MODEL_NAME_BYTES {
            return Err(BodyFault::field("model", MODEL_EXPECTED));
        }
        self.model = model.into();
        self.splices.models.push(range);
        Ok(())
    }

    /// Takes note of the end user. What is not in the shape that it should have names nobody.
    fn take_user(&mut self, raw: &RawValue) {
        #[derive(Deserialize)]
        struct Metadata<'a> {
            #[serde(borrow)]
            user_id: Name<'a>,
        }
        let named = serde_json::from_str::<Name<'_>>(raw.get())
            .or_else(|_| serde_json::from_str::<Metadata<'_>>(raw.get()).map(|metadata| metadata.user_id));
        if let Ok(Name(user)) = named
            && self.user.is_none()
            && !user.is_empty()
        {
            self.user = Some(user[..user.floor_char_boundary(USER_BYTES)].into());
        }
    }

    fn hash(&mut self, raw: &RawValue) -> Result<Fingerprint, BodyFault> {
        let mut deserializer = serde_json::Deserializer::from_str(raw.get());
        let step = self.walk.step(Place::Other);
        step.deserialize(&mut deserializer).map_err(|error| BodyFault::Json(error.to_string()))
    }

    /// Where a value stands in the body.
    fn range_of(&self, raw: &RawValue) -> Range<usize> {
        let start = offset(self.body, raw.get());
        start..start + raw.get().len()
    }
}

struct TopLevel<'f, 'k, 'b>(&'f mut Fields<'k, 'b>);

impl<'de: 'b, 'b> Visitor<'de> for TopLevel<'_, '_, 'b> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<(), A::Error> {
        while let Some(Name(name)) = map.next_key()? {
            self.0.member(&name, &mut map)?;
        }
        Ok(())
    }
}

/// The name of a field that routing itself looks at, if this is one.
fn routing_param(endpoint: Endpoint, name: &str) -> Option<&'static str> {
    const ALWAYS: [&str; 5] = ["model", "stream", "stream_options", "temperature", "n"];
    let limits = limit_params(endpoint);
    ALWAYS.iter().chain(limits).chain(user_params(endpoint)).copied().find(|param| *param == name)
}

/// The fields that name the end user.
const fn user_params(endpoint: Endpoint) -> &'static [&'static str] {
    match endpoint {
        Endpoint::Messages => &["metadata"],
        Endpoint::CountTokens => &[],
        _ => &["user", "safety_identifier"],
    }
}

/// The fields that limit the answer; the first one is added where a limit must be and none is stated.
pub(super) const fn limit_params(endpoint: Endpoint) -> &'static [&'static str] {
    match endpoint {
        Endpoint::ChatCompletions => &["max_tokens", "max_completion_tokens"],
        Endpoint::Messages | Endpoint::Completions => &["max_tokens"],
        Endpoint::Responses => &["max_output_tokens"],
        Endpoint::Embeddings | Endpoint::CountTokens => &[],
    }
}

/// The name of a top-level member whose shape matters.
fn place_param(place: Place, name: &str) -> Option<&'static str> {
    const PARAMS: [&str; 11] = [
        "messages",
        "system",
        "instructions",
        "input",
        "prompt",
        "tools",
        "functions",
        "response_format",
        "output_format",
        "output_config",
        "text",
    ];
    PARAMS.into_iter().find(|param| place != Place::Other && *param == name)
}

fn temperature(raw: &RawValue) -> Result<Temperature, BodyFault> {
    Ok(match read::<Option<f64>>(raw, "temperature", "a number")? {
        None => Temperature::Absent,
        Some(0.0) => Temperature::Zero,
        Some(_) => Temperature::Above,
    })
}

fn read<'a, T: Deserialize<'a>>(
    raw: &'a RawValue,
    param: &'static str,
    expected: &str,
) -> Result<T, BodyFault> {
    serde_json::from_str(raw.get()).map_err(|_| BodyFault::field(param, expected))
}
