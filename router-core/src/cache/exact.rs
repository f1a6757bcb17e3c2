//! The exact cache: the same request gets the same answer.
//!
//! moka holds the entries and evicts by bytes (TinyLFU, so a flood of once-only requests does not wash out the popular ones); among
//! tenants [`holding`](super::holding) keeps eviction fair. Freshness is ours: an entry carries `expires_at`, compared with the given
//! `now`, so tests move time. Where an answer may be given to other questions, its question is [filed](ResponseCache::file) by meaning,
//! and leaves the files with it.

use std::hash::BuildHasherDefault;
use std::sync::{Arc, PoisonError, RwLock, RwLockReadGuard};
use std::time::{Duration, Instant};

use super::digest::Digest;
use super::entry::{Entry, Stored};
use super::holding::{Holdings, Turn};
use super::key::{CacheKey, KeyHasher, ScopeKey};
use super::near::NearCache;
use super::semantic::{self, Vector};

/// No answer is kept longer, so that adding to a time cannot overflow.
const LONGEST_TTL: Duration = Duration::from_secs(10 * 366 * 86_400);

type Entries = moka::sync::Cache<CacheKey, Arc<Stored>, BuildHasherDefault<KeyHasher>>;

/// Stored answers, bounded by bytes.
#[derive(Debug)]
pub struct ResponseCache {
    /// Written when the bound changes, and never held across anything slow.
    entries: RwLock<Entries>,
    near: Arc<NearCache>,
    holdings: Holdings,
}

fn bounded(max_bytes: u64, near: &Arc<NearCache>) -> Entries {
    let near = Arc::clone(near);
    moka::sync::Cache::builder()
        .max_capacity(max_bytes)
        .weigher(|_, stored: &Arc<Stored>| u32::try_from(stored.bytes()).unwrap_or(u32::MAX))
        .eviction_listener(move |_, stored: Arc<Stored>, _| {
            stored.holding.subtract(stored.bytes() as u64);
            for place in stored.filed().drain(..) {
                near.remove(&place);
            }
        })
        .build_with_hasher(BuildHasherDefault::default())
}

impl ResponseCache {
    /// A cache that holds at most `max_bytes`.
    #[must_use]
    pub fn new(max_bytes: u64) -> Self {
        let near = Arc::default();
        Self { entries: RwLock::new(bounded(max_bytes, &near)), near, holdings: Holdings::default() }
    }

    /// Changes the bound. What is stored moves along as far as it fits; without a difference nothing happens.
    ///
    /// Costs a copy of every entry's pointer, so call it when a policy changes, not on a request.
    pub fn resize(&self, max_bytes: u64) {
        let old = self.held().clone();
        if old.policy().max_capacity() == Some(max_bytes) {
            return;
        }
        let new = bounded(max_bytes, &self.near);
        for (key, stored) in &old {
            new.insert(*key, stored);
        }
        *self.entries.write().unwrap_or_else(PoisonError::into_inner) = new;
    }

    fn held(&self) -> RwLockReadGuard<'_, Entries> {
        self.entries.read().unwrap_or_else(PoisonError::into_inner)
    }

    /// The answer stored under `key`, if it is still fresh at `now`.
    #[must_use]
    pub fn lookup(&self, key: &CacheKey, now: Instant) -> Option<Arc<Stored>> {
        self.lookup_within(key, Duration::ZERO, now)
    }

    /// The answer stored under `key`, if it is fresh at `now` or stale for less than `grace`; [`Stored::is_fresh`] tells which.
    #[must_use]
    pub fn lookup_within(&self, key: &CacheKey, grace: Duration, now: Instant) -> Option<Arc<Stored>> {
        let entries = self.held();
        let stored = entries.get(key)?;
        if now.saturating_duration_since(stored.expires_at) < grace || stored.is_fresh(now) {
            stored.touch();
            return Some(stored);
        }
        entries.invalidate(key);
        None
    }

    /// Stores an answer for `ttl` from `now`.
    pub fn store(&self, key: CacheKey, entry: Entry, ttl: Duration, now: Instant) {
        let bytes = entry.bytes() as u64;
        let entries = self.held();
        let room = entries.policy().max_capacity().unwrap_or(u64::MAX);
        let holding = self.holdings.of(entry.tenant);
        self.holdings.make_room(bytes, room, |key| match entries.get(key) {
            Some(stored) if stored.take_second_chance() => Turn::Stays,
            _ => {
                entries.invalidate(key);
                Turn::Gone
            }
        });
        holding.add(bytes);
        holding.enqueue(key, |key| entries.contains_key(key));
        let stored = Stored::new(entry, now, now + ttl.min(LONGEST_TTL), holding);
        entries.insert(key, Arc::new(stored));
    }

    /// Files `question`, whose answer is stored under `key`, so that it is found by meaning for as long as the answer is fresh.
    pub fn file(&self, key: &CacheKey, scope: ScopeKey, question: Digest, vector: Option<Vector>) {
        let entries = self.held();
        let Some(stored) = entries.get(key) else { return };
        let entry = semantic::Entry {
            digest: question,
            vector,
            value: *key,
            value_bytes: 0,
            expires_at: stored.expires_at,
        };
        let Some(place) = self.near.insert(scope, entry) else { return };
        stored.filed().push(place);
        // Evicted in between: its files were emptied before this one came.
        if !entries.get(key).is_some_and(|now| Arc::ptr_eq(&now, &stored)) {
            for place in stored.filed().drain(..) {
                self.near.remove(&place);
            }
        }
    }

    /// The questions filed by meaning.
    #[must_use]
    pub fn near(&self) -> &NearCache {
        &self.near
    }

    /// Forgets one answer.
    pub fn remove(&self, key: &CacheKey) {
        self.held().invalidate(key);
    }

    /// Forgets the answers for which `doomed` is true; how many. Looks at every one: not for a request's path.
    pub fn purge(&self, doomed: impl Fn(&Stored) -> bool) -> u64 {
        let entries = self.held().clone();
        let mut removed = 0;
        for (key, stored) in &entries {
            if doomed(&stored) {
                entries.invalidate(&*key);
                removed += 1;
            }
        }
        removed
    }

    /// Entries held, about.
    #[must_use]
    pub fn entries(&self) -> u64 {
        self.held().entry_count()
    }

    /// Bytes held, about.
    #[must_use]
    pub fn bytes(&self) -> u64 {
        self.held().weighted_size()
    }

    /// Does the upkeep that is due, so that [`entries`](Self::entries) and [`bytes`](Self::bytes) are exact.
    pub fn settle(&self) {
        self.held().run_pending_tasks();
    }
}
