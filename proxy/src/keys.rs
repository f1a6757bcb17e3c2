//! Makes router keys and hashes those that callers present.

use std::fmt::Write as _;

use jiff::Timestamp;
use router_core::keyring::KeyHash;
use sha2::{Digest, Sha256};

/// What a key starts with, so that people and secret scanners know one when they see it.
const PREFIX: &str = "xr-";
/// Random characters of a key. 40 out of 62 are 238 bits: beyond guessing and beyond collisions.
const LENGTH: usize = 40;
const ALPHABET: &[u8; 62] = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";

/// A key that was just made. It is shown once and kept nowhere; there is no way to print it by accident.
pub struct NewKey(String);

impl NewKey {
    /// A key from the system's randomness.
    ///
    /// # Errors
    /// When the system has none to give.
    pub fn generate() -> Result<Self, getrandom::Error> {
        let mut text = String::with_capacity(PREFIX.len() + LENGTH);
        text.push_str(PREFIX);
        let mut random = [0; 64];
        while text.len() < PREFIX.len() + LENGTH {
            getrandom::fill(&mut random)?;
            let missing = PREFIX.len() + LENGTH - text.len();
            text.extend(random.iter().copied().filter_map(letter).take(missing));
        }
        Ok(Self(text))
    }

    /// The key itself. Whoever calls this answers for where it goes.
    #[must_use]
    pub fn expose(&self) -> &str {
        &self.0
    }

    /// What a policy knows it by.
    #[must_use]
    pub fn hash(&self) -> KeyHash {
        hash(self.0.as_bytes())
    }

    /// The item to paste into a tenant's `keys = […]`.
    #[must_use]
    pub fn policy_item(&self, expires: Option<Timestamp>) -> String {
        let mut item = format!("\"{}\"", self.hash());
        if let Some(expires) = expires {
            item = format!("{{ hash = {item}, expires = ");
            // Writing to a string cannot fail.
            let _ = write!(item, "\"{expires:.0}\" }}");
        }
        item
    }
}

/// The hash of whatever a caller presented as a key.
#[must_use]
pub fn hash(presented: &[u8]) -> KeyHash {
    KeyHash::new(Sha256::digest(presented).into())
}

/// A letter for one random byte; `None` for the few bytes that would make some letters likelier than others.
fn letter(byte: u8) -> Option<char> {
    // 248 = 4 × 62, the largest multiple that a byte can hold.
    (byte < 248).then(|| char::from(ALPHABET[usize::from(byte % 62)]))
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn keys_are_long_random_and_of_one_shape() {
        let keys: HashSet<String> =
            (0..1_000).map(|_| NewKey::generate().unwrap().expose().to_owned()).collect();
        assert_eq!(keys.len(), 1_000);
        for key in &keys {
            let random = key.strip_prefix("xr-").unwrap();
            assert!(random.len() == 40 && random.bytes().all(|byte| byte.is_ascii_alphanumeric()), "{key}");
        }
        let used: HashSet<char> = keys.iter().flat_map(|key| key[3..].chars()).collect();
        assert_eq!(used.len(), 62, "40,000 letters leave none of 62 out");
    }

    #[test]
    fn every_letter_is_equally_likely() {
        let mut counts = [0; 62];
        for letter in (0..=255).filter_map(letter) {
            counts[ALPHABET.iter().position(|known| char::from(*known) == letter).unwrap()] += 1;
        }
        assert_eq!(counts, [4; 62]);
    }

    #[test]
    fn the_policy_knows_a_key_by_its_sha_256() {
        let expected = "sha256:ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";
        assert_eq!(hash(b"abc").to_string(), expected);

        let key = NewKey("abc".to_owned());
        assert_eq!(key.policy_item(None), format!("\"{expected}\""));
        let expires = "2026-12-20T00:00:00.5Z".parse().unwrap();
        let item = format!("{{ hash = \"{expected}\", expires = \"2026-12-20T00:00:00Z\" }}");
        assert_eq!(key.policy_item(Some(expires)), item);
    }
}
