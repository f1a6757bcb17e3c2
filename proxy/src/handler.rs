//! The way of one request: understood, decided, looked up, sent, answered.

mod allowance;
mod answer;
mod attempt;
pub mod body;
mod errand;
mod hedge;
mod lookup;
mod share;
mod trial;
pub(crate) mod warm;

use std::future::poll_fn;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::pin;
use std::sync::Arc;
use std::task::Poll;
use std::time::{Instant, SystemTime};

use bytes::Bytes;
use http::header::{self, HeaderValue};
use http::request::Parts;
use http::{Method, Request, Response};
use hyper::body::Incoming;
use router_core::budget::Spender;
use router_core::cache::guard::Vetoes;
use router_core::keyring::Key;
use router_core::{
    CacheKey, Candidate, Decision, Dialect, Digest, Domain, Endpoint, Fault, ModelId, Receipt, Rejection,
    RouteRequest, ScopeKey, Snapshot, TenantId, decide,
};

use crate::account::{Account, OTHER, Stopwatch};
use crate::app::App;
use crate::audit::What;
use crate::auth;
use crate::cached::Meaning;
use crate::cors;
use crate::flight::FlightKey;
use crate::front;
use crate::headers::name;
use crate::ledger::Entry;
use crate::models;
use crate::outcomes::{self, Cached, Outcome, Remembered, Source};
use crate::payload::Payload;
use crate::refusal::Refusal;
use crate::respond;
use crate::sentences::Sentence;
use crate::wishes::Wishes;

pub use errand::MOST_ERRANDS;
pub(crate) use trial::Trial;

/// Answers one request of the data plane.
pub async fn handle(app: Arc<App>, request: Request<Incoming>) -> Response<Payload> {
    let arrived = Instant::now();
    let id = app.request_id(request.headers());
    let dialect = dialect(&request);
    let endpoint = Endpoint::from_path(request.uri().path());
    let label = endpoint.map_or(OTHER, Endpoint::as_str);
    let account = Arc::new(Account::open(
        &app.metrics,
        label,
        arrived,
        app.log_requests.then(|| id.clone()),
        &app.books,
    ));
    let mut response = match caught(route(&app, endpoint, request, &account, &id)).await {
        Ok(response) => response,
        Err(refusal) => {
            account.close(refusal.outcome());
            refusal.respond(dialect)
        }
    };
    respond::standings(response.headers_mut(), account.standings());
    response.headers_mut().insert(name::REQUEST_ID, id);
    response
}

/// A defect ends one request, not the connection with all the others on it.
async fn caught(
    route: impl Future<Output = Result<Response<Payload>, Refusal>>,
) -> Result<Response<Payload>, Refusal> {
    let mut route = pin!(route);
    poll_fn(|context| {
        let polled = catch_unwind(AssertUnwindSafe(|| route.as_mut().poll(context)));
        polled.unwrap_or(Poll::Ready(Err(Refusal::Internal)))
    })
    .await
}

/// The dialect of errors: the endpoint's own, else what the caller's headers give away.
fn dialect<B>(request: &Request<B>) -> Dialect {
    match Endpoint::from_path(request.uri().path()) {
        Some(endpoint) => endpoint.dialect(),
        None if request.headers().contains_key(&name::ANTHROPIC_VERSION) => Dialect::Anthropic,
        None => Dialect::OpenAi,
    }
}

async fn route(
    app: &Arc<App>,
    endpoint: Option<Endpoint>,
    request: Request<Incoming>,
    account: &Arc<Account>,
    id: &HeaderValue,
) -> Result<Response<Payload>, Refusal> {
    front::inspect(&request)?;
    let origin = match cors::admit(&app.snapshot(), request.headers()) {
        Ok(origin) => origin,
        Err(refusal) => {
            let what = What::Denied {
                tenant: account.tenant().into(),
                key: Box::default(),
                code: refusal.code().into(),
                rule: None,
            };
            app.books.note("caller", what);
            return Err(refusal);
        }
    };
    let Some(origin) = origin else { return dispatch(app, endpoint, request, account, id).await };
    let mut response = if cors::is_preflight(&request) {
        account.close("ok");
        cors::preflight(request.headers().get(header::ACCESS_CONTROL_REQUEST_HEADERS))
    } else {
        let dialect = dialect(&request);
        dispatch(app, endpoint, request, account, id).await.unwrap_or_else(|refusal| {
            account.close(refusal.outcome());
            refusal.respond(dialect)
        })
    };
    cors::allow(response.headers_mut(), origin);
    Ok(response)
}

