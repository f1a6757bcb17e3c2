//! The two API dialects and the endpoints that speak them.

use std::fmt;

/// How a provider's API is shaped.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Dialect {
    /// OpenAI and everything compatible with it.
    OpenAi,
    /// Anthropic Messages.
    Anthropic,
}

impl Dialect {
    /// The name used in policies and labels.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::OpenAi => "openai",
            Self::Anthropic => "anthropic",
        }
    }
}

impl fmt::Display for Dialect {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// A data-plane endpoint that is forwarded to a provider.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Endpoint {
    /// `POST /v1/chat/completions`
    ChatCompletions,
    /// `POST /v1/messages`
    Messages,
    /// `POST /v1/responses`
    Responses,
    /// `POST /v1/embeddings`
    Embeddings,
    /// `POST /v1/completions`
    Completions,
    /// `POST /v1/messages/count_tokens`
    CountTokens,
}

impl Endpoint {
    /// Every endpoint, in the order of the documentation.
    pub const ALL: [Self; 6] = [
        Self::ChatCompletions,
        Self::Messages,
        Self::Responses,
        Self::Embeddings,
        Self::Completions,
        Self::CountTokens,
    ];

    /// The endpoint at this path of the data plane.
    #[must_use]
    pub fn from_path(path: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|endpoint| endpoint.path() == path)
    }

    /// The path on the data plane.
    #[must_use]
    pub const fn path(self) -> &'static str {
        match self {
            Self::ChatCompletions => "/v1/chat/completions",
            Self::Messages => "/v1/messages",
            Self::Responses => "/v1/responses",
            Self::Embeddings => "/v1/embeddings",
            Self::Completions => "/v1/completions",
            Self::CountTokens => "/v1/messages/count_tokens",
        }
    }

    /// The path below a provider's base URL. OpenAI base URLs include `/v1`, Anthropic ones do not.
    #[must_use]
    pub fn upstream_path(self) -> &'static str {
        match self.dialect() {
            Dialect::OpenAi => &self.path()["/v1".len()..],
            Dialect::Anthropic => self.path(),
        }
    }

    /// The dialect of requests to this endpoint.
    #[must_use]
    pub const fn dialect(self) -> Dialect {
        match self {
            Self::Messages | Self::CountTokens => Dialect::Anthropic,
            _ => Dialect::OpenAi,
        }
    }

    /// The name used in policies and labels.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::ChatCompletions => "chat_completions",
            Self::Messages => "messages",
            Self::Responses => "responses",
            Self::Embeddings => "embeddings",
            Self::Completions => "completions",
            Self::CountTokens => "count_tokens",
        }
    }

    /// The endpoint with this name or path, as a policy writes it.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|endpoint| endpoint.as_str() == name || endpoint.path() == name)
    }

    /// Whether requests are lists of messages that are answered by the next one.
    #[must_use]
    pub const fn is_conversation(self) -> bool {
        matches!(self, Self::ChatCompletions | Self::Messages)
    }

    /// Whether the answer is generated text, so that output tokens are expected.
    #[must_use]
    pub const fn generates(self) -> bool {
        !matches!(self, Self::Embeddings | Self::CountTokens)
    }
}

impl fmt::Display for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}
