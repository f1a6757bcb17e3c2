//! What outlives a reload: breakers, counters, cache.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Instant, SystemTime};

use thiserror::Error;

use crate::balance::Affinity;
use crate::budget::{Budget, Period, Spender, Terms};
use crate::cache::ResponseCache;
use crate::digest::FingerprintKey;
use crate::health::Health;
use crate::hedge::{Hedge, Spending};
use crate::ids::{ModelId, ProviderId, TenantId};
use crate::keyring::KeyHash;
use crate::limit::Limiter;
use crate::retry::RetryBudget;
use crate::session::Sessions;

/// More different names than a process can tell apart. Restarting forgets the old ones.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[error(
    "more than 65,535 different {kind} names since the start of the process; restart it to forget the old ones"
)]
pub struct IdsExhausted {
    kind: &'static str,
}

/// What is known about one model as one provider serves it.
#[derive(Debug)]
pub struct ModelState {
    /// Breaker, latency, penalties, attempts in flight.
    pub health: Arc<Health>,
    /// When a second attempt is worth it.
    pub hedge: Hedge,
    /// Exponentially weighted answer length in tokens × 16, by prompt size; 0 before the first answer of that size.
    output_tokens_x16: [AtomicU64; PROMPT_SIZES],
}

/// What is known about one tenant.
#[derive(Debug)]
pub struct TenantState {
    /// What its second attempts have cost lately.
    pub hedging: Spending,
}

impl TenantState {
    fn new(origin: Instant) -> Self {
        Self { hedging: Spending::new(origin) }
    }
}

/// Weight of a new observation in the running means: one in sixteen.
const MEAN_SHIFT: u32 = 4;

/// Moves a running mean towards `seen`. Racing updates may lose one observation, never corrupt the mean.
fn move_mean(mean: &AtomicU64, seen: u64) {
    let old = mean.load(Ordering::Relaxed);
    let new = if old == 0 { seen } else { old - (old >> MEAN_SHIFT) + (seen >> MEAN_SHIFT) };
    mean.store(new.max(1), Ordering::Relaxed);
}

impl ModelState {
    fn new(origin: Instant) -> Self {
        Self {
            health: Arc::new(Health::new(origin)),
            hedge: Hedge::new(),
            output_tokens_x16: Default::default(),
        }
    }

    /// The running mean of the length of answers to prompts of about this size, in tokens. Where none was seen, that of the nearest
    /// size that was.
    #[must_use]
    pub fn mean_output_tokens(&self, prompt_tokens: u64) -> Option<u64> {
        let size = prompt_size(prompt_tokens);
        let mut by_distance: [usize; PROMPT_SIZES] = std::array::from_fn(|at| at);
        by_distance.sort_by_key(|at| at.abs_diff(size));
        by_distance
            .into_iter()
            .map(|at| self.output_tokens_x16[at].load(Ordering::Relaxed))
            .find(|mean| *mean > 0)
            .map(|mean| mean.div_ceil(16))
    }

    pub(crate) fn observe_output(&self, prompt_tokens: u64, tokens: u64) {
        move_mean(&self.output_tokens_x16[prompt_size(prompt_tokens)], tokens.min(1 << 32) * 16);
    }
}

/// Beginnings of prompts that are remembered, three of a prompt at most. 16,384 take 128 KiB.
const PREFIXES: usize = 1 << 14;

/// Sizes of prompts that are told apart: below 16 tokens, 64, 256, … and from 65,536 on.
const PROMPT_SIZES: usize = 8;

/// The size class of a prompt: a step for every factor of four.
fn prompt_size(tokens: u64) -> usize {
    let quarters = (u64::BITS - (tokens >> 4).leading_zeros()).div_ceil(2);
    (quarters as usize).min(PROMPT_SIZES - 1)
}

/// Ids by name, handed out in order.
#[derive(Debug, Default)]
struct Names(HashMap<Box<str>, u16>);

impl Names {
    fn intern(&mut self, name: &str, kind: &'static str) -> Result<u16, IdsExhausted> {
        if let Some(id) = self.0.get(name) {
            return Ok(*id);
        }
        let id = u16::try_from(self.0.len()).map_err(|_| IdsExhausted { kind })?;
        self.0.insert(name.into(), id);
        Ok(id)
    }
}

#[derive(Debug, Default)]
struct Registry {
    providers: Names,
    models: Names,
    tenants: Names,
    spenders: Names,
    limiters: HashMap<Box<str>, Arc<Limiter>>,
    budgets: HashMap<(Box<str>, Period), Arc<Budget>>,
}

/// The long-lived state of a router. Share it in an `Arc`.
#[derive(Debug)]
pub struct State {
    registry: Mutex<Registry>,
    models: boxcar::Vec<ModelState>,
    tenants: boxcar::Vec<TenantState>,
    /// Stored answers.
    pub cache: ResponseCache,
    /// Which model holds which conversation.
    pub sessions: Sessions,
    /// Which model has read which beginnings of prompts.
    pub affinity: Affinity,
    /// How many failed attempts may be followed by another.
    pub retries: RetryBudget,
    /// The process's secret for fingerprints.
    pub fingerprint_key: FingerprintKey,
    origin: Instant,
}

