//! Puts the parts together and runs them: listeners, policy, watcher, signals.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime};

use http::header::HeaderValue;
use router_core::{Scorer, Secret, State};
use router_policies::{Diagnostic, Live, Origin, Records, Setup, Watch};
use thiserror::Error;
use tokio::net::TcpListener;
use tokio::sync::Semaphore;

use crate::app::App;
use crate::books::{self, Books};
use crate::gate::{Gate, GateSettings};
use crate::handler::body::BodyLimits;
use crate::judge::weights_loader;
use crate::metrics::Metrics;
use crate::recount::Recounts;
use crate::sentences::Sentences;
use crate::server::{ConnectionLimits, Drain, Tls, serve};
use crate::upstream::Upstreams;
use crate::{admin, handler, probe, reload};

/// What cannot change while running.
#[derive(Clone, Debug)]
pub struct Settings {
    /// Address of the data plane.
    pub listen: SocketAddr,
    /// Address of the admin plane.
    pub admin: SocketAddr,
    /// Limits on request bodies.
    pub body: BodyLimits,
    /// Limits on connections.
    pub connections: ConnectionLimits,
    /// Requests at providers, and waiting for a place there.
    pub gate: GateSettings,
    /// Ledger, audit and the spending of budgets; `None`: nothing is written down.
    pub records: Option<Records>,
    /// How long open requests may take to end after SIGTERM.
    pub drain_deadline: Duration,
    /// What opens the admin plane to other machines.
    pub admin_token: Option<Secret>,
    /// Certificate and key, where the data plane speaks TLS.
    pub tls: Option<router_policies::TlsFiles>,
    /// Whether every request gets a log line.
    pub log_requests: bool,
}

impl From<router_policies::Settings> for Settings {
    fn from(file: router_policies::Settings) -> Self {
        Self {
            listen: file.listen,
            admin: file.admin_listen,
            body: BodyLimits {
                max_bytes: file.max_body_bytes as u64,
                idle: file.body_idle,
                ..BodyLimits::default()
            },
            connections: ConnectionLimits {
                max_connections: file.max_connections,
                header_timeout: file.header_timeout,
                max_header_bytes: file.max_header_bytes,
                write_stall: file.write_stall,
            },
            drain_deadline: file.drain_deadline,
            admin_token: file.admin_token,
            tls: file.tls,
            log_requests: file.log_requests,
            gate: GateSettings {
                places: file.max_in_flight,
                queue: file.max_queue,
                ..GateSettings::default()
            },
            records: file.records,
        }
    }
}

impl Default for Settings {
    /// What `proxy.toml` defaults to.
    fn default() -> Self {
        router_policies::Settings::default().into()
    }
}

/// Why a sidecar does not start.
#[derive(Debug, Error)]
pub enum StartError {
    /// An address cannot be listened on.
    #[error("cannot listen on {address}: {error}")]
    Listen {
        /// The address.
        address: SocketAddr,
        /// Why not.
        error: io::Error,
    },
    /// The policy does not compile.
    #[error("the policy has errors")]
    Policy(Vec<Diagnostic>),
    /// Without tenants anybody who reaches the listener may spend.
    #[error(
        "the data listener {0} can be reached from other machines, but no tenants are configured, so anybody could spend: \
         add [tenants.NAME] with keys to the policy, or listen on 127.0.0.1"
    )]
    Open(SocketAddr),
    /// The system does not provide what is needed.
    #[error("{0}")]
    System(String),
}

/// A running sidecar.
pub struct Sidecar {
    app: Arc<App>,
    data: SocketAddr,
    admin: SocketAddr,
    tasks: Vec<tokio::task::JoinHandle<()>>,
    _watch: Option<Watch>,
}

impl Sidecar {
    /// Binds, loads the policy and begins to serve.
    ///
    /// # Errors
    /// Where it cannot start; nothing is left running then.
    pub async fn start(
        settings: Settings,
        origin: Origin,
        scorer: Arc<dyn Scorer>,
    ) -> Result<Self, StartError> {
        let data = bind(settings.listen).await?;
        let admin = bind(settings.admin).await?;
        let addresses = [local(&data)?, local(&admin)?];
        let app = Arc::new(assemble(&settings, origin, scorer, &addresses)?);
        if app.snapshot().tenants.is_empty() && !is_local(addresses[0]) {
            return Err(StartError::Open(addresses[0]));
        }
        reload::adopt(&app);
        let watch = watch(&app);
        let limits = settings.connections;
        let tls = match &settings.tls {
            Some(files) => Some(Arc::new(Tls::open(files.clone()).map_err(system)?)),
            None => None,
        };
        let data_app = Arc::clone(&app);
        let admin_app = Arc::clone(&app);
        let admin_drain = Arc::new(Drain::default());
        let tasks = vec![
            tokio::spawn(probe::run(Arc::clone(&app))),
            tokio::spawn(tend(Arc::clone(&app), tls.clone())),
            tokio::spawn(serve(data, tls, limits, Arc::clone(&app.drain), move |_, request| {
                handler::handle(Arc::clone(&data_app), request)
            })),
            tokio::spawn(serve(admin, None, limits, admin_drain, move |peer, request| {
                admin::handle(Arc::clone(&admin_app), peer, request)
            })),
        ];
        let [data, admin] = addresses;
        tracing::info!(event = "listening", data = %data, admin = %admin, version = env!("CARGO_PKG_VERSION"));
        Ok(Self { app, data, admin, tasks, _watch: watch })
    }

