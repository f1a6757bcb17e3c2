//! The text of a request, in the order a scorer wants it.

use std::ops::Range;

use smallvec::SmallVec;

/// Who speaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Role {
    System,
    User,
    Assistant,
    Tool,
}

impl Role {
    /// The role that a message states.
    pub(super) fn from_name(name: &str) -> Self {
        match name {
            "system" | "developer" => Self::System,
            "assistant" => Self::Assistant,
            "tool" | "function" => Self::Tool,
            _ => Self::User,
        }
    }

    /// The role that an item's type implies where it states none: calls and thoughts are the model's, outputs a tool's.
    pub(super) fn of_item(kind: &str) -> Option<Self> {
        match kind {
            "message" => None,
            kind if kind.ends_with("_output") => Some(Self::Tool),
            _ => Some(Self::Assistant),
        }
    }
}

struct Turn {
    role: Role,
    range: Range<usize>,
}

/// Text and counts, filled while the body is walked. Turns are parted by line feeds.
pub(super) struct Gather {
    text: String,
    turns: SmallVec<[Turn; 8]>,
    pub(super) tools: u32,
    pub(super) images: u32,
    /// Bytes of prompt that is not text: tools, calls, thoughts.
    pub(super) extra_bytes: usize,
    /// Tokens given as numbers.
    pub(super) extra_tokens: u64,
    /// There are documents or sounds, of which nobody here knows how many tokens they are.
    pub(super) attachments: bool,
}

/// The same, arranged: system, history, question, each in one piece.
pub(super) struct Gathered {
    pub(super) text: String,
    pub(super) system: Range<usize>,
    pub(super) history: Range<usize>,
    pub(super) question: Range<usize>,
    /// User turns.
    pub(super) turns: u32,
    /// Turns of any kind.
    pub(super) messages: u32,
    pub(super) tool_loop: bool,
}

/// Text room taken at once; it grows from there. A body of many megabytes is mostly base64, which is not kept.
const FIRST_CAPACITY_BYTES: usize = 16 * 1024;

impl Gather {
    pub(super) fn new(body_bytes: usize) -> Self {
        Self {
            text: String::with_capacity(body_bytes.min(FIRST_CAPACITY_BYTES)),
            turns: SmallVec::new(),
            tools: 0,
            images: 0,
            extra_bytes: 0,
            extra_tokens: 0,
            attachments: false,
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
        if self.text.len() > start {
            self.text.push('\n');
        }
    }

    /// Puts system first, the last user turn last, everything else between. Copies only what stands otherwise.
    pub(super) fn arrange(&mut self) -> Gathered {
        let last_user = self.turns.iter().rposition(|turn| turn.role == Role::User);
        let slot = |at: usize, turn: &Turn| match turn.role {
            Role::System => 0,
            _ if Some(at) == last_user => 2,
            _ => 1,
        };
        let slots: SmallVec<[usize; 16]> =
            self.turns.iter().enumerate().map(|(at, turn)| slot(at, turn)).collect();
        let mut text = std::mem::take(&mut self.text);
        if !slots.is_sorted() {
            text = self.reorder(&text, &slots);
        }
        let mut parts: [Range<usize>; 3] = [0..0, 0..0, 0..0];
        for (slot, turn) in slots.iter().zip(&self.turns).filter(|(_, turn)| !turn.range.is_empty()) {
            let part = &mut parts[*slot];
            let start = if part.start == part.end { turn.range.start } else { part.start };
            *part = start..turn.range.end;
        }
        let [system, history, question] = parts;
        Gathered {
            text,
            system,
            history,
            question,
            turns: self.turns.iter().filter(|turn| turn.role == Role::User).count() as u32,
            messages: self.turns.len() as u32,
            tool_loop: self.turns.last().is_some_and(|turn| turn.role == Role::Tool),
        }
    }

    /// A copy of `text` with the turns in the order of their slots; their ranges move along.
    fn reorder(&mut self, text: &str, slots: &[usize]) -> String {
        let mut ordered = String::with_capacity(text.len());
        for wanted in 0..3 {
            for (_, turn) in slots.iter().zip(&mut self.turns).filter(|(slot, _)| **slot == wanted) {
                let start = ordered.len();
                ordered.push_str(&text[turn.range.clone()]);
                turn.range = start..ordered.len();
                if ordered.len() > start {
                    ordered.push('\n');
                }
            }
        }
        ordered
    }
}
