//! What a question means, as a vector: sentence embeddings for the second of the cache's two matchers.
//!
//! A [`ModelFiles`] finds the files, a [`SentenceModel`] runs them through ONNX Runtime, a library that is loaded when
//! the first model is, and an [`EmbedWorker`] does that on a thread of its own, with a queue that refuses rather than
//! grows. Nothing here is needed to build or to start: without the files there is an error that says how to get them,
//! and the cache's built-in matcher goes on without.
//!
//! A text is embedded whole or not at all. Two long texts may differ only where a model no longer looks, so above
//! [`MOST_TOKENS`] there is no vector, and so no near hit.

mod error;
mod files;
mod model;
mod runtime;
mod worker;

pub use error::{EmbedError, LoadError};
pub use files::{DIRECTORY_VARIABLE, ModelFiles, model_directory};
pub use model::{Fingerprint, MOST_BYTES, MOST_TOKENS, SentenceModel};
pub use worker::{EmbedWorker, Embedding};

/// What turns a text into numbers: [`SentenceModel`], and in tests whatever misbehaves as a model may.
pub trait Embedder: Send {
    /// The embedding of one text, of any length and scale; who calls checks that it can be used.
    ///
    /// # Errors
    /// Texts that cannot be embedded whole, and failures of the model.
    fn embed(&mut self, text: &str) -> Result<Vec<f32>, EmbedError>;

    /// How many components every embedding has.
    fn dimensions(&self) -> usize;

    /// Which model and runtime this is. Vectors of two fingerprints must not be compared.
    fn fingerprint(&self) -> Fingerprint;
}
