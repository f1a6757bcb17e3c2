//! Keyed 128-bit hashes of JSON values.
//!
//! SipHash-1-3 with a 128-bit result under a secret that is drawn when the process starts: whoever does not know the
//! secret can neither compute nor collide a fingerprint, which is what a cache shared by untrusting callers needs
//! (Aumasson and Bernstein, "SipHash: a fast short-input PRF", 2012). 128 bits put an accidental collision among
//! 2³² entries below 10⁻¹⁹.

use std::hash::Hasher;

use siphasher::sip128::{Hasher128, SipHasher13};

/// The process's secret for fingerprints.
#[derive(Clone, Copy)]
pub struct FingerprintKey(u64, u64);

impl FingerprintKey {
    /// A key from 128 random bits.
    #[must_use]
    pub const fn new(high: u64, low: u64) -> Self {
        Self(high, low)
    }

    /// A hasher that starts from `purpose`, so that equal bytes with different meanings hash differently.
    #[must_use]
    pub fn hasher(&self, purpose: u8) -> FingerprintHasher {
        let mut hasher = SipHasher13::new_with_keys(self.0, self.1);
        // A whole word, so that what follows stays aligned to the words that SipHash takes.
        hasher.write_u64(u64::from(purpose));
        FingerprintHasher(hasher)
    }
}

impl std::fmt::Debug for FingerprintKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("FingerprintKey([redacted])")
    }
}

/// A 128-bit keyed hash.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Fingerprint(pub u128);

/// Hashes a sequence of parts; lengths go in with them, so that parts cannot run into each other.
pub struct FingerprintHasher(SipHasher13);

impl FingerprintHasher {
    /// Adds bytes with their length.
    pub fn bytes(&mut self, bytes: &[u8]) -> &mut Self {
        self.0.write_u64(bytes.len() as u64);
        self.0.write(bytes);
        self
    }

    /// Adds a number.
    pub fn number(&mut self, number: u64) -> &mut Self {
        self.0.write_u64(number);
        self
    }

    /// Adds another fingerprint.
    pub fn part(&mut self, part: Fingerprint) -> &mut Self {
        self.0.write_u128(part.0);
        self
    }

    /// The hash of all that was added.
    #[must_use]
    pub fn finish(&self) -> Fingerprint {
        Fingerprint(self.0.finish128().as_u128())
    }
}
