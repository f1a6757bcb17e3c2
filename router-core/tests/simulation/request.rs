//! A request's way through its attempts, as a proxy would carry it out.

use std::time::Duration;

use router_core::balance::{Ask, Candidate, eject, place};
use router_core::health::{Admission, Outcome, Size};
use router_core::hedge::{Occasion, Watch};
use router_core::money::Usd;
use router_core::retry::Failed;

use super::provider::Reply;
use super::world::{Event, World};

/// All requests are of this size; what size does is tested where it is decided.
const SIZE: Size = Size { prompt_tokens: 500, answer_tokens: 200 };

struct Attempt {
    provider: usize,
    /// Gone when the attempt is settled.
    admission: Option<Admission>,
}

/// One request.
pub(crate) struct Request {
    arrived: Duration,
    attempts: Vec<Attempt>,
    tried: Vec<usize>,
    unreachable: Vec<u8>,
    retries: u32,
    watch: Option<Watch>,
    /// Its caller has seen a first token or an error.
    answered: bool,
}

impl Request {
    pub(crate) fn new(arrived: Duration) -> Self {
        Self {
            arrived,
            attempts: Vec::new(),
            tried: Vec::new(),
            unreachable: Vec::new(),
            retries: 0,
            watch: None,
            answered: false,
        }
    }

    /// Lets an event happen to the request with this number.
    pub(crate) fn handle(world: &mut World, id: usize, event: Event) {
        let now = world.now();
        match event {
            Event::Arrives => {
                world.report.arrivals.push(world.elapsed);
                world.budget.request(now);
                world.attempt_or_fail(id);
                world.watch(id);
            }
            Event::TriesAgain => world.attempt_or_fail(id),
            Event::IsLate => world.hedge(id),
            Event::FirstToken(attempt) => world.first_token(id, attempt),
            Event::Ends(attempt) => {
                world.settle(id, attempt, Outcome::Success { answer_tokens: SIZE.answer_tokens });
            }
            Event::IsCut(attempt) => {
                if world.settle(id, attempt, Outcome::Failure { retry_after: None }) {
                    world.report.errors += 1;
                }
            }
            Event::Unsent(attempt) => world.failed(id, attempt, Outcome::Failure { retry_after: None }, true),
            Event::Error(attempt) => world.failed(id, attempt, Outcome::Failure { retry_after: None }, false),
            Event::Limited(attempt, retry_after) => {
                let outcome = Outcome::RateLimited { retry_after: Some(retry_after) };
                world.failed(id, attempt, outcome, false);
            }
            Event::CallerFault(attempt) => {
                if world.settle(id, attempt, Outcome::CallerFault) {
                    world.report.caller_faults += 1;
                    world.requests[id].answered = true;
                }
            }
        }
    }
}

impl World {
    fn attempt_or_fail(&mut self, id: usize) {
        if !self.attempt(id) {
            self.requests[id].answered = true;
            self.report.errors += 1;
        }
    }

    /// Sends an attempt, if there is anybody to send it to.
    fn attempt(&mut self, id: usize) -> bool {
        let now = self.now();
        let request = &self.requests[id];
        let mut tried = request.tried.clone();
        tried.extend(request.attempts.iter().filter(|a| a.admission.is_some()).map(|a| a.provider));
        let ask = Ask { size: SIZE, home: None, tried: &tried, unreachable: &request.unreachable };
        let mut rng = self.rng.fork();
        let placed = place(&self.candidates(), &ask, now, &mut rng);
        let Some((choice, admission)) = placed else { return false };
        let number = self.requests[id].attempts.len();
        self.requests[id].attempts.push(Attempt { provider: choice.index, admission: Some(admission) });
        self.report.sent.push((self.elapsed, choice.index));
        let reply = self.traffic.providers[choice.index].reply(self.elapsed, &mut rng);
        self.schedule_reply(id, number, reply);
        true
    }

    fn schedule_reply(&mut self, id: usize, number: usize, reply: Reply) {
        match reply {
            Reply::Answer { first_token, end } => {
                self.schedule(first_token, id, Event::FirstToken(number));
                self.schedule(end, id, Event::Ends(number));
            }
            Reply::Cut { first_token, end } => {
                self.schedule(first_token, id, Event::FirstToken(number));
                self.schedule(end, id, Event::IsCut(number));
            }
            Reply::Unsent { after } => self.schedule(after, id, Event::Unsent(number)),
            Reply::Error { after } => self.schedule(after, id, Event::Error(number)),
            Reply::Limited { after, retry_after } => {
                self.schedule(after, id, Event::Limited(number, retry_after));
            }
            Reply::CallerFault { after } => self.schedule(after, id, Event::CallerFault(number)),
        }
    }

