//! What is counted about one request, exactly once.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::{Duration, Instant};

use http::header::HeaderValue;
use jiff::Timestamp;
use router_core::limit::{Permit, Standing};
use router_core::{KeyId, Usd};
use smol_str::ToSmolStr;

use crate::books::Books;
use crate::gate::Place;
use crate::ledger::{CacheResult, Entry};
use crate::metrics::Metrics;

/// The label of what the policy does not name.
pub const OTHER: &str = "_other";

/// Counts a request when it ends. Dropped without an end, the caller has gone: `cancelled`.
#[derive(Debug)]
pub struct Account {
    metrics: Arc<Metrics>,
    endpoint: &'static str,
    tenant: OnceLock<Box<str>>,
    /// The request's id, where every request gets a log line.
    logged: Option<HeaderValue>,
    arrived: Instant,
    outcome: OnceLock<&'static str>,
    books: Arc<Books>,
    /// Tokens of all its attempts.
    tokens: AtomicU64,
    /// What they cost, in nano-dollars.
    spent: AtomicU64,
    docket: Mutex<Docket>,
    /// Whether no caller waits for it, so that it is no request in the metrics: only its money counts.
    errand: bool,
}

/// What a request holds and leaves behind.
#[derive(Debug, Default)]
struct Docket {
    /// Its line in the ledger.
    entry: Option<Box<Entry>>,
    /// What it took of its quotas.
    permit: Option<Permit>,
    /// Where these stand, for its headers.
    standing: Option<Standings>,
    /// Its place at the gate.
    place: Option<Place>,
    /// Whether something may be asked on the side when the request is over, on behalf of whoever made it.
    sequel: bool,
    /// Attempts whose answers are still being counted: its line waits for them.
    counting: u32,
    /// The request has ended.
    ended: bool,
}

/// Where the tightest quotas on requests and on tokens stand.
pub type Standings = (Option<Standing>, Option<Standing>);

impl Account {
    /// Opens the account of a request that came in at `arrived`. With the id in `logged` it gets a log line.
    #[must_use]
    pub fn open(
        metrics: &Arc<Metrics>,
        endpoint: &'static str,
        arrived: Instant,
        logged: Option<HeaderValue>,
        books: &Arc<Books>,
    ) -> Self {
        metrics.traffic.in_flight.inc();
        let mut account = Self::blank(metrics, endpoint, arrived, books);
        account.logged = logged;
        account
    }

    /// Opens the account of something that is asked on the side for `tenant`: a line in the ledger, and no request.
    #[must_use]
    pub fn errand(metrics: &Arc<Metrics>, tenant: &str, books: &Arc<Books>) -> Self {
        let mut account = Self::blank(metrics, OTHER, Instant::now(), books);
        account.of_tenant(tenant);
        account.errand = true;
        account
    }

    fn blank(metrics: &Arc<Metrics>, endpoint: &'static str, arrived: Instant, books: &Arc<Books>) -> Self {
        Self {
            metrics: Arc::clone(metrics),
            endpoint,
            tenant: OnceLock::new(),
            logged: None,
            arrived,
            outcome: OnceLock::new(),
            books: Arc::clone(books),
            tokens: AtomicU64::new(0),
            spent: AtomicU64::new(0),
            docket: Mutex::default(),
            errand: false,
        }
    }

    /// Whether no caller waits for it.
    #[must_use]
    pub fn is_errand(&self) -> bool {
        self.errand
    }

    /// Nothing under the lock can leave a docket half written.
    fn docket(&self) -> MutexGuard<'_, Docket> {
        self.docket.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Begins its line in the ledger, where one is kept.
    pub fn enter(&self, id: &HeaderValue, tenant: &str, key: Option<KeyId>) {
        if self.books.keep_ledger() {
            let receipt = id.to_str().unwrap_or_default();
            let key = key.map(|key| key.to_smolstr()).unwrap_or_default();
            self.docket().entry = Some(Box::new(Entry::begin(Timestamp::now(), receipt, tenant, &key)));
        }
    }

    /// Keeps in mind who asked when the request is over: something may be asked on the side then.
    pub fn expect_sequel(&self) {
        self.docket().sequel = true;
    }

    /// Begins its line as that of another one's errand: the same caller, nothing spent yet.
    pub fn enter_for(&self, other: &Self, purpose: CacheResult) {
        let Some(entry) = other.docket().entry.clone() else { return };
        let mut own = Entry::begin(Timestamp::now(), &entry.receipt, &entry.tenant, &entry.key);
        (own.user, own.tags, own.cache) = (entry.user, entry.tags, purpose);
        self.docket().entry = Some(Box::new(own));
    }

    /// Changes its line in the ledger, where there is one.
    pub fn write(&self, change: impl FnOnce(&mut Entry)) {
        if let Some(entry) = &mut self.docket().entry {
            change(entry);
        }
    }

