//! The look into the cache: the same request, then a question that means the same.

use std::sync::Arc;
use std::time::Instant;

use http::Response;
use router_core::cache::bound::Standing;
use router_core::cache::guard::Vetoes;
use router_core::cache::matcher::Kind;
use router_core::cache::near::{Found, Near};
use router_core::cache::promise::Terms;
use router_core::{CacheKey, Stored, Usd};

use super::{Passage, Trial};
use crate::account::Stopwatch;
use crate::cached;
use crate::ledger::{BaselineMethod, CacheResult};
use crate::outcomes::Cached as Source;
use crate::payload::Payload;
use crate::respond;
use crate::sentences::NoVector;
use crate::settle::Bill;

/// How alike the stored question is.
#[derive(Clone, Copy)]
enum Similarity {
    Same,
    Near { score: f32, standing: Standing, kind: Kind },
}

impl Passage {
    /// The answer from the cache, where it holds one.
    pub(super) async fn look_up(&mut self, watch: &Stopwatch) -> Option<Response<Payload>> {
        let Some(key) = self.key.filter(|_| self.decision.cache.read) else {
            self.count_lookup("exact", "bypass");
            return None;
        };
        let mut response = self.find(key, watch);
        if response.is_none() && self.meaning.is_some() {
            response = Box::pin(self.find_near(watch)).await;
        }
        if response.is_none() {
            let vetoes = self.vetoes;
            self.account.write(|entry| {
                entry.cache = CacheResult::Miss;
                entry.vetoes = vetoes.iter().map(|guard| guard.name().into()).collect();
            });
        }
        self.count_lookup("exact", if response.is_some() { "hit" } else { "miss" });
        response
    }

    fn count_lookup(&self, tier: &str, result: &str) {
        self.app.metrics.cache.lookups.with_label_values(&[tier, result]).inc();
    }

    /// As [`look_up`](Self::look_up) a moment ago, for what has come in since; not counted as another look.
    pub(super) fn look_up_again(&self, watch: &Stopwatch) -> Option<Response<Payload>> {
        self.find(self.key?, watch)
    }

    fn find(&self, key: CacheKey, watch: &Stopwatch) -> Option<Response<Payload>> {
        let now = Instant::now();
        let grace = self.snapshot.cache.stale_while_revalidate;
        let stored = self.app.state.cache.lookup_within(&key, grace, now)?;
        let response = cached::serve(&stored, &self.digest)?;
        if !stored.is_fresh(now) {
            self.refresh(&stored);
        }
        Some(self.respond_cached(response, &stored, key, Similarity::Same, watch))
    }

    /// Fetches a stale answer anew, aside, if nobody does already.
    fn refresh(&self, stale: &Arc<Stored>) {
        if !self.decision.cache.write || !stale.claim_refresh() {
            return;
        }
        let errand = self.errand(CacheResult::Refresh);
        let stale = Arc::clone(stale);
        tokio::spawn(async move {
            if let Some(errand) = errand {
                errand.run().await;
            }
            // Where the new answer was stored this one is out of sight; else the next caller may try.
            stale.release_refresh();
        });
    }

    /// The answer to a question that means the same.
    async fn find_near(&mut self, watch: &Stopwatch) -> Option<Response<Payload>> {
        let meaning = self.meaning.clone()?;
        let near = self.app.state.cache.near();
        if !near.holds(&meaning.scope) {
            self.count_lookup("semantic", "miss");
            return None;
        }
        let embeddings = |result| self.app.metrics.cache.embeddings.with_label_values(&[result]).inc();
        let vector = match meaning.vector(self.snapshot.cache.embed_deadline).await {
            Ok(vector) => vector,
            Err(NoVector(why)) => {
                embeddings(why);
                self.count_lookup("semantic", "miss");
                return None;
            }
        };
        if vector.is_some() {
            embeddings("ok");
        }
        let terms = near.promise(meaning.kind()).terms();
        let found = near.lookup(&meaning.scope, &meaning.question, vector.as_ref(), Instant::now());
        let Found { near, refused } = found;
        let served = near.and_then(|near| self.serve_near(near, meaning.kind(), &terms, watch));
        if let (None, Some(refused)) = (&served, refused) {
            self.note_vetoes(refused.vetoes);
        }
        let result = match (&served, self.vetoes.is_empty()) {
            (Some(_), _) => "near",
            (None, false) => "vetoed",
            (None, true) => "miss",
        };
        self.count_lookup("semantic", result);
        served
    }

