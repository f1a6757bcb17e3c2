//! Outcomes: that their log overwrites nothing.

use std::path::Path;

use crate::file::PolicyFile;
use crate::sink::Sink;

/// Reports a log that is one of the policy's own files.
pub(super) fn verify(file: &PolicyFile, sink: &mut Sink) {
    let Some(log) = &file.outcomes.log else { return };
    let policy = Path::new(file.source.path());
    let folder = policy.parent().unwrap_or(Path::new(""));
    if folder.join(&log.value) == policy {
        sink.error(log.span, "log: outcomes would be appended to the policy itself");
    }
    if file.scorer.weights.as_ref().is_some_and(|weights| weights.value == log.value) {
        sink.error(log.span, "log: outcomes would be appended to the weights of the scorer");
    }
}
