//! The same words in another order are another question: "are cats afraid of dogs", "are dogs afraid of cats".
//!
//! Applies where at most one word a side differs; with more of them, order says little. Three kinds of exchange are
//! harmless and pass: the parts of a coordination ("A and B"), a phrase that keeps its preposition and moved to the
//! front ("in Python, how …"), and "X of Y" for "Y's X" or "Y X". Never a general rotation. Words that keep their
//! place but exchange their preposition ("from A to B", "to A from B") are vetoed as well.

use crate::cache::align::Alignment;
use crate::cache::digest::{Flags, Token};
use crate::cache::text::role::{Bits, Relation};

/// Most words on one side that the other has not, for order to count.
const MOST_DIFFERING: usize = 1;

/// Whether arguments changed places.
#[must_use]
pub fn vetoes(pair: &Alignment<'_>) -> bool {
    turned(pair.a.relations, pair.b.relations)
        || pair.pairs().any(|(a, b)| contrast(a.relation, b.relation))
        || swapped(pair)
}

/// Whether a preposition of one text became its opposite in the other, wherever it stands ("check in", "check out").
fn turned(a: Bits, b: Bits) -> bool {
    let (only_a, only_b) = (a.minus(b), b.minus(a));
    OPPOSED.iter().any(|&(x, y)| {
        (only_a.has(x.bit()) && only_b.has(y.bit())) || (only_a.has(y.bit()) && only_b.has(x.bit()))
    })
}

/// Prepositions that turn a phrase round.
const OPPOSED: [(Relation, Relation); 14] = [
    (Relation::To, Relation::From),
    (Relation::For, Relation::From),
    (Relation::In, Relation::Out),
    (Relation::On, Relation::Off),
    (Relation::Up, Relation::Down),
    (Relation::Over, Relation::Under),
    (Relation::Above, Relation::Below),
    (Relation::Above, Relation::Under),
    (Relation::Over, Relation::Below),
    (Relation::Before, Relation::After),
    (Relation::With, Relation::Without),
    (Relation::For, Relation::Against),
    (Relation::Before, Relation::During),
    (Relation::After, Relation::During),
];

/// Prepositions whose exchange for any other one changes the question.
const PLACING: [Relation; 11] = [
    Relation::Before,
    Relation::After,
    Relation::Between,
    Relation::Against,
    Relation::Without,
    Relation::Over,
    Relation::Under,
    Relation::Above,
    Relation::Below,
    Relation::Out,
    Relation::From,
];

/// Whether a word plays another part under `b` than under `a`.
fn contrast(a: Relation, b: Relation) -> bool {
    use Relation::{Above, Below, By, During, None, Of, Over, Than, To, Under};
    if a == b || matches!((a, b), (Under, Below) | (Below, Under) | (Over, Above) | (Above, Over)) {
        return false;
    }
    let opposed = OPPOSED.iter().any(|&(x, y)| (a, b) == (x, y) || (a, b) == (y, x));
    // "Eaten by" is not "eats", "bigger than" not "bigger".
    let agent = |x, y| matches!(x, By | Than) && matches!(y, None | Of | To);
    // "Income before tax" is not "income tax", nor "between Bonn and Bingen" "after Bonn and Bingen".
    let placing = |x, y| {
        (PLACING.contains(&x) && !(x == Relation::Between && y == None) && !(x == Relation::Out && y == None))
            || (x == During && y == None)
    };
    opposed || agent(a, b) || agent(b, a) || placing(a, b) || placing(b, a)
}

fn swapped(pair: &Alignment<'_>) -> bool {
    let (only_a, only_b) = pair.heavy();
    if only_a > MOST_DIFFERING || only_b > MOST_DIFFERING {
        return false;
    }
    pair.shared
        .iter()
        .enumerate()
        .any(|(at, &x)| pair.shared[at + 1..].iter().any(|&y| exchanges(pair, x, y)))
}

/// Whether two shared words stand the other way round in the other text, and not harmlessly. `x` comes first in `a`.
pub(in crate::cache) fn exchanges(pair: &Alignment<'_>, x: (u16, u16), y: (u16, u16)) -> bool {
    let tokens =
        |(i, j): (u16, u16)| Some((pair.a.tokens.get(usize::from(i))?, pair.b.tokens.get(usize::from(j))?));
    y.1 < x.1 && !matches!((tokens(x), tokens(y)), (Some(x), Some(y)) if harmless(x, y))
}

