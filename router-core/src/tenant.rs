//! Tenants and the keys they are known by.

use std::collections::HashMap;

use subtle::ConstantTimeEq;

use crate::ids::TenantId;

/// SHA-256 of a router key.
pub type KeyHash = [u8; 32];

/// A caller's organisation.
#[derive(Clone, Debug)]
pub struct Tenant {
    /// Its id, stable across reloads while the name stays.
    pub id: TenantId,
    /// Its name in the policy.
    pub name: Box<str>,
    /// Tags added to each of its requests, after the request's own.
    pub tags: Vec<(Box<str>, Box<str>)>,
    /// Hashes of its keys.
    pub keys: Vec<KeyHash>,
    /// Whether its prompts may be kept; `None`: as the policy says.
    pub keep_prompts: Option<bool>,
}

/// All tenants of a policy.
#[derive(Clone, Debug, Default)]
pub struct Tenants {
    tenants: Vec<Tenant>,
    by_id: HashMap<TenantId, usize>,
    keys: Vec<(KeyHash, usize)>,
}

impl Tenants {
    /// Indexes `tenants` by key and id.
    #[must_use]
    pub fn new(tenants: Vec<Tenant>) -> Self {
        let by_id = tenants.iter().enumerate().map(|(at, tenant)| (tenant.id, at)).collect();
        let keys = tenants
            .iter()
            .enumerate()
            .flat_map(|(at, tenant)| tenant.keys.iter().map(move |hash| (*hash, at)))
            .collect();
        Self { tenants, by_id, keys }
    }

    /// Whether no tenant is configured, so that callers need no key.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.tenants.is_empty()
    }

    /// The tenant with a key of this hash. Every configured hash is compared in full, whichever one matches, so the
    /// time tells nothing about which bytes were right.
    #[must_use]
    pub fn authenticate(&self, hash: &KeyHash) -> Option<&Tenant> {
        let mut found = None;
        for (known, at) in &self.keys {
            if bool::from(known.ct_eq(hash)) {
                found = Some(*at);
            }
        }
        self.tenants.get(found?)
    }

    /// A tenant by id.
    #[must_use]
    pub fn tenant(&self, id: TenantId) -> Option<&Tenant> {
        self.tenants.get(*self.by_id.get(&id)?)
    }

    /// Every tenant.
    pub fn iter(&self) -> impl Iterator<Item = &Tenant> {
        self.tenants.iter()
    }
}
