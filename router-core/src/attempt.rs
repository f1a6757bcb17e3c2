//! One try at one provider: claimed, then settled.

use std::sync::Arc;
use std::time::Instant;

use fastrand::Rng;

use crate::balance::Prefix;
use crate::decision::Candidate;
use crate::health::{Admission, Allowance, HealthSettings, Outcome, Refused};
use crate::ids::ModelId;
use crate::session::SessionKey;
use crate::state::State;
use crate::tokens::TokenUsage;

/// How an attempt ended, and what it used where that is known.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Settled {
    /// How it ended.
    pub outcome: Outcome,
    /// What the provider counted.
    pub usage: Option<TokenUsage>,
}

impl Settled {
    /// A complete answer.
    #[must_use]
    pub fn success(usage: Option<TokenUsage>) -> Self {
        let answer_tokens = usage.map_or(0, |usage| u32::try_from(usage.completion()).unwrap_or(u32::MAX));
        Self { outcome: Outcome::Success { answer_tokens }, usage }
    }
}

impl From<Outcome> for Settled {
    fn from(outcome: Outcome) -> Self {
        Self { outcome, usage: None }
    }
}

/// A claimed attempt. Settle it with [`record`](Attempt::record); dropped, it counts as cancelled.
#[derive(Debug)]
#[must_use = "an attempt that is dropped counts as cancelled"]
pub struct Attempt {
    state: Arc<State>,
    model: ModelId,
    settings: Arc<HealthSettings>,
    admission: Admission,
    session: Option<SessionKey>,
    prefix: Prefix,
    rng: Rng,
}

impl Attempt {
    /// Claims an attempt at a candidate.
    pub(crate) fn claim(
        state: &Arc<State>,
        candidate: &Candidate,
        settings: &Arc<HealthSettings>,
        now: Instant,
        rng: &mut Rng,
    ) -> Result<Self, Refused> {
        let health = &state.model(candidate.model).ok_or(Refused::Saturated { limit: 0 })?.health;
        let admission = match health.admit(candidate.size, settings, now) {
            Err(_) if candidate.last_standing => health.admit_last_standing(candidate.size, settings, now)?,
            admitted => admitted?,
        };
        Ok(Self {
            state: Arc::clone(state),
            model: candidate.model,
            settings: Arc::clone(settings),
            admission,
            session: None,
            prefix: Prefix::default(),
            rng: rng.fork(),
        })
    }

    /// A success lets the model hold this conversation.
    pub fn in_session(mut self, session: SessionKey) -> Self {
        self.session = Some(session);
        self
    }

    /// A success lets the model hold the beginning of this prompt.
    pub fn reading(mut self, prefix: Prefix) -> Self {
        self.prefix = prefix;
        self
    }

    /// The model that is tried.
    #[must_use]
    pub fn model(&self) -> ModelId {
        self.model
    }

    /// The first token of a stream has arrived. Only the first call counts.
    pub fn first_token(&mut self, now: Instant) {
        self.admission.first_token(&self.settings, now);
    }

    /// Takes note of the provider's own limits, as its headers tell them.
    pub fn observe_quota(&self, requests: Option<Allowance>, tokens: Option<Allowance>, now: Instant) {
        self.admission.observe_quota(requests, tokens, now);
    }

    /// Settles the attempt.
    pub fn record(self, settled: impl Into<Settled>, now: Instant) {
        let Settled { outcome, usage } = settled.into();
        let Self { state, model, settings, admission, session, prefix, mut rng } = self;
        admission.record(outcome, &settings, now, &mut rng);
        if !matches!(outcome, Outcome::Success { .. }) {
            return;
        }
        if let Some(session) = session {
            state.sessions.hold(session, model, now);
        }
        state.affinity.hold_all(&prefix, model, now);
        if let (Some(usage), Some(target)) = (usage, state.model(model)) {
            target.observe_output(usage.prompt(), usage.completion());
        }
    }
}
