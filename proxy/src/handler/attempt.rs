//! Tries the candidates in order until one answers.

use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::{Duration, Instant};

use http::header::{self, HeaderValue};
use http::{HeaderMap, Method, Request, Response, StatusCode};
use router_core::limit::Permit;
use router_core::retry::Failed;
use router_core::{Attempt, Candidate, Changes, Model, Outcome, Provider, UpstreamModel, begin};
use smallvec::SmallVec;

use super::Passage;
use super::allowance::Broke;
use crate::account::Stopwatch;
use crate::front;
use crate::funds::Funds;
use crate::headers::{self, name};
use crate::payload::Payload;
use crate::quota;
use crate::recount::Asked;
use crate::refusal::Refusal;
use crate::settle::{Bill, Settlement};
use crate::upstream::{Answer, Outgoing, UpstreamFault};
use crate::wire::reading::Reading;

/// What became of one attempt.
pub(super) enum Tried {
    /// The caller gets this.
    Answered(Response<Payload>),
    /// The provider answered with an error that the caller gets if nobody else can do better.
    Refused(Box<Refused>),
    /// There is no answer.
    Failed(UpstreamFault),
}

/// A provider's error answer. Its status is settled, its body not yet read.
pub(super) struct Refused {
    candidate: Candidate,
    settlement: Settlement,
    answer: Answer,
    retry_after: Option<Duration>,
}

/// Longest `Retry-After` that a request waits for at the same provider; beyond it the caller is told.
const MAX_WAIT: Duration = Duration::from_secs(2);

/// What an upstream status says, and about whom.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Status {
    /// An answer.
    Success,
    /// The provider has had enough of us for now.
    RateLimited,
    /// The provider is ill, or refuses this router's own credentials or model name.
    ProviderFault,
    /// The caller's request is at fault.
    CallerFault,
}

impl Status {
    pub(super) fn of(status: StatusCode) -> Self {
        match status.as_u16() {
            200..=299 => Self::Success,
            429 => Self::RateLimited,
            // The credentials are the router's own, and so is the model's name upstream.
            401 | 404 | 407 | 408 => Self::ProviderFault,
            400..=499 => Self::CallerFault,
            _ => Self::ProviderFault,
        }
    }

    pub(super) const fn outcome(self, retry_after: Option<Duration>) -> Outcome {
        match self {
            Self::RateLimited => Outcome::RateLimited { retry_after },
            Self::CallerFault => Outcome::CallerFault,
            Self::Success | Self::ProviderFault => Outcome::Failure { retry_after },
        }
    }

    pub(super) const fn label(self) -> &'static str {
        match self {
            Self::Success => "ok",
            Self::RateLimited => "rate_limited",
            Self::ProviderFault => "error_status",
            Self::CallerFault => "client_error",
        }
    }
}

/// The attempts of one request so far.
pub(super) struct Course {
    /// Positions in the plan that have been tried.
    tried: SmallVec<[usize; 4]>,
    /// Groups of providers to which no connection stood: a region that refuses one will refuse the next.
    unreachable: SmallVec<[u8; 4]>,
    attempts: u32,
    deadline: Instant,
    rng: fastrand::Rng,
    /// Money for the first candidate.
    funds: Option<Funds>,
    /// Why a candidate could not be asked, where that is the caller's doing.
    refusal: Option<Refusal>,
}

/// An attempt at the candidate of this position, with what it took of its model's quotas.
pub(super) struct Claim {
    position: usize,
    attempt: Attempt,
    permit: Option<Permit>,
}

/// A claimed attempt, about to be made.
pub(super) struct Try {
    pub(super) candidate: Candidate,
    pub(super) settlement: Settlement,
    /// Whether another candidate is left.
    pub(super) others: bool,
    /// The how-manieth it is, from 1.
    pub(super) number: u32,
}

impl Passage {
    /// Sends the request along the plan, once there is a place for it and money.
    pub(super) async fn send(&self, watch: &mut Stopwatch) -> Result<Response<Payload>, Refusal> {
        self.enter(watch).await?;
        let funds = match self.decision.candidates.first().map(|first| self.fund(first)) {
            None => None,
            Some(Ok(funds)) => funds,
            Some(Err(broke)) => return self.send_elsewhere(&broke, watch).await,
        };
        self.send_along(funds, watch).await.inspect_err(|refusal| {
            if refusal.outcome() == "denied" {
                self.note_denial(refusal);
            }
        })
    }