    /// Address of the data plane.
    #[must_use]
    pub fn data(&self) -> SocketAddr {
        self.data
    }

    /// Address of the admin plane.
    #[must_use]
    pub fn admin(&self) -> SocketAddr {
        self.admin
    }

    /// The parts.
    #[must_use]
    pub fn app(&self) -> &Arc<App> {
        &self.app
    }

    /// Drains: not ready, no new requests, open ones to their end or the deadline. Says whether all ended.
    pub async fn drain(self) -> bool {
        self.app.drain.begin();
        tracing::info!(event = "draining", in_flight = self.app.metrics.traffic.in_flight.get());
        let finished = self.app.drain.finished(self.app.drain_deadline).await;
        tracing::info!(event = "drained", complete = finished);
        for task in &self.tasks {
            task.abort();
        }
        let (recounts, books) = (Arc::clone(&self.app.recounts), Arc::clone(&self.app.books));
        // What is waiting is counted and goes to the disk, which must not hold up the runtime.
        let close = move || {
            recounts.close();
            books.close();
        };
        let closed = tokio::task::spawn_blocking(close).await;
        finished && closed.is_ok()
    }
}

async fn bind(address: SocketAddr) -> Result<TcpListener, StartError> {
    TcpListener::bind(address).await.map_err(|error| StartError::Listen { address, error })
}

/// Whether only this machine reaches the address.
fn is_local(address: SocketAddr) -> bool {
    address.ip().to_canonical().is_loopback()
}

fn local(listener: &TcpListener) -> Result<SocketAddr, StartError> {
    listener.local_addr().map_err(system)
}

fn system(error: impl std::fmt::Display) -> StartError {
    StartError::System(error.to_string())
}

fn assemble(
    settings: &Settings,
    origin: Origin,
    scorer: Arc<dyn Scorer>,
    addresses: &[SocketAddr],
) -> Result<App, StartError> {
    let state = Arc::new(State::new(Instant::now(), secret().map_err(system)?));
    let setup = Setup {
        loader: Some(weights_loader()),
        // The first address is the data plane's.
        may_lack_tenants: addresses.first().is_some_and(|data| is_local(*data)),
        ..Setup::new(Arc::clone(&state), scorer, addresses.to_vec())
    };
    let (live, warnings) = Live::open(origin, setup).map_err(StartError::Policy)?;
    for warning in &warnings {
        tracing::warn!(event = "policy_warning", warning = %warning);
    }
    if settings.records.is_none() && !live.snapshot().charter.budgets().is_empty() {
        tracing::warn!(
            event = "budgets_not_recorded",
            hint = "without [records] budgets start anew with the process"
        );
    }
    let books = Books::open(settings.records.as_ref(), &live.snapshot()).map_err(system)?;
    let metrics = Arc::new(Metrics::try_new().map_err(system)?);
    let recounts = Recounts::open(&metrics).map_err(system)?;
    let via_name = format!("xynergy-router-{:08x}", fastrand::u32(..));
    Ok(App {
        live: Arc::new(live),
        state,
        upstreams: Upstreams::try_new().map_err(system)?,
        metrics,
        recounts: Arc::new(recounts),
        flights: Arc::default(),
        outcomes: Arc::default(),
        log_requests: settings.log_requests,
        body_limits: settings.body,
        max_in_flight: i64::try_from(settings.gate.places + settings.gate.queue).unwrap_or(i64::MAX),
        gate: Arc::new(Gate::new(settings.gate)),
        sentences: Sentences::default(),
        errands: Arc::new(Semaphore::new(handler::MOST_ERRANDS)),
        books: Arc::new(books),
        drain: Arc::new(Drain::default()),
        drain_deadline: settings.drain_deadline,
        admin_token: settings.admin_token.clone(),
        via: HeaderValue::from_str(&format!("1.1 {via_name}")).map_err(system)?,
        via_name: via_name.into(),
    })
}

/// Looks after the books and the certificate, for as long as the sidecar runs.
async fn tend(app: Arc<App>, tls: Option<Arc<Tls>>) {
    const HOUR: u32 = 3_600;
    let mut ticks = tokio::time::interval(books::TEND);
    ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    for tick in 0_u32.. {
        ticks.tick().await;
        let (app, tls) = (Arc::clone(&app), tls.clone());
        let tended = tokio::task::spawn_blocking(move || {
            if let Some(tls) = tls {
                tls.refresh();
            }
            app.books.tend(&app.snapshot());
            if tick % HOUR == 0 {
                app.books.retire(SystemTime::now());
            }
        });
        if tended.await.is_err() {
            tracing::error!(event = "books_not_tended");
        }
    }
}

/// 128 bits from the system, under which fingerprints cannot be forged.
///
/// # Errors
/// Where the system has none.
pub fn secret() -> Result<(u64, u64), getrandom::Error> {
    Ok((getrandom::u64()?, getrandom::u64()?))
}

/// Watches the policy file. Without one, or where the system cannot watch, SIGHUP and `/-/reload` remain.
fn watch(app: &Arc<App>) -> Option<Watch> {
    app.live.path()?;
    let observed = Arc::clone(app);
    let watched = router_policies::watch(Arc::clone(&app.live), move |result| {
        reload::report(&observed, "watch", &result);
    });
    match watched {
        Ok(watch) => Some(watch),
        Err(error) => {
            tracing::warn!(event = "policy_not_watched", error = %error);
            None
        }
    }
}
