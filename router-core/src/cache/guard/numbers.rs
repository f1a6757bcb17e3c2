//! Numbers and units must be the same on both sides, each as often.
//!
//! "5 mg" is not "5 g", and "two cups" is "2 cups". That "from 5 to 10" is not "from 10 to 5" is a matter of order.

use crate::cache::align::Alignment;

/// Whether numbers or units differ.
#[must_use]
pub fn vetoes(pair: &Alignment<'_>) -> bool {
    pair.a.quantities != pair.b.quantities
}

#[cfg(test)]
mod tests {
    use crate::cache::guard::{Guard, tests};

    #[test]
    fn vetoes_what_differs() {
        for (a, b) in [
            ("How long is 5 miles?", "How long is 6 miles?"),
            ("How long is 5 miles?", "How long is 5 km?"),
            ("take 1.5 mg", "take 15 mg"),
            ("two cups of rice", "three cups of rice"),
            ("the first chapter", "the second chapter"),
            ("What happened in 1914?", "What happened in 1941?"),
            ("phones under $500", "phones under $5000"),
            ("phones under $500", "phones under €500"),
            ("python 3.1 or older", "python 3.10 or older"),
            ("world war ii", "world war iii"),
            ("a raise of 5%", "a raise of 5"),
            ("What is 3 plus -4?", "What is 3 plus 4?"),
            ("how many seconds are there", "how many minutes are there"),
            ("twenty-five people", "twenty people"),
            ("meet at 3:30", "meet at 3:13"),
            ("half a million people", "a million people"),
            ("the 2nd of May", "the 3rd of May"),
        ] {
            assert!(tests::vetoed(Guard::Numbers, a, b), "{a} | {b}");
        }
    }

    #[test]
    fn passes_what_says_the_same() {
        for (a, b) in [
            ("two hundred and five dogs", "205 dogs"),
            ("5 kg of flour", "five kilograms of flour"),
            ("a budget of $1,000", "a budget of 1000 dollars"),
            ("the twenty first century", "the 21st century"),
            ("$5 million", "5 million dollars"),
            ("10k runners", "10,000 runners"),
            ("a dozen eggs", "12 eggs"),
            ("5 percent", "5%"),
            ("from 5 to 10", "from 10 to 5"),
            ("one can learn", "you can learn"),
        ] {
            assert!(!tests::vetoed(Guard::Numbers, a, b), "{a} | {b}");
        }
    }
}
