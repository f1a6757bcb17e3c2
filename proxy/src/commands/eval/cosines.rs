//! The cosines that the second matcher judges by, for pairs read from a file.

use std::collections::HashMap;
use std::path::Path;

use anyhow::Context;
use router_classifiers::embed::{EmbedError, Embedder, ModelFiles, SentenceModel, model_directory};
use router_core::cache::semantic::Vector;

/// Every text's vector, made once.
pub(super) struct Cosines {
    model: SentenceModel,
    /// `None`: the text has none, too long or beyond the model.
    vectors: HashMap<String, Option<Vector>>,
    /// Texts without a vector, by reason.
    pub(super) without: HashMap<&'static str, u64>,
}

impl Cosines {
    /// Loads the model in a directory, or in the one that the environment names.
    ///
    /// # Errors
    /// What is missing or does not work, and how to get it.
    pub(super) fn load(folder: Option<&Path>) -> anyhow::Result<Self> {
        let variable = |name: &str| std::env::var_os(name);
        let files = ModelFiles::find(&model_directory(folder, variable), variable);
        let model = files.and_then(|files| SentenceModel::load(&files)).context("no sentence model")?;
        Ok(Self { model, vectors: HashMap::new(), without: HashMap::new() })
    }

    /// The cosine of two texts, as the running cache would find it: between vectors in a byte per dimension.
    pub(super) fn of(&mut self, a: &str, b: &str) -> Option<f32> {
        self.remember(a);
        self.remember(b);
        let vector = |text| self.vectors.get(text)?.as_ref();
        vector(a)?.cosine(vector(b)?)
    }

    fn remember(&mut self, text: &str) {
        if self.vectors.contains_key(text) {
            return;
        }
        let embedded = self.model.embed(text);
        let vector = embedded.and_then(|components| Vector::try_new(&components).map_err(EmbedError::from));
        if let Err(error) = &vector {
            *self.without.entry(error.name()).or_default() += 1;
        }
        self.vectors.insert(text.to_owned(), vector.ok());
    }
}
