//! Every name of one text must occur in the other.
//!
//! A name is a word with a capital inside a sentence, one that the lexicon knows as a name, or a label such as "b12".

use crate::cache::align::Alignment;
use crate::cache::digest::Flags;

/// Whether a name is in one text only.
#[must_use]
pub fn vetoes(pair: &Alignment<'_>) -> bool {
    let named = Flags::NAME.or(Flags::LABEL);
    pair.only_a().chain(pair.only_b()).any(|token| token.flags.any(named))
}
