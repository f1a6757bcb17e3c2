//! The policy in force, and how it is replaced.
//!
//! One pointer holds everything a policy can change. A new policy is read and compiled aside, then swapped in
//! in one step; a bad one changes nothing. What must survive (breakers, counters, cache) is in the
//! [`State`], which no reload touches.

use std::borrow::Cow;
use std::fmt;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use arc_swap::{ArcSwap, Guard};
use router_core::{Scorer, Snapshot, State};

use crate::check::too_large;
use crate::compile::{Compiled, Context, compile_with};
use crate::diagnostics::Diagnostic;
use crate::diff::diff;
use crate::file::PolicyFile;
use crate::secret::{ProcessSecrets, SecretSource};
use crate::sink::Sink;
use crate::source::{MAX_FILE_BYTES, Source};
use crate::weights::{self, ScorerLoader};

/// Where the policy comes from.
pub enum Origin {
    /// A file, read again at every reload.
    File(PathBuf),
    /// A policy made otherwise; a reload only fetches its secrets and weights again.
    Made(Box<PolicyFile>),
}

/// What a [`Live`] policy is compiled with, every time.
pub struct Setup {
    /// What outlives a reload.
    pub state: Arc<State>,
    /// Judge of prompts, where the policy names no weights.
    pub scorer: Arc<dyn Scorer>,
    /// Makes a scorer of the weights that a policy names; `None`: a policy that names some is refused.
    pub loader: Option<ScorerLoader>,
    /// The router's own addresses, which no provider may have.
    pub listeners: Vec<SocketAddr>,
    /// Where secrets come from; `None`: the process's environment, and files beside the policy.
    pub secrets: Option<Box<dyn SecretSource + Send + Sync>>,
    /// Whether a reload may take away the last tenant. Not where other machines reach the router: anybody could
    /// spend then.
    pub may_lack_tenants: bool,
}

impl Setup {
    /// With the process's own secrets, no weights, and tenants as the policy likes.
    #[must_use]
    pub fn new(state: Arc<State>, scorer: Arc<dyn Scorer>, listeners: Vec<SocketAddr>) -> Self {
        Self { state, scorer, loader: None, listeners, secrets: None, may_lack_tenants: true }
    }
}

/// A reload that worked.
#[derive(Clone, Debug)]
pub struct Reloaded {
    /// The generation now in force.
    pub generation: u64,
    /// What is different, as [`diff`] names it.
    pub changed: Vec<String>,
    /// What is probably not meant, and secrets that are not set.
    pub warnings: Vec<Diagnostic>,
}

/// The policy in force. Share it in an `Arc`.
pub struct Live {
    origin: Origin,
    setup: Setup,
    current: ArcSwap<Snapshot>,
    /// Held for the whole of a reload, so that reloads queue up.
    tried: Mutex<Tried>,
}

/// What was tried last, good or bad.
struct Tried {
    /// The text.
    text: String,
    /// The weights that it names.
    weights: Option<Weights>,
}

/// A file of weights as it was when it was looked at.
struct Weights {
    path: PathBuf,
    fingerprint: Option<u64>,
}

impl Weights {
    fn now(path: PathBuf) -> Self {
        let fingerprint = weights::fingerprint(&path);
        Self { path, fingerprint }
    }

    fn have_changed(&self) -> bool {
        weights::fingerprint(&self.path) != self.fingerprint
    }
}

impl Live {
    /// Loads the first policy.
    ///
    /// # Errors
    /// All errors and warnings; there is no policy then.
    pub fn open(origin: Origin, setup: Setup) -> Result<(Self, Vec<Diagnostic>), Vec<Diagnostic>> {
        let text = read_origin(&origin)?;
        let (tried, compiled) = compile_text(&origin, &setup, text, 1);
        let Compiled { snapshot, warnings } = compiled?;
        let current = ArcSwap::from_pointee(snapshot);
        Ok((Self { origin, setup, current, tried: Mutex::new(tried) }, warnings))
    }

    /// The policy in force. A request loads it once and keeps it to its last byte.
    #[must_use]
    pub fn snapshot(&self) -> Arc<Snapshot> {
        self.current.load_full()
    }

    /// The policy in force, borrowed: cheaper than [`snapshot`](Self::snapshot) where it is not kept across a wait.
    #[must_use]
    pub fn peek(&self) -> Guard<Arc<Snapshot>> {
        self.current.load()
    }

    /// What outlives every reload.
    #[must_use]
    pub fn state(&self) -> &Arc<State> {
        &self.setup.state
    }

    /// The file that the policy comes from.
    #[must_use]
    pub fn path(&self) -> Option<&Path> {
        match &self.origin {
            Origin::File(path) => Some(path),
            Origin::Made(_) => None,
        }
    }

    /// The files that the policy tried last was made of: its own, and that of the weights it names.
    pub(crate) fn files(&self) -> Vec<PathBuf> {
        let weights = self.lock().weights.as_ref().map(|weights| weights.path.clone());
        self.path().map(Path::to_path_buf).into_iter().chain(weights).collect()
    }

    /// Reads, compiles and swaps in the policy, whether or not its text changed: secrets and weights are fetched
    /// again.
    ///
    /// # Errors
    /// All errors and warnings; the policy in force stays.
    pub fn reload(&self) -> Result<Reloaded, Vec<Diagnostic>> {
        let mut tried = self.lock();
        let text = self.read(&mut tried)?;
        self.swap(&mut tried, text)
    }

