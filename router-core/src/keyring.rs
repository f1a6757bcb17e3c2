//! The keys that callers may present, known only by their hashes.
//!
//! A caller's key is hashed where it arrives and looked up here by its SHA-256. The search steps through the
//! hashes' first eight bytes, as many steps for every hash; then exactly one entry is compared, in full and in
//! constant time, whether it is the right one or not. Keys themselves are 238 random bits, so nobody can steer a
//! hash towards a known one byte by byte: what little the search could tell is of no use.
//!
//! Unknown and expired are told apart for the audit only. A caller gets the same answer for both.

use std::fmt;
use std::time::{Duration, SystemTime};

use subtle::ConstantTimeEq;

use crate::budget::Spender;
use crate::ids::TenantId;

/// SHA-256 of a router key.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct KeyHash([u8; 32]);

impl KeyHash {
    /// What stands before the digits in a policy.
    const PREFIX: &str = "sha256:";

    /// This digest.
    #[must_use]
    pub const fn new(digest: [u8; 32]) -> Self {
        Self(digest)
    }

    /// The hash written as `sha256:` and 64 hexadecimal digits in either case.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let digits = text.strip_prefix(Self::PREFIX)?.as_bytes();
        let mut digest = [0; 32];
        if digits.len() != 2 * digest.len() {
            return None;
        }
        for (byte, pair) in digest.iter_mut().zip(digits.chunks_exact(2)) {
            let [high, low] = [pair[0], pair[1]].map(|digit| char::from(digit).to_digit(16));
            *byte = u8::try_from(high? << 4 | low?).ok()?;
        }
        Some(Self(digest))
    }

    /// The name of the key in ledgers, audits and metrics: its first twelve digits. Tells nothing of the key.
    #[must_use]
    pub fn id(&self) -> KeyId {
        let mut id = [0; 6];
        id.copy_from_slice(&self.0[..6]);
        KeyId(id)
    }

    /// The first eight bytes, by which the ring is sorted.
    fn prefix(&self) -> u64 {
        let mut prefix = [0; 8];
        prefix.copy_from_slice(&self.0[..8]);
        u64::from_be_bytes(prefix)
    }
}

/// As in a policy: `sha256:` and 64 digits.
impl fmt::Display for KeyHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(Self::PREFIX)?;
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

/// Only its name: a hash is no secret, but a log is no place for it.
impl fmt::Debug for KeyHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "KeyHash({})", self.id())
    }
}

/// A key's name where the key itself must not appear.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct KeyId([u8; 6]);

/// Twelve hexadecimal digits.
impl fmt::Display for KeyId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl fmt::Debug for KeyId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// A key of a policy.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Key {
    /// What it is known by.
    pub hash: KeyHash,
    /// Whose it is.
    pub tenant: TenantId,
    /// Its number where money is counted.
    pub spender: Spender,
    /// From when on it is taken.
    pub not_before: Option<SystemTime>,
    /// From when on it is refused. A tenant rotates by having two keys for a while.
    pub expires: Option<SystemTime>,
}

impl Key {
    /// Whether it is refused at `now`.
    #[must_use]
    pub fn has_expired(&self, now: SystemTime) -> bool {
        self.expires.is_some_and(|expires| expires <= now)
    }

    /// Whether it is taken at `now`.
    #[must_use]
    pub fn is_in_force(&self, now: SystemTime) -> bool {
        !self.has_expired(now) && self.not_before.is_none_or(|first| first <= now)
    }
}

