//! Reasons not to serve an answer, however alike two questions look.
//!
//! Similarity cannot see the one word that turns a question round; each guard looks for one kind of such words and
//! vetoes the pair. A veto is final: no score overrules it.

pub mod antonyms;
pub mod language;
pub mod literals;
pub mod names;
pub mod negation;
pub mod numbers;
pub mod order;
pub mod question;
pub mod reference;

use super::align::Alignment;

/// What can veto a pair.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Guard {
    /// Another language, hidden characters, or another form of answer.
    Language,
    /// Code, addresses or quotations differ.
    Literals,
    /// Numbers or units differ.
    Numbers,
    /// One denies what the other does not.
    Negation,
    /// A name occurs in one only.
    Names,
    /// Opposites, or two things of one kind.
    Antonyms,
    /// The same words with parts exchanged.
    Order,
    /// Another kind of question.
    Question,
    /// About somebody else, or about something outside the text.
    Reference,
}

impl Guard {
    /// All guards, in the order in which they are asked.
    pub const ALL: [Self; 9] = [
        Self::Language,
        Self::Literals,
        Self::Numbers,
        Self::Negation,
        Self::Names,
        Self::Antonyms,
        Self::Order,
        Self::Question,
        Self::Reference,
    ];

    /// Stable name for receipts and metrics.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Language => "language",
            Self::Literals => "literals",
            Self::Numbers => "numbers",
            Self::Negation => "negation",
            Self::Names => "names",
            Self::Antonyms => "antonyms",
            Self::Order => "order",
            Self::Question => "question",
            Self::Reference => "reference",
        }
    }

    fn vetoes(self, pair: &Alignment<'_>) -> bool {
        match self {
            Self::Language => language::vetoes(pair),
            Self::Literals => literals::vetoes(pair),
            Self::Numbers => numbers::vetoes(pair),
            Self::Negation => negation::vetoes(pair),
            Self::Names => names::vetoes(pair),
            Self::Antonyms => antonyms::vetoes(pair),
            Self::Order => order::vetoes(pair),
            Self::Question => question::vetoes(pair),
            Self::Reference => reference::vetoes(pair),
        }
    }
}

/// The guards that veto a pair.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Vetoes(u16);

impl Vetoes {
    /// No guard objects.
    pub const NONE: Self = Self(0);

    /// Asks every guard. Two texts of the same wording need not be asked about.
    #[must_use]
    pub fn of(pair: &Alignment<'_>) -> Self {
        Guard::ALL
            .iter()
            .filter(|guard| guard.vetoes(pair))
            .fold(Self(0), |set, &guard| Self(set.0 | 1 << guard as u16))
    }

    /// Whether no guard objects.
    #[must_use]
    pub const fn is_empty(self) -> bool {
        self.0 == 0
    }

    /// Whether this guard objects.
    #[must_use]
    pub const fn has(self, guard: Guard) -> bool {
        self.0 & (1 << guard as u16) != 0
    }

    /// The guards that object, in the order in which they were asked.
    pub fn iter(self) -> impl Iterator<Item = Guard> {
        Guard::ALL.into_iter().filter(move |&guard| self.has(guard))
    }
}

#[cfg(test)]
pub(in crate::cache) mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::cache::digest::Digest;

    /// Whether one guard objects to a pair.
    pub(in crate::cache) fn vetoed(guard: Guard, a: &str, b: &str) -> bool {
        guard.vetoes(&Alignment::of(&Digest::of(a), &Digest::of(b)))
    }

    /// Short sentences that hold what guards look for.
    fn sentence() -> impl Strategy<Value = String> {
        const WORDS: [&str; 44] = [
            "how", "do", "I", "what", "is", "the", "best", "my", "your", "his", "this", "not", "without",
            "to", "from", "of", "and", "in", "Paris", "London", "buy", "sell", "unlock", "lock", "5", "six",
            "miles", "km", "monday", "tuesday", "`x`", "b12", "json", "only", "but", "cats", "dogs",
            "afraid", "?", ",", "“q”", "été", "\u{200b}", "и",
        ];
        proptest::collection::vec(proptest::sample::select(&WORDS[..]), 0..12)
            .prop_map(|words| words.join(" "))
    }

    proptest! {
        #[test]
        fn every_guard_is_symmetric(a in sentence(), b in sentence()) {
            for guard in Guard::ALL {
                prop_assert_eq!(vetoed(guard, &a, &b), vetoed(guard, &b, &a), "{:?}", guard);
            }
        }

        #[test]
        fn only_languages_veto_a_text_against_itself(text in sentence()) {
            for guard in Guard::ALL.into_iter().filter(|&guard| guard != Guard::Language) {
                prop_assert!(!vetoed(guard, &text, &text), "{:?}", guard);
            }
        }
    }

    #[test]
    fn vetoes_are_listed_by_name() {
        let (a, b) =
            (Digest::of("How long is 5 miles from Rome?"), Digest::of("How long is 6 miles to Oslo?"));
        let names: Vec<&str> = Vetoes::of(&Alignment::of(&a, &b)).iter().map(Guard::name).collect();
        assert_eq!(names, ["numbers", "names", "order"]);
    }
}
