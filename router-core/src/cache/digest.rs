//! What a question says, reduced to what the matcher compares.
//!
//! A digest is made once per text and kept beside the cached answer. It is plain data: no text, no pointers into one,
//! at most [`MAX_WORDS`] tokens of 24 bytes; a question of 20 words takes about 400 bytes.

mod items;
mod numerals;
mod reader;
mod token;

pub use token::{Flags, Quantity, Token};

use super::text::lexicon::english;
use super::text::role::Bits;
use super::text::scan::Scan;
use super::text::word::Word;
use items::Items;
use reader::Reader;

/// Longest text that is digested, in bytes. 256 tokens of an embedding model, the longest text that is ever matched
/// by meaning, are about 1.2 KB of English; this leaves room for other scripts. Longer texts are told by length alone.
pub const MAX_BYTES: usize = 4096;

/// Most words that are digested. Two long texts may differ in a word that no statistic over them would show.
pub const MAX_WORDS: usize = 256;

/// Why a text can, or cannot, be matched with another one by meaning.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fitness {
    /// English, as far as can be told.
    English,
    /// Another language or script, or characters that don't show: equal word for word or not at all.
    Foreign,
    /// Longer than [`MAX_BYTES`] or [`MAX_WORDS`], or without a word: never matched.
    Unfit,
}

/// A question as the matcher sees it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Digest {
    pub(super) tokens: Box<[Token]>,
    /// Sorted; each is among the tokens as well.
    pub(super) quantities: Box<[Quantity]>,
    /// Sorted.
    pub(super) literals: Box<[Word]>,
    /// Every word in order, folded to lower case; the same for two texts that differ in case and punctuation only.
    pub(super) wording: Word,
    /// Every word but fillers, function words included, up to spelling, inflection and set phrases.
    pub(super) core: Word,
    pub(super) asks: Bits,
    /// Question words inside a question ("how do I know *when* …").
    pub(super) subordinate: Bits,
    pub(super) moods: Bits,
    pub(super) persons: Bits,
    pub(super) clauses: Bits,
    pub(super) relations: Bits,
    pub(super) negations: u8,
    pub(super) fitness: Fitness,
    /// Points outside itself ("this problem").
    pub(super) deictic: bool,
}

impl Digest {
    /// Digests a text: one pass, a few microseconds for a question, bounded by [`MAX_BYTES`] for anything.
    #[must_use]
    pub fn of(text: &str) -> Self {
        if text.len() > MAX_BYTES {
            return Reader::new(false).finish(Word::NONE, Fitness::Unfit);
        }
        let scan = Scan::of(text);
        let mut items = Items::of(&scan, english());
        let fitness = items.fitness(scan.plain);
        if fitness == Fitness::Unfit {
            return Reader::new(false).finish(items.wording, fitness);
        }
        items.rewrite(english());
        let mut reader = Reader::new(items.capitals_mean_names());
        for (at, item) in items.list.iter().enumerate() {
            reader.read(item, items.list.get(at + 1));
        }
        reader.finish(items.wording, fitness)
    }

    /// Whether the text can be matched by meaning at all; if not, neither look it up nor store it for near hits.
    #[must_use]
    pub fn is_fit(&self) -> bool {
        self.fitness != Fitness::Unfit
    }

    /// Bytes of memory, the struct itself included.
    #[must_use]
    pub fn bytes(&self) -> usize {
        size_of::<Self>()
            + size_of_val(&*self.tokens)
            + size_of_val(&*self.quantities)
            + size_of_val(&*self.literals)
    }
}

#[cfg(test)]
mod tests;
