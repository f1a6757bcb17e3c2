//! The exact cache: the same request gets the same answer.
//!
//! moka holds the entries and evicts by bytes (TinyLFU, so a flood of once-only requests does not wash out the popular
//! ones). Freshness is ours: an entry carries `expires_at`, compared with the given `now`, so tests move time.

use std::sync::{Arc, PoisonError, RwLock, RwLockReadGuard};
use std::time::{Duration, Instant};

use bytes::Bytes;

use crate::decision::Receipt;
use crate::digest::{Fingerprint, FingerprintKey};
use crate::ids::ModelId;
use crate::request::RouteRequest;
use crate::snapshot::{Requested, Snapshot};
use crate::tokens::TokenUsage;

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
    pub(super) fn over(
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

/// How a stored answer is framed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Framing {
    /// One JSON body.
    Plain,
    /// Server-sent events, terminator included.
    Stream,
}

/// A complete answer with what it took to make it.
#[derive(Clone, Debug)]
pub struct Entry {
    /// The body as the provider sent it, with the usage chunk where it was asked for.
    pub body: Bytes,
    /// How the body is framed.
    pub framing: Framing,
    /// The provider's `content-type`.
    pub content_type: Bytes,
    /// Which model answered.
    pub model: ModelId,
    /// What it used.
    pub usage: Option<TokenUsage>,
    /// When it was stored.
    pub stored_at: Instant,
    /// Until when it may be served.
    pub expires_at: Instant,
}

/// Bytes an entry takes besides its body: the struct, its `Arc`, moka's node and the key, measured at about 400.
const ENTRY_OVERHEAD_BYTES: usize = 400;

/// No answer is kept longer, so that adding to a time cannot overflow.
const LONGEST_TTL: Duration = Duration::from_secs(10 * 366 * 86_400);

type Entries = moka::sync::Cache<CacheKey, Arc<Entry>>;

/// Stored answers, bounded by bytes.
#[derive(Debug)]
pub struct ResponseCache {
    /// Written when the bound changes, and never held across anything slow.
    entries: RwLock<Entries>,
}

fn bounded(max_bytes: u64) -> Entries {
    let weigh = |_: &CacheKey, entry: &Arc<Entry>| {
        let bytes = entry.body.len() + entry.content_type.len() + ENTRY_OVERHEAD_BYTES;
        u32::try_from(bytes).unwrap_or(u32::MAX)
    };
    moka::sync::Cache::builder().max_capacity(max_bytes).weigher(weigh).build()
}

impl ResponseCache {
    /// A cache that holds at most `max_bytes`.
    #[must_use]
    pub fn new(max_bytes: u64) -> Self {
        Self { entries: RwLock::new(bounded(max_bytes)) }
    }

    /// Changes the bound. What is stored moves along as far as it fits; without a difference nothing happens.
    ///
    /// Costs a copy of every entry's pointer, so call it when a policy changes, not on a request.
    pub fn resize(&self, max_bytes: u64) {
        let old = self.held().clone();
        if old.policy().max_capacity() == Some(max_bytes) {
            return;
        }
        let new = bounded(max_bytes);
        for (key, entry) in &old {
            new.insert(*key, entry);
        }
        *self.entries.write().unwrap_or_else(PoisonError::into_inner) = new;
    }

    fn held(&self) -> RwLockReadGuard<'_, Entries> {
        self.entries.read().unwrap_or_else(PoisonError::into_inner)
    }

    /// The answer stored under `key`, if it is still fresh at `now`.
    #[must_use]
    pub fn lookup(&self, key: &CacheKey, now: Instant) -> Option<Arc<Entry>> {
        let entries = self.held();
        let entry = entries.get(key)?;
        if now < entry.expires_at {
            return Some(entry);
        }
        entries.invalidate(key);
        None
    }

    /// Stores an answer for `ttl` from `now`.
    pub fn store(&self, key: CacheKey, mut entry: Entry, ttl: Duration, now: Instant) {
        entry.stored_at = now;
        entry.expires_at = now + ttl.min(LONGEST_TTL);
        self.held().insert(key, Arc::new(entry));
    }

    /// Forgets one answer.
    pub fn remove(&self, key: &CacheKey) {
        self.held().invalidate(key);
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
