//! The few values of a body that may be changed, and nothing else.

use std::ops::Range;

use bytes::Bytes;
use smallvec::SmallVec;

use super::fields::{Members, limit_param};
use crate::dialect::Endpoint;

/// Where the values stand that the router may have to change.
#[derive(Clone, Debug, Default)]
pub struct Splices {
    model: Option<Range<usize>>,
    limits: SmallVec<[Range<usize>; 2]>,
    limit_param: &'static str,
    stream_options: Option<Range<usize>>,
    streams_usage: bool,
    /// Just behind the opening brace.
    first_member: usize,
}

/// What to change in a body on its way to a provider.
#[derive(Clone, Copy, Debug, Default)]
pub struct Changes<'a> {
    /// The model name the provider knows.
    pub model: Option<&'a str>,
    /// The limit on answer tokens: written over higher ones, added where none is stated.
    pub max_output_tokens: Option<u64>,
    /// Ask for usage on the stream.
    pub stream_usage: bool,
}

impl Splices {
    pub(super) fn locate(endpoint: Endpoint, body: &[u8], members: &Members<'_>) -> Self {
        let origin = body.as_ptr() as usize;
        let mut splices = Self {
            limit_param: limit_param(endpoint),
            streams_usage: matches!(endpoint, Endpoint::ChatCompletions | Endpoint::Completions),
            first_member: body.iter().position(|byte| *byte == b'{').map_or(0, |at| at + 1),
            ..Self::default()
        };
        for (name, value) in members {
            let start = value.get().as_ptr() as usize - origin;
            let range = start..start + value.get().len();
            match &**name {
                "model" => splices.model = Some(range),
                "max_tokens" | "max_completion_tokens" | "max_output_tokens" => splices.limits.push(range),
                "stream_options" => splices.stream_options = Some(range),
                _ => {}
            }
        }
        splices
    }

    /// The body with `changes` made: every other byte stays where it was. Without a difference the body itself.
    ///
    /// `body` must be the bytes the splices were located in; elsewhere the result is unspecified but never a panic.
    #[must_use]
    pub fn apply(&self, body: &Bytes, changes: &Changes<'_>) -> Bytes {
        let mut edits: SmallVec<[(Range<usize>, String); 4]> = SmallVec::new();
        if let (Some(model), Some(range)) = (changes.model, &self.model) {
            let quoted = serde_json::Value::from(model).to_string();
            if body.get(range.clone()) != Some(quoted.as_bytes()) {
                edits.push((range.clone(), quoted));
            }
        }
        if let Some(limit) = changes.max_output_tokens {
            self.clamp(body, limit, &mut edits);
        }
        if changes.stream_usage && self.streams_usage {
            edits.push(self.ask_usage(body));
        }
        if edits.is_empty() {
            return body.clone();
        }
        edits.sort_by_key(|(range, _)| range.start);
        rewrite(body, &edits)
    }

    fn clamp(&self, body: &Bytes, limit: u64, edits: &mut SmallVec<[(Range<usize>, String); 4]>) {
        let mut stated = false;
        for range in &self.limits {
            let value = body.get(range.clone()).and_then(|raw| serde_json::from_slice::<u64>(raw).ok());
            stated |= value.is_some();
            if value.is_some_and(|value| value > limit) {
                edits.push((range.clone(), limit.to_string()));
            }
        }
        if !stated {
            match self.limits.first() {
                Some(null) => edits.push((null.clone(), limit.to_string())),
                None => {
                    edits.push((
                        self.first_member..self.first_member,
                        format!("\"{}\":{limit},", self.limit_param),
                    ));
                }
            }
        }
    }

    fn ask_usage(&self, body: &Bytes) -> (Range<usize>, String) {
        const ASKED: &str = "{\"include_usage\":true}";
        let Some(range) = &self.stream_options else {
            let at = self.first_member;
            return (at..at, format!("\"stream_options\":{ASKED},"));
        };
        let options = body
            .get(range.clone())
            .and_then(|raw| serde_json::from_slice::<serde_json::Map<String, serde_json::Value>>(raw).ok());
        let Some(mut options) = options.filter(|options| !options.is_empty()) else {
            return (range.clone(), ASKED.to_owned());
        };
        options.insert("include_usage".to_owned(), true.into());
        (range.clone(), serde_json::Value::Object(options).to_string())
    }
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
