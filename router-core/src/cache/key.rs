//! What must be equal: for the same answer, and before meaning is looked at.

use std::hash::Hasher;

use crate::decision::Receipt;
use crate::digest::{Fingerprint, FingerprintKey};
use crate::ids::TenantId;
use crate::request::RouteRequest;
use crate::snapshot::{Requested, Snapshot};

/// What must be equal for an answer to be served again: tenant, endpoint, every body field but `stream` and
/// `stream_options`, and what the model name stands for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct CacheKey(Fingerprint);

/// A key from a fingerprint that somebody else computed, for tests and for keys of other caches.
impl From<Fingerprint> for CacheKey {
    fn from(fingerprint: Fingerprint) -> Self {
        Self(fingerprint)
    }
}

/// A key is a hash under a secret already: its first half tells entries apart as well as another hash of it would.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct KeyHasher(u64);

impl Hasher for KeyHasher {
    fn write_u128(&mut self, key: u128) {
        self.0 ^= key as u64;
    }

    /// For what is no key; a table of such would be slow, not wrong.
    fn write(&mut self, bytes: &[u8]) {
        for byte in bytes {
            self.0 = (self.0.rotate_left(8) ^ u64::from(*byte)).wrapping_mul(0x9e37_79b9_7f4a_7c15);
        }
    }

    fn finish(&self) -> u64 {
        self.0
    }
}

impl CacheKey {
    /// The key of a request. `auto` is keyed by profile and policy epoch, a named model by its id, both by the
    /// candidates a rule put in their place, so that a rule cannot be passed by through the cache.
    #[must_use]
    pub fn of(
        key: &FingerprintKey,
        snapshot: &Snapshot,
        request: &RouteRequest<'_>,
        receipt: &Receipt,
    ) -> Self {
        Self::over(request.digest.fingerprint, key, snapshot, request, receipt)
    }

    /// The key of everything that decides who may see an answer and who gives it, over `content`.
    fn over(
        content: Fingerprint,
        key: &FingerprintKey,
        snapshot: &Snapshot,
        request: &RouteRequest<'_>,
        receipt: &Receipt,
    ) -> Self {
        let mut hasher = key.hasher(b'K');
        hasher
            .number(snapshot.cache_scope(request.tenant).index() as u64)
            .bytes(request.digest.endpoint().as_str().as_bytes())
            .part(content)
            .number(snapshot.cache.epoch)
            .number(receipt.rule.map_or(0, |_| snapshot.generation()))
            .number(receipt.rule.map_or(u64::MAX, |rule| rule.index() as u64));
        match (receipt.profile, snapshot.resolve(&request.digest.model)) {
            (Some(profile), _) => {
                let name = snapshot.profile(profile).map_or("", |profile| &profile.name);
                hasher.number(1).bytes(name.as_bytes()).number(snapshot.generation());
            }
            (None, Some(Requested::Model(model))) => {
                // An entry for unlisted names stands for many models: the name itself must be equal, too.
                hasher.number(2).number(model.index() as u64).bytes(request.digest.model.as_bytes());
            }
            _ => {
                hasher.number(3).bytes(request.digest.model.as_bytes()).number(snapshot.generation());
            }
        }
        // A demanded placement is part of the question: an answer from outside must not serve it.
        hasher.number(request.placement.map_or(0, |placement| placement as u64 + 1));
        Self(hasher.finish())
    }
}

/// What must be equal before meaning is looked at: tenant, endpoint, model, everything but the last user turn.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct ScopeKey {
    /// Whose entries these are: a tenant, or a group that shares. Each has an index of its own.
    pub(super) tenant: TenantId,
    pub(super) rest: CacheKey,
}

impl ScopeKey {
    /// The scope of a request; `None` where its last turn is not plain text, so that nothing may be compared by meaning.
    ///
    /// `space` names what the entries are compared by, because vectors of different models have nothing in common: 0 for words, else a
    /// hash of the sentence model.
    #[must_use]
    pub fn of(
        key: &FingerprintKey,
        space: u64,
        snapshot: &Snapshot,
        request: &RouteRequest<'_>,
        receipt: &Receipt,
    ) -> Option<Self> {
        let content = key.hasher(b'N').part(request.digest.scope?).number(space).finish();
        let rest = CacheKey::over(content, key, snapshot, request, receipt);
        Some(Self { tenant: snapshot.cache_scope(request.tenant), rest })
    }
}
