//! What a word does in a sentence.

use super::number::Amount;
use super::word::Word;

/// The part a word plays. Words outside the lexicon are [`Role::Content`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    /// Carries the subject: compared one by one.
    Content,
    /// Says nothing that an answer depends on.
    Filler,
    /// Opens a text and is dropped there; elsewhere it is what the text is about ("translate hello").
    Greeting,
    /// Closes a text and is dropped there.
    Thanks,
    /// An auxiliary verb; what it says about tense and possibility is a bit of [`Mood`].
    Auxiliary(Mood),
    /// A pronoun or possessive.
    Pronoun(Person),
    /// Points outside the text ("this", "the following").
    Deixis,
    /// A preposition: how the words after it hang on those before.
    Relation(Relation),
    /// "and": the things on both sides may change places.
    And,
    /// "or", "versus": likewise.
    Or,
    /// A clause that limits or contrasts ("if", "but", "because").
    Clause(Clause),
    /// A question word or a template that amounts to one.
    Ask(Ask),
    /// Turns a statement round.
    Not,
    /// A number word.
    Cardinal(Amount),
    /// A number word that multiplies the one before ("million").
    Scale(u64),
    /// A place in an order ("third").
    Ordinal(Amount),
    /// A unit of measure, money or time.
    Unit(Word),
    /// A unit beside a number, a content word elsewhere ("5 m", "stone").
    LooseUnit(Word),
}

/// A set of small enum values, one bit each.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Bits(u32);

impl Bits {
    /// The set of these indexes; one of 32 or more is the caller's mistake and sets nothing.
    #[must_use]
    pub const fn of(indexes: &[u8]) -> Self {
        let mut bits = 0;
        let mut at = 0;
        while at < indexes.len() {
            bits |= bit(indexes[at]);
            at += 1;
        }
        Self(bits)
    }

    /// Adds the value with this index.
    pub const fn insert(&mut self, index: u8) {
        self.0 |= bit(index);
    }

    /// Whether the value with this index is in the set.
    #[must_use]
    pub const fn has(self, index: u8) -> bool {
        self.0 & bit(index) != 0
    }

    /// Values of `self` that are not in `other`.
    #[must_use]
    pub const fn minus(self, other: Self) -> Self {
        Self(self.0 & !other.0)
    }

    /// Values in either, not both.
    #[must_use]
    pub const fn xor(self, other: Self) -> Self {
        Self(self.0 ^ other.0)
    }

    /// Values in both.
    #[must_use]
    pub const fn and(self, other: Self) -> Self {
        Self(self.0 & other.0)
    }

    /// Values in either or both.
    #[must_use]
    pub const fn or(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    /// How many values.
    #[must_use]
    pub const fn len(self) -> usize {
        self.0.count_ones() as usize
    }

    /// Whether there is none.
    #[must_use]
    pub const fn is_empty(self) -> bool {
        self.0 == 0
    }
}

const fn bit(index: u8) -> u32 {
    if index < 32 { 1 << index } else { 0 }
}

/// Declares a field-less enum whose values have names in the word lists and go into [`Bits`].
macro_rules! closed_set {
    ($(#[$doc:meta])* $name:ident { $($(#[$vdoc:meta])* $value:ident = $text:literal,)* }) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        pub enum $name { $($(#[$vdoc])* $value,)* }

        impl $name {
            /// All values, in the order of their bits.
            pub const ALL: &[Self] = &[$(Self::$value,)*];

            /// The value with this name in the word lists.
            #[must_use]
            pub fn named(name: &str) -> Option<Self> {
                match name {
                    $($text => Some(Self::$value),)*
                    _ => None,
                }
            }

            /// The value's place in [`Bits`].
            #[must_use]
            pub const fn bit(self) -> u8 {
                self as u8
            }
        }
    };
}

closed_set! {
    /// What an auxiliary says about tense and possibility.
    Mood {
        /// "is", "are": nothing.
        Be = "be",
        /// "do", "does": nothing.
        Do = "do",
        /// "have", "has": nothing much.
        Have = "have",
        /// "was", "did".
        Past = "past",
        /// "will".
        Future = "future",
        /// "can", "able".
        Can = "can",
        /// "should", "must", "have to".
        Should = "should",
        /// "would".
        Would = "would",
        /// "may", "might".
        May = "may",
    }
}

closed_set! {
    /// Whom a pronoun means.
    Person {
        /// "I", "us".
        First = "first",
        /// "my", "ours".
        Mine = "mine",
        /// "you".
        Second = "second",
        /// "your".
        Yours = "yours",
        /// "he".
        He = "he",
        /// "she".
        She = "she",
        /// "they".
        They = "they",
        /// "it".
        It = "it",
        /// "one", "people": nobody in particular.
        Anyone = "anyone",
    }
}

closed_set! {
    /// Clauses other than coordination.
    Clause {
        /// "but", "although".
        But = "but",
        /// "if", "whether".
        If = "if",
        /// "because".
        Because = "because",
        /// "that", which most often is left out.
        That = "that",
    }
}

closed_set! {
    /// How a phrase hangs on the words before it.
    #[derive(Default)]
    Relation {
        /// Directly, without a preposition.
        #[default]
        None = "none",
        /// "to", "into".
        To = "to",
        /// "from".
        From = "from",
        /// "of".
        Of = "of",
        /// "in", "at".
        In = "in",
        /// "on".
        On = "on",
        /// "for".
        For = "for",
        /// "with", "using".
        With = "with",
        /// "without".
        Without = "without",
        /// "by".
        By = "by",
        /// "as".
        As = "as",
        /// "about".
        About = "about",
        /// "before".
        Before = "before",
        /// "after".
        After = "after",
        /// "under".
        Under = "under",
        /// "below".
        Below = "below",
        /// "over".
        Over = "over",
        /// "above".
        Above = "above",
        /// "between".
        Between = "between",
        /// "against".
        Against = "against",
        /// "during".
        During = "during",
        /// "out", "outside".
        Out = "out",
        /// "off".
        Off = "off",
        /// "up".
        Up = "up",
        /// "down".
        Down = "down",
        /// "per", "each".
        Per = "per",
        /// "than".
        Than = "than",
    }
}

closed_set! {
    /// What a text asks for. Templates of one meaning share a value: "how do I", "how to", "the best way to".
    Ask {
        /// "what".
        What = "what",
        /// "which".
        Which = "which",
        /// "who".
        Who = "who",
        /// "whose".
        Whose = "whose",
        /// "when".
        When = "when",
        /// "where".
        Where = "where",
        /// "why", "the reason for".
        Why = "why",
        /// "how" of a mechanism.
        How = "how",
        /// "how to", "how do I", "the best way to".
        HowTo = "howto",
        /// "how many", "how much".
        HowMany = "howmany",
        /// "how long does it take".
        HowLong = "howlong",
        /// "how far".
        HowFar = "howfar",
        /// "how old".
        HowOld = "howold",
        /// "how tall", "the height of".
        HowTall = "howtall",
        /// "how big", "the size of".
        HowBig = "howbig",
        /// "how often".
        HowOften = "howoften",
        /// "how fast".
        HowFast = "howfast",
        /// "in which year".
        WhatYear = "whatyear",
        /// "the meaning of", "define".
        Define = "define",
        /// "explain".
        Explain = "explain",
        /// "can I", "is it possible to".
        Can = "can",
        /// "should I", "is it good to".
        Should = "should",
        /// A question answered by yes or no.
        YesNo = "yesno",
    }
}
