//! One client a provider, made on first use and kept while the provider's connection settings stay.

use std::collections::HashMap;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::io;
use std::sync::Arc;
use std::time::{Duration, Instant};

use arc_swap::ArcSwap;
use bytes::Bytes;
use http::header::{self, HeaderMap, HeaderName, HeaderValue};
use http::uri::{Authority, PathAndQuery, Scheme};
use http::{Method, Request, Uri};
use hyper::body::Incoming;
use hyper_util::client::legacy::Client;
use hyper_util::client::proxy::matcher::Matcher;
use hyper_util::rt::{TokioExecutor, TokioTimer};
use router_core::{Dialect, PoolSettings, Provider, ProviderId, ProviderTls, Timeouts};
use rustls::ClientConfig;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use super::connect::{Connector, provider_config, tls_config};
use super::fault::UpstreamFault;
use super::outgoing::Outgoing;
use crate::headers::name;

/// Idle connections are closed after this, shorter than the minute that common load balancers wait, so that a
/// request seldom meets a connection that is being closed.
const IDLE_CONNECTION: Duration = Duration::from_secs(50);

/// The version sent to Anthropic where the caller named none.
const ANTHROPIC_VERSION: &str = "2023-06-01";

#[derive(Clone, PartialEq, Eq, Hash)]
struct Key {
    provider: ProviderId,
    connect: Duration,
    max_idle: usize,
    max_connections: usize,
    http2: bool,
    tls: u64,
}

impl Key {
    fn of(provider: &Provider) -> Self {
        let PoolSettings { max_idle, max_connections, http2_prior_knowledge } = provider.pool;
        Self {
            provider: provider.id,
            connect: provider.timeouts.connect,
            max_idle,
            max_connections,
            http2: http2_prior_knowledge,
            tls: fingerprint(&provider.tls),
        }
    }
}

/// Tells one provider's certificates from another's; 0 where it has none of its own.
fn fingerprint(tls: &ProviderTls) -> u64 {
    if *tls == ProviderTls::default() {
        return 0;
    }
    let mut hasher = DefaultHasher::new();
    tls.roots.as_ref().map(|roots| roots.expose()).hash(&mut hasher);
    tls.identity.as_ref().map(|(chain, key)| (chain.expose(), key.expose())).hash(&mut hasher);
    hasher.finish()
}

/// The clients of all providers.
pub struct Upstreams {
    tls: ClientConfig,
    proxies: Arc<Matcher>,
    clients: ArcSwap<HashMap<Key, Arc<Upstream>>>,
}

impl Upstreams {
    /// No connections yet. Roots of trust and proxies come from the environment.
    ///
    /// # Errors
    /// Where TLS cannot be set up.
    pub fn try_new() -> io::Result<Self> {
        Ok(Self {
            tls: tls_config()?,
            proxies: Arc::new(Matcher::from_env()),
            clients: ArcSwap::from_pointee(HashMap::new()),
        })
    }

    /// The provider's client.
    ///
    /// # Errors
    /// A base URL that is none, which a compiled policy does not contain.
    pub fn upstream(&self, provider: &Provider) -> Result<Arc<Upstream>, UpstreamFault> {
        let key = Key::of(provider);
        if let Some(upstream) = self.clients.load().get(&key) {
            return Ok(Arc::clone(upstream));
        }
        let upstream = Arc::new(self.open(provider).ok_or(UpstreamFault::Connect)?);
        self.clients.rcu(|clients| {
            let mut clients = HashMap::clone(clients);
            clients.entry(key.clone()).or_insert_with(|| Arc::clone(&upstream));
            clients
        });
        Ok(self.clients.load().get(&key).map_or(upstream, Arc::clone))
    }

    /// Forgets the clients of providers that `keep` does not know any more; requests in flight hold theirs.
    pub fn retain<'p>(&self, keep: impl Iterator<Item = &'p Provider>) {
        let keys: Vec<Key> = keep.map(Key::of).collect();
        self.clients.rcu(|clients| {
            clients
                .iter()
                .filter(|(key, _)| keys.contains(key))
                .map(|(key, upstream)| (key.clone(), Arc::clone(upstream)))
                .collect::<HashMap<_, _>>()
        });
    }

    fn open(&self, provider: &Provider) -> Option<Upstream> {
        let base: Uri = provider.base_url.parse().ok()?;
        let tls = provider_config(&self.tls, &provider.tls);
        let tls = tls
            .inspect_err(
                |error| tracing::error!(event = "provider_tls_unusable", provider = %provider.name, %error),
            )
            .ok()?;
        let connector = Connector::new(tls, provider.timeouts.connect, Arc::clone(&self.proxies));
        let client = Client::builder(TokioExecutor::new())
            .pool_timer(TokioTimer::new())
            .timer(TokioTimer::new())
            .pool_idle_timeout(IDLE_CONNECTION)
            .pool_max_idle_per_host(provider.pool.max_idle)
            .http2_only(provider.pool.http2_prior_knowledge)
            .http2_keep_alive_interval(Duration::from_secs(20))
            .build(connector);
        Some(Upstream {
            client,
            permits: Arc::new(Semaphore::new(provider.pool.max_connections)),
            scheme: base.scheme()?.clone(),
            authority: base.authority()?.clone(),
            prefix: base.path().trim_end_matches('/').into(),
        })
    }
}

