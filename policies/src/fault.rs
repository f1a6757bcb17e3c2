//! What is wrong with one value.

use std::fmt;

/// Why a value is refused, and what to write instead. Does not know where the value stands.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct Fault {
    /// What is wrong, without a full stop.
    pub message: String,
    /// What to write instead, where that can be guessed.
    pub suggestion: Option<String>,
}

impl Fault {
    /// A fault without a suggestion.
    pub(crate) fn new(message: impl Into<String>) -> Self {
        Self { message: message.into(), suggestion: None }
    }

    /// The same fault with the mend.
    pub(crate) fn suggest(mut self, mend: impl fmt::Display) -> Self {
        self.suggestion = Some(mend.to_string());
        self
    }

    /// The same fault with the mend, where there is one.
    pub(crate) fn suggest_any(mut self, mend: Option<impl fmt::Display>) -> Self {
        self.suggestion = mend.map(|mend| mend.to_string());
        self
    }
}
