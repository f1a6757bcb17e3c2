//! How likely one answer serves both questions: a logistic model over what an alignment shows.
//!
//! There are two sets of weights over the same inputs, one without and one with the cosine of two sentence
//! embeddings. Both were fitted by logistic regression with the sign of every weight fixed (nothing that two texts
//! differ in can speak for a match) and a ridge towards hand-set weights, on constructed paraphrases and edits of
//! questions, nearest neighbours among unrelated questions as negatives, and intents of two public collections
//! (Disfl-QA, CLINC150 and BANKING77, all CC BY). The cosine's slope is bounded from below: constructed paraphrases
//! keep most of their words and would teach the model to look at nothing else. The biases were then set so that 0.5
//! is the shipped threshold of either: on the two collections of intents, one text in 200 (with cosine, 158) is
//! close enough to a text of another intent to be served at 0.5, most of those being the same question under two
//! labels.

use super::align::Alignment;
use super::digest::{Digest, Flags};
use super::guard::order;
use super::text::role::{Bits, Mood, Person, Relation};

/// Number of inputs besides the cosine.
pub const INPUTS: usize = 24;

/// Names of the inputs, in order.
pub const INPUT_NAMES: [&str; INPUTS] = [
    "equal",
    "one_for_one",
    "one_sided",
    "heavy_least",
    "heavy_most",
    "light",
    "ask_changed",
    "ask_silent",
    "first",
    "second",
    "third",
    "owner",
    "modal_exchanged",
    "modal_added",
    "past",
    "auxiliaries",
    "preposition_changed",
    "preposition_added",
    "particles",
    "clauses",
    "length",
    "inversions",
    "forms",
    "scant",
];

/// Weights of one model.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Weights {
    inputs: [f32; INPUTS],
    cosine: f32,
    bias: f32,
}

/// Without an embedding: little more than the same content words, minus what else differs.
pub const LEXICAL: Weights = Weights {
    inputs: [
        3.20, -2.91, -2.99, -1.79, -1.44, -1.72, -1.12, -1.12, -1.11, -1.16, -1.18, -1.11, -1.20, -1.13,
        -1.20, -1.07, -1.20, -1.10, -2.98, -1.16, -1.18, -1.19, -0.27, -0.33,
    ],
    cosine: 0.0,
    bias: -0.82,
};

/// With the cosine of two sentence embeddings.
pub const EMBEDDED: Weights = Weights {
    inputs: [
        0.346, -0.732, -0.398, 0.0, -0.037, -0.294, -0.130, -0.128, -0.129, -0.131, -0.132, -0.127, -0.133,
        -0.131, -0.133, -0.126, -0.133, -0.130, -0.332, -0.132, -0.134, -0.133, -0.031, -0.038,
    ],
    cosine: 20.0,
    bias: -17.90,
};

impl Weights {
    /// The model's answer, 0..=1. Not a calibrated probability: an order, with the shipped threshold at 0.5.
    #[must_use]
    pub fn score(&self, inputs: &Inputs, cosine: f32) -> f32 {
        let sum: f32 = self.inputs.iter().zip(&inputs.0).map(|(weight, input)| weight * input).sum();
        let logit = sum + self.cosine * cosine + self.bias;
        1.0 / (1.0 + (-logit).exp())
    }
}

/// What the model looks at, in the order of [`INPUT_NAMES`]. Each is 0 where the texts agree, except the first.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Inputs(pub [f32; INPUTS]);

impl Inputs {
    /// Reads the inputs off an alignment. The order of its two texts does not matter.
    #[must_use]
    pub fn of(pair: &Alignment<'_>) -> Self {
        let mut inputs = [0.0; INPUTS];
        let (heavy_a, heavy_b) = pair.heavy();
        inputs[..6].copy_from_slice(&words(pair, heavy_a.min(heavy_b), heavy_a.max(heavy_b)));
        // Where both texts use several words of their own they are two sentences, and differences in function words
        // and structure say nothing any more.
        if heavy_a.min(heavy_b) == 0 || heavy_a.max(heavy_b) == 1 {
            inputs[6..16].copy_from_slice(&function_words(pair.a, pair.b));
            inputs[16..].copy_from_slice(&structure(pair));
        }
        Self(inputs)
    }
}

/// Inputs "equal" to "light": content words that one text has and the other has not.
fn words(pair: &Alignment<'_>, least: usize, most: usize) -> [f32; 6] {
    let (only_a, only_b) = pair.unmatched();
    [
        flag(only_a + only_b == 0 && !pair.shared.is_empty()),
        flag(least == 1 && most == 1),
        flag(least == 0 && most > 0),
        count(least, 4),
        count(most, 6),
        count(only_a + only_b - least - most, 4),
    ]
}