impl State {
    /// An empty state.
    ///
    /// `origin`: no later call may be given an earlier time. `secret`: 128 random bits; whoever knows them can forge cache keys.
    #[must_use]
    pub fn new(origin: Instant, secret: (u64, u64)) -> Self {
        let mut registry = Registry::default();
        // The anonymous tenant is number 0, whatever names come later.
        let anonymous = registry.tenants.intern("", "tenant");
        debug_assert_eq!(anonymous, Ok(0));
        let nobody = registry.spenders.intern("", "key");
        debug_assert_eq!(nobody, Ok(0));
        Self {
            registry: Mutex::new(registry),
            models: boxcar::Vec::new(),
            tenants: boxcar::vec![TenantState::new(origin)],
            cache: ResponseCache::new(crate::settings::CachePolicy::default().max_bytes),
            sessions: Sessions::default(),
            affinity: Affinity::new(PREFIXES, origin),
            retries: RetryBudget::new(origin),
            fingerprint_key: FingerprintKey::new(secret.0, secret.1),
            origin,
        }
    }

    /// A poisoned lock still holds whole names: nothing between its lock and unlock can leave them half written.
    fn registry(&self) -> std::sync::MutexGuard<'_, Registry> {
        self.registry.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
    }

    /// The id of a provider with this name at this address. Called at reload only.
    ///
    /// # Errors
    /// After 65,535 different ones.
    pub fn provider_id(&self, name: &str, base_url: &str) -> Result<ProviderId, IdsExhausted> {
        self.registry().providers.intern(&format!("{name}\0{base_url}"), "provider").map(ProviderId::new)
    }

    /// The id of a model with this name as this provider serves it under `upstream_model`. Called at reload only.
    ///
    /// # Errors
    /// After 65,535 different ones.
    pub fn model_id(
        &self,
        name: &str,
        provider: ProviderId,
        upstream_model: &str,
    ) -> Result<ModelId, IdsExhausted> {
        let mut registry = self.registry();
        let key = format!("{name}\0{}\0{upstream_model}", provider.index());
        let id = registry.models.intern(&key, "model")?;
        while self.models.count() <= usize::from(id) {
            self.models.push(ModelState::new(self.origin));
        }
        Ok(ModelId::new(id))
    }

    /// The id of a tenant with this name. Called at reload only.
    ///
    /// # Errors
    /// After 65,535 different ones.
    pub fn tenant_id(&self, name: &str) -> Result<TenantId, IdsExhausted> {
        let mut registry = self.registry();
        let id = registry.tenants.intern(name, "tenant")?;
        while self.tenants.count() <= usize::from(id) {
            self.tenants.push(TenantState::new(self.origin));
        }
        Ok(TenantId::new(id))
    }

    /// What is known about a tenant.
    #[must_use]
    pub fn tenant(&self, id: TenantId) -> Option<&TenantState> {
        self.tenants.get(id.index())
    }

    /// The number of the key with this hash where money is counted. Called at reload only.
    ///
    /// # Errors
    /// After 65,535 different ones.
    pub fn spender(&self, key: &KeyHash) -> Result<Spender, IdsExhausted> {
        self.registry().spenders.intern(&key.to_string(), "key").map(Spender)
    }

    /// How many numbers [`spender`](Self::spender) has given out, number 0 for callers without a key included.
    #[must_use]
    pub fn spenders(&self) -> u16 {
        u16::try_from(self.registry().spenders.0.len()).unwrap_or(u16::MAX)
    }

    /// What has been used of the limit with this name. Called at reload only.
    #[must_use]
    pub fn limiter(&self, name: &str) -> Arc<Limiter> {
        let mut registry = self.registry();
        if let Some(limiter) = registry.limiters.get(name) {
            return Arc::clone(limiter);
        }
        let limiter = Arc::new(Limiter::new(self.origin));
        registry.limiters.insert(name.into(), Arc::clone(&limiter));
        limiter
    }

    /// What has been spent of the budget with this name. Called at reload only. `None` when `now` is outside the years −9999..=9999.
    #[must_use]
    pub fn budget(&self, name: &str, period: Period, terms: &Terms, now: SystemTime) -> Option<Arc<Budget>> {
        let mut registry = self.registry();
        if let Some(budget) = registry.budgets.get(&(name.into(), period)) {
            return Some(Arc::clone(budget));
        }
        let budget = Arc::new(Budget::try_new(period, terms, now)?);
        registry.budgets.insert((name.into(), period), Arc::clone(&budget));
        Some(budget)
    }

    /// What is known about a model.
    #[must_use]
    pub fn model(&self, id: ModelId) -> Option<&ModelState> {
        self.models.get(id.index())
    }
}
