//! What was asked, what it cost, and what it would have cost.
//!
//! * [`Entry`]: one finished request. Written in batches off the request path ([`crate::spool`]) to
//!   [`Partitions`]: append-only JSON lines under `date=YYYY-MM-DD/tenant=NAME/NNN.jsonl`, which any tool that
//!   knows partitioned data reads as a table.
//! * [`read()`] and [`Report`]: the way back, from files to sums.
//! * [`Checkpoint`]: what budgets must not forget when the process is killed, written *before* money is spent.
//! * [`forget()`] and [`retire()`]: what must not be kept.

mod checkpoint;
mod entry;
mod partition;
mod read;
mod report;
mod retention;
mod tags;

pub use crate::lines::Damage;
pub use checkpoint::{Charge, Checkpoint, OpenError, Recovery, Ticket, Who};
pub use entry::{Attempt, BaselineMethod, CacheResult, CostState, Entry, Part, Tokens};
pub use partition::Partitions;
pub use read::{Scope, read};
pub use report::{Dimension, Report, Row, Sums, UnknownDimension};
pub use retention::{Forgotten, Whose, forget, retire};
pub use tags::Tags;
