//! What prompts in general look like: the other side of the gate's ratios.
//!
//! Shares of prompts, by word bucket and by bin of structure, averaged over sources with equal weight. The shipped table was
//! measured on public sets (see `classifiers/weights/README.md`); it holds no text and no labels.

use crate::learned::features::{self, BINS, COUNTS, FAMILIAR_BUCKETS, Visit};

/// A share s is stored as −8·log₂ s: steps of 9 %, down to 2⁻³¹.
const STEPS_PER_BIT: f32 = 8.0;

/// The least share: a bucket that no source touched. About one prompt in 50,000.
const LEAST: f32 = 2e-5;

/// Bytes of the table.
pub const BYTES: usize = FAMILIAR_BUCKETS + COUNTS * BINS;

static SHIPPED: &[u8; BYTES] = include_bytes!("../../../weights/background-v1.bin");

/// A table of shares.
#[derive(Clone, Debug)]
pub struct Background {
    shares: Vec<f32>,
}

impl Background {
    /// The table that comes with this crate.
    #[must_use]
    pub fn shipped() -> Self {
        Self { shares: SHIPPED.iter().map(|&code| (-f32::from(code) / STEPS_PER_BIT).exp2()).collect() }
    }

    /// Share of prompts with a word in this bucket.
    pub(crate) fn word(&self, bucket: usize) -> f32 {
        self.shares[bucket]
    }

    /// Share of prompts whose count falls into this bin.
    pub(crate) fn bin(&self, bin: usize) -> f32 {
        self.shares[FAMILIAR_BUCKETS + bin]
    }
}

/// Measures a table over sources of prompts; the bytes are what [`Background::shipped`] reads.
#[must_use]
pub fn measure(sources: &[Vec<String>]) -> Vec<u8> {
    let mut shares = vec![0.0f64; BYTES];
    for prompts in sources {
        let mut counts = vec![0u32; BYTES];
        for prompt in prompts {
            let mut touched = Touched { words: vec![false; FAMILIAR_BUCKETS] };
            let shape = features::visit(prompt, &mut touched);
            let bins = features::bins(&shape);
            counts.iter_mut().zip(&touched.words).for_each(|(count, &seen)| *count += u32::from(seen));
            bins.iter().for_each(|bin| counts[FAMILIAR_BUCKETS + bin] += 1);
        }
        let rows = (prompts.len().max(1) * sources.len()) as f64;
        shares.iter_mut().zip(&counts).for_each(|(share, &count)| *share += f64::from(count) / rows);
    }
    shares.iter().map(|&share| encode(share as f32)).collect()
}

fn encode(share: f32) -> u8 {
    (-share.max(LEAST).log2() * STEPS_PER_BIT).round().clamp(0.0, 255.0) as u8
}

struct Touched {
    words: Vec<bool>,
}

impl Visit for Touched {
    fn gram(&mut self, _bucket: usize, _halves: i32) {}

    fn word(&mut self, bucket: usize) {
        self.words[bucket] = true;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shares_survive_the_table() {
        for share in [1.0f32, 0.5, 0.013, 0.0004] {
            let read = (-f32::from(encode(share)) / STEPS_PER_BIT).exp2();
            assert!((read / share - 1.0).abs() < 0.05, "{share} {read}");
        }
        assert_eq!(encode(0.0), encode(LEAST));
    }

    #[test]
    fn sources_weigh_the_same_whatever_their_size() {
        let table = measure(&[vec!["alpha beta".into(); 90], vec!["alpha".into()]]);
        let mut touched = Touched { words: vec![false; FAMILIAR_BUCKETS] };
        features::visit("beta", &mut touched);
        let beta = touched.words.iter().position(|&seen| seen).unwrap();
        assert_eq!(table[beta], encode(0.5));
    }

    #[test]
    fn the_shipped_table_knows_common_words() {
        let mut touched = Touched { words: vec![false; FAMILIAR_BUCKETS] };
        features::visit("the", &mut touched);
        let the = touched.words.iter().position(|&seen| seen).unwrap();
        let background = Background::shipped();
        assert!(background.word(the) > 0.3, "{}", background.word(the));
    }
}
