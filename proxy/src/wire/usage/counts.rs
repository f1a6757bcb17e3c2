//! The numbers of a usage report under the names their providers give them.

use serde::Deserialize;

use super::count::Count;
use super::{Usage, UsageFault};

/// A usage report as it was sent, whatever the provider: every known field, most of them absent.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub struct Counts {
    // OpenAI chat and completions, and the servers that copy them.
    pub(super) prompt_tokens: Count,
    pub(super) completion_tokens: Count,
    pub(super) total_tokens: Count,
    pub(super) prompt_tokens_details: Option<Details>,
    pub(super) completion_tokens_details: Option<Details>,
    // DeepSeek, Moonshot, Perplexity.
    pub(super) prompt_cache_hit_tokens: Count,
    pub(super) cached_tokens: Count,
    pub(super) reasoning_tokens: Count,
    // OpenAI responses and Anthropic messages.
    pub(super) input_tokens: Count,
    pub(super) output_tokens: Count,
    pub(super) input_tokens_details: Option<Details>,
    pub(super) output_tokens_details: Option<Details>,
    pub(super) cache_creation_input_tokens: Count,
    pub(super) cache_read_input_tokens: Count,
    pub(super) cache_creation: Option<CacheCreation>,
    pub(super) iterations: Option<Vec<Iteration>>,
    // Gemini: generateContent, live.
    #[serde(rename = "promptTokenCount")]
    pub(super) prompt_token_count: Count,
    #[serde(rename = "candidatesTokenCount")]
    pub(super) candidates_token_count: Count,
    #[serde(rename = "responseTokenCount")]
    pub(super) response_token_count: Count,
    #[serde(rename = "cachedContentTokenCount")]
    pub(super) cached_content_token_count: Count,
    #[serde(rename = "thoughtsTokenCount")]
    pub(super) thoughts_token_count: Count,
    #[serde(rename = "toolUsePromptTokenCount")]
    pub(super) tool_use_prompt_token_count: Count,
    // Gemini: interactions.
    pub(super) total_input_tokens: Count,
    pub(super) total_output_tokens: Count,
    pub(super) total_cached_tokens: Count,
    pub(super) total_thought_tokens: Count,
    pub(super) total_tool_use_tokens: Count,
}

/// What a prompt or completion count consists of.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Details {
    pub(super) cached_tokens: Count,
    pub(super) cache_write_tokens: Count,
    pub(super) audio_tokens: Count,
    pub(super) reasoning_tokens: Count,
    pub(super) thinking_tokens: Count,
}

/// Anthropic's cache writes by lifetime.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct CacheCreation {
    pub(super) ephemeral_1h_input_tokens: Count,
}

/// One sampling pass of an Anthropic answer.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Iteration {
    #[serde(rename = "type")]
    pub(super) kind: Box<str>,
    pub(super) model: Option<Box<str>>,
    pub(super) input_tokens: Count,
    pub(super) output_tokens: Count,
    pub(super) cache_creation_input_tokens: Count,
    pub(super) cache_read_input_tokens: Count,
}

impl Counts {
    /// Reads the report that `json` begins with; what follows it is not looked at.
    ///
    /// # Errors
    /// [`UsageFault::Malformed`] where it is not an object, is cut off, or names a field twice.
    pub fn read(json: &[u8]) -> Result<Self, UsageFault> {
        let mut reader = serde_json::Deserializer::from_slice(json);
        Self::deserialize(&mut reader).map_err(|_| UsageFault::Malformed)
    }

    /// Lays a later report of the same message over this one: what the later one states counts.
    ///
    /// Anthropic's `message_start` knows the prompt, its `message_delta` the final figures, and older
    /// servers leave out of the second what the first has said.
    pub fn overlay(&mut self, later: Self) {
        self.input_tokens.overlay(later.input_tokens);
        self.output_tokens.overlay(later.output_tokens);
        self.cache_creation_input_tokens.overlay(later.cache_creation_input_tokens);
        self.cache_read_input_tokens.overlay(later.cache_read_input_tokens);
        self.cache_creation = later.cache_creation.or(self.cache_creation.take());
        self.output_tokens_details = later.output_tokens_details.or(self.output_tokens_details.take());
        self.iterations = later.iterations.or(self.iterations.take());
    }

    /// The tokens by disjoint class, or `None` where the report counts no tokens (a transcription that is
    /// billed by the second).
    ///
    /// # Errors
    /// Where the prompt or completion count cannot be true.
    pub fn usage(&self) -> Result<Option<Usage>, UsageFault> {
        super::normalize::normalize(self)
    }
}
