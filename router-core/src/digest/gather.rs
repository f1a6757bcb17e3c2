//! The text of a request, in the order a scorer wants it.

use std::ops::Range;

/// Who speaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Role {
    System,
    User,
    Assistant,
    Tool,
}

impl Role {
    pub(super) fn from_name(name: &str) -> Self {
        match name {
            "system" | "developer" => Self::System,
            "assistant" => Self::Assistant,
            "tool" | "function" => Self::Tool,
            _ => Self::User,
        }
    }
}

struct Turn {
    role: Role,
    range: Range<usize>,
}

/// Text and counts, filled while the body is walked.
pub(super) struct Gather {
    text: String,
    turns: Vec<Turn>,
    pub(super) tools: u32,
    pub(super) tool_bytes: usize,
    pub(super) images: u32,
}

/// The same, arranged: system, history, question, each in one piece.
pub(super) struct Gathered {
    pub(super) text: String,
    pub(super) system: Range<usize>,
    pub(super) history: Range<usize>,
    pub(super) question: Range<usize>,
    pub(super) turns: u32,
    pub(super) tools: u32,
    pub(super) tool_bytes: usize,
    pub(super) images: u32,
    pub(super) tool_loop: bool,
}

impl Gather {
    pub(super) fn new(body_bytes: usize) -> Self {
        Self {
            text: String::with_capacity(body_bytes),
            turns: Vec::with_capacity(8),
            tools: 0,
            tool_bytes: 0,
            images: 0,
        }
    }

    /// Where the next text will stand.
    pub(super) fn mark(&self) -> usize {
        self.text.len()
    }

    /// Adds a piece of text to the turn that began at `start`.
    pub(super) fn push(&mut self, start: usize, piece: &str) {
        if self.text.len() > start {
            self.text.push('\n');
        }
        self.text.push_str(piece);
    }

    /// Closes the turn that began at `start`.
    pub(super) fn close(&mut self, role: Role, start: usize) {
        self.turns.push(Turn { role, range: start..self.text.len() });
    }

    /// Puts system first, the last user turn last, everything else between.
    pub(super) fn arrange(self) -> Gathered {
        let last_user = self.turns.iter().rposition(|turn| turn.role == Role::User);
        let tool_loop = self.turns.last().is_some_and(|turn| turn.role == Role::Tool);
        let slot = |at: usize, turn: &Turn| match turn.role {
            Role::System => 0_u8,
            _ if Some(at) == last_user => 2,
            _ => 1,
        };
        let turns = self.turns.iter().filter(|turn| turn.role == Role::User).count() as u32;
        let mut text = String::with_capacity(self.text.len() + self.turns.len());
        let mut parts: [Range<usize>; 3] = [0..0, 0..0, 0..0];
        for (wanted, part) in parts.iter_mut().enumerate() {
            let start = text.len();
            for (at, turn) in self.turns.iter().enumerate() {
                if usize::from(slot(at, turn)) == wanted {
                    if text.len() > start {
                        text.push('\n');
                    }
                    text.push_str(&self.text[turn.range.clone()]);
                }
            }
            *part = start..text.len();
        }
        let [system, history, question] = parts;
        Gathered {
            text,
            system,
            history,
            question,
            turns,
            tools: self.tools,
            tool_bytes: self.tool_bytes,
            images: self.images,
            tool_loop,
        }
    }
}
