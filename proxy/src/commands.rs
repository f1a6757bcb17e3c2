//! What the commands do.

mod check;
mod explain;
mod serve;

use std::process::ExitCode;
use std::sync::Arc;

use router_core::Scorer;

use crate::args::Demo;

pub use check::check;
pub use explain::explain;
pub use serve::serve;

/// The scorer that is built in.
#[must_use]
pub fn scorer() -> Arc<dyn Scorer> {
    Arc::new(router_classifiers::StructureScorer::default())
}

/// `demo`
///
/// # Errors
/// Where the sidecar does not start or the workload fails.
pub fn demo(options: &Demo) -> anyhow::Result<ExitCode> {
    let _ = options;
    anyhow::bail!("not here yet")
}
