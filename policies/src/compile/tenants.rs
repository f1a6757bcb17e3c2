//! Tenants: that a key tells who is asking.

use std::collections::HashMap;

use router_core::{KeyHash, KeyId};

use super::names::Names;
use crate::diagnostics::Quoted;
use crate::file::{PolicyFile, TenantEntry};
use crate::sink::Sink;

/// Verifies every tenant.
pub(super) fn verify(file: &PolicyFile, names: &Names<'_>, sink: &mut Sink) {
    let mut owners: HashMap<KeyId, (KeyHash, &str)> = HashMap::new();
    for tenant in &file.tenants {
        for key in tenant.value.keys.iter().chain(&tenant.value.certificates) {
            if let (Some(first), Some(last)) = (&key.value.not_before, &key.value.expires)
                && first.value >= last.value
            {
                sink.error(last.span, "the key expires before it is taken");
            }
            match owners.insert(key.value.hash.id(), (key.value.hash, &tenant.name.value)) {
                Some((hash, owner)) if hash == key.value.hash => {
                    sink.error(key.span, format!("this key already belongs to tenant {}", Quoted(owner)));
                }
                // No two keys hash so alike, and a ledger could not tell them apart.
                Some((_, owner)) => {
                    let owner = Quoted(owner);
                    let message =
                        format!("this hash begins like that of a key of tenant {owner}: one is mistyped");
                    sink.error(key.span, message);
                }
                None => {}
            }
        }
        let TenantEntry { models, profiles, .. } = &tenant.value;
        models.iter().flat_map(|list| &list.value).for_each(|model| names.require_model(model, sink));
        profiles.iter().flat_map(|list| &list.value).for_each(|profile| names.require_profile(profile, sink));
    }
}
