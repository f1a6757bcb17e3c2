//! The scorer: trained weights where the policy names them, else the one that is built in.

use std::path::Path;
use std::sync::Arc;

use router_core::Scorer;

use super::Context;
use crate::diagnostics::Quoted;
use crate::file::PolicyFile;
use crate::sink::Sink;
use crate::source::At;
use crate::weights::{self, ScorerLoader, WeightsFault};

/// The scorer of a policy. Weights that cannot be had are an error: a typing error must not quietly change how
/// every prompt is judged.
pub(super) fn scorer(file: &PolicyFile, context: &Context<'_>, sink: &mut Sink) -> Arc<dyn Scorer> {
    let built_in = || Arc::clone(&context.scorer);
    let Some(named) = &file.scorer.weights else { return built_in() };
    let loaded = weights::load(&context.folder.join(&named.value), context.loader);
    loaded.unwrap_or_else(|fault| {
        report(named, &fault, sink);
        built_in()
    })
}

/// Reports weights that cannot be had. Without a loader, only what shows from outside.
pub(super) fn verify(file: &PolicyFile, folder: &Path, loader: Option<&ScorerLoader>, sink: &mut Sink) {
    let Some(named) = &file.scorer.weights else { return };
    let path = folder.join(&named.value);
    let found = match loader {
        Some(_) => weights::load(&path, loader).map(drop),
        None => weights::read(&path).map(drop),
    };
    if let Err(fault) = found {
        report(named, &fault, sink);
    }
}

fn report(named: &At<String>, fault: &WeightsFault, sink: &mut Sink) {
    sink.error(named.span, format!("weights: {} {fault}", Quoted(&named.value)));
}