async fn dispatch(
    app: &Arc<App>,
    endpoint: Option<Endpoint>,
    request: Request<Incoming>,
    account: &Arc<Account>,
    id: &HeaderValue,
) -> Result<Response<Payload>, Refusal> {
    let method = request.method();
    let path = request.uri().path();
    match (endpoint, method) {
        (Some(endpoint), &Method::POST) => forward(app, endpoint, request, account, id).await,
        (Some(_), method) => Err(Refusal::MethodNotAllowed { method: method.to_string(), allow: "POST" }),
        (None, &Method::GET | &Method::HEAD) if path == "/v1/models" || path.starts_with("/v1/models/") => {
            let response = models::answer(app, path, request.headers(), request.extensions().get());
            account.close(if response.is_ok() { "ok" } else { "client_error" });
            response
        }
        (None, method) if path == "/v1/models" => {
            Err(Refusal::MethodNotAllowed { method: method.to_string(), allow: "GET" })
        }
        (None, _) => Err(Refusal::NotFound { path: path.to_owned() }),
    }
}

/// One request on its way to a provider, understood and decided. It owns what it needs, because a call that others share outlives
/// the caller who began it.
#[derive(Clone)]
struct Passage {
    app: Arc<App>,
    snapshot: Arc<Snapshot>,
    account: Arc<Account>,
    id: HeaderValue,
    tenant: TenantId,
    /// The caller's key, where money is counted.
    spender: Spender,
    /// Tags of tenant and request.
    tags: Arc<[(Box<str>, Box<str>)]>,
    /// Whether budgets that send their requests elsewhere let this one pass: it is there already.
    lenient: bool,
    head: Parts,
    body: Bytes,
    digest: Digest,
    decision: Decision,
    key: Option<CacheKey>,
    /// What the question means, where its answer may be one to another question.
    meaning: Option<Meaning>,
    /// Guards that refused the nearest stored answer.
    vetoes: Vetoes,
    /// A stored answer to be compared with the one that comes.
    trial: Option<Arc<Trial>>,
}

async fn forward(
    app: &Arc<App>,
    endpoint: Endpoint,
    request: Request<Incoming>,
    account: &Arc<Account>,
    id: &HeaderValue,
) -> Result<Response<Payload>, Refusal> {
    let mut watch = Stopwatch::new(account.arrived());
    let snapshot = app.snapshot();
    let (head, incoming) = request.into_parts();
    let caller = auth::authenticate(&snapshot, &head.headers, head.extensions.get(), SystemTime::now())
        .map_err(|stranger| {
            let key = stranger.expired.map(|key| key.to_string().into());
            app.books.note("caller", What::UnknownKey { key });
            Refusal::from(stranger)
        })?;
    account.of_tenant(caller.name());
    app.admit(&head.headers)?;
    let wishes = Wishes::read(&head.headers)?;
    let body = watch.wait(body::read(incoming, &head.headers, &app.body_limits)).await?;
    let digest = Digest::read(endpoint, &body, &app.state.fingerprint_key)?;
    let request = wishes.request(&digest, caller.tenant, caller.known);
    let tags = tags(&request);
    let spender = caller.spender();
    account.enter(id, caller.known.map_or("", |tenant| &tenant.name), caller.key.map(|key| key.hash.id()));
    account.write(|entry| note(entry, &request));
    let decided = decided(app, &snapshot, &request);
    let tenant = caller.tenant;
    // What the decision looked at in the headers goes on with the request.
    drop(request);
    drop(wishes);
    let (decision, key, meaning) = match decided {
        Ok(decided) => decided,
        Err(rejection) => {
            note_rejection(app, account, &snapshot, caller.key, &rejection);
            return Ok(reject(&snapshot, account, endpoint, rejection));
        }
    };
    if let Some(rule) = decision.receipt.rule.and_then(|rule| snapshot.rule(rule)) {
        account.write(|entry| entry.rule = Some((*rule.name).into()));
    }
    let passage = Passage {
        app: Arc::clone(app),
        account: Arc::clone(account),
        id: id.clone(),
        tenant,
        spender,
        tags,
        lenient: false,
        snapshot: Arc::clone(&snapshot),
        head,
        body,
        digest,
        decision,
        key,
        meaning,
        vetoes: Vetoes::NONE,
        trial: None,
    };
    passage.travel(watch).await
}

/// Tags of tenant and request, for quotas and budgets.
fn tags(request: &RouteRequest<'_>) -> Arc<[(Box<str>, Box<str>)]> {
    request.tags.iter().map(|(key, value)| (Box::from(*key), Box::from(*value))).collect()
}

/// Says in the ledger what the caller says. The tenant's own tags come first, and count.
fn note(entry: &mut Entry, request: &RouteRequest<'_>) {
    for (key, value) in request.tags.iter().rev() {
        entry.tags.insert((*key).into(), (*value).into());
    }
    entry.user = entry.tags.get("user").cloned().or_else(|| request.digest.user.as_deref().map(Into::into));
}

/// Says in the audit that the policy has refused a request.
fn note_rejection(
    app: &App,
    account: &Account,
    snapshot: &Snapshot,
    key: Option<&Key>,
    rejection: &Rejection,
) {
    if rejection.reason.fault() != Fault::Policy {
        return;
    }
    let rule = rejection.receipt.rule.and_then(|rule| snapshot.rule(rule));
    let what = What::Denied {
        tenant: account.tenant().into(),
        key: key.map(|key| key.hash.id().to_string().into()).unwrap_or_default(),
        code: rejection.reason.code().into(),
        rule: rule.map(|rule| rule.name.clone()),
    };
    app.books.note("caller", what);
}

