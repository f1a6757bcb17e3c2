//! What the learned model sees of a prompt.
//!
//! Words alone, pairs of neighbours, pairs with one word between them, and the endings of longer words, each hashed with a
//! sign into one of 2¹⁷ buckets; every bucket counts once per prompt (presence, not frequency: a word said twice does not
//! make a question harder). Beside them sixteen numbers of structure. One pass over the bytes, no allocation.
//!
//! Signed feature hashing: Weinberger et al., "Feature hashing for large scale multitask learning", 2009.

use crate::text::{self, Shape, Word};

/// Version of the feature map. Weights for another version mean nothing here and are refused.
pub const FEATURE_MAP: u16 = 1;

/// 2¹⁷ buckets of one byte stay in a core's second cache. 2¹⁶ loses 0.002 of APGR on MMLU, 2¹⁸ gains nothing.
pub const BUCKET_BITS: u32 = 17;

/// Number of buckets.
pub const BUCKETS: usize = 1 << BUCKET_BITS;

/// Buckets of the gate, which looks at single words only.
pub const FAMILIAR_BITS: u32 = 14;

/// Number of the gate's buckets.
pub const FAMILIAR_BUCKETS: usize = 1 << FAMILIAR_BITS;

/// Numbers of structure that the linear head sees.
pub const STRUCTURE: usize = 16;

/// Counts that the gate sees, each in one of [`BINS`] bins.
pub const COUNTS: usize = 17;

/// Bins of one count: powers of two, and everything from 256 on.
pub const BINS: usize = 10;

/// Values are counted in halves, so that a prompt is summed in integers: a chain of float additions would cost more than all
/// the hashing. A word or a pair of neighbours has the value 1.
const MAJOR: i32 = 2;

/// A skipped pair or an ending has the value 1/2.
const MINOR: i32 = 1;

/// What one half is worth.
pub(crate) const HALF: f32 = 0.5;

/// Endings are taken from words longer than this, where they tell `-tion` from `-ing`.
const ENDING_FROM: u32 = 6;

/// The bytes of an ending that are used.
const LAST_THREE: u32 = 0xff_ffff;

/// Length of the vector whose values, in halves, have this sum of squares; at least 1.
pub(crate) fn norm(square_halves: i32) -> f32 {
    (square_halves as f32 * HALF * HALF).max(1.0).sqrt()
}

/// Receives the features of one prompt.
pub(crate) trait Visit {
    /// One hashed feature, seen for the first time in this prompt: its value in halves, with its sign.
    fn gram(&mut self, bucket: usize, halves: i32);
    /// One word, repeated ones included, as the gate's bucket.
    fn word(&mut self, bucket: usize);
}

/// The features of one text in lists, for training.
#[derive(Default)]
pub(crate) struct Collected {
    /// Buckets and values.
    pub(crate) grams: Vec<(usize, i32)>,
    /// The gate's buckets, repeated ones included.
    pub(crate) words: Vec<u16>,
}

impl Visit for Collected {
    fn gram(&mut self, bucket: usize, halves: i32) {
        self.grams.push((bucket, halves));
    }

    fn word(&mut self, bucket: usize) {
        self.words.push(bucket as u16);
    }
}

impl<V: Visit> Visit for &mut V {
    fn gram(&mut self, bucket: usize, halves: i32) {
        (**self).gram(bucket, halves);
    }

    fn word(&mut self, bucket: usize) {
        (**self).word(bucket);
    }
}

/// Shows every feature of `text` to `visitor`.
pub(crate) fn visit(text: &str, visitor: &mut impl Visit) -> Shape {
    let mut grams = Grams::new(visitor);
    text::read(text, |word| grams.push(word))
}

/// Makes features of the words of one text, shown to it one by one.
pub(crate) struct Grams<V> {
    seen: [u64; BUCKETS / 64],
    visitor: V,
    /// The last two words, each already multiplied for its place in a pair; 0 before there is one.
    neighbour: u64,
    distant: u64,
    next_distant: u64,
}

/// Odd multipliers, one for each place a word can have (multiply-shift hashing, Dietzfelbinger et al., 1997: the top bits of
/// a sum of such products). The first is the golden ratio; the others are from splitmix64 and murmur3.
const ALONE: u64 = 0x9e37_79b9_7f4a_7c15;
const SECOND: u64 = 0x94d0_49bb_1331_11eb;
const NEIGHBOUR: u64 = 0xff51_afd7_ed55_8ccd;
const DISTANT: u64 = 0xc4ce_b9fe_1a85_ec53;
const ENDING: u64 = 0xd6e8_feb8_6659_fd93;

fn familiar_bucket(alone: u64) -> usize {
    (alone >> (64 - FAMILIAR_BITS)) as usize
}

/// The gate's bucket of a word.
pub(crate) fn familiar(word: Word) -> usize {
    familiar_bucket((u64::from(word.hash) | 1 << 32).wrapping_mul(ALONE))
}

impl<V: Visit> Grams<V> {
    /// Before the first word.
    pub(crate) fn new(visitor: V) -> Self {
        Self { seen: [0; BUCKETS / 64], visitor, neighbour: 0, distant: 0, next_distant: 0 }
    }

    /// What was shown every feature.
    pub(crate) fn visitor(self) -> V {
        self.visitor
    }

