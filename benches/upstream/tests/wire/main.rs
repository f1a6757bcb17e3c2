//! The server as its clients see it: over a socket, through hyper.

mod anthropic;
mod client;
mod faults;
mod observation;
mod openai;
mod process;
