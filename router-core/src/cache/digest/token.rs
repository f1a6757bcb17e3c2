//! The pieces of a digest.

use crate::cache::text::number::Amount;
use crate::cache::text::role::Relation;
use crate::cache::text::word::Word;

/// Properties of a token, one bit each.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Flags(u16);

impl Flags {
    /// A name: capitalised inside a sentence, or known as one.
    pub const NAME: Self = Self(1);
    /// Letters with digits, or a single letter.
    pub const LABEL: Self = Self(2);
    /// Asks for a form of answer.
    pub const FORMAT: Self = Self(4);
    /// Code, an address, a symbol or a quotation.
    pub const LITERAL: Self = Self(8);
    /// Generic.
    pub const LIGHT: Self = Self(16);
    /// Has opposites in the lexicon.
    pub const OPPOSED: Self = Self(32);
    /// Stands right after a negation.
    pub const NEGATED: Self = Self(64);
    /// Narrows a question down.
    pub const LIMITING: Self = Self(128);

    /// Whether any of `other` is set.
    #[must_use]
    pub const fn any(self, other: Self) -> bool {
        self.0 & other.0 != 0
    }

    /// Both sets of flags.
    #[must_use]
    pub const fn or(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    /// These flags if `wanted`, else none.
    #[must_use]
    pub const fn when(self, wanted: bool) -> Self {
        if wanted { self } else { Self(0) }
    }
}

/// A content word in its place.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Token {
    /// The word, up to inflection, spelling and synonymy.
    pub word: Word,
    /// The start of the name of what is left without a negating prefix or suffix; 0 without one.
    pub root: u32,
    /// The start of the name of the form that was written, to tell inflections and synonyms apart.
    pub form: u16,
    /// The kind of thing it names; 0 for none.
    pub kind: u16,
    /// Properties.
    pub flags: Flags,
    /// The preposition right before it.
    pub relation: Relation,
    /// The preposition that its phrase began with.
    pub anchor: Relation,
    /// Which phrase of the text it is in.
    pub phrase: u8,
    /// Which part of a coordination ("A and B") inside the phrase it is in.
    pub part: u8,
}

/// A number with its unit, or one of them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Quantity {
    /// The number; [`Amount::NONE`] for a unit alone.
    pub amount: Amount,
    /// The unit; [`Word::NONE`] for a number alone.
    pub unit: Word,
}