    /// The next word.
    #[inline]
    pub(crate) fn push(&mut self, word: Word) {
        let hash = u64::from(word.hash) | 1 << 32;
        let alone = hash.wrapping_mul(ALONE);
        self.visitor.word(familiar_bucket(alone));
        self.gram(alone, MAJOR);
        if word.len >= ENDING_FROM {
            self.gram(u64::from(word.ending & LAST_THREE).wrapping_mul(ENDING), MINOR);
        }
        let second = hash.wrapping_mul(SECOND);
        if self.neighbour != 0 {
            self.gram(self.neighbour.wrapping_add(second), MAJOR);
        }
        if self.distant != 0 {
            self.gram(self.distant.wrapping_add(second), MINOR);
        }
        self.neighbour = hash.wrapping_mul(NEIGHBOUR);
        self.distant = self.next_distant;
        self.next_distant = hash.wrapping_mul(DISTANT);
    }

    #[inline]
    fn gram(&mut self, hash: u64, size: i32) {
        let bucket = (hash >> (64 - BUCKET_BITS)) as usize;
        let bit = 1 << (bucket % 64);
        let seen = &mut self.seen[bucket / 64];
        if *seen & bit == 0 {
            *seen |= bit;
            let negative = hash >> (63 - BUCKET_BITS) & 1 == 1;
            self.visitor.gram(bucket, if negative { -size } else { size });
        }
    }
}

/// The numbers of structure: logarithms of counts, and two ratios.
pub(crate) fn structure(shape: &Shape) -> [f32; STRUCTURE] {
    let log = |count: u32| (count as f32).ln_1p();
    [
        log(shape.word_bytes),
        log(shape.words),
        shape.per_word(shape.word_bytes).min(12.0),
        shape.per_word(shape.long_words) * 4.0,
        log(shape.numbers),
        log(shape.operators + shape.commands + shape.formula_marks + shape.variables),
        log(shape.code + shape.indented),
        log(shape.brackets),
        log(shape.items),
        log(shape.lines.saturating_sub(1)),
        log(shape.sentences),
        log(shape.questions),
        log(shape.constraints),
        log(shape.demands),
        log(shape.arguments),
        log(shape.personal),
    ]
}

/// The counts that the gate sees, as indexes into a table of [`COUNTS`] × [`BINS`].
pub(crate) fn bins(shape: &Shape) -> [usize; COUNTS] {
    let counts = [
        shape.words.saturating_mul(shape.words),
        shape.numbers,
        shape.variables,
        shape.operators,
        shape.commands,
        shape.formula_marks,
        shape.brackets,
        shape.code,
        shape.indented,
        shape.lines,
        shape.items,
        shape.questions,
        shape.sentences,
        shape.constraints,
        shape.demands,
        shape.arguments,
        shape.personal,
    ];
    let mut bins = [0; COUNTS];
    for (at, (bin, count)) in bins.iter_mut().zip(counts).enumerate() {
        let power = (count.saturating_add(1)).ilog2() as usize;
        // Words are squared above, so that their bins are half a power of two wide, and start at 4.
        let power = if at == 0 { power.saturating_sub(4) } else { power };
        *bin = at * BINS + power.min(BINS - 1);
    }
    bins
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Default)]
    struct Seen {
        grams: Vec<(usize, i32)>,
        words: Vec<usize>,
    }

    impl Visit for Seen {
        fn gram(&mut self, bucket: usize, halves: i32) {
            self.grams.push((bucket, halves));
        }

        fn word(&mut self, bucket: usize) {
            self.words.push(bucket);
        }
    }

    fn seen(text: &str) -> Seen {
        let mut seen = Seen::default();
        visit(text, &mut seen);
        seen
    }

    #[test]
    fn three_words_make_six_grams_and_an_ending() {
        // alpha, beta, gammas; alpha-beta, beta-gammas; alpha_gammas; the ending of gammas
        let seen = seen("alpha beta gammas");
        assert_eq!(seen.words.len(), 3);
        assert_eq!(seen.grams.len(), 7);
        assert_eq!(seen.grams.iter().filter(|gram| gram.1.abs() == MINOR).count(), 2);
    }

    #[test]
    fn a_repeated_word_is_one_gram() {
        let seen = seen("spam spam spam spam");
        assert_eq!(seen.words.len(), 4);
        assert_eq!(seen.grams.len(), 3, "the word, the pair and the skipped pair");
    }

    #[test]
    fn order_matters_and_case_does_not() {
        let buckets = |text: &str| seen(text).grams.iter().map(|gram| gram.0).collect::<Vec<_>>();
        assert_ne!(buckets("man bites dog"), buckets("dog bites man"));
        assert_eq!(buckets("Man Bites DOG"), buckets("man bites dog"));
        assert_eq!(buckets("Please, man bites dog. Thank you!"), buckets("man bites dog"));
    }

    #[test]
    fn bins_stay_in_the_table() {
        let huge = Shape { words: u32::MAX, numbers: u32::MAX, personal: u32::MAX, ..Shape::default() };
        for (at, bin) in bins(&huge).into_iter().enumerate() {
            assert!(bin >= at * BINS && bin < (at + 1) * BINS);
        }
    }
}
