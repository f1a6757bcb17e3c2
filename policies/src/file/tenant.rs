//! `[tenants.NAME]`

use router_core::KeyHash;
use toml::de::DeValue;

use super::{check_tag, tag};
use crate::fault::Fault;
use crate::source::At;
use crate::table::{Named, Table};

/// A key of a tenant, by its hash.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeyEntry {
    /// SHA-256 of the key.
    pub hash: KeyHash,
}

/// One tenant, as typed.
#[derive(Clone, Debug, Default)]
pub struct TenantEntry {
    /// Its keys.
    pub keys: Vec<At<KeyEntry>>,
    /// Tags of each of its requests.
    pub tags: Vec<Named<At<String>>>,
}

impl TenantEntry {
    pub(super) fn read(table: &mut Table<'_, '_>) -> Self {
        let tags = table.pairs("tags", tag);
        for tag in &tags {
            if let Err(fault) = check_tag(&tag.name.value) {
                table.sink().error(tag.name.span, fault.message);
            }
        }
        if !table.contains("keys") {
            let span = table.span();
            table.sink().warn(span, "the tenant has no keys: nobody can ask in its name");
        }
        Self { keys: table.list("keys", key).map(|keys| keys.value).unwrap_or_default(), tags }
    }
}

/// SHA-256 of nothing: what an unset variable hashes to.
const HASH_OF_NOTHING: &str = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";

/// `sha256:` and 64 hex digits. What is something else is not repeated: it may be the key itself.
fn key(value: &DeValue<'_>) -> Result<KeyEntry, Fault> {
    let shape = "must be sha256: and the 64 hex digits of the key's SHA-256, never the key itself";
    let DeValue::String(text) = value else { return Err(Fault::new(shape)) };
    let text = text.trim();
    let Some(hex) = text.strip_prefix("sha256:") else {
        let is_bare = text.len() == 64 && text.bytes().all(|byte| byte.is_ascii_hexdigit());
        return Err(Fault::new(shape).suggest_any(is_bare.then(|| format!("sha256:{text}"))));
    };
    if hex.eq_ignore_ascii_case(HASH_OF_NOTHING) {
        return Err(Fault::new("is the hash of an empty key"));
    }
    let hash = decode(hex).ok_or_else(|| Fault::new(shape))?;
    Ok(KeyEntry { hash })
}

fn decode(hex: &str) -> Option<KeyHash> {
    let digits = hex.as_bytes();
    let mut hash = [0; 32];
    if digits.len() != hash.len() * 2 {
        return None;
    }
    for (byte, pair) in hash.iter_mut().zip(digits.chunks_exact(2)) {
        let digit = |at: usize| char::from(*pair.get(at)?).to_digit(16);
        *byte = u8::try_from(digit(0)? * 16 + digit(1)?).ok()?;
    }
    Some(hash)
}
