//! The sentence model that near hits are found by, where there is one.
//!
//! The model is loaded when a policy that wants near hits takes effect, and stays as long as the policies that follow name the same folder.
//! Where it is missing or broken, one warning says so and what would help, and the built-in matcher serves.

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::time::Duration;

use arc_swap::ArcSwapOption;
use router_classifiers::embed::{
    EmbedError, EmbedWorker, Embedder, ModelFiles, SentenceModel, model_directory,
};
use router_core::cache::digest::Digest as Question;
use router_core::cache::semantic::Vector;
use router_core::{Matcher, Snapshot};
use serde::Serialize;

/// Texts that may wait for the model. At 1 to 6 ms each, one behind more than these would be past its deadline anyway.
const QUEUE: usize = 32;

/// What became of the wish for a sentence model.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Status {
    /// What compares questions: `builtin` or `fastembed`; `off` where the policy wants no near hits.
    pub matcher: &'static str,
    /// Why it is not the one that the policy asks for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub detail: Option<String>,
}

/// The sentence model in use.
#[derive(Default)]
pub struct Sentences {
    worker: ArcSwapOption<EmbedWorker>,
    loaded: Mutex<Loaded>,
}

#[derive(Default)]
struct Loaded {
    /// Where the model in use is from.
    folder: Option<PathBuf>,
    status: Status,
}

/// Whether a request of this policy can be answered by a near hit.
fn wants_near_hits(snapshot: &Snapshot) -> bool {
    let by_rule = |rule: &router_core::Rule| rule.action.cache.semantic == Some(true);
    snapshot.cache.enabled && (snapshot.cache.semantic || snapshot.rules().iter().any(by_rule))
}

impl Sentences {
    /// Loads the model that the policy wants, or lets go of one that it does not. Takes up to half a second for a new model.
    pub fn adopt(&self, snapshot: &Snapshot) {
        let mut loaded = self.loaded.lock().unwrap_or_else(PoisonError::into_inner);
        let policy = &snapshot.cache;
        if wants_near_hits(snapshot) {
            // The word lists are compiled when the first question is read: now, rather than for somebody's request.
            let _ = Question::of("How does it work?");
        }
        if !wants_near_hits(snapshot) || policy.matcher == Matcher::Builtin {
            self.worker.store(None);
            let matcher = if wants_near_hits(snapshot) { "builtin" } else { "off" };
            *loaded = Loaded { folder: None, status: Status { matcher, detail: None } };
            return;
        }
        let folder = model_directory(policy.models.as_deref(), |name| std::env::var_os(name));
        if loaded.folder.as_ref() == Some(&folder) && self.worker().is_some() {
            return;
        }
        let (worker, detail) = match load(&folder) {
            Ok(worker) => (Some(Arc::new(worker)), None),
            Err(Fault::Missing(_)) if policy.matcher == Matcher::Auto => (None, None),
            Err(Fault::Missing(detail) | Fault::Broken(detail)) => {
                tracing::warn!(event = "sentence_model_unavailable", error = %detail, serving = "builtin");
                (None, Some(detail))
            }
        };
        let matcher = if worker.is_some() { "fastembed" } else { "builtin" };
        loaded.folder = worker.is_some().then_some(folder);
        loaded.status = Status { matcher, detail };
        self.worker.store(worker);
    }

    /// Puts an embedder in use that comes from no folder. It stays until a policy that asks for the built-in matcher takes effect.
    ///
    /// # Errors
    /// The system has no thread to give.
    pub fn put(&self, embedder: impl Embedder + 'static, folder: &Path) -> std::io::Result<()> {
        let mut loaded = self.loaded.lock().unwrap_or_else(PoisonError::into_inner);
        let worker = EmbedWorker::start(embedder, QUEUE)?;
        loaded.folder = Some(folder.to_path_buf());
        loaded.status = Status { matcher: "fastembed", detail: None };
        self.worker.store(Some(Arc::new(worker)));
        Ok(())
    }

    /// What embeds, while it is alive.
    #[must_use]
    pub fn worker(&self) -> Option<Arc<EmbedWorker>> {
        self.worker.load_full().filter(|worker| worker.is_alive())
    }

    /// What compares questions, and why it is not another.
    #[must_use]
    pub fn status(&self) -> Status {
        let status = self.loaded.lock().unwrap_or_else(PoisonError::into_inner).status.clone();
        if status.matcher == "fastembed" && self.worker().is_none() {
            let detail = Some("the sentence model failed again and again and was given up".to_owned());
            return Status { matcher: "builtin", detail };
        }
        status
    }
}

enum Fault {
    Missing(String),
    Broken(String),
}

fn load(folder: &Path) -> Result<EmbedWorker, Fault> {
    let missing = |error: &dyn std::fmt::Display| Fault::Missing(error.to_string());
    let broken = |error: &dyn std::fmt::Display| Fault::Broken(error.to_string());
    let files = ModelFiles::find(folder, |name| std::env::var_os(name)).map_err(|error| missing(&error))?;
    let model = SentenceModel::load(&files).map_err(|error| broken(&error))?;
    EmbedWorker::start(model, QUEUE).map_err(|error| broken(&error))
}

/// A question that is to become a vector.
#[derive(Clone, Debug)]
pub struct Sentence {
    worker: Arc<EmbedWorker>,
    text: Arc<str>,
    vector: Arc<OnceLock<Vector>>,
}

/// Why there is no vector in time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NoVector(pub &'static str);

impl From<EmbedError> for NoVector {
    fn from(error: EmbedError) -> Self {
        Self(error.name())
    }
}

impl Sentence {
    /// The sentence `text`, to be embedded by `worker`.
    #[must_use]
    pub fn new(worker: Arc<EmbedWorker>, text: &str) -> Self {
        Self { worker, text: text.into(), vector: Arc::default() }
    }

    /// Names the model: vectors of two spaces are not compared.
    #[must_use]
    pub fn space(worker: &EmbedWorker) -> u64 {
        let mut bytes = [0; 8];
        bytes.copy_from_slice(&worker.fingerprint().as_bytes()[..8]);
        // 0 is the space of words.
        u64::from_le_bytes(bytes).max(1)
    }

    /// Bytes that its vector takes.
    #[must_use]
    pub fn vector_bytes(&self) -> usize {
        self.worker.dimensions()
    }

    /// Its vector, if the model gives one within `patience`.
    ///
    /// # Errors
    /// Why not, by name.
    pub async fn vector(&self, patience: Duration) -> Result<Vector, NoVector> {
        if let Some(vector) = self.vector.get() {
            return Ok(vector.clone());
        }
        let embedding = self.worker.embed(&self.text)?;
        let vector = tokio::time::timeout(patience, embedding).await.map_err(|_| NoVector("late"))??;
        Ok(self.vector.get_or_init(|| vector).clone())
    }
}

/// Whether a text can be compared by meaning at all, with the sentence model or without.
#[must_use]
pub fn is_comparable(question: &Question, text: &str) -> bool {
    question.is_fit() && text.len() <= router_classifiers::embed::MOST_BYTES
}
