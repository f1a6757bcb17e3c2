//! Both texts must deny equally often (an even number does not cancel out: "no, that's not right"), prefixes included: "not", "without", "avoid", "unlock" beside "lock".
//! A word that narrows a question down ("only", "former", "but") must be in both as well: it denies a part.

use crate::cache::align::Alignment;
use crate::cache::digest::{Flags, Token};
use crate::cache::text::role::Clause;

/// Whether one text denies what the other does not.
#[must_use]
pub fn vetoes(pair: &Alignment<'_>) -> bool {
    let excepted = pair.a.clauses.has(Clause::But.bit()) != pair.b.clauses.has(Clause::But.bit());
    let limited = pair.only_a().chain(pair.only_b()).any(|token| token.flags.any(Flags::LIMITING));
    pair.a.negations != pair.b.negations
        || excepted
        || limited
        || pair.only_a().any(|a| pair.only_b().any(|b| undoes(a, b)))
}

/// Whether one word is the other with a negating prefix or suffix ("usual", "unusual"; "useful", "useless").
fn undoes(a: &Token, b: &Token) -> bool {
    let rooted = |whole: &Token, part: &Token| {
        whole.root != 0 && (whole.root == part.word.short() || whole.root == part.root)
    };
    rooted(a, b) || rooted(b, a)
}

#[cfg(test)]
mod tests {
    use crate::cache::guard::{Guard, tests};

    #[test]
    fn vetoes_what_differs() {
        for (a, b) in [
            ("Is it safe?", "Is it not safe?"),
            ("foods that contain gluten", "foods that don't contain gluten"),
            ("tea with milk", "tea without milk"),
            ("Is it usual?", "Is it unusual?"),
            ("How do I lock it?", "How do I unlock it?"),
            ("Why did it start?", "Why did it fail to start?"),
            ("a useful tool", "a useless tool"),
            ("Who can vote?", "Who can only vote?"),
            ("everyone but me", "everyone and me"),
            ("Does anybody care?", "Does nobody care?"),
            ("Should I eat meat?", "Should I avoid eating meat?"),
            ("businesses that overpay", "businesses that underpay"),
            ("no, that is correct", "no, that is not correct"),
            ("the president", "the former president"),
        ] {
            assert!(tests::vetoed(Guard::Negation, a, b), "{a} | {b}");
        }
    }

    #[test]
    fn passes_what_says_the_same() {
        for (a, b) in [
            ("Why can't I sleep?", "why can I not sleep"),
            ("Isn't it safe?", "is it not safe"),
            ("he does not care", "he doesn't care"),
            ("How do I unlock it?", "how to unlock it"),
        ] {
            assert!(!tests::vetoed(Guard::Negation, a, b), "{a} | {b}");
        }
    }
}
