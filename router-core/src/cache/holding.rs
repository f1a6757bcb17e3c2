//! Who holds how much of the cache, and who makes room.
//!
//! While there is room everybody may use it. When there is none, the tenant that holds most gives up its oldest entries, those served
//! lately last (second chance), until it no longer holds most: max-min fairness, so that a flood of one tenant's requests cannot wash
//! out another's answers. A tenant alone is left to moka's TinyLFU, which keeps the popular ones.

use std::collections::{HashMap, VecDeque};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::key::CacheKey;
use crate::ids::TenantId;

/// The room is made for an entry before it is stored, and a little more, so that moka's own eviction does not get to choose among tenants.
const SPARE_SHARE: u64 = 64;

/// A queue so many times as long as what is held is mostly names of entries that are gone.
const STALE_FACTOR: usize = 2;

/// Entries that one call looks at, at most: no store takes longer than a few hundred microseconds.
const MOST_TURNS: usize = 1024;

/// What one tenant holds.
#[derive(Debug, Default)]
pub(super) struct Holding {
    bytes: AtomicU64,
    entries: AtomicU64,
    /// Keys from the oldest to the newest; some may be gone.
    queue: Mutex<VecDeque<CacheKey>>,
}

/// Nothing between lock and unlock can leave these maps and queues half written.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Holding {
    fn bytes(&self) -> u64 {
        self.bytes.load(Ordering::Relaxed)
    }

    /// Counts an entry in.
    pub(super) fn add(&self, bytes: u64) {
        self.bytes.fetch_add(bytes, Ordering::Relaxed);
        self.entries.fetch_add(1, Ordering::Relaxed);
    }

    /// Counts an entry out.
    pub(super) fn subtract(&self, bytes: u64) {
        self.bytes.fetch_sub(bytes, Ordering::Relaxed);
        self.entries.fetch_sub(1, Ordering::Relaxed);
    }

    /// Puts a key at the end of the queue. `alive` says of a key whether its entry is still there.
    pub(super) fn enqueue(&self, key: CacheKey, alive: impl Fn(&CacheKey) -> bool) {
        let mut queue = lock(&self.queue);
        let held = self.entries.load(Ordering::Relaxed) as usize;
        if queue.len() > 64 + held * STALE_FACTOR {
            queue.retain(|key| alive(key));
        }
        queue.push_back(key);
    }

    fn oldest(&self) -> Option<CacheKey> {
        lock(&self.queue).pop_front()
    }

    fn back(&self, key: CacheKey) {
        lock(&self.queue).push_back(key);
    }
}

/// What all tenants hold.
#[derive(Debug, Default)]
pub(super) struct Holdings(Mutex<HashMap<TenantId, Arc<Holding>>>);

/// What becomes of an entry whose turn it is.
pub(super) enum Turn {
    /// It was served lately and stays for another round.
    Stays,
    /// It has gone, now or before.
    Gone,
}

impl Holdings {
    /// What `tenant` holds.
    pub(super) fn of(&self, tenant: TenantId) -> Arc<Holding> {
        Arc::clone(lock(&self.0).entry(tenant).or_default())
    }

    /// Makes room for `bytes` more of `room` by asking those that hold most to let go of their oldest. What is not done within
    /// [`MOST_TURNS`] is left to the next call, and to moka's own bound.
    pub(super) fn make_room(&self, bytes: u64, room: u64, mut let_go: impl FnMut(&CacheKey) -> Turn) {
        let limit = room - room / SPARE_SHARE;
        for _ in 0..MOST_TURNS {
            let (total, holders, most) = self.count();
            let Some(most) = most.filter(|_| holders > 1 && total + bytes > limit) else { return };
            let Some(key) = most.oldest() else { return };
            if let Turn::Stays = let_go(&key) {
                most.back(key);
            }
        }
    }

    /// Bytes of all, how many hold any, and who holds most.
    fn count(&self) -> (u64, usize, Option<Arc<Holding>>) {
        let holdings = lock(&self.0);
        let holders = holdings.values().filter(|holding| holding.bytes() > 0);
        let total = holders.clone().map(|holding| holding.bytes()).sum();
        let most = holders.clone().max_by_key(|holding| holding.bytes()).map(Arc::clone);
        (total, holders.count(), most)
    }
}
