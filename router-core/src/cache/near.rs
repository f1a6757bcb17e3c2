//! Answers to questions that were asked in other words.
//!
//! What must be equal is hashed into a scope (tenant, endpoint, model, everything but the last user turn); only that turn is compared by
//! meaning, with the [matcher](super::matcher) and its guards. A scope is a small inverted index: the words of a question find the stored
//! questions that share most of them, and only those are judged. Stored here are digests, not texts; the answers live in the exact cache,
//! so an answer that is evicted or removed there is gone here as well.
//!
//! When not to use it: for texts over 256 words, which never match ([`Digest::is_fit`]).

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use super::digest::Digest;
use super::exact::CacheKey;
use super::matcher::{Kind, Verdict, judge};
use crate::decision::Receipt;
use crate::digest::FingerprintKey;
use crate::request::RouteRequest;
use crate::snapshot::Snapshot;

/// Scopes held at most; the least used go first.
const MAX_SCOPES: u64 = 10_000;

/// Questions a scope holds at most; beyond it the oldest half goes. A digest of 20 words takes about 600 bytes with its postings.
const MAX_QUESTIONS: usize = 20_000;

/// Stored questions judged at most: those that share most words. A paraphrase that shares fewer words than thirty-two other
/// questions do would not pass the verifier.
const MAX_JUDGED: usize = 32;

/// A word in more than so many questions tells nothing and is passed over where rarer ones are at hand.
const COMMON: usize = 2_000;

/// What must be equal before meaning is looked at.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct ScopeKey(CacheKey);

impl ScopeKey {
    /// The scope of a request; `None` where its last turn is not plain text, so that nothing may be compared by meaning.
    #[must_use]
    pub fn of(
        key: &FingerprintKey,
        snapshot: &Snapshot,
        request: &RouteRequest<'_>,
        receipt: &Receipt,
    ) -> Option<Self> {
        Some(Self(CacheKey::over(request.digest.scope?, key, snapshot, request, receipt)))
    }
}

/// A stored question that means the same.
#[derive(Clone, Copy, Debug)]
pub struct Near {
    /// Where its answer is.
    pub key: CacheKey,
    /// How alike the two are.
    pub verdict: Verdict,
}

/// What a look-up found, and what it refused.
#[derive(Clone, Debug, Default)]
pub struct Found {
    /// The best that may be served.
    pub near: Option<Near>,
    /// The best that may not: similar enough to serve, but vetoed.
    pub vetoed: Option<Verdict>,
}

#[derive(Debug)]
struct Question {
    digest: Digest,
    key: CacheKey,
    expires_at: Instant,
}

#[derive(Debug, Default)]
struct Scope {
    questions: Vec<Question>,
    /// Word → positions of the questions that have it, ascending.
    postings: HashMap<u64, Vec<u32>>,
}

/// The questions of all scopes.
#[derive(Debug)]
pub struct NearCache {
    scopes: moka::sync::Cache<ScopeKey, Arc<Mutex<Scope>>>,
}

impl Default for NearCache {
    fn default() -> Self {
        Self { scopes: moka::sync::Cache::new(MAX_SCOPES) }
    }
}

/// Between lock and unlock a scope is only added to or rebuilt whole; a poisoned one still answers.
fn lock(scope: &Mutex<Scope>) -> MutexGuard<'_, Scope> {
    scope.lock().unwrap_or_else(PoisonError::into_inner)
}

impl NearCache {
    /// Looks for a stored question that means the same and is fresh at `now`. Serves only what scores `threshold` or more and no guard
    /// vetoes.
    #[must_use]
    pub fn lookup(&self, scope: &ScopeKey, question: &Digest, threshold: f32, now: Instant) -> Found {
        match self.scopes.get(scope) {
            Some(scope) if question.is_fit() => lock(&scope).lookup(question, threshold, now),
            _ => Found::default(),
        }
    }

    /// Stores a question whose answer is kept under `key` until `expires_at`.
    pub fn store(&self, scope: ScopeKey, question: Digest, key: CacheKey, expires_at: Instant, now: Instant) {
        if question.is_fit() {
            let scope = self.scopes.get_with(scope, Arc::default);
            lock(&scope).store(Question { digest: question, key, expires_at }, now);
        }
    }

    /// Scopes held, about.
    #[must_use]
    pub fn scopes(&self) -> u64 {
        self.scopes.entry_count()
    }
}

