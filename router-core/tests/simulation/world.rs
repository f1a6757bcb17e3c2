//! Time, moved by hand from one event to the next.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use router_core::health::{Health, HealthSettings};
use router_core::hedge::{Hedge, HedgeSettings, Spending};
use router_core::retry::{RetryBudget, RetrySettings};

use super::provider::Script;
use super::report::Report;
use super::request::Request;

/// Requests that arrive at random, at a mean rate, for some time.
#[derive(Clone, Debug)]
pub(crate) struct Traffic {
    per_second: f64,
    lasting: Duration,
    pub(crate) providers: Vec<Script>,
    pub(crate) health: HealthSettings,
    pub(crate) retry: RetrySettings,
    pub(crate) hedge: Option<HedgeSettings>,
    pub(crate) deadline: Duration,
}

/// Begins to describe a simulation.
pub(crate) fn traffic(per_second: f64, lasting: Duration) -> Traffic {
    Traffic {
        per_second,
        lasting,
        providers: Vec::new(),
        health: HealthSettings::default(),
        retry: RetrySettings::default(),
        hedge: None,
        deadline: Duration::from_secs(600),
    }
}

impl Traffic {
    pub(crate) fn to(mut self, provider: Script) -> Self {
        self.providers.push(provider);
        self
    }

    pub(crate) fn hedged(self) -> Self {
        Self { hedge: Some(HedgeSettings::default()), ..self }
    }

    /// Runs to the end of the last request. The same seed gives the same report.
    pub(crate) fn run(self, seed: u64) -> Report {
        let mut world = World::new(self, seed);
        world.schedule_arrivals();
        while let Some(Reverse((at, _, request, event))) = world.events.pop() {
            world.elapsed = at;
            Request::handle(&mut world, request, event);
        }
        let now = world.now();
        let views = world.health.iter().map(|health| health.view(&world.traffic.health, now));
        world.report.health = views.collect();
        world.report
    }
}

/// What happens to a request. Attempts are numbered in the order in which it made them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Event {
    Arrives,
    TriesAgain,
    IsLate,
    FirstToken(usize),
    Ends(usize),
    IsCut(usize),
    Unsent(usize),
    Error(usize),
    Limited(usize, Duration),
    CallerFault(usize),
}

/// Everything there is.
pub(crate) struct World {
    pub(crate) traffic: Traffic,
    pub(crate) health: Vec<Arc<Health>>,
    pub(crate) hedge: Hedge,
    pub(crate) spending: Spending,
    pub(crate) budget: RetryBudget,
    pub(crate) requests: Vec<Request>,
    pub(crate) report: Report,
    pub(crate) rng: fastrand::Rng,
    pub(crate) elapsed: Duration,
    origin: Instant,
    events: BinaryHeap<Reverse<(Duration, u64, usize, Event)>>,
    scheduled: u64,
}

impl World {
    fn new(traffic: Traffic, seed: u64) -> Self {
        // Only differences to this instant are ever used.
        let origin = Instant::now();
        Self {
            health: traffic.providers.iter().map(|_| Arc::new(Health::new(origin))).collect(),
            hedge: Hedge::new(),
            spending: Spending::new(origin),
            budget: RetryBudget::new(origin),
            requests: Vec::new(),
            report: Report::default(),
            rng: fastrand::Rng::with_seed(seed),
            elapsed: Duration::ZERO,
            origin,
            events: BinaryHeap::new(),
            scheduled: 0,
            traffic,
        }
    }

    pub(crate) fn now(&self) -> Instant {
        self.origin + self.elapsed
    }

    /// Lets something happen to a request `after` this time.
    pub(crate) fn schedule(&mut self, after: Duration, request: usize, event: Event) {
        self.scheduled += 1;
        self.events.push(Reverse((self.elapsed + after, self.scheduled, request, event)));
    }

    fn schedule_arrivals(&mut self) {
        let mut at = Duration::ZERO;
        loop {
            at += Duration::from_secs_f64(-(1.0 - self.rng.f64()).ln() / self.traffic.per_second);
            if at >= self.traffic.lasting {
                return;
            }
            let request = self.requests.len();
            self.requests.push(Request::new(at));
            self.schedule(at, request, Event::Arrives);
        }
    }
}
