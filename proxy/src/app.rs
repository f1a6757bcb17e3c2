//! What a running sidecar consists of.

use std::fmt::Write as _;
use std::sync::Arc;
use std::time::Duration;

use http::header::{HeaderMap, HeaderValue};
use router_core::{Snapshot, State};
use router_policies::Live;
use tokio::sync::Semaphore;

use crate::books::Books;
use crate::flight::Flights;
use crate::front;
use crate::gate::Gate;
use crate::handler::body::BodyLimits;
use crate::headers::{lossy_value, name};
use crate::metrics::Metrics;
use crate::outcomes::Outcomes;
use crate::recount::Recounts;
use crate::refusal::Refusal;
use crate::sentences::Sentences;
use crate::server::Drain;
use crate::upstream::Upstreams;

/// Longest request id that is taken over from a caller.
const MAX_REQUEST_ID_BYTES: usize = 128;

/// The parts of a sidecar, shared by all of its requests.
pub struct App {
    /// The policy in force.
    pub live: Arc<Live>,
    /// What outlives a reload.
    pub state: Arc<State>,
    /// Connections to providers.
    pub upstreams: Upstreams,
    /// Calls that equal requests share.
    pub flights: Arc<Flights>,
    /// How good answers were.
    pub outcomes: Arc<Outcomes>,
    /// What Prometheus scrapes.
    pub metrics: Arc<Metrics>,
    /// Whether every request gets a log line.
    pub log_requests: bool,
    /// Limits on request bodies.
    pub body_limits: BodyLimits,
    /// Who may go to a provider, and who waits.
    pub gate: Arc<Gate>,
    /// The sentence model, where one is in use.
    pub sentences: Sentences,
    /// Places for what the cache asks on the side.
    pub errands: Arc<Semaphore>,
    /// Requests in flight at most, those that wait and those answered from the cache included.
    pub max_in_flight: i64,
    /// Ledger, audit and spending.
    pub books: Arc<Books>,
    /// Counts answers that no provider has counted.
    pub recounts: Arc<Recounts>,
    /// How the process comes to rest.
    pub drain: Arc<Drain>,
    /// How long open requests may take to end.
    pub drain_deadline: Duration,
    /// What opens the admin plane to other machines.
    pub admin_token: Option<router_core::Secret>,
    /// `1.1 NAME`, with a name that no other process has.
    pub via: HeaderValue,
    /// The name in `via`.
    pub via_name: Box<str>,
}

impl App {
    /// The policy in force. A request takes it once and keeps it to its last byte.
    #[must_use]
    pub fn snapshot(&self) -> Arc<Snapshot> {
        self.live.snapshot()
    }

    /// Lets a request in.
    ///
    /// # Errors
    /// While draining, when overloaded, and what has come through here before.
    pub fn admit(&self, headers: &HeaderMap) -> Result<(), Refusal> {
        if self.drain.has_begun() {
            return Err(Refusal::Draining);
        }
        if self.metrics.traffic.in_flight.get() > self.max_in_flight {
            return Err(Refusal::Overloaded);
        }
        if !self.books.admit() {
            return Err(Refusal::Unrecorded);
        }
        front::refuse_loop(headers, &self.via_name)
    }

    /// The caller's request id, if it is one that can be logged and passed on, else a new one.
    #[must_use]
    pub fn request_id(&self, headers: &HeaderMap) -> HeaderValue {
        let usable = |id: &&HeaderValue| {
            let bytes = id.as_bytes();
            (1..=MAX_REQUEST_ID_BYTES).contains(&bytes.len()) && bytes.iter().all(u8::is_ascii_graphic)
        };
        match headers.get(&name::REQUEST_ID).filter(usable) {
            Some(id) => id.clone(),
            None => self.new_request_id(),
        }
    }

    /// An id that no other request has.
    #[must_use]
    pub fn new_request_id(&self) -> HeaderValue {
        new_request_id()
    }
}

fn new_request_id() -> HeaderValue {
    let mut id = String::with_capacity(36);
    // Writing to a string does not fail.
    let _ = write!(id, "req_{:032x}", fastrand::u128(..));
    lossy_value(&id)
}