    /// As [`reload`](Self::reload), but only if the text or the weights differ from what was tried last; `None` if
    /// they do not.
    pub(crate) fn reload_if_changed(&self) -> Option<Result<Reloaded, Vec<Diagnostic>>> {
        let mut tried = self.lock();
        match self.read(&mut tried) {
            Ok(text) if text == tried.text && !tried.weights.as_ref().is_some_and(Weights::have_changed) => {
                None
            }
            Ok(text) => Some(self.swap(&mut tried, text)),
            Err(unreadable) => Some(Err(unreadable)),
        }
    }

    /// The text now. Where it cannot be read, the next readable one counts as new, so that the recovery is seen.
    fn read(&self, tried: &mut Tried) -> Result<String, Vec<Diagnostic>> {
        read_origin(&self.origin).inspect_err(|_| tried.text.clear())
    }

    fn swap(&self, tried: &mut Tried, text: String) -> Result<Reloaded, Vec<Diagnostic>> {
        let generation = self.current.load().generation() + 1;
        let (now_tried, compiled) = compile_text(&self.origin, &self.setup, text, generation);
        *tried = now_tried;
        let Compiled { snapshot, warnings } = compiled?;
        if snapshot.tenants.is_empty() && !self.setup.may_lack_tenants {
            return Err(vec![self.lacks_tenants()]);
        }
        let before = self.current.swap(Arc::new(snapshot));
        let changed = diff(&before, &self.current.load());
        Ok(Reloaded { generation, changed, warnings })
    }

    fn lacks_tenants(&self) -> Diagnostic {
        let shown = self.path().map_or_else(Default::default, Path::to_string_lossy);
        let message = "no tenants are configured, but the router can be reached from other machines, so anybody could \
                       spend: add [tenants.NAME] with keys";
        Diagnostic::of_file(&shown, message)
    }

    /// A poisoned lock only means that what was tried last is unknown; trying again is harmless.
    fn lock(&self) -> MutexGuard<'_, Tried> {
        self.tried.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl fmt::Debug for Live {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let generation = self.current.load().generation();
        f.debug_struct("Live")
            .field("path", &self.path())
            .field("generation", &generation)
            .finish_non_exhaustive()
    }
}

/// The text of a policy file; empty for a policy that has none.
fn read_origin(origin: &Origin) -> Result<String, Vec<Diagnostic>> {
    match origin {
        Origin::File(path) => read_text(path).map_err(|diagnostic| vec![diagnostic]),
        Origin::Made(_) => Ok(String::new()),
    }
}

/// Compiles a text. Also tells what was tried with it, good or bad.
fn compile_text(
    origin: &Origin,
    setup: &Setup,
    text: String,
    generation: u64,
) -> (Tried, Result<Compiled, Vec<Diagnostic>>) {
    let place = match origin {
        Origin::File(path) => path,
        Origin::Made(_) => Path::new(""),
    };
    let folder = place.parent().unwrap_or(Path::new(""));
    let (file, sink) = read_policy(origin, &text);
    // Looked at before they are loaded: a change in between is seen later, never missed.
    let weights = file.scorer.weights.as_ref().map(|named| Weights::now(folder.join(&named.value)));
    let beside = ProcessSecrets::beside(place);
    let Setup { state, scorer, loader, listeners, secrets, .. } = setup;
    let context = Context {
        state,
        scorer: Arc::clone(scorer),
        loader: loader.as_ref(),
        folder,
        secrets: secrets.as_deref().map_or(&beside as &dyn SecretSource, |given| given),
        listeners,
        generation,
    };
    let compiled = compile_with(&file, sink, &context);
    (Tried { text, weights }, compiled)
}

/// The policy as it was typed or made, and where findings about it go.
fn read_policy<'o>(origin: &'o Origin, text: &str) -> (Cow<'o, PolicyFile>, Sink) {
    match origin {
        Origin::File(path) => {
            let (file, sink) = PolicyFile::read(&Source::new(&path.to_string_lossy(), text));
            (Cow::Owned(file), sink)
        }
        Origin::Made(file) => (Cow::Borrowed(&**file), Sink::new(file.source.clone())),
    }
}

/// Reads a file of at most [`MAX_FILE_BYTES`].
///
/// # Errors
/// A diagnostic where it cannot be read, is too large, is not UTF-8 (with the place), or says nothing: an empty
/// policy is a file that is just being written, never a wish.
pub fn read_text(path: &Path) -> Result<String, Diagnostic> {
    let shown = path.to_string_lossy();
    let bytes =
        read_bytes(path).map_err(|error| Diagnostic::of_file(&shown, format!("cannot be read: {error}")))?;
    if bytes.len() > MAX_FILE_BYTES {
        return Err(too_large(&shown));
    }
    let text = String::from_utf8(bytes).map_err(|error| {
        let valid = error.utf8_error().valid_up_to();
        let bytes = error.into_bytes();
        let start = String::from_utf8_lossy(bytes.get(..valid).unwrap_or_default()).into_owned();
        let end = u32::try_from(start.len()).unwrap_or(u32::MAX);
        let (line, column) = Source::new(&shown, &start).position(end);
        Diagnostic { line, column, ..Diagnostic::of_file(&shown, "the file is not UTF-8") }
    })?;
    if text.trim().is_empty() {
        return Err(Diagnostic::of_file(&shown, "the file is empty"));
    }
    Ok(text)
}

fn read_bytes(path: &Path) -> std::io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    let file = std::fs::File::open(path)?;
    std::io::Read::read_to_end(&mut std::io::Read::take(file, MAX_FILE_BYTES as u64 + 1), &mut bytes)?;
    Ok(bytes)
}
