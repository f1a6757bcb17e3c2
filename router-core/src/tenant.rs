//! Tenants and the keys they are known by.

use std::collections::HashMap;
use std::time::SystemTime;

use crate::budget::Spender;
use crate::ids::{ModelId, ProfileIndex, TenantId};
use crate::keyring::{DuplicateKey, Found, Key, KeyHash, Keyring};
use crate::registry::Placement;
use crate::snapshot::Requested;

/// A caller's organisation.
#[derive(Clone, Debug)]
pub struct Tenant {
    /// Its id, stable across reloads while the name stays.
    pub id: TenantId,
    /// Its name in the policy.
    pub name: Box<str>,
    /// Tags added to each of its requests, after the request's own.
    pub tags: Vec<(Box<str>, Box<str>)>,
    /// Its keys.
    pub keys: Vec<Key>,
    /// Certificates that its callers may show in place of a key, each like a key by the SHA-256 of its DER form.
    pub certificates: Vec<Key>,
    /// Whether its prompts may be kept; `None`: as the policy says.
    pub keep_prompts: Option<bool>,
    /// Who goes first when there is not room for all: higher is better.
    pub tier: u8,
    /// The models it may use; `None`: all.
    pub models: Option<Box<[ModelId]>>,
    /// The profiles it may ask for; `None`: all.
    pub profiles: Option<Box<[ProfileIndex]>>,
    /// Where its requests must stay; `None`: anywhere.
    pub placement: Option<Placement>,
}

impl Tenant {
    /// Whether its requests may be served by this model.
    #[must_use]
    pub fn may_use(&self, model: ModelId) -> bool {
        self.models.as_ref().is_none_or(|models| models.contains(&model))
    }

    /// Whether it may ask for this.
    #[must_use]
    pub fn may_ask(&self, requested: Requested) -> bool {
        match requested {
            Requested::Model(model) => self.may_use(model),
            Requested::Auto(profile) => {
                self.profiles.as_ref().is_none_or(|profiles| profiles.contains(&profile))
            }
        }
    }
}

/// All tenants of a policy.
#[derive(Clone, Debug, Default)]
pub struct Tenants {
    tenants: Vec<Tenant>,
    by_id: HashMap<TenantId, usize>,
    keys: Keyring,
    certificates: Keyring,
}

impl Tenants {
    /// Indexes `tenants` by key and id.
    ///
    /// # Errors
    /// When two keys are the same.
    pub fn try_new(tenants: Vec<Tenant>) -> Result<Self, DuplicateKey> {
        let by_id = tenants.iter().enumerate().map(|(at, tenant)| (tenant.id, at)).collect();
        let keys = Keyring::try_new(tenants.iter().flat_map(|tenant| tenant.keys.iter().copied()).collect())?;
        let certificates = Keyring::try_new(
            tenants.iter().flat_map(|tenant| tenant.certificates.iter().copied()).collect(),
        )?;
        Ok(Self { tenants, by_id, keys, certificates })
    }

    /// Whether no tenant is configured, so that callers need no key.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.tenants.is_empty()
    }

    /// What becomes of a key with this hash at `now`.
    #[must_use]
    pub fn authenticate(&self, hash: &KeyHash, now: SystemTime) -> Found<'_> {
        self.keys.find(hash, now)
    }

    /// What becomes of a certificate with this hash at `now`. Certificates are public and keys are not, so that neither is taken for the other.
    #[must_use]
    pub fn recognise(&self, certificate: &KeyHash, now: SystemTime) -> Found<'_> {
        self.certificates.find(certificate, now)
    }

    /// The key or certificate with this number.
    #[must_use]
    pub fn key_of(&self, spender: Spender) -> Option<&Key> {
        self.keys.key_of(spender).or_else(|| self.certificates.key_of(spender))
    }

    /// Every key.
    #[must_use]
    pub fn keys(&self) -> &Keyring {
        &self.keys
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
