//! What the commands do.

mod check;
pub mod eval;
mod explain;
mod forget;
pub mod key;
mod prices;
mod report;
mod serve;
pub mod train;

use std::sync::Arc;

use router_core::Scorer;

pub use check::check;
pub use explain::explain;
pub use forget::forget;
pub use prices::prices;
pub use report::report;
pub use serve::{Signals, listen, run, runtime, serve};

pub use crate::demo::demo;

/// The scorer that is built in: learned, and structural where it was not trained.
#[must_use]
pub fn scorer() -> Arc<dyn Scorer> {
    match router_classifiers::LearnedScorer::shipped() {
        Ok(learned) => Arc::new(learned),
        // The weights are part of the program and checked by its tests; a damaged program still routes.
        Err(error) => {
            tracing::error!(event = "shipped_weights_unreadable", error = %error);
            Arc::new(router_classifiers::StructureScorer)
        }
    }
}
