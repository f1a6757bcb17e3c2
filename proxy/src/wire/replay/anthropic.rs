//! Anthropic messages.

mod assemble;
mod unroll;

pub(super) use assemble::assemble;
pub(super) use unroll::unroll;
