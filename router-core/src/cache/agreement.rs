//! Whether two answers to what may be one question say the same.
//!
//! Three looks, each stricter about what it needs and looser about wording: byte for byte, but for case, space and punctuation, and by
//! the verifier, sentence for sentence both ways with all of its guards. Two free-text answers of one model to one question often fail
//! the last although a reader would find no difference: a model can be asked about those. Without one they count as different, which
//! errs on the side of fewer hits; answers too long to be compared say nothing.

use super::digest::Digest;
use super::matcher::{Kind, judge};

/// Sentences compared, of each answer: 1,024 comparisons of a microsecond. Longer answers are not settled by words.
const MOST_SENTENCES: usize = 32;

/// What the comparison came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Agreement {
    /// Equal byte for byte.
    Exact,
    /// Equal but for case, space and punctuation.
    Normalised,
    /// Every sentence of one has its like in the other.
    Verified,
    /// None of these, though short enough to be compared.
    Differing,
    /// Too long to be settled by words.
    Unsettled,
}

impl Agreement {
    /// Compares two answers.
    #[must_use]
    pub fn of(one: &str, other: &str) -> Self {
        if one == other {
            return Self::Exact;
        }
        if plain(one).eq(plain(other)) && plain(one).next().is_some() {
            return Self::Normalised;
        }
        match (sentences(one), sentences(other)) {
            (Some(one), Some(other)) if covers(&one, &other) && covers(&other, &one) => Self::Verified,
            (Some(_), Some(_)) => Self::Differing,
            _ => Self::Unsettled,
        }
    }

    /// Whether the two say the same, as far as words can tell; `None` where they can't.
    #[must_use]
    pub const fn says_same(self) -> Option<bool> {
        match self {
            Self::Exact | Self::Normalised | Self::Verified => Some(true),
            Self::Differing => Some(false),
            Self::Unsettled => None,
        }
    }
}

/// Letters and digits in lower case, with signs that change a number or a formula.
fn plain(text: &str) -> impl Iterator<Item = char> + '_ {
    let telling = |c: &char| c.is_alphanumeric() || "+-−*/=<>%$€£^".contains(*c);
    text.chars().filter(telling).flat_map(char::to_lowercase)
}

/// The sentences, digested; `None` where there are none, too many, or one that cannot be compared.
fn sentences(text: &str) -> Option<Vec<Digest>> {
    let ends = |c: char| matches!(c, '\n' | '!' | '?' | ';' | '。');
    let mut digests = Vec::new();
    for line in text.split(ends) {
        // A full stop ends a sentence before a space only: "3.5" and "e.g." stay whole often enough.
        for sentence in line.split(". ").map(str::trim).filter(|sentence| plain(sentence).next().is_some()) {
            let digest = Digest::of(sentence);
            if digests.len() == MOST_SENTENCES || !digest.is_fit() {
                return None;
            }
            digests.push(digest);
        }
    }
    (!digests.is_empty()).then_some(digests)
}

/// Whether every sentence of `one` has its like in `other`.
fn covers(one: &[Digest], other: &[Digest]) -> bool {
    let alike = |a: &Digest, b: &Digest| judge(a, b, None).serves(Kind::BuiltIn.shipped_threshold());
    one.iter().all(|sentence| other.iter().any(|candidate| alike(sentence, candidate)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn wording_may_differ_facts_may_not() {
        for (one, other, expected) in [
            ("Paris.", "Paris.", Agreement::Exact),
            ("Paris.", "  paris ", Agreement::Normalised),
            (
                "You can organise photos by date.",
                "You can organize your photos by date!",
                Agreement::Verified,
            ),
            ("It has 5 legs. It barks.", "It barks. It has 5 legs.", Agreement::Verified),
            ("It has 5 legs.", "It has 6 legs.", Agreement::Differing),
            ("Yes.", "No.", Agreement::Differing),
            ("x = -1", "x = 1", Agreement::Differing),
            ("Turn it on.", "Turn it off.", Agreement::Differing),
            ("It barks.", "It barks. It bites.", Agreement::Differing),
            ("", "?", Agreement::Unsettled),
        ] {
            assert_eq!(Agreement::of(one, other), expected, "{one} | {other}");
            assert_eq!(Agreement::of(other, one), expected, "{other} | {one}");
        }
    }

    #[test]
    fn long_answers_are_left_to_a_judge() {
        let long = |word: &str| (0..100).map(|n| format!("Step {n} is {word}.\n")).collect::<String>();
        assert_eq!(Agreement::of(&long("easy"), &long("simple")), Agreement::Unsettled);
        assert_eq!(Agreement::of(&long("easy"), &long("easy").to_uppercase()), Agreement::Normalised);
    }
}
