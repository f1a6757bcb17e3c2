//! Both texts must ask for the same kind of answer: who, when, why, how many, yes or no.

use crate::cache::align::Alignment;
use crate::cache::text::role::{Ask, Bits};

/// Asks that are close enough to leave the decision to the verifier: each in either direction.
const NEAR: &[(Ask, Ask)] = &[
    (Ask::What, Ask::Which),
    (Ask::What, Ask::Define),
    (Ask::What, Ask::Explain),
    (Ask::Define, Ask::Explain),
    (Ask::How, Ask::HowTo),
    (Ask::How, Ask::Explain),
    (Ask::Can, Ask::YesNo),
    (Ask::Can, Ask::HowTo),
    (Ask::When, Ask::WhatYear),
    (Ask::Should, Ask::YesNo),
];

/// Asks that a text may leave unsaid ("capital of france", "reset a password").
const SILENT: &[Ask] = &[Ask::What, Ask::Define, Ask::Explain, Ask::HowTo, Ask::YesNo, Ask::Can];

/// Whether the texts ask for different things.
#[must_use]
pub fn vetoes(pair: &Alignment<'_>) -> bool {
    let (only_a, only_b) = (pair.a.asks.minus(pair.b.asks), pair.b.asks.minus(pair.a.asks));
    let (inner_a, inner_b) = (pair.a.subordinate, pair.b.subordinate);
    // "How do I know when …" is not "how do I know where …"; either alone may be put in other words.
    let exchanged = !inner_a.minus(inner_b).is_empty() && !inner_b.minus(inner_a).is_empty();
    exchanged || unanswered(only_a, pair.b.asks) || unanswered(only_b, pair.a.asks)
}

/// Whether an ask of one text finds nothing like it in the other.
fn unanswered(asks: Bits, others: Bits) -> bool {
    Ask::ALL.iter().filter(|ask| asks.has(ask.bit())).any(|ask| {
        let near =
            NEAR.iter().any(|(x, y)| (x == ask && others.has(y.bit())) || (y == ask && others.has(x.bit())));
        let unsaid = others.is_empty() && SILENT.contains(ask);
        !near && !unsaid
    })
}

#[cfg(test)]
mod tests {
    use crate::cache::guard::{Guard, tests};

    #[test]
    fn vetoes_what_differs() {
        for (a, b) in [
            ("When did he die?", "Where did he die?"),
            ("How do I cook rice?", "Why do I cook rice?"),
            ("How many cats are there?", "Are there cats?"),
            ("Who wrote it?", "When was it written?"),
            ("how do I know when it is done", "how do I know where it is done"),
        ] {
            assert!(tests::vetoed(Guard::Question, a, b), "{a} | {b}");
        }
    }

    #[test]
    fn passes_what_says_the_same() {
        for (a, b) in [
            ("How do I cook rice?", "the best way to cook rice"),
            ("What is the capital of France?", "capital of france"),
            ("Which city is it?", "What city is it?"),
            ("Why is it red?", "What is the reason it is red?"),
            ("How can I fly?", "Is there a way to fly?"),
            ("Can I pay by card?", "How do I pay by card?"),
            ("What do you do when you are bored?", "When you are bored, what do you do?"),
        ] {
            assert!(!tests::vetoed(Guard::Question, a, b), "{a} | {b}");
        }
    }
}
