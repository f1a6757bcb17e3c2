//! The few values of a body that may be changed, and nothing else.

use std::fmt;
use std::ops::Range;

use bytes::Bytes;
use serde::Deserialize;
use serde::de::{Deserializer, Error, MapAccess, Visitor};
use serde_json::value::RawValue;
use smallvec::SmallVec;

use super::fields::{Name, limit_params};
use crate::dialect::Endpoint;

/// Where the values stand that the router may have to change.
#[derive(Clone, Debug, Default)]
pub struct Splices {
    /// Every `model`: of duplicates a provider may take any.
    pub(super) models: SmallVec<[Range<usize>; 1]>,
    pub(super) limits: SmallVec<[Range<usize>; 2]>,
    pub(super) stream_options: Option<StreamOptions>,
    /// Whether this is a stream of an endpoint that knows `stream_options.include_usage`.
    pub(super) streams_usage: bool,
    /// The field that limits the answer; none where there is nothing to limit.
    limit_param: Option<&'static str>,
    /// Just behind the opening brace.
    first_member: usize,
}

/// The `stream_options` of a body.
#[derive(Clone, Debug)]
pub(super) struct StreamOptions {
    /// Whether usage is asked for.
    pub(super) include_usage: bool,
    range: Range<usize>,
    /// Every value of `include_usage`.
    values: SmallVec<[Range<usize>; 1]>,
    /// Members, whatever their names; `None` for `null`.
    members: Option<usize>,
}

/// What to change in a body on its way to a provider.
#[derive(Clone, Copy, Debug, Default)]
pub struct Changes<'a> {
    /// The model name the provider knows.
    pub model: Option<&'a str>,
    /// The limit on answer tokens: written over higher ones, added where none is stated.
    pub max_output_tokens: Option<u64>,
    /// Ask for usage on the stream. Nothing happens to a request that is not for a stream.
    pub stream_usage: bool,
}

type Edits = SmallVec<[(Range<usize>, String); 4]>;

impl Splices {
    pub(super) fn new(endpoint: Endpoint, body: &str) -> Self {
        Self {
            limit_param: limit_params(endpoint).first().copied(),
            first_member: body.find('{').map_or(0, |at| at + 1),
            ..Self::default()
        }
    }

    /// The body with `changes` made: every other byte stays where it was. Without a difference the body itself.
    ///
    /// `body` must be the bytes the splices were located in; elsewhere the result is unspecified but never a panic.
    #[must_use]
    pub fn apply(&self, body: &Bytes, changes: &Changes<'_>) -> Bytes {
        let mut edits = Edits::new();
        if let Some(model) = changes.model {
            self.name(body, model, &mut edits);
        }
        if let (Some(limit), Some(param)) = (changes.max_output_tokens, self.limit_param) {
            self.clamp(body, limit, param, &mut edits);
        }
        if changes.stream_usage && self.streams_usage {
            self.ask_usage(body, &mut edits);
        }
        if edits.is_empty() {
            return body.clone();
        }
        edits.sort_by_key(|(range, _)| range.start);
        rewrite(body, &edits)
    }

    fn name(&self, body: &Bytes, model: &str, edits: &mut Edits) {
        for range in &self.models {
            if value_at::<Name<'_>>(body, range).is_none_or(|Name(stated)| stated != model) {
                edits.push((range.clone(), serde_json::Value::from(model).to_string()));
            }
        }
    }

    fn clamp(&self, body: &Bytes, limit: u64, param: &str, edits: &mut Edits) {
        let mut stated = false;
        for range in &self.limits {
            let value = value_at::<u64>(body, range);
            stated |= value.is_some();
            if value.is_some_and(|value| value > limit) {
                edits.push((range.clone(), limit.to_string()));
            }
        }
        match self.limits.first() {
            _ if stated => {}
            Some(null) => edits.push((null.clone(), limit.to_string())),
            None => edits.push((self.first_member..self.first_member, format!("\"{param}\":{limit},"))),
        }
    }

    fn ask_usage(&self, body: &Bytes, edits: &mut Edits) {
        let Some(options) = &self.stream_options else {
            let stated = "\"stream_options\":{\"include_usage\":true},".to_owned();
            edits.push((self.first_member..self.first_member, stated));
            return;
        };
        for range in &options.values {
            if body.get(range.clone()) != Some(b"true") {
                edits.push((range.clone(), "true".to_owned()));
            }
        }
        let inside = options.range.start + 1;
        match options.members {
            None => edits.push((options.range.clone(), "{\"include_usage\":true}".to_owned())),
            Some(0) => edits.push((inside..inside, "\"include_usage\":true".to_owned())),
            Some(_) if options.values.is_empty() => {
                edits.push((inside..inside, "\"include_usage\":true,".to_owned()));
            }
            Some(_) => {}
        }
    }
}

impl StreamOptions {
    /// Reads the options that stand at `range` of a body. `None` where they are no object, or `include_usage` no boolean.
    pub(super) fn read(raw: &RawValue, range: Range<usize>) -> Option<Self> {
        let mut options =
            Self { include_usage: false, range: range.clone(), values: SmallVec::new(), members: None };
        if raw.get() != "null" {
            let visitor = OptionsVisitor { options: &mut options, text: raw.get(), start: range.start };
            serde_json::Deserializer::from_str(raw.get()).deserialize_map(visitor).ok()?;
        }
        Some(options)
    }
}

struct OptionsVisitor<'o, 'b> {
    options: &'o mut StreamOptions,
    text: &'b str,
    start: usize,
}

impl<'de> Visitor<'de> for OptionsVisitor<'_, '_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<(), A::Error> {
        let mut members = 0;
        while let Some(Name(name)) = map.next_key()? {
            let value: &RawValue = map.next_value()?;
            members += 1;
            if name == "include_usage" {
                let asked: Option<bool> = serde_json::from_str(value.get()).map_err(A::Error::custom)?;
                self.options.include_usage = asked.unwrap_or(false);
                let start = self.start + offset(self.text, value.get());
                self.options.values.push(start..start + value.get().len());
            }
        }
        self.options.members = Some(members);
        Ok(())
    }
}

/// Where `part` begins in `whole`, of which it is a part.
pub(super) fn offset(whole: &str, part: &str) -> usize {
    part.as_ptr().addr().wrapping_sub(whole.as_ptr().addr())
}

/// The value that stands at `range`, if it can be read as `T`.
fn value_at<'a, T: Deserialize<'a>>(body: &'a Bytes, range: &Range<usize>) -> Option<T> {
    serde_json::from_slice(body.get(range.clone())?).ok()
}

/// Copies `body` with the ranges replaced. Edits are sorted and do not overlap.
fn rewrite(body: &Bytes, edits: &[(Range<usize>, String)]) -> Bytes {
    let grown: usize = edits.iter().map(|(_, text)| text.len()).sum();
    let mut out = Vec::with_capacity(body.len() + grown);
    let mut from = 0;
    for (range, text) in edits {
        out.extend_from_slice(body.get(from..range.start).unwrap_or_default());
        out.extend_from_slice(text.as_bytes());
        from = range.end;
    }
    out.extend_from_slice(body.get(from..).unwrap_or_default());
    Bytes::from(out)
}
