//! OpenAI chat answers and responses.

mod assemble;
mod unroll;

pub(super) use assemble::{assemble_chat, assemble_response};
pub(super) use unroll::unroll_chat;

/// Message fields that are strings and arrive in pieces.
const TEXTS: [&str; 4] = ["content", "refusal", "reasoning_content", "reasoning"];
