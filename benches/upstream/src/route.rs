//! Paths and whose language is spoken on them.

use http::request::Parts;
use http::{HeaderMap, Method};

/// Whose API it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Dialect {
    OpenAi,
    Anthropic,
}

impl Dialect {
    /// The dialect of a path that both APIs have: Anthropic's clients always state a version.
    pub(crate) fn of(headers: &HeaderMap) -> Self {
        if headers.contains_key("anthropic-version") { Self::Anthropic } else { Self::OpenAi }
    }
}

/// A path that takes a prompt.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Endpoint {
    Chat,
    Completions,
    Responses,
    Embeddings,
    Messages,
    CountTokens,
}

impl Endpoint {
    pub(crate) fn dialect(self) -> Dialect {
        match self {
            Self::Messages | Self::CountTokens => Dialect::Anthropic,
            Self::Chat | Self::Completions | Self::Responses | Self::Embeddings => Dialect::OpenAi,
        }
    }
}

/// Where a request goes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Route {
    /// A prompt.
    Prompt(Endpoint),
    /// The list of models.
    Models,
    /// One model.
    Model(String),
    /// Ollama's list of models.
    OllamaTags,
    /// The path exists, the method does not.
    WrongMethod,
    /// Nothing is here.
    Nowhere,
}

impl Route {
    pub(crate) fn of(head: &Parts) -> Self {
        let (route, method) = match head.uri.path() {
            "/v1/chat/completions" => (Self::Prompt(Endpoint::Chat), Method::POST),
            "/v1/completions" => (Self::Prompt(Endpoint::Completions), Method::POST),
            "/v1/responses" => (Self::Prompt(Endpoint::Responses), Method::POST),
            "/v1/embeddings" => (Self::Prompt(Endpoint::Embeddings), Method::POST),
            "/v1/messages" => (Self::Prompt(Endpoint::Messages), Method::POST),
            "/v1/messages/count_tokens" => (Self::Prompt(Endpoint::CountTokens), Method::POST),
            "/v1/models" => (Self::Models, Method::GET),
            "/api/tags" => (Self::OllamaTags, Method::GET),
            path => match path.strip_prefix("/v1/models/") {
                Some(id) => (Self::Model(id.to_owned()), Method::GET),
                None => return Self::Nowhere,
            },
        };
        if head.method == method { route } else { Self::WrongMethod }
    }

    pub(crate) fn dialect(&self, headers: &HeaderMap) -> Dialect {
        match self {
            Self::Prompt(endpoint) => endpoint.dialect(),
            _ => Dialect::of(headers),
        }
    }
}
