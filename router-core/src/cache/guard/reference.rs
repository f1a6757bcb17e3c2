//! What pronouns and pointers stand for must be the same.
//!
//! "My name" is not "your name", and "his" is neither. A text that points outside itself ("this problem", "the
//! following") must be the same but for fillers: what it points at is part of the question.

use crate::cache::align::Alignment;
use crate::cache::text::role::{Bits, Person};

/// Whether the texts may speak of different people or things.
#[must_use]
pub fn vetoes(pair: &Alignment<'_>) -> bool {
    let (a, b) = (pair.a.persons, pair.b.persons);
    let pointing = (pair.a.deictic || pair.b.deictic) && pair.a.core != pair.b.core;
    pointing || exchanged(a, b) || differs(a, b, Person::He) || differs(a, b, Person::She)
}

/// Whether one speaks of the asker where the other speaks of the one asked. Either alone is often left out
/// ("improve my English", "improve English").
fn exchanged(a: Bits, b: Bits) -> bool {
    let asker = |bits: Bits| bits.has(Person::First.bit()) || bits.has(Person::Mine.bit());
    let asked = |bits: Bits| bits.has(Person::Second.bit()) || bits.has(Person::Yours.bit());
    let (only_a, only_b) = (a.minus(b), b.minus(a));
    (asker(only_a) && asked(only_b)) || (asked(only_a) && asker(only_b))
}

fn differs(a: Bits, b: Bits, person: Person) -> bool {
    a.has(person.bit()) != b.has(person.bit())
}

#[cfg(test)]
mod tests {
    use crate::cache::guard::{Guard, tests};

    #[test]
    fn vetoes_what_differs() {
        for (a, b) in [
            ("What is my name?", "What is your name?"),
            ("his email", "her email"),
            ("summarize the following", "summarize"),
            ("fix this problem", "fix a problem"),
            ("translate that", "translate"),
            ("What do you call me?", "What do you call yourself?"),
        ] {
            assert!(tests::vetoed(Guard::Reference, a, b), "{a} | {b}");
        }
    }

    #[test]
    fn passes_what_says_the_same() {
        for (a, b) in [
            ("How can I improve my English?", "how to improve English"),
            ("fix this problem", "Please fix this problem!"),
            ("those who vote", "people who vote"),
            ("my dog is sick", "the dog is sick"),
        ] {
            assert!(!tests::vetoed(Guard::Reference, a, b), "{a} | {b}");
        }
    }
}
