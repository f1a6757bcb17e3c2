//! Words that wait for the end of their sentence.

use super::lexicon::Entry;
use super::word::Word;

/// The words of one sentence so far, as long as each of them could belong to a courtesy.
pub(super) struct Held {
    words: [(Word, Entry); ROOM],
    len: usize,
    /// Whether one of them, or one passed over before them, is polite.
    pub(super) polite: bool,
}

/// A sentence of courtesy has this many words at most ("I was wondering if you could help me with this").
const ROOM: usize = 12;

impl Held {
    pub(super) fn new() -> Self {
        Self { words: [(Word::default(), Entry::NONE); ROOM], len: 0, polite: false }
    }

    /// Keeps a word; false if there is no room.
    pub(super) fn push(&mut self, word: Word, entry: Entry) -> bool {
        let Some(slot) = self.words.get_mut(self.len) else { return false };
        *slot = (word, entry);
        self.len += 1;
        true
    }

    pub(super) fn len(&self) -> usize {
        self.len
    }

    pub(super) fn is_empty(&self) -> bool {
        self.len == 0
    }

    pub(super) fn at(&self, at: usize) -> (Word, Entry) {
        self.words[at]
    }

    pub(super) fn clear(&mut self) {
        self.len = 0;
        self.polite = false;
    }
}
