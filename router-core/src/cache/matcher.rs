//! Whether a cached answer may be given to another question: the seam between the two matchers and the rest.
//!
//! A question is digested once, when it is stored or arrives; a pair of digests is judged in about a microsecond.
//! With a cosine the verdict is that of the sentence embeddings' matcher, without one that of the built-in matcher,
//! which needs no model file. Guards come first in either: what they veto is not served at any score.
//!
//! ```
//! # use router_core::cache::{digest::Digest, matcher::{Kind, judge}};
//! let cached = Digest::of("What is the best way to learn Spanish?");
//! let verdict = judge(&cached, &Digest::of("How do I learn Spanish?"), None);
//! assert!(verdict.serves(Kind::BuiltIn.shipped_threshold()));
//!
//! let verdict = judge(&cached, &Digest::of("How do I learn Italian?"), None);
//! assert!(!verdict.serves(0.0), "refused by {:?}", verdict.vetoes);
//! ```

use super::align::Alignment;
use super::digest::{Digest, Flags};
use super::guard::Vetoes;
use super::verifier::{EMBEDDED, Inputs, LEXICAL};

/// Which matcher a verdict is from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Kind {
    /// Words alone.
    BuiltIn,
    /// Words and the cosine of sentence embeddings.
    Embedded,
}

impl Kind {
    /// Stable name for metrics.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::BuiltIn => "builtin",
            Self::Embedded => "fastembed",
        }
    }

    /// The lowest score that is served before anything has been learned from labels. Both models' biases are set
    /// so that this is 0.5; see [`super::verifier`] for what that was measured to mean.
    #[must_use]
    pub const fn shipped_threshold(self) -> f32 {
        match self {
            Self::BuiltIn | Self::Embedded => 0.5,
        }
    }
}

/// How alike two questions are, roughly, for the receipt.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Tier {
    /// The same words in the same order, but for case and punctuation.
    Wording,
    /// The same content words, but for function words, inflection and synonyms.
    Content,
    /// Other words.
    Meaning,
}

impl Tier {
    /// Stable name for receipts.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Wording => "wording",
            Self::Content => "content",
            Self::Meaning => "meaning",
        }
    }
}

/// What a matcher says about a pair.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Verdict {
    /// 0..=1, higher is surer; compare with a threshold. Never NaN.
    pub score: f32,
    /// Guards that refuse the pair whatever the score.
    pub vetoes: Vetoes,
    /// In what the two agree.
    pub tier: Tier,
    /// The share of all words that both have, 0..=1: how near a vetoed pair came.
    pub overlap: f32,
}

impl Verdict {
    /// A verdict that is never served.
    const REFUSED: Self = Self { score: 0.0, vetoes: Vetoes::NONE, tier: Tier::Meaning, overlap: 0.0 };

    /// Whether the answer may be given at this threshold. A score of 0 is never served.
    #[must_use]
    pub fn serves(&self, threshold: f32) -> bool {
        self.vetoes.is_empty() && self.score > 0.0 && self.score >= threshold
    }
}

