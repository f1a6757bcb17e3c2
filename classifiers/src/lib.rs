//! How hard a prompt is, how soon its answer goes stale, and what a question means.
//!
//! ```
//! use router_classifiers::StructureScorer;
//! use router_core::score::{Prompt, Scorer};
//!
//! let scorer = StructureScorer::default();
//! let simple = scorer.score(&Prompt::of_question("what's the weather like tomorrow"));
//! let hard = scorer.score(&Prompt::of_question("Prove that every bounded sequence in R^n has a convergent subsequence."));
//! assert!(simple.complexity() <= 0.4 && hard.complexity() > 0.4);
//! ```

pub mod dataset;
pub mod embed;
pub mod evaluate;
pub mod heuristic;
pub mod learned;
mod shuffle;
#[cfg(test)]
mod synthetic;
pub mod text;
pub mod volatility;
pub mod weights;

pub use heuristic::StructureScorer;
pub use learned::LearnedScorer;
pub use volatility::VolatilityScorer;
