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

#[cfg(test)]
mod tests {
    use crate::cache::guard::{Guard, tests};

    #[test]
    fn vetoes_what_differs() {
        for (a, b) in [
            ("¿Cómo puedo cambiar mi contraseña?", "¿Cómo puedo olvidar mi contraseña?"),
            ("Wie viel kostet das Ticket?", "Was kostet ein Ticket und wie?"),
            ("こんにちは世界", "こんばんは世界"),
            ("List the planets", "List the planets as JSON"),
            ("Explain gravity", "Explain gravity briefly"),
            ("can\u{200b}not swim", "cannot swim"),
            ("pаypal login", "paypal login"),
            ("cafe\u{301} menu", "cafe menu"),
            ("１０ mg", "10 mg"),
            ("𝐬𝐚𝐟𝐞 dose", "safe dose"),
        ] {
            assert!(tests::vetoed(Guard::Language, a, b), "{a} | {b}");
        }
    }

    #[test]
    fn passes_what_says_the_same() {
        for (a, b) in [
            ("List the planets as JSON", "list planets in json"),
            ("How do I say hello in French?", "how to say hello in French"),
            ("Los Angeles weather", "weather in Los Angeles"),
            ("van gogh paintings", "paintings by van gogh"),
        ] {
            assert!(!tests::vetoed(Guard::Language, a, b), "{a} | {b}");
        }
    }
}
