//! No word of one side may exclude a word of the other: opposites ("buy", "sell") and members of one kind
//! ("monday", "tuesday"), among the words that the texts do not share.

use crate::cache::align::Alignment;
use crate::cache::digest::{Flags, Token};
use crate::cache::text::lexicon::english;

/// Whether an exchanged word changes the question.
#[must_use]
pub fn vetoes(pair: &Alignment<'_>) -> bool {
    pair.only_a().any(|a| pair.only_b().any(|b| exclude(a, b)))
}

fn exclude(a: &Token, b: &Token) -> bool {
    let same_kind = a.kind != 0 && a.kind == b.kind;
    let opposed =
        a.flags.any(Flags::OPPOSED) && b.flags.any(Flags::OPPOSED) && english().opposed(a.word, b.word);
    same_kind || opposed
}
