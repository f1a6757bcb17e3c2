//! Code, addresses, symbols and quotations must be the same, byte for byte, wherever they stand.

use crate::cache::align::Alignment;

/// Whether any span that is compared byte for byte is in one text only.
#[must_use]
pub fn vetoes(pair: &Alignment<'_>) -> bool {
    pair.a.literals != pair.b.literals
}

#[cfg(test)]
mod tests {
    use crate::cache::guard::{Guard, tests};

    #[test]
    fn vetoes_what_differs() {
        for (a, b) in [
            ("What does `a + b` do?", "What does `a - b` do?"),
            ("open https://a.example/x", "open https://a.example/y"),
            ("the meaning of \"foo\"", "the meaning of \"bar\""),
            ("call get_user now", "call get_users now"),
            ("solve x^2=4", "solve x^2=9"),
            ("what is 2+2", "what is 2*2"),
            ("is x < y", "is x > y"),
            ("numbers <5", "numbers >5"),
            ("cd /etc/a", "cd /etc/b"),
            ("what does 👍 mean", "what does 👎 mean"),
            ("mail me@a.example", "mail you@a.example"),
            ("std::fmt", "std::fmt::Debug"),
        ] {
            assert!(tests::vetoed(Guard::Literals, a, b), "{a} | {b}");
        }
    }

    #[test]
    fn passes_what_says_the_same() {
        for (a, b) in [
            ("What does `a + b` do?", "what does `a + b` do"),
            ("the meaning of \"foo\"", "What is the meaning of “foo”?"),
            ("*really* good", "really good"),
            ("and/or", "and or"),
        ] {
            assert!(!tests::vetoed(Guard::Literals, a, b), "{a} | {b}");
        }
    }
}
