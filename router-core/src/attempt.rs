//! One try at one provider: claimed, then settled.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use thiserror::Error;

use crate::ids::ModelId;
use crate::registry::BreakerSettings;
use crate::session::SessionKey;
use crate::state::{ModelState, State};
use crate::tokens::TokenUsage;

/// Why an attempt could not be claimed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum Refused {
    /// The breaker opened, or its probe is out, since the decision.
    #[error("the model's breaker is open")]
    BreakerOpen,
    /// The model is not known to this state.
    #[error("the model belongs to another state")]
    UnknownModel,
}

/// How an attempt ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// A complete answer.
    Success {
        /// From the request sent to the first byte of the answer.
        first_token: Duration,
        /// What it used, where the provider said so.
        usage: Option<TokenUsage>,
    },
    /// The provider failed: refused, reset, timed out, 5xx, cut short.
    Failure,
    /// The provider said 429. Not a failure of health.
    RateLimited,
    /// The provider refused the caller's request (4xx). Nothing against the provider.
    CallerFault,
    /// The caller went away, or another attempt won. Says nothing about the provider.
    Cancelled,
}

/// A claimed attempt. Settle it with [`record`](Attempt::record); dropped, it counts as cancelled.
#[derive(Debug)]
#[must_use = "an attempt that is dropped counts as cancelled"]
pub struct Attempt {
    state: Arc<State>,
    model: ModelId,
    settings: BreakerSettings,
    probe: bool,
    session: Option<SessionKey>,
    settled: bool,
}

impl Attempt {
    /// Claims an attempt. With `force`, the breaker is passed by: for the last candidate standing.
    pub(crate) fn claim(
        state: &Arc<State>,
        model: ModelId,
        settings: BreakerSettings,
        force: bool,
        now: Instant,
    ) -> Result<Self, Refused> {
        let target = state.model(model).ok_or(Refused::UnknownModel)?;
        let probe = match target.breaker.admit(now) {
            Some(probe) => probe,
            None if force => false,
            None => return Err(Refused::BreakerOpen),
        };
        target.in_flight.fetch_add(1, Ordering::Relaxed);
        Ok(Self { state: Arc::clone(state), model, settings, probe, session: None, settled: false })
    }

    /// A success lets the model hold this conversation.
    pub fn in_session(mut self, session: SessionKey) -> Self {
        self.session = Some(session);
        self
    }

    /// The model that is tried.
    #[must_use]
    pub fn model(&self) -> ModelId {
        self.model
    }

    /// Settles the attempt.
    pub fn record(mut self, outcome: Outcome, now: Instant) {
        self.settle(outcome, Some(now));
    }

    fn target(&self) -> Option<&ModelState> {
        self.state.model(self.model)
    }

    fn settle(&mut self, outcome: Outcome, now: Option<Instant>) {
        if std::mem::replace(&mut self.settled, true) {
            return;
        }
        let Some(target) = self.target() else { return };
        target.in_flight.fetch_sub(1, Ordering::Relaxed);
        match (outcome, now) {
            (Outcome::Success { first_token, usage }, _) => {
                target.breaker.succeed(self.probe);
                target.observe_first_token(first_token);
                if let (Some(session), Some(now)) = (self.session, now) {
                    self.state.sessions.hold(session, self.model, now);
                }
                if let Some(usage) = usage {
                    target.observe_output(usage.prompt(), usage.completion());
                }
            }
            (Outcome::Failure, Some(now)) => target.breaker.fail(self.probe, &self.settings, now),
            // The provider was there and answered: as a probe that is enough.
            (Outcome::CallerFault | Outcome::RateLimited, _) if self.probe => target.breaker.succeed(true),
            _ => target.breaker.release(self.probe),
        }
    }
}

impl Drop for Attempt {
    fn drop(&mut self) {
        self.settle(Outcome::Cancelled, None);
    }
}
