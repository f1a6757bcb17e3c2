//! The loader from the outside: text in, snapshot or diagnostics out.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test that cannot go on fails")]

mod charter;
mod checked;
mod compiled;
mod difference;
mod document;
mod environment;
mod files;
mod live;
mod panics;
mod settings;
mod setup;
mod watched;