/// Decides, and names the answer's place in the cache.
fn decided(
    app: &App,
    snapshot: &Snapshot,
    request: &RouteRequest<'_>,
) -> Result<(Decision, Option<CacheKey>, Option<Meaning>), Rejection> {
    let decision = decide(snapshot, &app.state, request, Instant::now(), &mut fastrand::Rng::new())?;
    count_decision(app, snapshot, &decision);
    let (key, meaning) = shelved(app, snapshot, request, &decision);
    Ok((decision, key, meaning))
}

/// The answer's place in the cache, and what the question means there.
fn shelved(
    app: &App,
    snapshot: &Snapshot,
    request: &RouteRequest<'_>,
    decision: &Decision,
) -> (Option<CacheKey>, Option<Meaning>) {
    if decision.cache.bypassed() {
        return (None, None);
    }
    let secret = &app.state.fingerprint_key;
    let key = CacheKey::of(secret, snapshot, request, &decision.receipt);
    if !decision.cache.semantic {
        return (Some(key), None);
    }
    let worker = app.sentences.worker();
    let space = worker.as_deref().map_or(0, Sentence::space);
    let scope = ScopeKey::of(secret, space, snapshot, request, &decision.receipt);
    let meaning = scope.and_then(|scope| Meaning::try_new(scope, request.digest.prompt().question, worker));
    (Some(key), meaning)
}

/// The answer to a request that the policy refuses, with the reasons in its headers.
fn reject(
    snapshot: &Snapshot,
    account: &Account,
    endpoint: Endpoint,
    rejection: Rejection,
) -> Response<Payload> {
    let refusal = Refusal::Rejected(rejection.reason);
    account.close(refusal.outcome());
    let mut response = refusal.respond(endpoint.dialect());
    respond::explain(response.headers_mut(), snapshot, &rejection.receipt);
    response
}

fn count_decision(app: &App, snapshot: &Snapshot, decision: &Decision) {
    let Receipt { rule, band, assessment, .. } = &decision.receipt;
    let rule = rule.and_then(|rule| snapshot.rule(rule)).map_or("", |rule| &rule.name);
    let placement = decision.candidates.first().map_or("none", |candidate| candidate.placement.as_str());
    app.metrics.traffic.decisions.with_label_values(&[rule, band.as_str(), placement]).inc();
    app.metrics.traffic.complexity.observe(assessment.complexity().into());
    if assessment.domain == Domain::Outside {
        app.metrics.traffic.out_of_domain.inc();
    }
}

impl Passage {
    /// To the answer: its quotas, the cache, a call that others make, a call of its own.
    async fn travel(mut self, mut watch: Stopwatch) -> Result<Response<Payload>, Refusal> {
        self.take_quota().inspect_err(|refusal| self.note_denial(refusal))?;
        if let Some(response) = self.look_up(&watch).await {
            return Ok(response);
        }
        match self.flight_key() {
            Some(key) => Box::pin(share::share(self, key, watch)).await,
            None => Box::pin(self.send(&mut watch)).await,
        }
    }

    /// Under which key the request may share a call: where its answer may be cached, written and read.
    fn flight_key(&self) -> Option<FlightKey> {
        let cache = self.decision.cache;
        let shared = self.snapshot.attempts.coalesce && cache.read && cache.write;
        let key = self.key.filter(|_| shared)?;
        Some(FlightKey { cache: key, stream: self.digest.stream, usage: self.digest.wants_stream_usage })
    }

    /// Keeps in mind who answered, in case somebody says how good it was.
    fn remember(&self, model: ModelId, cached: Option<Cached>) {
        if let (Ok(id), Some(answer)) = (self.id.to_str(), self.answered_by(model, cached)) {
            self.app.outcomes.remember(id, answer);
        }
    }

    /// An internal answer was not good enough: an outcome to learn from.
    fn note_escalation(&self, candidate: &Candidate) {
        self.app.metrics.upstream.escalations.inc();
        if let (Ok(id), Some(answer)) = (self.id.to_str(), self.answered_by(candidate.model, None)) {
            self.app.outcomes.record(Outcome::new(id, &answer, Source::Escalation, 0.0));
        }
    }

    fn answered_by(&self, model: ModelId, cached: Option<Cached>) -> Option<Remembered> {
        let (model, provider) = self.snapshot.target(model)?;
        Some(Remembered {
            tenant: self.tenant,
            tenant_name: self.account.tenant().into(),
            model: model.name.clone(),
            placement: provider.placement,
            complexity: self.decision.receipt.assessment.complexity(),
            prompt: outcomes::kept_prompt(&self.snapshot, self.tenant, self.digest.prompt().question),
            cached,
        })
    }
}
