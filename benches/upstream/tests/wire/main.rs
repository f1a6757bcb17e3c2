//! The server as its clients see it: over a socket, through hyper.

// A test fails by panicking, in its helpers too.
#![allow(clippy::unwrap_used, clippy::panic)]

mod anthropic;
mod client;
mod faults;
mod observation;
mod openai;
mod process;
