//! What the commands do.

mod admin;
pub mod cache;
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

use crate::judge::Judge;

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
    Arc::new(Judge::shipped())
}
