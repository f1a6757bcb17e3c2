//! What can be wrong with a body. Always the caller's fault.

use thiserror::Error;

/// A body that cannot be routed.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum BodyFault {
    /// Not JSON, or nested too deeply, or not an object.
    #[error("the request body is not valid JSON: {0}")]
    Json(String),
    /// JSON, but a field that the router must understand is missing or has the wrong shape.
    #[error("{message}")]
    Field {
        /// The field, in the caller's notation.
        param: &'static str,
        /// What is wrong and what would be right.
        message: String,
    },
}

impl BodyFault {
    /// `param` is missing or wrong: `expected` says what it must be.
    pub(super) fn field(param: &'static str, expected: &str) -> Self {
        Self::Field { param, message: format!("'{param}' must be {expected}") }
    }

    /// The field at fault, where one is.
    #[must_use]
    pub fn param(&self) -> Option<&'static str> {
        match self {
            Self::Json(_) => None,
            Self::Field { param, .. } => Some(param),
        }
    }
}
