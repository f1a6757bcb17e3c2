//! Two digests side by side: which words they share, and what is left on each side.

use smallvec::SmallVec;

use super::digest::{Digest, Flags, MAX_WORDS, Quantity, Token};

/// Two digests and the words they share. Made once per pair; guards and verifier read it.
#[derive(Debug)]
pub struct Alignment<'d> {
    /// The cached question.
    pub a: &'d Digest,
    /// The incoming question.
    pub b: &'d Digest,
    /// Places of the shared words in `a` and in `b`, in the order of `a`.
    pub shared: SmallVec<[(u16, u16); 24]>,
    only_a: SmallVec<[u16; 16]>,
    only_b: SmallVec<[u16; 16]>,
}

impl<'d> Alignment<'d> {
    /// Pairs words of the two. A word that one of them has several times goes with its first free twin that keeps the
    /// order, looked for from the shorter text, so that the same pairs come out whichever text is `a`.
    #[must_use]
    pub fn of(a: &'d Digest, b: &'d Digest) -> Self {
        let rank = |digest: &Digest| (digest.tokens.len(), digest.wording);
        if rank(b) < rank(a) { Self::from_first(b, a).turned() } else { Self::from_first(a, b) }
    }

    /// Pairs every word of `a` with its first free twin in `b`.
    fn from_first(a: &'d Digest, b: &'d Digest) -> Self {
        let mut taken = [0u64; MAX_WORDS / 64];
        let mut alignment =
            Self { a, b, shared: SmallVec::new(), only_a: SmallVec::new(), only_b: SmallVec::new() };
        // A digest that is fit has no more words than this.
        let (tokens_a, tokens_b) = (bounded(&a.tokens), bounded(&b.tokens));
        let mut next = 0;
        for (i, token) in (0u16..).zip(tokens_a) {
            let found = find(tokens_b, next, token, &taken).or_else(|| find(tokens_b, 0, token, &taken));
            match found {
                Some(j) => {
                    taken[j / 64] |= 1 << (j % 64);
                    next = j + 1;
                    // `j` is below 256.
                    alignment.shared.push((i, j as u16));
                }
                None => alignment.only_a.push(i),
            }
        }
        alignment
            .only_b
            .extend((0u16..).zip(tokens_b).map(|(j, _)| j).filter(|&j| !is_taken(&taken, usize::from(j))));
        alignment
    }

    /// The same alignment seen from the other text.
    fn turned(mut self) -> Self {
        for pair in &mut self.shared {
            *pair = (pair.1, pair.0);
        }
        self.shared.sort_unstable();
        Self { a: self.b, b: self.a, shared: self.shared, only_a: self.only_b, only_b: self.only_a }
    }

    /// Words of `a` that `b` has not.
    pub fn only_a(&self) -> impl Iterator<Item = &'d Token> + '_ {
        let tokens = &self.a.tokens;
        self.only_a.iter().filter_map(move |&i| tokens.get(usize::from(i)))
    }

    /// Words of `b` that `a` has not.
    pub fn only_b(&self) -> impl Iterator<Item = &'d Token> + '_ {
        let tokens = &self.b.tokens;
        self.only_b.iter().filter_map(move |&j| tokens.get(usize::from(j)))
    }

    /// Shared words, as they stand in each text, in the order of `a`.
    pub fn pairs(&self) -> impl Iterator<Item = (&'d Token, &'d Token)> + '_ {
        let (a, b) = (&self.a.tokens, &self.b.tokens);
        self.shared.iter().filter_map(move |&(i, j)| Some((a.get(usize::from(i))?, b.get(usize::from(j))?)))
    }

    /// How many words only one of the two has, generic ones not counted: in `a`, in `b`.
    #[must_use]
    pub fn heavy(&self) -> (usize, usize) {
        let heavy = |token: &&Token| !token.flags.any(Flags::LIGHT);
        (self.only_a().filter(heavy).count(), self.only_b().filter(heavy).count())
    }

    /// How many words only one of the two has: in `a`, in `b`.
    #[must_use]
    pub fn unmatched(&self) -> (usize, usize) {
        (self.only_a.len(), self.only_b.len())
    }

    /// The share of all words that both have, 0..=1. Amounts of one unit are alike here, whatever their numbers.
    #[must_use]
    pub fn overlap(&self) -> f32 {
        let unit = |units: &[Quantity], at: usize| units.get(at).map(|quantity| quantity.unit);
        let (a, b) = (&self.a.quantities, &self.b.quantities);
        let units = (0..a.len().min(b.len())).filter(|&at| unit(a, at) == unit(b, at)).count();
        let both = 2 * (self.shared.len() + units);
        let all = 2 * self.shared.len() + self.only_a.len() + self.only_b.len();
        if all == 0 { 0.0 } else { (both as f32 / all as f32).min(1.0) }
    }

    /// Whether the texts differ in case and punctuation at most.
    #[must_use]
    pub fn same_wording(&self) -> bool {
        self.a.wording == self.b.wording && self.a.literals == self.b.literals
    }
}

fn bounded(tokens: &[Token]) -> &[Token] {
    &tokens[..tokens.len().min(MAX_WORDS)]
}

fn is_taken(taken: &[u64; MAX_WORDS / 64], at: usize) -> bool {
    taken[at / 64] & (1 << (at % 64)) != 0
}

fn find(tokens: &[Token], from: usize, like: &Token, taken: &[u64; MAX_WORDS / 64]) -> Option<usize> {
    (from..tokens.len()).find(|&j| tokens[j].word == like.word && !is_taken(taken, j))
}
