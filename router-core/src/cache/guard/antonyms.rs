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

#[cfg(test)]
mod tests {
    use crate::cache::guard::{Guard, tests};

    #[test]
    fn vetoes_what_differs() {
        for (a, b) in [
            ("How do I buy a house?", "How do I sell a house?"),
            ("the minimum wage", "the maximum wage"),
            ("turn on the light", "turn off the light"),
            ("open on Monday", "open on Tuesday"),
            ("is it raining today", "is it raining tomorrow"),
            ("a red car", "a blue car"),
            ("how do I log in", "how do I log out"),
            ("Which is the best laptop?", "which is the worst laptop"),
            ("increase the volume", "lower the volume"),
            ("my father's name", "my mother's name"),
        ] {
            assert!(tests::vetoed(Guard::Antonyms, a, b), "{a} | {b}");
        }
    }

    #[test]
    fn passes_what_says_the_same() {
        for (a, b) in [
            ("How do I buy a house?", "how to purchase a house"),
            ("min and max wage", "the minimum and the maximum wage"),
            ("buy and sell shares", "sell or buy shares"),
            ("a big car", "a large car"),
        ] {
            assert!(!tests::vetoed(Guard::Antonyms, a, b), "{a} | {b}");
        }
    }
}
