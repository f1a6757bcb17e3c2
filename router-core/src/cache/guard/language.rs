//! Both texts must be English as far as can be told, and ask for the same form of answer.
//!
//! The word lists know English only, so a text of another language, or one with characters that do not show, is
//! matched by its wording or not at all. "As a table", "in JSON" and "briefly" make another answer of the same
//! question.

use crate::cache::align::Alignment;
use crate::cache::digest::{Fitness, Flags};

/// Whether the languages cannot be compared or the forms of answer differ.
#[must_use]
pub fn vetoes(pair: &Alignment<'_>) -> bool {
    let english = pair.a.fitness == Fitness::English && pair.b.fitness == Fitness::English;
    !english || pair.only_a().chain(pair.only_b()).any(|token| token.flags.any(Flags::FORMAT))
}