/// Inputs "ask_changed" to "auxiliaries".
fn function_words(a: &Digest, b: &Digest) -> [f32; 10] {
    let silent = a.asks.is_empty() != b.asks.is_empty();
    let asks = a.asks.xor(b.asks).len() + a.subordinate.xor(b.subordinate).len();
    let person =
        |persons: &[Person]| flag(persons.iter().any(|p| a.persons.has(p.bit()) != b.persons.has(p.bit())));
    let (modal_a, modal_b) = (a.moods.and(MODALS), b.moods.and(MODALS));
    let (only_a, only_b) = (modal_a.minus(modal_b).len(), modal_b.minus(modal_a).len());
    [
        if silent { 0.0 } else { count(asks, 3) },
        flag(silent),
        person(&[Person::First]),
        person(&[Person::Second]),
        person(&[Person::They, Person::It]),
        person(&[Person::Mine, Person::Yours]),
        count(only_a.min(only_b), 2),
        count(only_a.abs_diff(only_b), 2),
        flag(a.moods.has(Mood::Past.bit()) != b.moods.has(Mood::Past.bit())),
        count(a.moods.minus(MODALS).xor(b.moods.minus(MODALS)).len(), 3),
    ]
}

/// Inputs "preposition_changed" to "scant".
fn structure(pair: &Alignment<'_>) -> [f32; 8] {
    let (mut changed, mut added, mut forms, mut heavy) = (0, 0, 0, 0);
    for (a, b) in pair.pairs() {
        let bare = a.relation == Relation::None || b.relation == Relation::None;
        let differs = attachment(a.relation) != attachment(b.relation);
        changed += usize::from(differs && !bare);
        added += usize::from(differs && bare);
        forms += usize::from(a.form != b.form);
        heavy += usize::from(!a.flags.any(Flags::LIGHT));
    }
    let inversions = pair.shared.windows(2).filter(|two| order::exchanges(pair, two[0], two[1])).count();
    let size = |digest: &Digest| (digest.tokens.len() as f32 + 1.0).ln();
    [
        count(changed, 3),
        count(added, 3),
        count(pair.a.relations.xor(pair.b.relations).and(PARTICLES).len(), 2),
        count(pair.a.clauses.xor(pair.b.clauses).len(), 3),
        (size(pair.a) - size(pair.b)).abs(),
        count(inversions, 3),
        count(forms, 4),
        // Fewer than three shared words are little to go by.
        count(3usize.saturating_sub(heavy), 3),
    ]
}

/// Prepositions that say the same count as one: "France's capital", "the capital of France"; "in" and "on" a list.
fn attachment(relation: Relation) -> Relation {
    match relation {
        Relation::Of => Relation::None,
        Relation::On => Relation::In,
        other => other,
    }
}

/// Auxiliaries that carry meaning.
const MODALS: Bits = Bits::of(&[
    Mood::Past.bit(),
    Mood::Future.bit(),
    Mood::Can.bit(),
    Mood::Should.bit(),
    Mood::Would.bit(),
    Mood::May.bit(),
]);

/// Prepositions that make another verb of the one before them.
const PARTICLES: Bits =
    Bits::of(&[Relation::Off.bit(), Relation::Out.bit(), Relation::Up.bit(), Relation::Down.bit()]);

fn flag(set: bool) -> f32 {
    f32::from(u8::from(set))
}

fn count(n: usize, most: usize) -> f32 {
    n.min(most) as f32
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_that_differs_speaks_for_a_match() {
        for weights in [LEXICAL, EMBEDDED] {
            assert!(weights.inputs[0] > 0.0, "equal content speaks for it");
            assert!(weights.inputs[1..].iter().all(|&weight| weight <= 0.0));
            assert!(weights.cosine >= 0.0);
        }
    }

    #[test]
    fn without_an_embedding_only_equal_content_reaches_the_threshold() {
        let mut equal = Inputs([0.0; INPUTS]);
        equal.0[0] = 1.0;
        assert!(LEXICAL.score(&equal, 0.0) > 0.9);
        assert!(LEXICAL.score(&Inputs([0.0; INPUTS]), 0.0) < 0.5);
    }

    #[test]
    fn the_score_rises_with_the_cosine() {
        let inputs = Inputs([0.0; INPUTS]);
        assert!(EMBEDDED.score(&inputs, 0.95) > EMBEDDED.score(&inputs, 0.85));
    }
}