/// Whether `x` before `y` in one text and after it in the other says the same.
fn harmless(x: (&Token, &Token), y: (&Token, &Token)) -> bool {
    // "Which book is best", "the best book".
    if x.0.flags.any(Flags::LIGHT) || y.0.flags.any(Flags::LIGHT) {
        return true;
    }
    let same_negation = x.0.flags.any(Flags::NEGATED) == x.1.flags.any(Flags::NEGATED)
        && y.0.flags.any(Flags::NEGATED) == y.1.flags.any(Flags::NEGATED);
    same_negation && (coordinated(x, y) || moved(x, y) || genitive(x, y))
}

/// "A and B", "B and A".
fn coordinated(x: (&Token, &Token), y: (&Token, &Token)) -> bool {
    let parts = |x: &Token, y: &Token| x.phrase == y.phrase && x.part != y.part;
    parts(x.0, y.0) && parts(x.1, y.1)
}

/// A phrase that took its preposition along.
fn moved(x: (&Token, &Token), y: (&Token, &Token)) -> bool {
    let kept = |t: (&Token, &Token)| t.0.anchor == t.1.anchor;
    let bound = |t: &Token| !matches!(t.anchor, Relation::None | Relation::Of | Relation::Than);
    kept(x) && kept(y) && x.0.phrase != y.0.phrase && x.1.phrase != y.1.phrase && (bound(x.0) || bound(y.0))
}

/// "capital of France", "France's capital", "jobs in India", "India jobs".
fn genitive(x: (&Token, &Token), y: (&Token, &Token)) -> bool {
    // `head of owner` in one text, `owner head` in the other.
    let of = |head: &Token, owner: &Token| {
        matches!(owner.anchor, Relation::Of | Relation::In | Relation::For | Relation::On | Relation::About)
            && owner.phrase == head.phrase.saturating_add(1)
    };
    let owned = |owner: &Token, head: &Token| owner.phrase == head.phrase && owner.part == head.part;
    (of(x.0, y.0) && owned(y.1, x.1)) || (of(y.1, x.1) && owned(x.0, y.0))
}

#[cfg(test)]
mod tests {
    use crate::cache::guard::{Guard, tests};

    #[test]
    fn vetoes_what_differs() {
        for (a, b) in [
            ("Are cats afraid of dogs?", "Are dogs afraid of cats?"),
            ("flights from Paris to London", "flights from London to Paris"),
            ("Is Java better than Rust?", "Is Rust better than Java?"),
            ("Did Germany invade Poland?", "Was Germany invaded by Poland?"),
            ("convert JSON to XML", "convert XML to JSON"),
            ("call before dinner", "call after dinner"),
            ("income before tax", "income tax"),
            ("check in", "check out"),
            ("2 apples and 3 pears", "3 apples and 2 pears"),
            ("milk but not sugar", "sugar but not milk"),
            ("from 5 to 10", "from 10 to 5"),
            ("Can stress cause acne?", "can acne cause stress"),
        ] {
            assert!(tests::vetoed(Guard::Order, a, b), "{a} | {b}");
        }
    }

    #[test]
    fn passes_what_says_the_same() {
        for (a, b) in [
            ("the difference between A4 and A5 paper", "difference between A5 and A4 paper"),
            ("In Python, how do I sort a list?", "How do I sort a list in Python?"),
            ("the capital of France", "France's capital"),
            ("jobs in Canada", "Canada jobs"),
            ("Which book is best?", "the best book"),
            ("Is Java better than Rust?", "is java better than rust"),
            ("cats, dogs and birds", "dogs, birds and cats"),
        ] {
            assert!(!tests::vetoed(Guard::Order, a, b), "{a} | {b}");
        }
    }

    #[test]
    fn a_word_that_comes_twice_is_paired_alike_from_both_sides() {
        let (a, b) = ("`x` cats", "cats `x` Paris without cats");
        assert_eq!(tests::vetoed(Guard::Order, a, b), tests::vetoed(Guard::Order, b, a));
    }
}
