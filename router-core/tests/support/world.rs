//! A policy in force, with a state and a time that only moves by hand.

use std::sync::Arc;
use std::time::{Duration, Instant};

use router_core::{
    Attempt, CacheKey, Decision, ModelId, Outcome, Rejection, Settled, Snapshot, State, begin, decide,
};

use super::ask::Ask;
use super::policy::Policy;

pub struct World {
    pub state: Arc<State>,
    pub snapshot: Snapshot,
    pub now: Instant,
}

impl World {
    pub fn of(policy: &Policy) -> Self {
        let now = Instant::now();
        let state = Arc::new(State::new(now, (7, 11)));
        let snapshot = policy.snapshot(&state, 1);
        Self { state, snapshot, now }
    }

    /// Puts another policy in force; the state stays.
    pub fn reload(&mut self, policy: &Policy) {
        self.snapshot = policy.snapshot(&self.state, self.snapshot.generation() + 1);
    }

    pub fn wait(&mut self, duration: Duration) {
        self.now += duration;
    }

    pub fn decide(&self, ask: &Ask) -> Result<Decision, Rejection> {
        let digest = ask.digest(&self.state.fingerprint_key);
        decide(&self.snapshot, &self.state, &ask.route(&digest), self.now, &mut rng())
    }

    /// The cache key of a request that is admitted.
    pub fn cache_key(&self, ask: &Ask) -> CacheKey {
        let digest = ask.digest(&self.state.fingerprint_key);
        let request = ask.route(&digest);
        let decision =
            decide(&self.snapshot, &self.state, &request, self.now, &mut rng()).expect("an admitted request");
        CacheKey::of(&self.state.fingerprint_key, &self.snapshot, &request, &decision.receipt)
    }

    pub fn id(&self, name: &str) -> ModelId {
        self.snapshot.models().find(|model| *model.name == *name).expect("a model of the policy").id
    }

    pub fn name(&self, id: ModelId) -> &str {
        &self.snapshot.model(id).expect("a model of the policy").name
    }

    /// The models in the order of attempts.
    pub fn order(&self, decision: &Decision) -> Vec<&str> {
        decision.candidates.iter().map(|candidate| self.name(candidate.model)).collect()
    }

    /// Claims an attempt at the model, as one of several or as the last candidate.
    pub fn begin(&self, model: &str, last: bool) -> Result<Attempt, router_core::Refused> {
        let id = self.id(model);
        let (model, provider) = self.snapshot.target(id).expect("a model with a provider");
        let candidate = router_core::Candidate {
            model: model.id,
            provider: provider.id,
            placement: provider.placement,
            expected_cost: None,
            timeouts: provider.timeouts,
            size: router_core::health::Size::of_prompt(100),
            last_standing: last,
        };
        begin(&self.snapshot, &self.state, &candidate, self.now, &mut rng())
    }

    /// Lets the model fail until its breaker opens.
    pub fn break_down(&self, model: &str) {
        self.settle(model, FAILURE, 3);
    }

    /// Makes attempts at the model that all end in this way.
    pub fn settle(&self, model: &str, settled: impl Into<Settled>, times: u32) {
        let settled = settled.into();
        for _ in 0..times {
            self.begin(model, true).expect("the last candidate is always tried").record(settled, self.now);
        }
    }

    pub fn in_flight(&self, model: &str) -> u32 {
        let state = self.state.model(self.id(model)).expect("a known model");
        state.health.in_flight()
    }
}

/// The provider failed.
pub const FAILURE: Outcome = Outcome::Failure { retry_after: None };

/// Chance that is the same in every run.
pub fn rng() -> fastrand::Rng {
    fastrand::Rng::with_seed(3)
}