    /// Takes charge of what the request took of its quotas.
    pub fn hold_permit(&self, permit: Permit, now: Instant) {
        let standing = (permit.requests(now), permit.tokens(now));
        let mut docket = self.docket();
        (docket.permit, docket.standing) = (Some(permit), Some(standing));
    }

    /// Says where its quotas stand.
    pub fn stand(&self, standing: Standings) {
        self.docket().standing = Some(standing);
    }

    /// Where its quotas stand, where any apply.
    #[must_use]
    pub fn standings(&self) -> Standings {
        self.docket().standing.unwrap_or_default()
    }

    /// Takes charge of its place at the gate.
    pub fn hold_place(&self, place: Place) {
        self.docket().place = Some(place);
    }

    /// Gives back what it holds, and writes its line.
    fn leave(&self, outcome: &'static str, elapsed: Duration) {
        let mut docket = self.docket();
        let (permit, place) = (docket.permit.take(), docket.place.take());
        if let Some(entry) = &mut docket.entry {
            entry.outcome = outcome.into();
            entry.duration_ms = u64::try_from(elapsed.as_millis()).unwrap_or(u64::MAX);
        }
        docket.ended = true;
        self.enter_line(docket);
        drop(place);
        let used = self.tokens.load(Ordering::Relaxed);
        if let Some(permit) = permit {
            permit.correct(used, Instant::now());
        }
    }

    /// Writes its line once the request has ended and all its answers are counted.
    fn enter_line(&self, mut docket: MutexGuard<'_, Docket>) {
        if docket.ended && docket.counting == 0 {
            let entry = docket.entry.take();
            if docket.sequel {
                docket.entry.clone_from(&entry);
                docket.ended = false;
            }
            drop(docket);
            if let Some(entry) = entry {
                self.books.enter(entry);
            }
        }
    }

    /// An answer is to be counted, which its line waits for.
    pub fn begin_count(&self) {
        self.docket().counting += 1;
    }

    /// An answer has been counted.
    pub fn end_count(&self) {
        let mut docket = self.docket();
        docket.counting = docket.counting.saturating_sub(1);
        self.enter_line(docket);
    }

    /// Counts tokens that a provider has charged for, and what they cost.
    pub fn count(&self, tokens: u64, cost: Usd) {
        self.tokens.fetch_add(tokens, Ordering::Relaxed);
        self.spent.fetch_add(cost.nanos(), Ordering::Relaxed);
    }

    /// What all attempts together have cost so far.
    #[must_use]
    pub fn spent(&self) -> Usd {
        Usd::from_nanos(self.spent.load(Ordering::Relaxed))
    }

    /// Says who asked, once that is known. The first word counts.
    pub fn of_tenant(&self, tenant: &str) {
        self.tenant.get_or_init(|| tenant.into());
    }

    /// Who asked, as a label.
    #[must_use]
    pub fn tenant(&self) -> &str {
        self.tenant.get().map_or(OTHER, |tenant| tenant)
    }

    /// When the request came in.
    #[must_use]
    pub fn arrived(&self) -> Instant {
        self.arrived
    }

    /// How the request ended, once it has.
    #[must_use]
    pub fn outcome(&self) -> Option<&'static str> {
        self.outcome.get().copied()
    }

    /// Ends the account. Only the first end counts.
    pub fn close(&self, outcome: &'static str) {
        if self.outcome.set(outcome).is_err() {
            return;
        }
        let elapsed = self.arrived.elapsed();
        if !self.errand {
            self.metrics.traffic.in_flight.dec();
            self.metrics.finished(self.endpoint, self.tenant(), outcome, elapsed);
        }
        self.leave(outcome, elapsed);
        if let Some(id) = &self.logged {
            let (endpoint, tenant, seconds) = (self.endpoint, self.tenant(), elapsed.as_secs_f64());
            tracing::info!(
                event = "request",
                request_id = id.to_str().unwrap_or_default(),
                endpoint,
                tenant,
                outcome,
                seconds
            );
        }
    }
}

impl Drop for Account {
    fn drop(&mut self) {
        self.close("cancelled");
    }
}

/// Tells the router's own time from time spent waiting for others.
#[derive(Clone, Copy, Debug)]
pub struct Stopwatch {
    started: Instant,
    waited: Duration,
}

impl Stopwatch {
    /// Starts at `started`.
    #[must_use]
    pub const fn new(started: Instant) -> Self {
        Self { started, waited: Duration::ZERO }
    }

    /// Waits for somebody else: the time does not count.
    pub async fn wait<T>(&mut self, others: impl Future<Output = T>) -> T {
        let began = Instant::now();
        let result = others.await;
        self.waited += began.elapsed();
        result
    }

    /// The same after so long a wait for somebody else.
    #[must_use]
    pub fn having_waited(self, time: Duration) -> Self {
        Self { waited: self.waited + time, ..self }
    }

    /// The router's own time so far.
    #[must_use]
    pub fn own(&self) -> Duration {
        self.started.elapsed().saturating_sub(self.waited)
    }
}