/// Judges a pair of questions. Guards say the same whichever of the two was stored; the score may differ a little where words repeat.
///
/// A cosine that is no number or outside −1..=1 (beyond rounding) means that an embedder misbehaved: the pair is not
/// served. Texts that cannot be matched at all ([`Digest::is_fit`]) are not served either.
#[must_use]
pub fn judge(cached: &Digest, incoming: &Digest, cosine: Option<f32>) -> Verdict {
    if !cached.is_fit() || !incoming.is_fit() {
        return Verdict::REFUSED;
    }
    let pair = Alignment::of(cached, incoming);
    if pair.same_wording() {
        return Verdict { score: 1.0, vetoes: Vetoes::NONE, tier: Tier::Wording, overlap: 1.0 };
    }
    let tier = if pair.unmatched() == (0, 0) { Tier::Content } else { Tier::Meaning };
    let score = match cosine {
        None => LEXICAL.score(&Inputs::of(&pair), 0.0),
        Some(cosine) if (-1.01..=1.01).contains(&cosine) => EMBEDDED.score(&Inputs::of(&pair), cosine),
        Some(_) => return Verdict { tier, ..Verdict::REFUSED },
    };
    // Generic words in common are no evidence, and two empty sets of words are equal too.
    let telling = cosine.is_some() || pair.pairs().any(|(word, _)| !word.flags.any(Flags::LIGHT));
    let score = if telling { score } else { 0.0 };
    Verdict { score, vetoes: Vetoes::of(&pair), tier, overlap: pair.overlap() }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn serves(a: &str, b: &str, cosine: Option<f32>) -> bool {
        judge(&Digest::of(a), &Digest::of(b), cosine).serves(0.5)
    }

    #[test]
    fn the_built_in_matcher_serves_paraphrases() {
        for (a, b) in [
            ("How do I reset my password?", "how to reset a password"),
            ("What's the capital of France?", "what is France's capital"),
            ("How much does a passport cost?", "What is the price of a passport?"),
            ("Why is the sky blue?", "What is the reason that the sky is blue?"),
            ("How can I organise my photos?", "what is the best way to organize photos"),
            (
                "difference between mitosis and meiosis",
                "What are the differences between meiosis and mitosis?",
            ),
            ("In Python, how do I sort a list?", "How do I sort a list in Python?"),
            ("Please tell me how many people live in Japan", "How many people live in Japan?"),
        ] {
            assert!(serves(a, b, None), "{a} | {b}: {:?}", judge(&Digest::of(a), &Digest::of(b), None));
            assert!(
                serves(a, b, Some(0.95)),
                "{a} | {b}: {:?}",
                judge(&Digest::of(a), &Digest::of(b), Some(0.95))
            );
        }
    }

    #[test]
    fn the_embedded_matcher_serves_other_words_and_refuses_one_exchanged_word() {
        assert!(serves(
            "Can coffee raise my blood pressure?",
            "Does drinking coffee increase blood pressure?",
            Some(0.95)
        ));
        assert!(!serves(
            "Do statins interact with grapefruit juice?",
            "Do statins interact with orange juice?",
            Some(0.9)
        ));
        assert!(!serves(
            "Can coffee raise my blood pressure?",
            "Can coffee lower my blood pressure?",
            Some(0.99)
        ));
    }

    #[test]
    fn misbehaving_embedders_serve_nothing() {
        for cosine in [f32::NAN, f32::INFINITY, f32::NEG_INFINITY, 1.5] {
            assert!(!serves("How do I reset my password?", "how to reset a password", Some(cosine)));
        }
    }

    #[test]
    fn empty_and_oversized_texts_are_never_served() {
        let long = "why ".repeat(2000);
        let many = "why not ".repeat(200);
        for text in ["", "   ", "?!", long.as_str(), many.as_str()] {
            assert!(!judge(&Digest::of(text), &Digest::of(text), None).serves(0.0), "{text:.20}");
        }
        assert!(!serves("maybe the", "maybe of", None));
    }

    proptest! {
        #[test]
        fn any_pair_gets_a_sane_symmetric_verdict(a in ".{0,80}", b in ".{0,80}", cosine in proptest::option::of(-1.0f32..1.0)) {
            let (a, b) = (Digest::of(&a), Digest::of(&b));
            let (there, back) = (judge(&a, &b, cosine), judge(&b, &a, cosine));
            prop_assert!((0.0..=1.0).contains(&there.score));
            prop_assert_eq!(there.vetoes, back.vetoes);
            prop_assert!((there.score - back.score).abs() < 1e-6, "{} {}", there.score, back.score);
        }

        #[test]
        fn a_text_matches_itself_whatever_its_case_and_punctuation(text in "[a-z]{2,9}( [a-z]{2,9}){1,8}") {
            let shouted = format!("  {}!! ", text.to_uppercase());
            prop_assert!(judge(&Digest::of(&text), &Digest::of(&shouted), None).serves(1.0));
        }
    }
}
