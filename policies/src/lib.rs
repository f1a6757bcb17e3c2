//! `policy.toml`: read, diagnosed, compiled, watched.
//!
//! What the user typed and what runs are two types. A [`PolicyFile`] holds every value with its place; [`compile`]
//! turns it into a [`Snapshot`](router_core::Snapshot), or into *all* its errors, each with line, column and what was
//! probably meant. [`Live`] keeps the snapshot in force and replaces it in one step; [`watch`] does so when the file
//! changes. `proxy.toml` ([`Settings`]) is read in the same way.
//!
//! ```
//! let found = router_policies::check("policy.toml", "[cache]\ntll = \"1h\"\nmax_bytes = \"64M\"\n");
//! let shown: Vec<String> = found.iter().map(|diagnostic| diagnostic.to_string()).collect();
//! assert_eq!(shown[0], r#"policy.toml:2:1: error: unknown key "tll" in cache (did you mean "ttl"?)"#);
//! assert_eq!(found[1].suggestion.as_deref(), Some("64MiB"));
//! ```
//!
//! The way of a file: `document` (TOML with places, errors recovered) → `table` (a cursor that asks for the keys it
//! knows) → `file` (what was typed) → `compile` (verified as a whole, then built) → `live`.

pub mod catalogue;
mod check;
mod compile;
mod describe;
mod diagnostics;
mod diff;
mod document;
mod environment;
mod fault;
mod file;
mod live;
mod nearest;
mod read;
mod secret;
mod settings;
mod sink;
mod source;
mod table;
pub mod units;
mod watch;
mod weights;

pub use check::{DEFAULT_LISTENERS, FileKind, Surroundings, check, check_files, check_with};
pub use compile::{Compiled, Context, compile};
pub use describe::describe;
pub use diagnostics::{Diagnostic, Severity};
pub use diff::diff;
pub use environment::{ANTHROPIC_DEFAULT, Environment, OPENAI_DEFAULT};
pub use fault::Fault;
pub use file::*;
pub use live::{Live, Origin, Reloaded, Setup, read_text};
pub use secret::{ProcessSecrets, SecretFault, SecretRef, SecretSource};
pub use settings::{
    LimitsSection, LogLevel, LogSection, ProxyFile, Records, RecordsSection, Settings, TlsFiles, TlsSection,
    WhenFull,
};
pub use source::{At, MAX_FILE_BYTES, Source, Span};
pub use table::Named;
pub use watch::{Watch, WatchFault, watch};
pub use weights::{MAX_WEIGHTS_BYTES, ScorerLoader};