    /// Says which guards refused the nearest question.
    fn note_vetoes(&mut self, vetoes: Vetoes) {
        self.vetoes = vetoes;
        for guard in vetoes.iter() {
            self.app.metrics.cache.vetoes.with_label_values(&[guard.name()]).inc();
        }
    }

    /// Serves the nearest stored answer if the terms allow it, and draws it for a label or not, served or not.
    fn serve_near(
        &mut self,
        near: Near,
        kind: Kind,
        terms: &Terms,
        watch: &Stopwatch,
    ) -> Option<Response<Payload>> {
        let stored = self.app.state.cache.lookup(&near.key, Instant::now());
        let Some(stored) = stored else {
            // Its answer has gone before it.
            self.app.state.cache.near().remove(&near.place);
            return None;
        };
        let policy = &self.snapshot.cache;
        let share = match terms.standing {
            Standing::Off => terms.label_share,
            _ => terms.label_share.min(policy.shadow),
        };
        let trial = (fastrand::f64() < share).then(|| self.trial(kind, near.clone(), Arc::clone(&stored)));
        let (score, key) = (near.verdict.score, near.key);
        let serves = terms.threshold.is_some_and(|least| near.verdict.serves(least))
            && !near.trust.vetoes(policy.max_false_hit_rate);
        let response = cached::serve(&stored, &self.digest).filter(|_| serves);
        let Some(response) = response else {
            self.trial = trial.map(Arc::new);
            return None;
        };
        if let Some(trial) = trial {
            self.shadow(trial);
        }
        let similarity = Similarity::Near { score, standing: terms.standing, kind };
        Some(self.respond_cached(response, &stored, key, similarity, watch))
    }

    /// Asks anew for what was just served, to compare the answers.
    fn shadow(&self, trial: Trial) {
        if let Some(errand) = self.errand(CacheResult::Shadow) {
            let errand = errand.on_trial(trial);
            tokio::spawn(async move { errand.run().await });
        }
    }

    /// An answer from the cache with its headers, counted.
    fn respond_cached(
        &self,
        mut response: Response<Payload>,
        entry: &Stored,
        key: CacheKey,
        similarity: Similarity,
        watch: &Stopwatch,
    ) -> Response<Payload> {
        if let (Some(usage), Some(candidate)) = (&entry.usage, self.decision.candidates.first()) {
            let bill = Bill::new(&self.snapshot, candidate, &self.digest);
            bill.charge_baseline(&self.app.metrics, self.account.tenant(), usage);
        }
        let (label, result) = match similarity {
            Similarity::Same => ("hit", CacheResult::Hit),
            Similarity::Near { .. } => ("near", CacheResult::Near),
        };
        self.write_cached(result, entry);
        let near = match similarity {
            Similarity::Same => None,
            Similarity::Near { score, kind, .. } => Some((kind, score)),
        };
        self.remember(entry.model, Some(Source { key, near }));
        let own = watch.own();
        let headers = response.headers_mut();
        respond::explain(headers, &self.snapshot, &self.decision.receipt);
        respond::target(headers, &self.snapshot, entry.model, &self.digest.model);
        respond::effort(headers, label, 0, Some(Usd::ZERO), own);
        if let Similarity::Near { score, standing, .. } = similarity {
            respond::near(headers, score, standing);
        }
        self.app.metrics.traffic.overhead.with_label_values(&[label]).observe(own.as_secs_f64());
        self.account.close("ok");
        response
    }

    /// Says in the ledger that a stored or shared answer was served.
    pub(super) fn write_cached(&self, result: CacheResult, stored: &Stored) {
        self.account.write(|entry| {
            entry.cache = result;
            if let Some((model, provider)) = self.snapshot.target(stored.model) {
                (entry.model, entry.provider) = ((*model.name).into(), (*provider.name).into());
            }
            if let (Some(usage), Some(candidate)) = (&stored.usage, self.decision.candidates.first()) {
                let bill = Bill::new(&self.snapshot, candidate, &self.digest);
                entry.baseline = bill.baseline(usage).0;
                if entry.baseline.is_some() {
                    entry.baseline_method = BaselineMethod::StoredTokens;
                }
            }
        });
    }
}
