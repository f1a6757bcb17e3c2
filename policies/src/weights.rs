//! Trained artefacts that a policy names: files of bytes that somebody else knows how to read.

use std::fs::File;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::io::{self, Read};
use std::path::Path;
use std::sync::Arc;

use router_core::Scorer;
use thiserror::Error;

/// Largest artefact that is read, in bytes; a complexity model has about 70 KiB.
pub const MAX_WEIGHTS_BYTES: usize = 4 << 20;

/// Makes a scorer of the bytes of an artefact, or says in one line why they are refused.
pub type ScorerLoader = Arc<dyn Fn(&[u8]) -> Result<Arc<dyn Scorer>, String> + Send + Sync>;

/// Why an artefact cannot be had.
#[derive(Debug, Error)]
pub(crate) enum WeightsFault {
    #[error("cannot be read: {0}")]
    Unreadable(#[from] io::Error),
    #[error("is larger than {} MiB", MAX_WEIGHTS_BYTES >> 20)]
    TooLarge,
    #[error("is refused: {0}")]
    Refused(String),
    #[error("cannot be used: this program loads no weights")]
    NoLoader,
}

/// Reads an artefact.
pub(crate) fn read(path: &Path) -> Result<Vec<u8>, WeightsFault> {
    let mut bytes = Vec::new();
    File::open(path)?.take(MAX_WEIGHTS_BYTES as u64 + 1).read_to_end(&mut bytes)?;
    if bytes.len() > MAX_WEIGHTS_BYTES { Err(WeightsFault::TooLarge) } else { Ok(bytes) }
}

/// Reads an artefact and makes a scorer of it.
pub(crate) fn load(path: &Path, loader: Option<&ScorerLoader>) -> Result<Arc<dyn Scorer>, WeightsFault> {
    let bytes = read(path)?;
    let loader = loader.ok_or(WeightsFault::NoLoader)?;
    loader(&bytes).map_err(WeightsFault::Refused)
}

/// Tells one artefact from the next; `None` where there is none to read. By its bytes: the time of a change is too
/// coarse to see two in a row.
pub(crate) fn fingerprint(path: &Path) -> Option<u64> {
    let bytes = read(path).ok()?;
    let mut hasher = DefaultHasher::new();
    bytes.hash(&mut hasher);
    Some(hasher.finish())
}