impl Scope {
    fn lookup(&self, question: &Digest, threshold: f32, now: Instant) -> Found {
        let mut found = Found::default();
        for position in self.likely(question) {
            let Some(stored) = self.questions.get(position).filter(|stored| now < stored.expires_at) else {
                continue;
            };
            let verdict = judge(&stored.digest, question, None);
            let better = |other: Option<f32>| other.is_none_or(|score| verdict.score > score);
            if verdict.serves(threshold) {
                if better(found.near.map(|near| near.verdict.score)) {
                    found.near = Some(Near { key: stored.key, verdict });
                }
            } else if verdict.score >= threshold && better(found.vetoed.map(|vetoed| vetoed.score)) {
                found.vetoed = Some(verdict);
            }
        }
        found
    }

    /// The questions that share most words, most first; rare words before common ones.
    fn likely(&self, question: &Digest) -> Vec<usize> {
        let mut lists: Vec<&Vec<u32>> =
            question.words().filter_map(|word| self.postings.get(&word)).collect();
        lists.sort_by_key(|list| list.len());
        let telling = lists.iter().take_while(|list| list.len() <= COMMON).count().max(lists.len().min(2));
        let mut shared: HashMap<u32, u32> = HashMap::new();
        for position in lists.iter().take(telling).flat_map(|list| list.iter().rev().take(COMMON)) {
            *shared.entry(*position).or_default() += 1;
        }
        let mut likely: Vec<(u32, u32)> =
            shared.into_iter().map(|(position, words)| (words, position)).collect();
        likely.sort_unstable_by(|a, b| b.cmp(a));
        likely.into_iter().take(MAX_JUDGED).map(|(_, position)| position as usize).collect()
    }

    fn store(&mut self, question: Question, now: Instant) {
        if self.questions.len() >= MAX_QUESTIONS {
            self.thin_out(now);
        }
        let position = u32::try_from(self.questions.len()).unwrap_or(u32::MAX);
        for word in question.digest.words() {
            let list = self.postings.entry(word).or_default();
            if list.last() != Some(&position) {
                list.push(position);
            }
        }
        self.questions.push(question);
    }

    /// Forgets what is stale, and the older half of the rest if that is not enough.
    fn thin_out(&mut self, now: Instant) {
        let mut kept: Vec<Question> =
            self.questions.drain(..).filter(|question| now < question.expires_at).collect();
        if kept.len() > MAX_QUESTIONS / 2 {
            kept.drain(..kept.len() - MAX_QUESTIONS / 2);
        }
        self.postings.clear();
        for question in kept {
            self.store(question, now);
        }
    }
}

/// The score from which the built-in matcher serves before anything was learned from labels.
#[must_use]
pub const fn prior_threshold() -> f32 {
    Kind::BuiltIn.shipped_threshold()
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn key(name: u64) -> CacheKey {
        CacheKey::from(FingerprintKey::new(1, 2).hasher(b't').number(name).finish())
    }

    fn scope(name: u64) -> ScopeKey {
        ScopeKey(key(1_000_000 + name))
    }

    #[test]
    fn a_paraphrase_is_found_and_a_trap_is_refused() {
        let (cache, now) = (NearCache::default(), Instant::now());
        let later = now + Duration::from_secs(60);
        for (at, text) in
            ["How do I reset my password?", "Why is the sky blue?", "How do I turn on dark mode?"]
                .iter()
                .enumerate()
        {
            cache.store(scope(1), Digest::of(text), key(at as u64), later, now);
        }
        let find = |scope: &ScopeKey, text: &str, now| {
            cache.lookup(scope, &Digest::of(text), prior_threshold(), now)
        };
        assert_eq!(find(&scope(1), "how to reset a password", now).near.map(|near| near.key), Some(key(0)));
        assert!(find(&scope(1), "How do I turn off dark mode?", now).near.is_none());
        assert!(find(&scope(2), "how to reset a password", now).near.is_none(), "another scope");
        assert!(find(&scope(1), "how to reset a password", later).near.is_none(), "stale");
    }

    #[test]
    fn a_full_scope_forgets_the_oldest() {
        let (cache, now) = (NearCache::default(), Instant::now());
        let later = now + Duration::from_secs(60);
        for number in 0..=MAX_QUESTIONS {
            cache.store(
                scope(1),
                Digest::of(&format!("what about topic{number} then")),
                key(number as u64),
                later,
                now,
            );
        }
        let find =
            |text: &str| cache.lookup(&scope(1), &Digest::of(text), 0.5, now).near.map(|near| near.key);
        assert_eq!(find("what about topic0 then"), None);
        let newest = MAX_QUESTIONS as u64;
        assert_eq!(find(&format!("What about topic{newest} then?")), Some(key(newest)));
    }
}
