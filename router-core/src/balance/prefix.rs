//! The prefixes of a prompt by which it is recognised where it has been read before.
//!
//! Providers keep prompts in blocks: what begins alike is read once. So the text up to the end of each of a few
//! growing blocks is hashed, and the longest block that somebody holds says where the prompt should go. Blocks
//! grow fourfold: two prompts that share a prefix agree on a block of at least a quarter of it, and there
//! are never more than three of them to look up and to note.
//!
//! The hash is FxHash's step (Firefox's and rustc's) in four lanes, which is as fast as the text can be read.
//! It is not keyed: a tenant who makes two of its own prompts collide sends them to the same provider.
//!
//! When not to use it: as a cache key. See [`FingerprintKey`](crate::FingerprintKey) for that.

use smallvec::SmallVec;

use super::affinity::PrefixKey;
use crate::ids::TenantId;

/// Where blocks end, in bytes of text: about 256, 1,024 and 4,096 tokens. Less is read again in no time; what
/// shares 16 KiB shares the rest.
const BLOCK_ENDS: [usize; 3] = [1 << 10, 4 << 10, 16 << 10];

/// Hosted providers keep nothing shorter than 1,024 tokens (OpenAI's and Anthropic's documentation).
const HOSTED_BYTES: usize = 4 << 10;

/// Bytes taken at a time, eight in each lane.
const STRIDE: usize = 32;

/// The multiplier of FxHash.
const FACTOR: u64 = 0x517c_c1b7_2722_0a95;

/// One block of a prompt.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Block {
    /// The text up to its end.
    pub key: PrefixKey,
    /// Its end in the text.
    pub bytes: usize,
}

impl Block {
    /// Whether hosted providers, too, keep one of this length.
    #[must_use]
    pub const fn is_kept_by_hosted(self) -> bool {
        self.bytes >= HOSTED_BYTES
    }
}

/// The blocks that a prompt begins with; none where it is short.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Prefix {
    keys: [PrefixKey; BLOCK_ENDS.len()],
    count: u8,
}

impl Prefix {
    /// The prefix of a tenant's prompt, by its text in the order in which a provider reads it.
    #[must_use]
    pub fn of(tenant: TenantId, text: &str) -> Self {
        let (mut prefix, mut lanes, mut begin) = (Self::default(), [0; 4], 0);
        for (key, end) in prefix.keys.iter_mut().zip(BLOCK_ENDS) {
            let Some(block) = text.as_bytes().get(begin..end) else { break };
            block.chunks_exact(STRIDE).for_each(|stride| absorb(&mut lanes, stride));
            let hash = lanes.iter().fold(end as u64, |hash, lane| step(hash, *lane));
            *key = PrefixKey::new(tenant, hash);
            prefix.count += 1;
            begin = end;
        }
        prefix
    }

    /// Its blocks, the longest first.
    pub fn blocks(&self) -> impl Iterator<Item = Block> {
        let blocks: SmallVec<[Block; BLOCK_ENDS.len()]> = self
            .keys
            .iter()
            .zip(BLOCK_ENDS)
            .take(self.count.into())
            .map(|(key, end)| Block { key: *key, bytes: end })
            .collect();
        blocks.into_iter().rev()
    }
}

fn absorb(lanes: &mut [u64; 4], stride: &[u8]) {
    for (lane, word) in lanes.iter_mut().zip(stride.chunks_exact(8)) {
        let word = word.iter().fold(0, |word, &byte| word << 8 | u64::from(byte));
        *lane = step(*lane, word);
    }
}

const fn step(hash: u64, word: u64) -> u64 {
    (hash.rotate_left(5) ^ word).wrapping_mul(FACTOR)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn keys(text: &str) -> Vec<PrefixKey> {
        Prefix::of(TenantId::ANONYMOUS, text).blocks().map(|block| block.key).collect()
    }

    #[test]
    fn prompts_agree_on_the_blocks_that_they_share() {
        let shared = "a system prompt of some length. ".repeat(200);
        let (one, other) = (keys(&format!("{shared}first")), keys(&format!("{shared}second question")));
        assert_eq!(one.len(), 2, "6,400 bytes hold a block of 4 KiB and one of 1 KiB");
        assert_eq!(one, other);
        let long = keys(&shared.repeat(10));
        assert_eq!((long.len(), &long[1..]), (3, &one[..]), "the longest comes first");
    }

    #[test]
    fn any_other_byte_makes_another_block() {
        let text = "0123456789abcdef".repeat(64);
        let whole = keys(&text);
        assert_eq!(whole.len(), 1);
        for at in 0..text.len() {
            let mut changed = text.clone().into_bytes();
            changed[at] ^= 1;
            assert_ne!(keys(std::str::from_utf8(&changed).unwrap()), whole, "{at}");
        }
        assert!(keys(&text[1..]).is_empty(), "too short");
    }

    #[test]
    fn tenants_have_blocks_of_their_own() {
        let text = "x".repeat(2_000);
        let of = |tenant| Prefix::of(TenantId::new(tenant), &text);
        assert_ne!(of(1), of(2));
        assert_eq!(of(1), of(1));
    }
}
