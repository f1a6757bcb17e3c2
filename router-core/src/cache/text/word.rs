//! The name of a word inside the matcher.

use std::hash::{BuildHasherDefault, Hash, Hasher};

/// A word as 64 bits of SipHash. Equal words have equal names; two different ones share a name with a chance of
/// 2⁻⁶⁴, and nobody can cheaply look for such a pair among words made of letters. Good for one process only:
/// the hash may change with the compiler's standard library, so a name is never written to disk.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Word(u64);

impl Word {
    /// No word: what an absent prefix or unit is.
    pub const NONE: Self = Self(0);

    /// The name of this text, byte for byte.
    #[must_use]
    pub fn of(text: &str) -> Self {
        let mut hasher = std::collections::hash_map::DefaultHasher::new();
        hasher.write(text.as_bytes());
        Self(hasher.finish())
    }

    /// Whether this is [`Word::NONE`].
    #[must_use]
    pub const fn is_none(self) -> bool {
        self.0 == 0
    }

    /// The name as a number, for indexes.
    #[must_use]
    pub const fn bits(self) -> u64 {
        self.0
    }

    /// The first half of the name, for uses where a mix-up in four billion does no harm.
    #[must_use]
    pub const fn short(self) -> u32 {
        (self.0 >> 32) as u32
    }

    /// The first quarter of the name, where a mix-up in 65,536 does no harm.
    #[must_use]
    pub const fn initial(self) -> u16 {
        (self.0 >> 48) as u16
    }

    /// The name of this unit, or of none, counted so many times.
    #[must_use]
    pub fn and_number(self, number: u64) -> Self {
        self.then(Self(number))
    }

    /// The name of a sequence that continues with `next`; order counts.
    #[must_use]
    pub fn then(self, next: Self) -> Self {
        let mut hasher = std::collections::hash_map::DefaultHasher::new();
        hasher.write_u64(self.0);
        hasher.write_u64(next.0);
        Self(hasher.finish())
    }
}

impl Hash for Word {
    fn hash<H: Hasher>(&self, state: &mut H) {
        state.write_u64(self.0);
    }
}

/// Hands a [`Word`] through: it is a hash already.
#[derive(Clone, Copy, Debug, Default)]
pub struct PassThrough(u64);

impl Hasher for PassThrough {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write(&mut self, bytes: &[u8]) {
        for &byte in bytes {
            self.0 = self.0.rotate_left(8) ^ u64::from(byte);
        }
    }

    fn write_u64(&mut self, word: u64) {
        self.0 = word;
    }
}

/// A map from words.
pub type WordMap<V> = std::collections::HashMap<Word, V, BuildHasherDefault<PassThrough>>;
