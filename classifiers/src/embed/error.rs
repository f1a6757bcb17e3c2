//! Why there is no embedding, or no model.

use std::path::PathBuf;

use router_core::cache::semantic::BadVector;
use thiserror::Error;

/// Why a text has no embedding. Each is a miss for the cache, counted by [`name`](Self::name).
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum EmbedError {
    /// More tokens than the model is given, so that it could not see the end.
    #[error("the text has more than {most} tokens")]
    TooLong {
        /// The model's limit, at most [`MOST_TOKENS`](super::MOST_TOKENS).
        most: usize,
    },
    /// As many texts are waiting as may.
    #[error("too many texts are waiting to be embedded")]
    QueueFull,
    /// The model returned something that is no direction.
    #[error("the model returned no usable vector: {0}")]
    BadVector(#[from] BadVector),
    /// The model returned another number of components than it has dimensions.
    #[error("the model returned {found} dimensions instead of {expected}")]
    Dimensions {
        /// What the model said it has.
        expected: usize,
        /// What it returned.
        found: usize,
    },
    /// The model or its tokenizer reported an error.
    #[error("the model failed: {0}")]
    Failed(String),
    /// The model panicked.
    #[error("the model panicked")]
    Panicked,
    /// There is no thread any more: it was stopped, or gave up after panics.
    #[error("the embedding thread has stopped")]
    Stopped,
}

impl EmbedError {
    /// A short stable name for metrics and receipts.
    #[must_use]
    pub const fn name(&self) -> &'static str {
        match self {
            Self::TooLong { .. } => "too_long",
            Self::QueueFull => "queue_full",
            Self::BadVector(_) => "bad_vector",
            Self::Dimensions { .. } => "dimensions",
            Self::Failed(_) => "failed",
            Self::Panicked => "panicked",
            Self::Stopped => "stopped",
        }
    }
}

/// Why there is no model. The message tells what to do.
#[derive(Debug, Error)]
pub enum LoadError {
    /// A file is not there.
    #[error("there is no {what} in {}; `scripts/fetch-models {}` puts a model there", folder.display(), folder.display())]
    Missing {
        /// The file, or the files that would do.
        what: &'static str,
        /// Where it was looked for.
        folder: PathBuf,
    },
    /// A file cannot be read.
    #[error("cannot read {}: {source}", path.display())]
    Unreadable {
        /// Which.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// ONNX Runtime cannot be loaded: no library, one for another machine, or one before 1.24.
    #[error("cannot use {} as ONNX Runtime: {reason}; `scripts/fetch-models DIR` brings one that fits", library.display())]
    Runtime {
        /// The file tried.
        library: PathBuf,
        /// What the loader said.
        reason: String,
    },
    /// The model or its tokenizer does not load, or a first text cannot be embedded.
    #[error("the model in {} does not work: {reason}", folder.display())]
    Model {
        /// Where it is from.
        folder: PathBuf,
        /// What went wrong.
        reason: String,
    },
}
