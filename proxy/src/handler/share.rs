//! Equal requests share one call: who makes it, and what the others get.

use std::sync::Arc;

use http::Response;
use router_core::Usd;
use smol_str::SmolStr;

use super::Passage;
use crate::account::Stopwatch;
use crate::error_body;
use crate::flight::{FlightKey, Landing, Member, Role};
use crate::headers::name;
use crate::ledger::CacheResult;
use crate::payload::Payload;
use crate::refusal::Refusal;
use crate::respond;
use crate::settle::Bill;
use crate::upstream::UpstreamFault;

/// Joins the call for `key`, or makes it.
///
/// # Errors
/// As [`Passage::send`].
pub(super) async fn share(
    passage: Passage,
    key: FlightKey,
    mut watch: Stopwatch,
) -> Result<Response<Payload>, Refusal> {
    let passage = Arc::new(passage);
    match passage.app.flights.join(key) {
        Role::Leader(member, landing) => {
            // A call for the same key may have ended between the look into the cache and the join.
            if let Some(response) = passage.look_up_again(&watch) {
                return Ok(response);
            }
            lead(&passage, landing, watch);
            let head = member.head().await.ok_or_else(|| UpstreamFault::Broken.refusal())?;
            Ok(passage.take_part(member, head, None))
        }
        Role::Follower(member) => match watch.wait(member.head()).await {
            Some(head) => Ok(passage.take_part(member, head, Some(&watch))),
            // The leader found the answer in the cache and made no call.
            None => match passage.look_up_again(&watch) {
                Some(response) => Ok(response),
                None => Box::pin(passage.send(&mut watch)).await,
            },
        },
    }
}

/// Makes the call in a task of its own, which the caller may leave.
fn lead(passage: &Arc<Passage>, landing: Landing, mut watch: Stopwatch) {
    let caller = Arc::clone(passage);
    let account = Arc::clone(&passage.account);
    let call = async move {
        match Box::pin(caller.send(&mut watch)).await {
            Ok(response) => response,
            Err(refusal) => {
                caller.account.close(refusal.outcome());
                refusal.respond(caller.digest.endpoint().dialect())
            }
        }
    };
    landing.fly(call, move || account.outcome().unwrap_or("error"));
}

impl Passage {
    /// A member's answer: the shared head with the caller's own headers, and the shared body.
    fn take_part(
        self: &Arc<Self>,
        member: Member,
        (status, headers): (http::StatusCode, http::HeaderMap),
        follower: Option<&Stopwatch>,
    ) -> Response<Payload> {
        let dialect = self.digest.endpoint().dialect();
        let lagged = move || {
            let fell_behind =
                Refusal::Upstream { message: "this reader fell too far behind the answer".to_owned() };
            error_body::event(dialect, &fell_behind.problem())
        };
        let passage = Arc::clone(self);
        let follows = follower.is_some();
        let named = |name| headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default().into();
        let served_by = match follows {
            true => (named(&name::MODEL), named(&name::PROVIDER)),
            false => Default::default(),
        };
        let body = member.body(lagged, move |outcome| passage.part_ended(follows, served_by, outcome));
        let mut response = Response::new(body);
        *response.status_mut() = status;
        *response.headers_mut() = headers;
        if let Some(watch) = follower {
            let own = watch.own();
            respond::effort(response.headers_mut(), "shared", 0, Some(Usd::ZERO), own);
            self.app.metrics.cache.lookups.with_label_values(&["exact", "shared"]).inc();
            self.app.metrics.traffic.overhead.with_label_values(&["hit"]).observe(own.as_secs_f64());
        }
        response
    }

    /// Counts a follower when its answer has ended; what the answer would have cost at the baseline is saved once more.
    fn part_ended(&self, follows: bool, served_by: (SmolStr, SmolStr), outcome: &'static str) {
        if !follows {
            return;
        }
        let entry = self.key.and_then(|key| self.app.state.cache.lookup(&key, std::time::Instant::now()));
        if let Some(entry) = &entry {
            self.write_cached(CacheResult::Shared, entry);
        } else {
            self.account.write(|entry| {
                entry.cache = CacheResult::Shared;
                (entry.model, entry.provider) = served_by;
            });
        }
        if let (Some(usage), Some(candidate)) =
            (entry.and_then(|entry| entry.usage), self.decision.candidates.first())
        {
            let bill = Bill::new(&self.snapshot, candidate, &self.digest);
            bill.charge_baseline(&self.app.metrics, self.account.tenant(), &usage);
        }
        self.account.close(outcome);
    }
}