/// The client of one provider.
pub struct Upstream {
    client: Client<Connector, Outgoing>,
    permits: Arc<Semaphore>,
    scheme: Scheme,
    authority: Authority,
    prefix: Box<str>,
}

/// An answer's head, and its body to come. Holds its place among the provider's connections until it is dropped.
pub struct Answer {
    /// Status and headers.
    pub head: http::response::Parts,
    /// The body.
    pub body: Incoming,
    /// When the request was sent.
    pub sent: Instant,
    /// The connection's place in the pool.
    pub permit: OwnedSemaphorePermit,
}

impl Upstream {
    /// Sends a request and waits for the answer's head; with `patience` for so long in all, however new the connection.
    ///
    /// # Errors
    /// Where none comes within the timeouts.
    pub async fn send(
        &self,
        request: Request<Outgoing>,
        timeouts: &Timeouts,
        patience: Option<Duration>,
    ) -> Result<Answer, UpstreamFault> {
        let permit = match Arc::clone(&self.permits).try_acquire_owned() {
            Ok(permit) => permit,
            Err(_) => self.wait_for_permit(timeouts.connect).await?,
        };
        let sent = Instant::now();
        // A new connection may take its own time before the provider's begins.
        let limit = patience.unwrap_or(timeouts.connect.saturating_add(timeouts.first_byte));
        let late = if timeouts.total < limit {
            UpstreamFault::TotalTimeout
        } else {
            UpstreamFault::FirstByteTimeout
        };
        let response = tokio::time::timeout(limit.min(timeouts.total), self.client.request(request))
            .await
            .map_err(|_| late)?
            .map_err(|error| UpstreamFault::of(&error))?;
        let (head, body) = response.into_parts();
        Ok(Answer { head, body, sent, permit })
    }

    async fn wait_for_permit(&self, limit: Duration) -> Result<OwnedSemaphorePermit, UpstreamFault> {
        tokio::time::timeout(limit, Arc::clone(&self.permits).acquire_owned())
            .await
            .ok()
            .and_then(Result::ok)
            .ok_or(UpstreamFault::PoolExhausted)
    }

    /// The address of `path` at this provider.
    fn uri(&self, path: &str, query: Option<&str>) -> Option<Uri> {
        let mut full = String::with_capacity(self.prefix.len() + path.len() + 32);
        full.push_str(&self.prefix);
        full.push_str(path);
        if let Some(query) = query {
            full.push('?');
            full.push_str(query);
        }
        let path = PathAndQuery::from_maybe_shared(Bytes::from(full)).ok()?;
        let mut parts = http::uri::Parts::default();
        parts.scheme = Some(self.scheme.clone());
        parts.authority = Some(self.authority.clone());
        parts.path_and_query = Some(path);
        Uri::from_parts(parts).ok()
    }

    /// A request to this provider with its credential and no other.
    ///
    /// # Errors
    /// A key or header that cannot stand in a header.
    pub fn request(
        &self,
        provider: &Provider,
        method: Method,
        path: &str,
        query: Option<&str>,
        mut headers: HeaderMap,
        body: Bytes,
    ) -> Result<Request<Outgoing>, UpstreamFault> {
        let invalid = || UpstreamFault::Invalid("the provider's settings make no request");
        let uri = self.uri(path, query).ok_or_else(invalid)?;
        headers.insert(header::ACCEPT_ENCODING, HeaderValue::from_static("identity"));
        credentials(provider, &mut headers).ok_or_else(invalid)?;
        let mut request = Request::new(Outgoing::new(body));
        *request.method_mut() = method;
        *request.uri_mut() = uri;
        *request.headers_mut() = headers;
        Ok(request)
    }
}

/// Puts the provider's key and its static headers in.
fn credentials(provider: &Provider, headers: &mut HeaderMap) -> Option<()> {
    if provider.dialect == Dialect::Anthropic && !headers.contains_key(&name::ANTHROPIC_VERSION) {
        headers.insert(name::ANTHROPIC_VERSION, HeaderValue::from_static(ANTHROPIC_VERSION));
    }
    if let Some(key) = &provider.api_key {
        let (name, value) = match provider.dialect {
            Dialect::OpenAi => (header::AUTHORIZATION, bearer(key.expose())),
            Dialect::Anthropic => (name::API_KEY, key.expose().clone()),
        };
        let mut value = HeaderValue::from_maybe_shared(value).ok()?;
        value.set_sensitive(true);
        headers.insert(name, value);
    }
    for (name, value) in &provider.headers {
        let mut value = HeaderValue::from_maybe_shared(value.expose().clone()).ok()?;
        value.set_sensitive(true);
        headers.insert(HeaderName::from_bytes(name.as_bytes()).ok()?, value);
    }
    Some(())
}

fn bearer(key: &[u8]) -> Bytes {
    [b"Bearer ", key].concat().into()
}
