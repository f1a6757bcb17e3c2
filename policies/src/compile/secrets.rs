//! The values behind the references of a policy.

use std::collections::HashMap;

use router_core::Secret;

use crate::file::{HeaderEntry, PolicyFile};
use crate::secret::{SecretRef, SecretSource};
use crate::sink::Sink;
use crate::source::At;

/// Fetched secrets by reference.
pub(super) type Secrets = HashMap<SecretRef, Secret>;

/// Fetches every secret that the file refers to, each once, and warns of those that cannot be had.
pub(super) fn fetch(file: &PolicyFile, source: &dyn SecretSource, sink: &mut Sink) -> Secrets {
    let mut secrets = Secrets::new();
    for reference in references(file) {
        if secrets.contains_key(&reference.value) {
            continue;
        }
        match source.fetch(&reference.value) {
            Ok(secret) => drop(secrets.insert(reference.value, secret)),
            Err(fault) => sink.warn(reference.span, format!("{} {fault}", reference.value)),
        }
    }
    secrets
}

fn references(file: &PolicyFile) -> Vec<At<SecretRef>> {
    let mut found = Vec::new();
    for provider in &file.providers {
        found.extend(provider.value.api_key.clone());
        found.extend(provider.value.tls.files().cloned());
        for header in &provider.value.headers {
            if let HeaderEntry::Secret(reference) = &header.value.value {
                found.push(At { value: reference.clone(), span: header.value.span });
            }
        }
    }
    found
}
