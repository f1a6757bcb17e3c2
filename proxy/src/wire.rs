//! Reads and writes what travels between callers and providers, byte by byte.

pub mod completeness;
pub mod finish;
mod glance;
mod keys;
pub mod reading;
pub mod replay;
pub mod said;
pub mod sse;
pub mod text;
pub mod usage;
