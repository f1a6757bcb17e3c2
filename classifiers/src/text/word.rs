//! One word, and its hash.

/// One word, folded to lower case, or one symbol of a formula (`+ - * / = < > ^ % | $ \ ?` and those beyond ASCII), which is
/// shown like a word but not counted as one.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Word {
    /// Hash of the folded word; apostrophes are passed over.
    pub hash: u32,
    /// Its length in bytes.
    pub len: u32,
    /// Its last four bytes, the last one lowest.
    pub ending: u32,
}

/// The hash of a word being read: bytes are gathered eight at a time, so that one multiplication serves them all.
#[derive(Clone, Copy, Debug)]
pub(crate) struct WordHash {
    state: u64,
    gathered: u64,
    len: u32,
}

/// From splitmix64's finaliser; odd, with bits well spread.
const MULTIPLIER: u64 = 0xbf58_476d_1ce4_e5b9;

impl WordHash {
    pub(crate) const fn new() -> Self {
        Self { state: 0, gathered: 0, len: 0 }
    }

    #[inline(always)]
    pub(crate) const fn push(mut self, byte: u8) -> Self {
        if self.len.is_multiple_of(8) && self.len > 0 {
            self.state = mix(self.state ^ self.gathered);
        }
        self.gathered = self.gathered << 8 | byte as u64;
        self.len += 1;
        self
    }

    /// The hash of a whole run of ASCII letters and digits, if it is short and not at the very end of `bytes`: the same as if
    /// each of its bytes had been pushed, in a few instructions.
    #[inline(always)]
    pub(super) fn of_run(bytes: &[u8], from: usize, to: usize) -> Option<Self> {
        let len = to - from;
        if len <= 8 {
            let gathered = folded_eight(bytes, from)? >> (64 - 8 * len);
            return Some(Self { state: 0, gathered, len: len as u32 });
        }
        if len > 16 {
            return None;
        }
        let state = mix(folded_eight(bytes, from)?);
        Some(Self { state, gathered: folded_eight(bytes, to - 8)?, len: len as u32 })
    }

    pub(super) const fn len(self) -> u32 {
        self.len
    }

    pub(super) const fn ending(self) -> u32 {
        self.gathered as u32
    }

    /// 32 well-mixed bits; the length is part of them.
    pub(crate) const fn finish(self) -> u32 {
        let mixed = mix(mix(self.state ^ self.gathered) ^ self.len as u64);
        (mixed >> 32) as u32
    }
}

/// Eight bytes, the first one highest. Setting bit 5 takes ASCII capitals to small letters and leaves digits alone.
#[inline(always)]
fn folded_eight(bytes: &[u8], from: usize) -> Option<u64> {
    let eight = bytes.get(from..)?.first_chunk::<8>()?;
    Some(u64::from_be_bytes(*eight) | 0x2020_2020_2020_2020)
}

const fn mix(x: u64) -> u64 {
    let x = x.wrapping_mul(MULTIPLIER);
    x ^ x >> 32
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hash(word: &str) -> u32 {
        word.bytes().fold(WordHash::new(), WordHash::push).finish()
    }

    #[test]
    fn words_of_any_length_differ() {
        let words =
            ["", "a", "b", "ab", "ba", "abcdefgh", "abcdefgha", "abcdefghb", "xbcdefgha", "abcdefghabcdefgh"];
        for (at, word) in words.iter().enumerate() {
            assert!(words[..at].iter().all(|other| hash(other) != hash(word)), "{word}");
        }
    }

    #[test]
    fn a_run_hashes_like_its_bytes() {
        let text = b"x Ab3 ABCDEFGH ninebytes SixteenBytesLong and more";
        for (from, to) in [(0, 1), (2, 5), (6, 14), (15, 24), (25, 41)] {
            let pushed =
                text[from..to].to_ascii_lowercase().into_iter().fold(WordHash::new(), WordHash::push);
            let run = WordHash::of_run(text, from, to).unwrap();
            assert_eq!(
                (run.finish(), run.len(), run.ending()),
                (pushed.finish(), pushed.len(), pushed.ending())
            );
        }
        assert!(WordHash::of_run(text, 46, 50).is_none(), "too near the end");
        assert!(WordHash::of_run(&[b'a'; 40], 0, 17).is_none(), "too long");
    }

    #[test]
    fn the_ending_is_the_last_bytes() {
        let word = "nation".bytes().fold(WordHash::new(), WordHash::push);
        assert_eq!(word.ending(), u32::from_be_bytes(*b"tion"));
        assert_eq!(word.len(), 6);
    }
}
