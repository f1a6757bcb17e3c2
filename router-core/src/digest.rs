//! A request body, read once.
//!
//! [`Digest::read`] walks the JSON a single time and keeps what every later stage needs: the text for the scorer,
//! what the request needs of a model, where the few values stand that may have to be spliced, and a keyed hash of
//! everything else for the cache. The body itself stays untouched and is never re-serialised.
//!
//! Bounds: nesting is limited to 128 levels by the JSON parser; the text kept is never longer than the body.

mod fault;
mod fields;
mod fingerprint;
mod gather;
mod splice;
mod walk;

use std::ops::Range;

pub use fault::BodyFault;
pub use fingerprint::{Fingerprint, FingerprintKey};
pub use splice::{Changes, Splices};

use crate::capability::{Capabilities, Capability};
use crate::dialect::Endpoint;
use crate::estimate::estimate_tokens;
use crate::score::Prompt;

/// The sampling temperature that a request states.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Temperature {
    /// Not stated: the provider's default, which is not 0.
    #[default]
    Absent,
    /// Stated as 0: the caller asks for the most likely answer.
    Zero,
    /// Stated as anything else.
    Above,
}

/// Images cost about this many prompt tokens at the providers' usual detail: 765 is the published figure for a
/// 1024 × 1024 picture at high detail (OpenAI's vision guide).
const TOKENS_PER_IMAGE: u64 = 765;

/// What one request body says.
#[derive(Clone, Debug)]
pub struct Digest {
    endpoint: Endpoint,
    /// The model as the caller wrote it.
    pub model: Box<str>,
    /// Whether the answer is to be streamed.
    pub stream: bool,
    /// Whether the caller asked for usage on its stream.
    pub wants_stream_usage: bool,
    /// The stated temperature.
    pub temperature: Temperature,
    /// The answer's token limit, where stated.
    pub max_output_tokens: Option<u64>,
    /// Answers asked for (`n`).
    pub choices: u64,
    /// Tools, images, schema, streaming.
    pub needs: Capabilities,
    /// Hash of every field but `model`, `stream` and `stream_options`.
    pub fingerprint: Fingerprint,
    /// Hash of the first turns, up to and with the first user turn: names the conversation.
    pub conversation: Fingerprint,
    /// Why the body may not be cached: a duplicate key or a number beyond exact comparison.
    pub ambiguous: bool,
    /// Estimated prompt tokens.
    pub prompt_tokens: u64,
    /// Where values stand that may be spliced.
    pub splices: Splices,
    text: String,
    system: Range<usize>,
    history: Range<usize>,
    question: Range<usize>,
    turns: u32,
    tools: u32,
    images: u32,
    tool_loop: bool,
}

impl Digest {
    /// Reads a body. `key` is the process's secret for fingerprints.
    ///
    /// # Errors
    /// A body that is not JSON, or lacks or misshapes what the endpoint requires. Unknown fields are fine.
    pub fn read(endpoint: Endpoint, body: &[u8], key: &FingerprintKey) -> Result<Self, BodyFault> {
        let members = fields::members(body)?;
        let mut walk = walk::Walk::new(key, body.len());
        let mut fields = fields::Fields::default();
        for (name, value) in &members {
            fields.take(endpoint, name, value, &mut walk)?;
        }
        let splices = Splices::locate(endpoint, body, &members);
        fields.require(endpoint, &walk)?;
        Ok(Self::assemble(endpoint, fields, walk, splices))
    }

    fn assemble(
        endpoint: Endpoint,
        fields: fields::Fields,
        mut walk: walk::Walk<'_>,
        splices: Splices,
    ) -> Self {
        let fingerprint = walk.fingerprint();
        let conversation = walk.conversation();
        let gathered = walk.gathered.arrange();
        let mut needs = Capabilities::NONE;
        for (capability, needed) in [
            (Capability::Tools, gathered.tools > 0),
            (Capability::Vision, gathered.images > 0),
            (Capability::JsonSchema, fields.json_schema),
            (Capability::Streaming, fields.stream),
        ] {
            if needed {
                needs = needs.with(capability);
            }
        }
        let prompt_tokens = estimate_tokens(&gathered.text)
            + gathered.tool_bytes as u64 / 4
            + u64::from(gathered.images) * TOKENS_PER_IMAGE;
        Self {
            endpoint,
            model: fields.model.unwrap_or_default(),
            stream: fields.stream,
            wants_stream_usage: fields.wants_stream_usage,
            temperature: fields.temperature,
            max_output_tokens: fields.max_output_tokens,
            choices: fields.choices.unwrap_or(1),
            needs,
            fingerprint,
            conversation,
            ambiguous: walk.ambiguous || fields.duplicate,
            prompt_tokens,
            splices,
            system: gathered.system,
            history: gathered.history,
            question: gathered.question,
            turns: gathered.turns,
            tools: gathered.tools,
            images: gathered.images,
            tool_loop: gathered.tool_loop,
            text: gathered.text,
        }
    }

    /// Where the request came in.
    #[must_use]
    pub fn endpoint(&self) -> Endpoint {
        self.endpoint
    }

    /// What a scorer looks at.
    #[must_use]
    pub fn prompt(&self) -> Prompt<'_> {
        Prompt {
            question: &self.text[self.question.clone()],
            system: &self.text[self.system.clone()],
            history: &self.text[self.history.clone()],
            turns: self.turns,
            tools: self.tools,
            images: self.images,
            json_schema: self.needs.contains(Capability::JsonSchema),
            tool_loop: self.tool_loop,
        }
    }
}
