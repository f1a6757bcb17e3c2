//! Which model and key last served a conversation's prefix.
//!
//! Providers keep the prefixes that they have read for some minutes, per key, and charge a tenth to a half
//! for reading them again. So a conversation should go where its prefix is: the most recent holder wins.
//!
//! A direct-mapped table of atomic words: a key has one place, a newer key takes it over. That bounds memory
//! (8 bytes a place) and needs no lock and no sweep. What collisions lose or confuse is a preference, never
//! an answer; 24 bits beyond the place make a confusion rarer than one in 16 million.
//!
//! When not to use it: to pin a session to a model for correctness (tool loops, server-side state). That must
//! not be forgotten, and this may be.

use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::Instant;

use super::prefix::{Block, Prefix};
use crate::ids::{ModelId, TenantId};
use crate::timeline::Timeline;

/// How long a prefix is presumed to be held after its last use: the shorter of the published lifetimes
/// (Anthropic 5 min, OpenAI 5-10 min).
const HELD_SECONDS: u32 = 300;

/// Bits of a word for the second of the last use; they wrap around after 194 days.
const SECOND_BITS: u32 = 24;

/// What all prefixes of one tenant that are alike have in common.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct PrefixKey(u64);

impl PrefixKey {
    /// The key of a prefix by a hash of its text. Tenants never share one.
    #[must_use]
    pub const fn new(tenant: TenantId, prefix_hash: u64) -> Self {
        let salted = prefix_hash ^ (tenant.index() as u64).wrapping_mul(0x9e37_79b9_7f4a_7c15);
        Self(mix(salted))
    }
}

/// The finaliser of SplitMix64 (Steele, Lea and Flood): spreads every input bit over all output bits.
const fn mix(mut bits: u64) -> u64 {
    bits = (bits ^ (bits >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    bits = (bits ^ (bits >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    bits ^ (bits >> 31)
}

/// The most recent holders of prefixes: a fixed number of places, lock-free, forgetful under pressure.
#[derive(Debug)]
pub struct Affinity {
    timeline: Timeline,
    places: Box<[AtomicU64]>,
}

impl Affinity {
    /// An empty table with `places` rounded up to a power of two, at least 1. 16,384 (128 KiB) keep the
    /// prefixes of 50 new conversations a second for five minutes.
    #[must_use]
    pub fn new(places: usize, origin: Instant) -> Self {
        let places = places.clamp(1, 1 << 24).next_power_of_two();
        Self {
            timeline: Timeline::starting(origin),
            places: (0..places).map(|_| AtomicU64::new(0)).collect(),
        }
    }

    /// Who served this prefix last, if that is recent enough for it to be still held.
    #[must_use]
    pub fn holder(&self, key: PrefixKey, now: Instant) -> Option<ModelId> {
        let word = self.place(key)?.load(Relaxed);
        let second = (word >> 16) as u32 & ((1 << SECOND_BITS) - 1);
        let age = self.second(now).wrapping_sub(second) & ((1 << SECOND_BITS) - 1);
        // A reader that is a little behind the writer sees an age just below the wrap-around.
        let recent = age <= HELD_SECONDS || age >= (1 << SECOND_BITS) - HELD_SECONDS;
        (word != 0 && word >> 40 == fingerprint(key) && recent).then(|| ModelId::new(word as u16))
    }

    /// The home of the longest block of this prompt that is still held and has one: `home` says so of a block and its holder.
    pub fn find_home<H>(
        &self,
        prefix: &Prefix,
        now: Instant,
        home: impl Fn(Block, ModelId) -> Option<H>,
    ) -> Option<H> {
        prefix.blocks().find_map(|block| home(block, self.holder(block.key, now)?))
    }

    /// Notes that `model` has just served a prompt with this prefix.
    pub fn hold_all(&self, prefix: &Prefix, model: ModelId, now: Instant) {
        prefix.blocks().for_each(|block| self.hold(block.key, model, now));
    }

    /// Notes that `model` has just served this prefix.
    pub fn hold(&self, key: PrefixKey, model: ModelId, now: Instant) {
        if let Some(place) = self.place(key) {
            let second = u64::from(self.second(now));
            place.store(fingerprint(key) << 40 | second << 16 | model.index() as u64, Relaxed);
        }
    }

    fn place(&self, key: PrefixKey) -> Option<&AtomicU64> {
        self.places.get(key.0 as usize & (self.places.len() - 1))
    }

    fn second(&self, now: Instant) -> u32 {
        (self.timeline.micros(now) / 1_000_000) as u32 & ((1 << SECOND_BITS) - 1)
    }
}

/// The upper 24 bits of a key, never 0 so that an empty place matches nothing.
fn fingerprint(key: PrefixKey) -> u64 {
    (key.0 >> 40).max(1)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    const SECOND: Duration = Duration::from_secs(1);

    #[test]
    fn the_most_recent_holder_wins_while_the_prefix_is_held() {
        let origin = Instant::now();
        let affinity = Affinity::new(1_000, origin);
        let key = PrefixKey::new(TenantId::ANONYMOUS, 42);
        assert_eq!(affinity.holder(key, origin), None);

        affinity.hold(key, ModelId::new(7), origin);
        affinity.hold(key, ModelId::new(9), origin + SECOND);
        assert_eq!(affinity.holder(key, origin), Some(ModelId::new(9)), "a reader that is behind");
        assert_eq!(affinity.holder(key, origin + SECOND * 300), Some(ModelId::new(9)));
        assert_eq!(affinity.holder(key, origin + SECOND * 302), None);
    }

    #[test]
    fn tenants_and_prefixes_are_kept_apart_in_any_place() {
        let now = Instant::now();
        let affinity = Affinity::new(1, now);
        affinity.hold(PrefixKey::new(TenantId::new(1), 42), ModelId::new(7), now);
        assert_eq!(affinity.holder(PrefixKey::new(TenantId::new(2), 42), now), None);
        assert_eq!(affinity.holder(PrefixKey::new(TenantId::new(1), 43), now), None);
        assert_eq!(affinity.holder(PrefixKey::new(TenantId::new(1), 42), now), Some(ModelId::new(7)));
    }
}
