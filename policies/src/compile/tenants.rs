//! Tenants: that a key tells who is asking.

use std::collections::HashMap;

use router_core::KeyHash;

use crate::diagnostics::Quoted;
use crate::file::PolicyFile;
use crate::sink::Sink;

/// Verifies every tenant.
pub(super) fn verify(file: &PolicyFile, sink: &mut Sink) {
    let mut owners: HashMap<KeyHash, &str> = HashMap::new();
    for tenant in &file.tenants {
        for key in &tenant.value.keys {
            if let Some(owner) = owners.insert(key.value.hash, &tenant.name.value) {
                sink.error(key.span, format!("this key already belongs to tenant {}", Quoted(owner)));
            }
        }
    }
}