/// What became of a presented key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Found<'a> {
    /// It is valid.
    Valid(&'a Key),
    /// It was valid once or will be. To be answered as [`Found::Unknown`].
    Expired(&'a Key),
    /// Nobody's.
    Unknown,
}

/// Two keys are the same, or so alike that one of them is mistyped.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("key {0} is there twice")]
pub struct DuplicateKey(pub KeyId);

/// All keys of a policy.
#[derive(Clone, Debug, Default)]
pub struct Keyring {
    /// Ascending by the hash's first eight bytes, which are distinct.
    keys: Box<[Key]>,
}

impl Keyring {
    /// A ring of `keys`, in any order.
    ///
    /// # Errors
    /// When two are the same.
    pub fn try_new(mut keys: Vec<Key>) -> Result<Self, DuplicateKey> {
        keys.sort_by_key(|key| key.hash.prefix());
        let twice = keys.array_windows().find(|[a, b]| a.hash.prefix() == b.hash.prefix());
        if let Some([first, _]) = twice {
            return Err(DuplicateKey(first.hash.id()));
        }
        Ok(Self { keys: keys.into_boxed_slice() })
    }

    /// The key with this hash.
    #[must_use]
    pub fn find(&self, hash: &KeyHash, now: SystemTime) -> Found<'_> {
        let wanted = hash.prefix();
        let at = self.keys.partition_point(|key| key.hash.prefix() < wanted);
        // Past the end the last entry stands in, so that a comparison takes place all the same.
        let at = at.min(self.keys.len().saturating_sub(1));
        let Some(key) = self.keys.get(at) else { return Found::Unknown };
        let same = bool::from(key.hash.0.ct_eq(&hash.0));
        match (same, key.is_in_force(now)) {
            (true, true) => Found::Valid(key),
            (true, false) => Found::Expired(key),
            (false, _) => Found::Unknown,
        }
    }

    /// The key with this number, for naming a spender.
    #[must_use]
    pub fn key_of(&self, spender: Spender) -> Option<&Key> {
        self.keys.iter().find(|key| key.spender == spender)
    }

    /// Every key that expires, with the time left at `now`; zero when it has expired. For the warning metric.
    pub fn expiries(&self, now: SystemTime) -> impl Iterator<Item = (&Key, Duration)> {
        self.keys
            .iter()
            .filter_map(move |key| Some((key, key.expires?.duration_since(now).unwrap_or_default())))
    }

    /// How many keys there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.keys.len()
    }

    /// Whether there is none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.keys.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hash(first: u8, last: u8) -> KeyHash {
        let mut digest = [0x5a; 32];
        (digest[0], digest[31]) = (first, last);
        KeyHash(digest)
    }

    fn key(first: u8) -> Key {
        Key {
            hash: hash(first, 0),
            tenant: TenantId::new(u16::from(first)),
            spender: Spender(u16::from(first) + 1),
            not_before: None,
            expires: None,
        }
    }

    const NOW: SystemTime = SystemTime::UNIX_EPOCH;

    #[test]
    fn every_key_is_found_and_nothing_else() {
        let ring = Keyring::try_new((0..=200).rev().step_by(2).map(key).collect()).unwrap();
        for first in 0..=255 {
            let found = ring.find(&hash(first, 0), NOW);
            if first % 2 == 0 && first <= 200 {
                assert!(matches!(found, Found::Valid(key) if key.tenant.index() == usize::from(first)));
                assert_eq!(ring.key_of(Spender(u16::from(first) + 1)), Some(&key(first)));
            } else {
                assert_eq!(found, Found::Unknown, "{first}");
            }
            assert_eq!(ring.find(&hash(first, 1), NOW), Found::Unknown, "the last byte counts as well");
        }
        assert_eq!(Keyring::default().find(&hash(0, 0), NOW), Found::Unknown);
    }

    #[test]
    fn keys_overlap_until_the_old_one_expires() {
        let day = Duration::from_secs(86_400);
        let old = Key { expires: Some(NOW + day), ..key(1) };
        let ring = Keyring::try_new(vec![old, Key { tenant: old.tenant, ..key(2) }]).unwrap();

        for (now, valid) in [(NOW, true), (NOW + day - Duration::from_nanos(1), true), (NOW + day, false)] {
            let found = ring.find(&old.hash, now);
            assert_eq!(matches!(found, Found::Valid(_)), valid);
            assert_eq!(matches!(found, Found::Expired(_)), !valid);
            assert!(matches!(ring.find(&key(2).hash, now), Found::Valid(_)));
        }
        let left = |now| ring.expiries(now).map(|(key, left)| (key.hash, left)).collect::<Vec<_>>();
        assert_eq!(left(NOW), [(old.hash, day)]);
        assert_eq!(left(NOW + day * 2), [(old.hash, Duration::ZERO)]);
    }

    #[test]
    fn the_same_key_twice_is_an_error() {
        let error = Keyring::try_new(vec![key(7), key(3), key(7)]).unwrap_err();
        assert_eq!(error.to_string(), "key 075a5a5a5a5a is there twice");
    }

    #[test]
    fn hashes_are_written_and_read_alike() {
        let text = hash(0xab, 0xcd).to_string();
        assert_eq!(text.len(), "sha256:".len() + 64);
        assert_eq!(KeyHash::parse(&text), Some(hash(0xab, 0xcd)));
        assert_eq!(KeyHash::parse(&format!("sha256:{}", text[7..].to_uppercase())), Some(hash(0xab, 0xcd)));
        assert_eq!(format!("{:?}", hash(0xab, 0)), "KeyHash(ab5a5a5a5a5a)");
        for wrong in [
            "",
            "sha256:",
            &text[7..],
            &text[..70],
            &format!("{text}0"),
            &text.replace("5a", "5g"),
            "sha256:é",
        ] {
            assert_eq!(KeyHash::parse(wrong), None, "{wrong}");
        }
    }
}
