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
