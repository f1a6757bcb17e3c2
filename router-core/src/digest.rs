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
mod place;
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

/// What frames a message: its role and the marks around it (OpenAI's cookbook on counting tokens for chat calls: 3
/// around each message and about 1 for the role).
const TOKENS_PER_MESSAGE: u64 = 4;

/// Chat templates frame a message with up to so many (Llama 3: four marks, the role, two line feeds, and a preamble).
const MOST_TOKENS_PER_MESSAGE: u64 = 16;

/// The most that a picture is billed as at published rates but for one model (about 4,800 at Anthropic, 1,445 for gpt-4o). gpt-4o-mini
/// counts pictures 33-fold to make up for its price.
const MOST_TOKENS_PER_IMAGE: u64 = 5_000;

/// What providers add to a prompt with tools (Anthropic's tables: up to 735).
const MOST_TOKENS_FOR_TOOLS: u64 = 1_000;

/// JSON of tools, calls and schemas has about this many bytes a token.
const EXTRA_BYTES_PER_TOKEN: u64 = 4;

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
    /// The end user that the caller names (`user`, `safety_identifier`, `metadata.user_id`), at most 256 bytes of it.
    pub user: Option<Box<str>>,
    /// Tools, images, schema, streaming.
    pub needs: Capabilities,
    /// Hash of every field but `model`, `stream` and `stream_options`.
    pub fingerprint: Fingerprint,
    /// Hash of the first turns, up to and with the first user turn: names the conversation.
    pub conversation: Fingerprint,
    /// Hash of everything but the last user turn, where that is plain text at the end of a conversation: within equal scopes questions
    /// may be compared by meaning.
    pub scope: Option<Fingerprint>,
    /// Why the body may not be cached: a duplicate key or a number beyond exact comparison.
    pub ambiguous: bool,
    /// Estimated prompt tokens.
    pub prompt_tokens: u64,
    /// The most that the prompt can be: vocabularies fall back to single bytes, so no text has more tokens than bytes.
    pub prompt_tokens_at_most: u64,
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
        let body = std::str::from_utf8(body).map_err(|error| BodyFault::Json(error.to_string()))?;
        let mut fields = fields::Fields::new(endpoint, body, key);
        fields.read()?;
        Ok(Self::assemble(endpoint, fields))
    }

    fn assemble(endpoint: Endpoint, fields: fields::Fields<'_, '_>) -> Self {
        let body_bytes = fields.body_bytes();
        let mut walk = fields.walk;
        let fingerprint = walk.fingerprint();
        let conversation = walk.conversation();
        let scope = walk.scope().filter(|_| endpoint.is_conversation());
        let gathered = walk.gathered.arrange();
        let (tools, images) = (walk.gathered.tools, walk.gathered.images);
        let needs = [
            (Capability::Tools, tools > 0),
            (Capability::Vision, images > 0),
            (Capability::JsonSchema, walk.schema),
            (Capability::Streaming, fields.stream),
        ];
        let prompt_tokens = estimate_tokens(&gathered.text)
            + walk.gathered.extra_bytes as u64 / EXTRA_BYTES_PER_TOKEN
            + walk.gathered.extra_tokens
            + u64::from(gathered.messages) * TOKENS_PER_MESSAGE
            + u64::from(images) * TOKENS_PER_IMAGE;
        let attached = if walk.gathered.attachments { body_bytes } else { 0 };
        let prompt_tokens_at_most = (gathered.text.len() + walk.gathered.extra_bytes + attached) as u64
            + walk.gathered.extra_tokens
            + u64::from(gathered.messages) * MOST_TOKENS_PER_MESSAGE
            + u64::from(images) * MOST_TOKENS_PER_IMAGE
            + if tools > 0 { MOST_TOKENS_FOR_TOOLS } else { 0 };
        Self {
            endpoint,
            model: fields.model,
            stream: fields.stream,
            wants_stream_usage: fields.wants_stream_usage,
            temperature: fields.temperature,
            max_output_tokens: fields.max_output_tokens,
            choices: fields.choices.unwrap_or(1),
            user: fields.user,
            needs: needs
                .into_iter()
                .filter(|(_, needed)| *needed)
                .map(|(capability, _)| capability)
                .collect(),
            fingerprint,
            conversation,
            scope,
            ambiguous: walk.ambiguous,
            prompt_tokens,
            prompt_tokens_at_most: prompt_tokens_at_most.max(prompt_tokens),
            splices: fields.splices,
            system: gathered.system,
            history: gathered.history,
            question: gathered.question,
            turns: gathered.turns,
            tools,
            images,
            tool_loop: gathered.tool_loop,
            text: gathered.text,
        }
    }

    /// Where the request came in.
    #[must_use]
    pub fn endpoint(&self) -> Endpoint {
        self.endpoint
    }

    /// Prompt tokens that a provider which has seen the conversation so far can read from its cache: all but the last user turn.
    #[must_use]
    pub fn prefix_tokens(&self) -> u64 {
        if self.turns < 2 {
            return 0;
        }
        self.prompt_tokens.saturating_sub(estimate_tokens(&self.text[self.question.clone()]))
    }

    /// Prompt tokens by a more exact count of the text. What is not text (frames, tools, images) counts as estimated.
    #[must_use]
    pub fn recount(&self, count: impl FnMut(&str) -> u64) -> u64 {
        let parts = [&self.system, &self.history, &self.question].map(|part| &self.text[part.clone()]);
        let other = self.prompt_tokens.saturating_sub(estimate_tokens(&self.text));
        parts.into_iter().map(count).fold(other, u64::saturating_add)
    }

    /// All text of the prompt in the order in which a provider reads it, system first.
    #[must_use]
    pub fn text(&self) -> &str {
        &self.text
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
