//! `[tenants.NAME]`

use std::time::SystemTime;

use router_core::{KeyHash, Placement};
use toml::de::DeValue;

use super::provider::PLACEMENTS;
use super::{check_tag, tag};
use crate::fault::Fault;
use crate::read;
use crate::source::{At, Span};
use crate::table::{Named, Node, Table, kind};

/// A key of a tenant, by its hash.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeyEntry {
    /// SHA-256 of the key.
    pub hash: KeyHash,
    /// From when on it is taken.
    pub not_before: Option<At<SystemTime>>,
    /// From when on it is refused.
    pub expires: Option<At<SystemTime>>,
}

/// One tenant, as typed.
#[derive(Clone, Debug, Default)]
pub struct TenantEntry {
    /// Its keys.
    pub keys: Vec<At<KeyEntry>>,
    /// Certificates that its callers may show in place of a key.
    pub certificates: Vec<At<KeyEntry>>,
    /// Tags of each of its requests.
    pub tags: Vec<Named<At<String>>>,
    /// Who goes first when there is not room for all.
    pub tier: Option<At<u32>>,
    /// The models that it may use; absent: all.
    pub models: Option<At<Vec<At<String>>>>,
    /// The profiles that it may ask for; absent: all.
    pub profiles: Option<At<Vec<At<String>>>>,
    /// Where its requests must stay.
    pub placement: Option<At<Placement>>,
    /// Whether its prompts may be kept; absent: as the policy says.
    pub keep_prompts: Option<At<bool>>,
}

impl TenantEntry {
    pub(super) fn read(table: &mut Table<'_, '_>) -> Self {
        let tags = table.pairs("tags", tag);
        for tag in &tags {
            if let Err(fault) = check_tag(&tag.name.value) {
                table.sink().error(tag.name.span, fault.message);
            }
        }
        if !table.contains("keys") && !table.contains("certificates") {
            let span = table.span();
            table.sink().warn(span, "the tenant has no keys: nobody can ask in its name");
        }
        Self {
            keys: keys(table, "keys"),
            certificates: keys(table, "certificates"),
            tags,
            tier: table.optional("tier", read::integer(0..=255)),
            models: table.list("models", read::text),
            profiles: table.list("profiles", read::text),
            placement: table.optional("placement", read::one_of(PLACEMENTS)),
            keep_prompts: table.optional("keep_prompts", read::boolean),
        }
    }
}

/// `keys = [ "sha256:…", { hash = "sha256:…", expires = 2027-01-01T00:00:00Z } ]`
fn keys(table: &mut Table<'_, '_>, name: &'static str) -> Vec<At<KeyEntry>> {
    let Some(node) = table.take(name) else { return Vec::new() };
    let span = Span::from(node.span());
    match node.get_ref() {
        DeValue::Array(elements) if elements.is_empty() => {
            table.sink().error(span, format!("{name}: the list is empty"));
            Vec::new()
        }
        DeValue::Array(elements) => elements.iter().filter_map(|node| key(table, name, node)).collect(),
        DeValue::String(text) => {
            // What is no hash is not repeated: it may be the key itself.
            let mend = hash(node.get_ref()).is_ok().then(|| format!("[\"{text}\"]"));
            table.sink().error_with(span, format!("{name}: must be a list, not a string"), mend);
            Vec::new()
        }
        other => {
            table.sink().error(span, format!("{name}: must be a list, not {}", kind(other)));
            Vec::new()
        }
    }
}

fn key<'a>(table: &mut Table<'a, '_>, name: &'static str, node: Node<'a>) -> Option<At<KeyEntry>> {
    if !matches!(node.get_ref(), DeValue::Table(_)) {
        let found = table.read(name, node, hash)?;
        return Some(At {
            value: KeyEntry { hash: found.value, not_before: None, expires: None },
            span: found.span,
        });
    }
    let found = table.child(name, node, |table| {
        let hash = table.required("hash", hash);
        let (not_before, expires) =
            (table.optional("not_before", read::moment), table.optional("expires", read::moment));
        hash.map(|hash| KeyEntry { hash: hash.value, not_before, expires })
    })?;
    found.value.map(|value| At { value, span: found.span })
}

/// SHA-256 of nothing: what an unset variable hashes to.
const HASH_OF_NOTHING: &str = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";

/// `sha256:` and 64 hex digits. What is something else is not repeated: it may be the key itself.
fn hash(value: &DeValue<'_>) -> Result<KeyHash, Fault> {
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
    KeyHash::parse(text).ok_or_else(|| Fault::new(shape))
}
