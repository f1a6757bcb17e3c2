//! Anthropic messages.

mod assemble;
mod unroll;

pub(super) use assemble::assemble;
pub(super) use unroll::unroll;

/// Whether a kind of content block is understood: what it starts with, and what arrives in pieces. A
/// `fallback` block, for one, changes the message's model, and a `compaction` stands for text that is gone.
fn is_known(kind: &str) -> bool {
    matches!(kind, "text" | "thinking" | "redacted_thinking")
        || kind.ends_with("tool_use")
        || kind.ends_with("_tool_result")
}
