//! An answer that is kept.

use std::ops::Deref;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use bytes::Bytes;
use smallvec::SmallVec;

use super::holding::Holding;
use super::near::Place;
use crate::ids::{ModelId, TenantId};
use crate::tokens::TokenUsage;

/// How a stored answer is framed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Framing {
    /// One JSON body.
    Plain,
    /// Server-sent events, terminator included.
    Stream,
}

/// EntryTags of a request, tenant's and caller's.
pub type EntryTags = Arc<[(Box<str>, Box<str>)]>;

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
    /// Who asked.
    pub tenant: TenantId,
    /// What the request was tagged with.
    pub tags: EntryTags,
    /// Bytes that finding it by meaning takes, where it is [filed](super::ResponseCache::file).
    pub index_bytes: usize,
}

/// Bytes an entry takes besides its body: the struct, its `Arc`, moka's node and the keys, measured at about 500.
const OVERHEAD_BYTES: usize = 500;

impl Entry {
    /// Bytes of memory that it takes.
    #[must_use]
    pub fn bytes(&self) -> usize {
        self.body.len() + self.content_type.len() + self.index_bytes + OVERHEAD_BYTES
    }
}

/// An [`Entry`] in the cache.
#[derive(Debug)]
pub struct Stored {
    entry: Entry,
    /// When it was stored.
    pub stored_at: Instant,
    /// From when on it is stale.
    pub expires_at: Instant,
    pub(super) holding: Arc<Holding>,
    /// Where its questions are filed.
    filed: Mutex<SmallVec<[Place; 1]>>,
    /// Served since eviction last looked.
    served: AtomicBool,
    refreshing: AtomicBool,
}

impl Stored {
    pub(super) fn new(entry: Entry, stored_at: Instant, expires_at: Instant, holding: Arc<Holding>) -> Self {
        Self {
            entry,
            stored_at,
            expires_at,
            holding,
            filed: Mutex::default(),
            served: AtomicBool::new(false),
            refreshing: AtomicBool::new(false),
        }
    }

    /// Whether it may be served at `now` without being asked for anew.
    #[must_use]
    pub fn is_fresh(&self, now: Instant) -> bool {
        now < self.expires_at
    }

    /// Takes charge of fetching it anew; `false` where somebody else does already.
    #[must_use]
    pub fn claim_refresh(&self) -> bool {
        !self.refreshing.swap(true, Ordering::AcqRel)
    }

    /// Fetching it anew came to nothing: the next one may try.
    pub fn release_refresh(&self) {
        self.refreshing.store(false, Ordering::Release);
    }

    /// Notes that it was served, for a second chance at eviction.
    pub(super) fn touch(&self) {
        self.served.store(true, Ordering::Relaxed);
    }

    /// Whether it was served since this was last asked.
    pub(super) fn take_second_chance(&self) -> bool {
        self.served.swap(false, Ordering::Relaxed)
    }

    /// Between lock and unlock a place is pushed or all are taken; a poisoned list is whole.
    pub(super) fn filed(&self) -> MutexGuard<'_, SmallVec<[Place; 1]>> {
        self.filed.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Deref for Stored {
    type Target = Entry;

    fn deref(&self) -> &Entry {
        &self.entry
    }
}