    /// Sends the request where an exhausted budget wants it, or refuses it.
    async fn send_elsewhere(
        &self,
        broke: &Broke,
        watch: &mut Stopwatch,
    ) -> Result<Response<Payload>, Refusal> {
        let refusal = self.broke(broke);
        let other = match broke {
            Broke::Exhausted(_, then) => self.detour(*then),
            Broke::Unrecorded => None,
        };
        let Some(other) = other else {
            self.note_denial(&refusal);
            return Err(refusal);
        };
        let funds = other.decision.candidates.first().map(|first| other.fund(first)).transpose();
        match funds {
            Ok(funds) => other.send_along(funds.flatten(), watch).await,
            Err(broke) => {
                let refusal = other.broke(&broke);
                other.note_denial(&refusal);
                Err(refusal)
            }
        }
    }

    pub(super) async fn send_along(
        &self,
        funds: Option<Funds>,
        watch: &mut Stopwatch,
    ) -> Result<Response<Payload>, Refusal> {
        let mut forwarded = headers::forwardable(&self.head.headers);
        front::append_via(&mut forwarded, &self.app.via);
        forwarded.insert(name::REQUEST_ID, self.id.clone());
        let now = Instant::now();
        self.app.state.retries.request(now);
        let longest = self.decision.candidates.iter().map(|candidate| candidate.timeouts.total).max();
        let mut course = Course {
            tried: SmallVec::new(),
            unreachable: SmallVec::new(),
            attempts: 0,
            deadline: now + longest.unwrap_or_default(),
            rng: fastrand::Rng::new(),
            funds,
            refusal: None,
        };
        let mut fault = UpstreamFault::Connect;
        let mut upcoming = self.next(&mut course);
        while let Some(claim) = upcoming {
            let try_ = self.prepare(&mut course, claim)?;
            let candidate = try_.candidate;
            match self.attempt_hedged(try_, &mut course, &forwarded, watch).await {
                Tried::Answered(response) => return Ok(response),
                Tried::Refused(refused) => {
                    upcoming = self.follow(&mut course, &candidate, None, refused.retry_after, watch).await;
                    if upcoming.is_none() {
                        return self.pass_refusal(*refused, course.attempts, watch).await;
                    }
                }
                Tried::Failed(failed) => {
                    fault = failed;
                    if failed.is_unreachable() {
                        course.unreachable.push(self.group(&candidate));
                    }
                    upcoming = self.follow(&mut course, &candidate, Some(failed), None, watch).await;
                }
            }
        }
        Err(course.refusal.filter(|_| course.attempts == 0).unwrap_or_else(|| fault.refusal()))
    }

    /// Counts an attempt and takes charge of it.
    pub(super) fn prepare(&self, course: &mut Course, claim: Claim) -> Result<Try, Refusal> {
        let Claim { position, attempt, permit } = claim;
        let candidate = self.decision.candidates[position];
        // What was set aside for the first candidate is for that one.
        let funds = match course.funds.take().filter(|_| course.attempts == 0 && position == 0) {
            Some(funds) => Some(funds),
            None => self.fund(&candidate).map_err(|broke| self.broke(&broke))?,
        };
        course.attempts += 1;
        course.tried.push(position);
        let bill = Bill::new(&self.snapshot, &candidate, &self.digest).on_errand(self.account.is_errand());
        let attempt = attempt.in_session(self.decision.session).reading(self.decision.prefix);
        let asked = Asked::new(self.digest.endpoint(), &self.body, self.name_upstream(&candidate));
        let settlement = Settlement::new(&self.app.metrics, &self.account, bill, attempt)
            .with(funds, permit)
            .counted_by(&self.app.recounts, asked);
        Ok(Try { candidate, settlement, others: self.has_untried(course), number: course.attempts })
    }

    /// The attempt that follows a failed one, once its time has come; `None` where there is none.
    async fn follow(
        &self,
        course: &mut Course,
        failed: &Candidate,
        fault: Option<UpstreamFault>,
        retry_after: Option<Duration>,
        watch: &mut Stopwatch,
    ) -> Option<Claim> {
        let wait = self.may_follow(course, failed, fault, retry_after)?;
        if !wait.is_zero() {
            watch.wait(tokio::time::sleep(wait)).await;
        }
        let claim = self.next(course)?;
        self.app.metrics.upstream.retries.inc();
        Some(claim)
    }

    /// The next candidate that takes the request: one that has not been tried, else the last tried once more.
    pub(super) fn next(&self, course: &mut Course) -> Option<Claim> {
        let candidates = &self.decision.candidates;
        let untried = (0..candidates.len()).filter(|position| !course.tried.contains(position));
        let again = course.tried.last().copied().filter(|position| !candidates[*position].last_standing);
        let mut order: SmallVec<[usize; 4]> = untried.chain(again).collect();
        if !course.unreachable.is_empty() {
            self.avoid_unreachable(course, &mut order);
        }
        self.claim(course, order)
    }

