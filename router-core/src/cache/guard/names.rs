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

#[cfg(test)]
mod tests {
    use crate::cache::guard::{Guard, tests};

    #[test]
    fn vetoes_what_differs() {
        for (a, b) in [
            ("the capital of France", "the capital of Spain"),
            ("the capital of france", "the capital of spain"),
            ("How did Frida die?", "How did Diego die?"),
            ("vitamin b12", "vitamin b6"),
            ("vitamin c", "vitamin d"),
            ("Who is the CEO of IKEA?", "Who is the CEO?"),
            ("plan A or plan b", "plan A or plan c"),
        ] {
            assert!(tests::vetoed(Guard::Names, a, b), "{a} | {b}");
        }
    }

    #[test]
    fn passes_what_says_the_same() {
        for (a, b) in [
            ("the capital of France", "THE CAPITAL OF FRANCE"),
            ("How big is the US?", "how big is the united states"),
            ("What Is A Monad", "what is a monad"),
            ("weather in nyc", "weather in New York"),
            ("Why is Trump famous?", "why is donald trump famous"),
        ] {
            assert!(!tests::vetoed(Guard::Names, a, b), "{a} | {b}");
        }
    }
}