    /// Settles an attempt that has not been settled; says whether it has not.
    fn settle(&mut self, id: usize, number: usize, outcome: Outcome) -> bool {
        let now = self.now();
        let admission = self.requests[id].attempts[number].admission.take();
        let Some(admission) = admission else { return false };
        admission.record(outcome, &self.traffic.health, now, &mut self.rng);
        true
    }

    fn first_token(&mut self, id: usize, number: usize) {
        let now = self.now();
        let request = &mut self.requests[id];
        let Some(admission) = &mut request.attempts[number].admission else { return };
        admission.first_token(&self.traffic.health, now);
        if std::mem::replace(&mut request.answered, true) {
            return;
        }
        self.report.first_tokens.push((request.arrived, self.elapsed - request.arrived));
        self.settle_watch(id);
        for other in (0..self.requests[id].attempts.len()).filter(|&other| other != number) {
            self.settle(id, other, Outcome::Outrun);
        }
    }

    fn failed(&mut self, id: usize, number: usize, outcome: Outcome, unsent: bool) {
        if !self.settle(id, number, outcome) {
            return;
        }
        let request = &mut self.requests[id];
        let provider = request.attempts[number].provider;
        request.tried.push(provider);
        if unsent {
            request.unreachable.push(self.traffic.providers[provider].group);
        }
        let another_is_under_way = request.attempts.iter().any(|attempt| attempt.admission.is_some());
        if request.answered || another_is_under_way {
            return;
        }
        request.watch = None;
        let retry_after = match outcome {
            Outcome::RateLimited { retry_after } | Outcome::Failure { retry_after } => retry_after,
            _ => None,
        };
        self.retry(id, unsent, retry_after);
    }

    fn retry(&mut self, id: usize, unsent: bool, retry_after: Option<Duration>) {
        let now = self.now();
        let deadline = now + self.traffic.deadline - (self.elapsed - self.requests[id].arrived);
        let standing = eject(&self.candidates(), SIZE, now);
        let request = &self.requests[id];
        let elsewhere = standing.has_untried(&request.tried);
        let failed = Failed { retries: request.retries, elsewhere, unsent, retry_after };
        let plan = self.budget.plan(&failed, &self.traffic.retry, deadline, now, &mut self.rng);
        match plan {
            Ok(wait) if !standing.admitted.is_empty() => {
                self.requests[id].retries += 1;
                self.schedule(wait, id, Event::TriesAgain);
            }
            _ => {
                self.requests[id].answered = true;
                self.report.errors += 1;
            }
        }
    }

    fn watch(&mut self, id: usize) {
        let Some(settings) = &self.traffic.hedge else { return };
        let cost = Some(Usd::from_nanos(1));
        let occasion = Occasion { prompt_tokens: SIZE.prompt_tokens, cost, ..Occasion::default() };
        let watch = self.hedge.watch(&occasion, settings);
        self.requests[id].watch = Some(watch);
        if let Ok(after) = watch.after() {
            self.schedule(after, id, Event::IsLate);
        }
    }

    fn hedge(&mut self, id: usize) {
        let now = self.now();
        let Some(watch) = self.requests[id].watch.filter(|_| !self.requests[id].answered) else { return };
        let Some(settings) = &self.traffic.hedge else { return };
        if self.hedge.fire(&watch, &self.spending, settings, now).is_err() {
            return;
        }
        if self.attempt(id) {
            self.report.hedges += 1;
        } else {
            self.hedge.unfire(&watch, &self.spending, now);
        }
    }

    fn settle_watch(&mut self, id: usize) {
        let waited = self.elapsed - self.requests[id].arrived;
        if let (Some(watch), Some(settings)) = (self.requests[id].watch.take(), &self.traffic.hedge) {
            self.hedge.settle(watch, waited, settings);
        }
    }

    fn candidates(&self) -> Vec<Candidate<'_>> {
        let pairs = self.health.iter().zip(&self.traffic.providers);
        let settings = &self.traffic.health;
        pairs
            .map(|(health, script)| Candidate {
                health,
                settings,
                weight: script.weight,
                group: script.group,
            })
            .collect()
    }
}