    /// Puts one that is as good as the first, but in a group that may be reached, in its place.
    fn avoid_unreachable(&self, course: &Course, order: &mut SmallVec<[usize; 4]>) {
        let candidate = |position: &usize| &self.decision.candidates[*position];
        let reachable = |position: &usize| !course.unreachable.contains(&self.group(candidate(position)));
        let Some(first) = order.first().filter(|first| !reachable(first)).map(candidate) else { return };
        let other = |position: &usize| alike(candidate(position), first) && reachable(position);
        if let Some(at) = order.iter().position(other) {
            order[..=at].rotate_right(1);
        }
    }

    /// The provider's place in the order of preference.
    fn group(&self, candidate: &Candidate) -> u8 {
        self.snapshot.provider(candidate.provider).map_or(0, |provider| provider.group)
    }

    /// A candidate beside `first`: another one of the same price and placement that has not been tried, else `first` once more.
    pub(super) fn beside(&self, course: &mut Course, first: &Candidate) -> Option<Claim> {
        let candidates = &self.decision.candidates;
        let untried = (0..candidates.len())
            .filter(|position| !course.tried.contains(position) && alike(&candidates[*position], first));
        let again = course.tried.last().copied().filter(|position| !candidates[*position].last_standing);
        let order = untried.chain(again).collect();
        self.claim(course, order)
    }

    /// An attempt at the first of these positions that takes the request.
    fn claim(&self, course: &mut Course, order: SmallVec<[usize; 4]>) -> Option<Claim> {
        order.into_iter().find_map(|position| {
            let candidate = &self.decision.candidates[position];
            let permit = match self.take_model_quota(candidate) {
                Ok(permit) => permit,
                Err(refusal) => {
                    course.refusal = Some(refusal);
                    return None;
                }
            };
            let begun = begin(&self.snapshot, &self.app.state, candidate, Instant::now(), &mut course.rng);
            match begun {
                Ok(attempt) => Some(Claim { position, attempt, permit }),
                Err(_) => {
                    permit.into_iter().for_each(|permit| permit.cancel(Instant::now()));
                    None
                }
            }
        })
    }

    /// Whether a candidate is left that has not been tried and takes requests.
    fn has_untried(&self, course: &Course) -> bool {
        let now = Instant::now();
        self.decision
            .candidates
            .iter()
            .enumerate()
            .any(|(position, candidate)| !course.tried.contains(&position) && self.stands(candidate, now))
    }

    fn stands(&self, candidate: &Candidate, now: Instant) -> bool {
        let state = self.app.state.model(candidate.model);
        let provider = self.snapshot.provider(candidate.provider);
        state.zip(provider).is_some_and(|(state, provider)| {
            state.health.check(candidate.size, &provider.health, now).is_ok()
        })
    }

    /// How long to wait before another attempt, or that there is none. `fault`: nothing came; else an error status did.
    fn may_follow(
        &self,
        course: &mut Course,
        failed: &Candidate,
        fault: Option<UpstreamFault>,
        retry_after: Option<Duration>,
    ) -> Option<Duration> {
        let now = Instant::now();
        let elsewhere = self.has_untried(course);
        if matches!(fault, Some(UpstreamFault::Unfit(_))) {
            // Nobody is overloaded or ill: the policy wants another opinion, and there are only so many candidates.
            return elsewhere.then_some(Duration::ZERO);
        }
        let sick =
            retry_after.is_some_and(|wait| wait > MAX_WAIT) || fault.is_some_and(UpstreamFault::is_timeout);
        if !elsewhere && (sick || failed.last_standing || !self.stands(failed, now)) {
            return None;
        }
        let failure = Failed {
            retries: course.attempts.saturating_sub(1),
            elsewhere,
            unsent: fault.is_some_and(UpstreamFault::is_unsent),
            retry_after,
        };
        let settings = &self.snapshot.attempts.retry;
        self.app.state.retries.plan(&failure, settings, course.deadline, now, &mut course.rng).ok()
    }

    async fn pass_refusal(
        &self,
        refused: Refused,
        attempts: u32,
        watch: &mut Stopwatch,
    ) -> Result<Response<Payload>, Refusal> {
        let Refused { candidate, settlement, answer, .. } = refused;
        match self.answer(&candidate, settlement, answer, false, attempts, watch).await {
            Tried::Answered(response) => Ok(response),
            Tried::Failed(fault) => Err(fault.refusal()),
            Tried::Refused(_) => Err(UpstreamFault::Broken.refusal()),
        }
    }

