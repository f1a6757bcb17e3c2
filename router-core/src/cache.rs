//! Answers given before: the same request, and the same question in other words.
//!
//! [`ResponseCache`] holds the answers. For near hits [`digest`] reduces a question to what can be compared, [`matcher`] judges a pair
//! of digests with the help of [`guard`]s and the [`verifier`], [`semantic`] finds the pairs worth judging within one scope, [`near`]
//! keeps the scopes apart, and [`bound`] decides from labels which verdicts are served. [`evaluate`] measures all that on labelled
//! pairs.

pub mod agreement;
pub mod align;
pub mod bound;
pub mod digest;
mod entry;
pub mod evaluate;
mod exact;
pub mod guard;
mod holding;
mod key;
pub mod matcher;
pub mod near;
pub mod promise;
pub mod semantic;
pub mod text;
pub mod verifier;

pub use entry::{Entry, EntryTags, Framing, Stored};
pub use exact::ResponseCache;
pub use key::{CacheKey, ScopeKey};
