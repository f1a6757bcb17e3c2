//! Answers to questions that were asked in other words.
//!
//! What must be equal is hashed into a [`ScopeKey`]; only the last user turn is compared by meaning. Every tenant, or group of tenants
//! that share, has indexes of its own, one a scope: an answer cannot leave them. Stored here are digests and vectors, not texts; the
//! answers live in the exact cache, and what is evicted or removed there is gone here as well.
//!
//! When not to use it: for texts over 256 words, which never match ([`Digest::is_fit`]).

use std::collections::HashMap;
use std::sync::{Arc, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard, Weak};
use std::time::Instant;

use super::bound::Trust;
use super::digest::Digest;
use super::key::{CacheKey, ScopeKey};
use super::matcher::{Kind, Verdict};
use super::promise::Promise;
use super::semantic::{Entry, EntryId, SemanticIndex, Vector};
use crate::ids::TenantId;
use crate::settings::CachePolicy;

type Index = RwLock<SemanticIndex<CacheKey>>;
type Scopes = HashMap<CacheKey, Arc<Index>>;

/// Where a question is filed.
#[derive(Clone, Debug)]
pub struct Place {
    scope: ScopeKey,
    index: Weak<Index>,
    entry: EntryId,
}

/// A stored question, compared with the one asked.
#[derive(Clone, Debug)]
pub struct Near {
    /// Where its answer is.
    pub key: CacheKey,
    /// Where the question is.
    pub place: Place,
    /// How alike the two are.
    pub verdict: Verdict,
    /// What labels have said about it; ask [`Trust::vetoes`] before serving.
    pub trust: Trust,
}

/// What a look-up found, and what it refused.
#[derive(Clone, Debug, Default)]
pub struct Found {
    /// The best that no guard refuses: a hit where its score reaches the threshold.
    pub near: Option<Near>,
    /// Of those that a guard refuses the one with most words in common, where they share more than a third.
    pub refused: Option<Verdict>,
}

/// The questions of all tenants.
#[derive(Debug)]
pub struct NearCache {
    tenants: RwLock<HashMap<TenantId, Arc<RwLock<Scopes>>>>,
    builtin: Promise,
    embedded: Promise,
}

impl Default for NearCache {
    fn default() -> Self {
        let rate = CachePolicy::default().max_false_hit_rate;
        Self {
            tenants: RwLock::default(),
            builtin: Promise::new(Kind::BuiltIn, rate),
            embedded: Promise::new(Kind::Embedded, rate),
        }
    }
}

/// Maps are changed whole and an index keeps its books as it goes; a poisoned one still answers.
fn read<T>(lock: &RwLock<T>) -> RwLockReadGuard<'_, T> {
    lock.read().unwrap_or_else(PoisonError::into_inner)
}

/// As [`read`].
fn write<T>(lock: &RwLock<T>) -> RwLockWriteGuard<'_, T> {
    lock.write().unwrap_or_else(PoisonError::into_inner)
}

impl NearCache {
    /// What near hits of one kind of matcher promise.
    #[must_use]
    pub fn promise(&self, kind: Kind) -> &Promise {
        match kind {
            Kind::BuiltIn => &self.builtin,
            Kind::Embedded => &self.embedded,
        }
    }

    fn scopes(&self, tenant: TenantId) -> Option<Arc<RwLock<Scopes>>> {
        read(&self.tenants).get(&tenant).cloned()
    }

    fn index(&self, scope: &ScopeKey) -> Option<Arc<Index>> {
        read(&*self.scopes(scope.tenant)?).get(&scope.rest).cloned()
    }

    /// Whether anything is filed in this scope: if not, a question need not even be embedded.
    #[must_use]
    pub fn holds(&self, scope: &ScopeKey) -> bool {
        self.index(scope).is_some()
    }

    /// The stored question nearest to this one, fresh at `now`.
    #[must_use]
    pub fn lookup(
        &self,
        scope: &ScopeKey,
        question: &Digest,
        vector: Option<&Vector>,
        now: Instant,
    ) -> Found {
        let Some(index) = self.index(scope) else { return Found::default() };
        let index_read = read(&index);
        let lookup = index_read.lookup(question, vector, now);
        let near = lookup.best.map(|best| Near {
            key: *best.value,
            place: Place { scope: *scope, index: Arc::downgrade(&index), entry: best.id },
            verdict: best.verdict,
            trust: best.trust,
        });
        Found { near, refused: lookup.refused }
    }

    /// Files a question. `None` where it cannot be matched by meaning.
    pub(super) fn insert(&self, scope: ScopeKey, entry: Entry<CacheKey>) -> Option<Place> {
        if !entry.digest.is_fit() {
            return None;
        }
        let scopes = match self.scopes(scope.tenant) {
            Some(scopes) => scopes,
            None => Arc::clone(write(&self.tenants).entry(scope.tenant).or_default()),
        };
        // The map stays locked, so that nobody takes the index for empty and drops it.
        let mut scopes = write(&scopes);
        let index = scopes.entry(scope.rest).or_default();
        let entry = write(index).insert(entry)?;
        Some(Place { scope, index: Arc::downgrade(index), entry })
    }

    /// Notes what a label said about an entry.
    pub fn observe(&self, place: &Place, wrong: bool) {
        if let Some(index) = place.index.upgrade() {
            write(&index).observe(place.entry, wrong);
        }
    }

    /// Removes an entry, and its scope when it was the last.
    pub fn remove(&self, place: &Place) {
        let Some(index) = place.index.upgrade() else { return };
        let emptied = {
            let mut index = write(&index);
            index.remove(place.entry);
            index.is_empty()
        };
        if !emptied {
            return;
        }
        let Some(scopes) = self.scopes(place.scope.tenant) else { return };
        let mut scopes = write(&scopes);
        let same = scopes.get(&place.scope.rest).is_some_and(|now| Arc::ptr_eq(now, &index));
        // Somebody may have filed another question before the map was locked.
        if same && read(&index).is_empty() {
            scopes.remove(&place.scope.rest);
        }
    }

    /// Questions filed, about how many bytes they take, and how many scopes there are. Looks at every scope: not for a request's path.
    #[must_use]
    pub fn size(&self) -> Size {
        let tenants: Vec<_> = read(&self.tenants).values().cloned().collect();
        let mut size = Size::default();
        for scopes in tenants {
            let indexes: Vec<_> = read(&scopes).values().cloned().collect();
            size.scopes += indexes.len();
            for index in indexes {
                let index = read(&index);
                size.entries += index.len();
                size.bytes += index.bytes();
            }
        }
        size
    }
}

/// How much is filed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Size {
    /// Questions.
    pub entries: usize,
    /// Bytes they take, about.
    pub bytes: usize,
    /// Scopes.
    pub scopes: usize,
}