    /// One attempt to its end: an answer for the caller, an error of the provider, or nothing.
    pub(super) async fn attempt(&self, try_: Try, forwarded: &HeaderMap, watch: &mut Stopwatch) -> Tried {
        let Try { mut candidate, mut settlement, others, number } = try_;
        let patience = self.snapshot.attempts.first_token.filter(|_| others && self.may_cut());
        if let Some(patience) = patience {
            candidate.timeouts.first_byte = candidate.timeouts.first_byte.min(patience);
        }
        match self.ask(&candidate, patience, settlement.taken(), forwarded, watch).await {
            // Neither followed nor passed on: the caller would take its key to an address that no policy names.
            Ok(answer) if answer.head.status.is_redirection() => {
                let fault = UpstreamFault::Invalid("a redirect");
                settlement.fail(fault);
                Tried::Failed(fault)
            }
            Ok(answer) => {
                settlement.observe_quota(&answer.head.headers);
                let status = Status::of(answer.head.status);
                if matches!(status, Status::Success | Status::CallerFault) {
                    return self.answer(&candidate, settlement, answer, others, number, watch).await;
                }
                let retry_after = quota::retry_after(&answer.head.headers);
                settlement.status(status.outcome(retry_after), status.label());
                Tried::Refused(Box::new(Refused { candidate, settlement, answer, retry_after }))
            }
            Err(fault) => {
                settlement.give_up(fault, &Reading::default());
                Tried::Failed(fault)
            }
        }
    }

    /// Whether an attempt may be given up for a late first token: only where the request can still be sent elsewhere. A plain answer
    /// shows no first token.
    fn may_cut(&self) -> bool {
        let left = || self.app.state.retries.left(&self.snapshot.attempts.retry, Instant::now());
        self.digest.stream && left() > 0
    }

    /// Asks one provider and waits for the head of its answer.
    async fn ask(
        &self,
        candidate: &Candidate,
        patience: Option<Duration>,
        taken: &Arc<AtomicBool>,
        forwarded: &HeaderMap,
        watch: &mut Stopwatch,
    ) -> Result<Answer, UpstreamFault> {
        let (model, provider) =
            self.snapshot.target(candidate.model).ok_or(UpstreamFault::Invalid("an unknown model"))?;
        let upstream = self.app.upstreams.upstream(provider)?;
        let mut request = self.request(model, provider, &upstream, forwarded)?;
        request.body_mut().tell(taken);
        watch.wait(upstream.send(request, &candidate.timeouts, patience)).await
    }

    /// What the provider calls the model.
    fn name_upstream(&self, candidate: &Candidate) -> &str {
        match self.snapshot.model(candidate.model).map(|model| &model.upstream_model) {
            Some(UpstreamModel::Named(name)) => name,
            _ => &self.digest.model,
        }
    }

    /// The request as this provider gets it: the caller's bytes with the splices.
    fn request(
        &self,
        model: &Model,
        provider: &Provider,
        upstream: &crate::upstream::Upstream,
        forwarded: &HeaderMap,
    ) -> Result<Request<Outgoing>, UpstreamFault> {
        let changes = Changes {
            model: match &model.upstream_model {
                UpstreamModel::Named(name) => Some(name),
                UpstreamModel::AsRequested => None,
            },
            max_output_tokens: self.decision.max_output_tokens,
            stream_usage: self.asks_usage(provider),
        };
        let body = self.digest.splices.apply(&self.body, &changes);
        let mut headers = forwarded.clone();
        if !headers.contains_key(header::CONTENT_TYPE) {
            headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
        }
        let path = self.digest.endpoint().upstream_path();
        upstream.request(provider, Method::POST, path, self.head.uri.query(), headers, body)
    }

    /// Whether the router asks for usage on a stream whose caller did not.
    pub(super) fn asks_usage(&self, provider: &Provider) -> bool {
        self.digest.stream && provider.stream_usage && !self.digest.wants_stream_usage
    }
}

/// Whether two candidates differ in neither price nor placement.
fn alike(one: &Candidate, other: &Candidate) -> bool {
    one.placement == other.placement && one.expected_cost == other.expected_cost
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_status_tells_whose_fault_it_is() {
        for (status, expected) in [
            (200, Status::Success),
            (400, Status::CallerFault),
            (401, Status::ProviderFault),
            (413, Status::CallerFault),
            (422, Status::CallerFault),
            (429, Status::RateLimited),
            (500, Status::ProviderFault),
            (529, Status::ProviderFault),
            (302, Status::ProviderFault),
        ] {
            assert_eq!(Status::of(StatusCode::from_u16(status).unwrap()), expected, "{status}");
        }
    }
}
