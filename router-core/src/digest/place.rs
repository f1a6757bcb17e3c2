//! Where a value stands in a body, which says what it means and which shapes it may have.

use crate::dialect::Endpoint;

/// The meaning of a value by where it stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Place {
    /// Nothing the router reads.
    Other,
    /// Part of the prompt that counts by its length only: calls, their arguments, tool definitions, thoughts.
    Extra,
    /// An array of messages.
    Messages,
    /// One message, with a role.
    Message,
    /// A message's role.
    Role,
    /// A message's content: a string or parts.
    Content,
    /// One part of a message's content.
    Part,
    /// A part's type.
    PartType,
    /// A part's text.
    Text,
    /// What a tool gave back: a string, parts, or a shape of the tool's own.
    Result,
    /// One part of that.
    ResultPart,
    /// Where an attached document comes from.
    Source,
    /// The document itself: text, or base64.
    SourceData,
    /// The system prompt beside the messages.
    System,
    /// Responses input: a string, or an array of items.
    Input,
    /// One item: a message, a call, what a call gave back, …
    Item,
    /// An item's type.
    ItemType,
    /// Embedding input or completion prompt: a string, an array of them, or token numbers.
    Texts,
    /// One of those.
    TextsElement,
    /// An array of tools.
    Tools,
    /// The answer's format.
    Format,
    /// An object with the answer's format inside.
    FormatHolder,
    /// The format's type.
    FormatType,
}

/// The shape of a JSON value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Shape {
    Null,
    Scalar,
    Text,
    Array,
    Object,
}

impl Place {
    /// Where a top-level member of an endpoint's body stands.
    pub(super) fn top_level(endpoint: Endpoint, name: &str) -> Self {
        use Endpoint::{ChatCompletions, Completions, CountTokens, Embeddings, Messages, Responses};
        match (endpoint, name) {
            (ChatCompletions | Messages | CountTokens, "messages") => Self::Messages,
            (Messages | CountTokens, "system") | (Responses, "instructions") => Self::System,
            (Responses, "input") => Self::Input,
            (Embeddings, "input") | (Completions, "prompt") => Self::Texts,
            (ChatCompletions | Messages | CountTokens | Responses, "tools") => Self::Tools,
            (ChatCompletions, "functions") => Self::Tools,
            (ChatCompletions, "response_format") | (Messages, "output_format") => Self::Format,
            (Responses, "text") | (Messages, "output_config") => Self::FormatHolder,
            _ => Self::Other,
        }
    }

    /// The place of a member of an object that stands here.
    pub(super) fn member(self, name: &str) -> Self {
        match (self, name) {
            (Self::Message | Self::Item, "role") => Self::Role,
            (Self::Message | Self::Item, "content") => Self::Content,
            (Self::Item, "output") | (Self::Part | Self::ResultPart | Self::Source, "content") => {
                Self::Result
            }
            (Self::Item, "type") => Self::ItemType,
            (Self::Part | Self::ResultPart, "type") => Self::PartType,
            (Self::Part | Self::ResultPart, "text") => Self::Text,
            (Self::Part | Self::ResultPart, "source") => Self::Source,
            (Self::Source, "data") => Self::SourceData,
            (Self::FormatHolder, "format") => Self::Format,
            (Self::Format, "type") => Self::FormatType,
            (Self::Message | Self::Item | Self::Part | Self::Result | Self::ResultPart | Self::Extra, _) => {
                if is_opaque(name) {
                    Self::Other
                } else {
                    Self::Extra
                }
            }
            _ => Self::Other,
        }
    }

    /// The place of an element of an array that stands here.
    pub(super) const fn element(self) -> Self {
        match self {
            Self::Messages => Self::Message,
            Self::Input => Self::Item,
            Self::Content | Self::System => Self::Part,
            Self::Result => Self::ResultPart,
            Self::Texts => Self::TextsElement,
            // An array of arrays of token numbers.
            Self::TextsElement => Self::TextsElement,
            Self::Tools | Self::Extra => Self::Extra,
            _ => Self::Other,
        }
    }

    /// Whether a value of this shape may stand here. What the router doesn't read may have any shape.
    pub(super) const fn accepts(self, shape: Shape) -> bool {
        match self {
            Self::Messages | Self::Tools => matches!(shape, Shape::Array | Shape::Null),
            Self::Message | Self::Part | Self::Item => matches!(shape, Shape::Object),
            Self::Role => matches!(shape, Shape::Text | Shape::Null),
            Self::Content | Self::System | Self::Input | Self::Texts => {
                matches!(shape, Shape::Text | Shape::Array | Shape::Null)
            }
            Self::Format | Self::FormatHolder => matches!(shape, Shape::Object | Shape::Null),
            Self::Text => matches!(shape, Shape::Text | Shape::Null),
            _ => true,
        }
    }

    /// What may stand here, for the caller who sent something else.
    pub(super) const fn expected(self) -> &'static str {
        match self {
            Self::Messages => "an array of messages",
            Self::Message => "a message object",
            Self::Role => "a string with the message's role",
            Self::Content => "content as a string or an array of parts",
            Self::System | Self::Texts => "a string or an array",
            Self::Part => "a content part object",
            Self::Text => "a string with the part's text",
            Self::Input => "a string or an array of items",
            Self::Item => "an item object",
            Self::Tools => "an array of tools",
            Self::Format | Self::FormatHolder => "an object",
            _ => "another value",
        }
    }
}

/// Names of members that hold identifiers, addresses, signatures or base64: no prompt text.
fn is_opaque(name: &str) -> bool {
    matches!(
        name,
        "data"
            | "url"
            | "image_url"
            | "file_data"
            | "file_url"
            | "result"
            | "signature"
            | "encrypted_content"
            | "id"
            | "call_id"
            | "tool_call_id"
            | "tool_use_id"
            | "file_id"
            | "cache_control"
    )
}
