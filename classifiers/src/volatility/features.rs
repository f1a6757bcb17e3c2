//! What the volatility model sees of a question: words, pairs of neighbours, endings and cue classes, hashed.

use super::cues::{self, Cues};
use crate::learned::features::{self, Visit};
use crate::text::{self, Shape, Word};

/// Version of the feature map.
pub(super) const FEATURE_MAP: u16 = 1;

/// 2¹⁵ buckets of three bytes; 3,600 short questions touch most of them once.
const BUCKET_BITS: u32 = 15;

/// Number of buckets.
pub(super) const BUCKETS: usize = 1 << BUCKET_BITS;

/// Value of a word, a pair or a cue class, in halves.
const MAJOR: i32 = 2;

/// Value of an ending, in halves.
const MINOR: i32 = 1;

/// Endings are taken from words of at least this length.
const ENDING_FROM: u32 = 6;

/// Shows every feature of `question` to `visitor`.
pub(super) fn visit(question: &str, visitor: &mut impl Visit) -> (Shape, Cues) {
    let mut grams = Grams::new(visitor);
    let shape = text::read(question, |word| grams.push(word));
    (shape, grams.cues)
}

/// Stands before the first word, so that how a question begins is a pair.
const START: u64 = 1 << 40;

/// Odd multipliers for the places a word can have, as in the complexity features.
const ALONE: u64 = 0x9e37_79b9_7f4a_7c15;
const FIRST: u64 = 0xff51_afd7_ed55_8ccd;
const SECOND: u64 = 0x94d0_49bb_1331_11eb;
const ENDING: u64 = 0xd6e8_feb8_6659_fd93;
const CUE: u64 = 0xc4ce_b9fe_1a85_ec53;

/// Makes features of the words of one question, shown to it one by one.
pub(super) struct Grams<V> {
    seen: [u64; BUCKETS / 64],
    /// What is shown every feature.
    pub(super) visitor: V,
    previous: u64,
    /// The cue classes so far.
    pub(super) cues: Cues,
}

impl<V: Visit> Grams<V> {
    /// Before the first word.
    pub(super) fn new(visitor: V) -> Self {
        Self { seen: [0; BUCKETS / 64], visitor, previous: START, cues: Cues::default() }
    }

    /// The next word.
    #[inline]
    pub(super) fn push(&mut self, word: Word) {
        self.visitor.word(features::familiar(word));
        let hash = u64::from(word.hash) | 1 << 32;
        self.gram(hash.wrapping_mul(ALONE), MAJOR);
        self.gram(self.previous.wrapping_mul(FIRST).wrapping_add(hash.wrapping_mul(SECOND)), MAJOR);
        if word.len >= ENDING_FROM {
            self.gram(u64::from(word.ending & 0xff_ffff).wrapping_mul(ENDING), MINOR);
        }
        if let Some(class) = cues::class(word)
            && self.cues.note(class)
        {
            self.gram((class as u64 + 1).wrapping_mul(CUE), MAJOR);
        }
        self.previous = hash;
    }

    #[inline]
    fn gram(&mut self, hash: u64, size: i32) {
        let bucket = (hash >> (64 - BUCKET_BITS)) as usize;
        let (slot, bit) = (bucket / 64, 1 << (bucket % 64));
        if self.seen[slot] & bit == 0 {
            self.seen[slot] |= bit;
            let negative = hash >> (63 - BUCKET_BITS) & 1 == 1;
            self.visitor.gram(bucket, if negative { -size } else { size });
        }
    }
}
