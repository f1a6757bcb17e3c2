//! What the cache asks on the side: the same request again, to renew a stale answer or to check one that was served, and a model's
//! opinion of two answers. No caller waits for an errand; it is paid for by whoever caused it, within the same budgets.

use std::sync::Arc;
use std::time::Instant;

use bytes::Bytes;
use http::request::Parts;
use http::{Method, Request};
use http_body_util::{BodyExt, Limited};
use router_core::{Candidate, Digest, Endpoint};
use tokio::sync::OwnedSemaphorePermit;

use super::{Passage, Trial};
use crate::account::{Account, Stopwatch};
use crate::ledger::CacheResult;

/// Errands under way at a time. One beyond them is not made: a check less, an answer stale for a little longer.
pub const MOST_ERRANDS: usize = 32;

/// Largest answer to an errand that is read into memory; a judge says one word.
const MAX_ANSWER_BYTES: usize = 1 << 20;

/// A request that no caller waits for, and its place among those under way.
pub(super) struct Errand {
    passage: Passage,
    _place: OwnedSemaphorePermit,
}

impl Passage {
    /// The same request as an errand; `None` where too many are under way or the process is about to end.
    pub(super) fn errand(&self, purpose: CacheResult) -> Option<Errand> {
        let place = Arc::clone(&self.app.errands).try_acquire_owned().ok();
        let place = place.filter(|_| !self.app.drain.has_begun());
        let Some(place) = place else {
            self.app.metrics.cache.errands.with_label_values(&[purpose.name(), "skipped"]).inc();
            return None;
        };
        let account = Arc::new(Account::errand(&self.app.metrics, self.account.tenant(), &self.app.books));
        account.enter_for(&self.account, purpose);
        self.app.metrics.cache.errands.with_label_values(&[purpose.name(), "made"]).inc();
        let passage = Self { account, id: self.app.new_request_id(), trial: None, ..self.clone() };
        Some(Errand { passage, _place: place })
    }
}

impl Errand {
    /// With an answer to be compared with a stored one.
    pub(super) fn on_trial(mut self, trial: Trial) -> Self {
        self.passage.trial = Some(Arc::new(trial));
        self
    }

    /// With another body for one model alone; `None` where that is no request.
    pub(super) fn to(mut self, endpoint: Endpoint, body: Bytes, candidate: Candidate) -> Option<Self> {
        let digest = Digest::read(endpoint, &body, &self.passage.app.state.fingerprint_key).ok()?;
        let passage = &mut self.passage;
        passage.head = bare_head()?;
        (passage.body, passage.digest, passage.key, passage.meaning) = (body, digest, None, None);
        passage.decision.candidates = std::iter::once(candidate).collect();
        passage.decision.max_output_tokens = None;
        Some(self)
    }

    /// Makes the call and reads the answer to its end, which is where it is stored. The answer, where there is a whole one.
    pub(super) async fn run(self) -> Option<Bytes> {
        let passage = &self.passage;
        let funds = match passage.decision.candidates.first().map(|first| passage.fund(first)) {
            None => None,
            Some(Ok(funds)) => funds,
            // A check is not worth a refusal to somebody who asks.
            Some(Err(_)) => {
                passage.account.close("denied");
                return None;
            }
        };
        let mut watch = Stopwatch::new(Instant::now());
        match passage.send_along(funds, &mut watch).await {
            Ok(response) if response.status().is_success() => {
                Limited::new(response.into_body(), MAX_ANSWER_BYTES)
                    .collect()
                    .await
                    .ok()
                    .map(|body| body.to_bytes())
            }
            Ok(_) => None,
            Err(refusal) => {
                passage.account.close(refusal.outcome());
                None
            }
        }
    }
}

/// The head of a request that no caller has sent.
fn bare_head() -> Option<Parts> {
    let request = Request::builder().method(Method::POST).uri("/").body(()).ok()?;
    Some(request.into_parts().0)
}
