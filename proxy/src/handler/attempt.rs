//! Tries the candidates in order until one answers.

use std::time::Instant;

use http::header::{self, HeaderValue};
use http::{HeaderMap, Method, Request, Response, StatusCode};
use http_body_util::Full;
use router_core::{Candidate, Changes, Model, Outcome, Provider, UpstreamModel, begin};

use super::Passage;
use crate::account::Stopwatch;
use crate::front;
use crate::headers::{self, name};
use crate::payload::Payload;
use crate::refusal::Refusal;
use crate::settle::{Bill, Settlement};
use crate::upstream::{Answer, UpstreamFault};

/// What became of one attempt.
pub(super) enum Tried {
    /// The caller gets this.
    Answered(Response<Payload>),
    /// Another candidate may do better.
    Failed(UpstreamFault),
}

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

    pub(super) const fn outcome(self) -> Outcome {
        match self {
            Self::RateLimited => Outcome::RateLimited,
            Self::CallerFault => Outcome::CallerFault,
            Self::Success | Self::ProviderFault => Outcome::Failure,
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

impl Passage<'_> {
    /// Sends the request along the plan.
    pub(super) async fn send(&self, mut watch: Stopwatch) -> Result<Response<Payload>, Refusal> {
        let mut forwarded = headers::forwardable(&self.head.headers);
        front::append_via(&mut forwarded, &self.app.via);
        forwarded.insert(name::REQUEST_ID, self.id.clone());
        let mut fault = UpstreamFault::Connect;
        let mut attempts = 0;
        for (position, candidate) in self.decision.candidates.iter().enumerate() {
            let last = position + 1 == self.decision.candidates.len();
            let Ok(attempt) = begin(self.snapshot, &self.app.state, candidate, last, Instant::now()) else {
                continue;
            };
            attempts += 1;
            if attempts > 1 {
                self.app.metrics.retries.inc();
            }
            let bill = Bill::new(self.snapshot, candidate, self.digest.prompt_tokens);
            let settlement = Settlement::new(
                &self.app.metrics,
                self.account,
                bill,
                attempt.in_session(self.decision.session),
            );
            let tried = self.attempt(candidate, settlement, &forwarded, last, attempts, &mut watch).await;
            match tried {
                Tried::Answered(response) => return Ok(response),
                Tried::Failed(failed) => fault = failed,
            }
        }
        Err(fault.refusal())
    }

    async fn attempt(
        &self,
        candidate: &Candidate,
        mut settlement: Settlement,
        forwarded: &HeaderMap,
        last: bool,
        attempts: u32,
        watch: &mut Stopwatch,
    ) -> Tried {
        match self.ask(candidate, forwarded, watch).await {
            // Neither followed nor passed on: the caller would take its key to an address that no policy names.
            Ok(answer) if answer.head.status.is_redirection() => {
                let fault = UpstreamFault::Invalid("a redirect");
                settlement.fail(fault);
                Tried::Failed(fault)
            }
            Ok(answer) => {
                let status = Status::of(answer.head.status);
                let passes = last || matches!(status, Status::Success | Status::CallerFault);
                if passes {
                    self.answer(candidate, settlement, answer, last, attempts, watch).await
                } else {
                    settlement.status(status.outcome(), status.label());
                    Tried::Failed(UpstreamFault::Broken)
                }
            }
            Err(fault) => {
                settlement.fail(fault);
                Tried::Failed(fault)
            }
        }
    }

    /// Asks one provider and waits for the head of its answer.
    async fn ask(
        &self,
        candidate: &Candidate,
        forwarded: &HeaderMap,
        watch: &mut Stopwatch,
    ) -> Result<Answer, UpstreamFault> {
        let (model, provider) =
            self.snapshot.target(candidate.model).ok_or(UpstreamFault::Invalid("an unknown model"))?;
        let upstream = self.app.upstreams.upstream(provider)?;
        let request = self.request(model, provider, &upstream, forwarded)?;
        watch.wait(upstream.send(request, &candidate.timeouts)).await
    }

    /// The request as this provider gets it: the caller's bytes with the splices.
    fn request(
        &self,
        model: &Model,
        provider: &Provider,
        upstream: &crate::upstream::Upstream,
        forwarded: &HeaderMap,
    ) -> Result<Request<Full<bytes::Bytes>>, UpstreamFault> {
        let changes = Changes {
            model: match &model.upstream_model {
                UpstreamModel::Named(name) => Some(name),
                UpstreamModel::AsRequested => None,
            },
            max_output_tokens: self.decision.max_output_tokens,
            stream_usage: self.asks_usage(provider),
        };
        let body = self.digest.splices.apply(self.body, &changes);
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
