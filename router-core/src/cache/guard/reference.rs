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
