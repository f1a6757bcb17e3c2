//! So many connections, each with one request under way at most.
//!
//! Without a rate it is a closed loop: a connection sends its next request when it has its answer, so the target is asked as
//! much as it can do. Latencies are then those at full load. With a rate, requests fall due at equal distances; a target that
//! keeps up idles in between, and both targets are woken as often.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use anyhow::{Context as _, ensure};
use tokio::task::JoinSet;

use crate::bodies::Bodies;
use crate::exchange::{Answer, Line};
use crate::scenario::Scenario;

/// What is asked, of whom.
pub(crate) struct Arrivals {
    pub(crate) target: SocketAddr,
    pub(crate) scenario: Scenario,
    /// What `x-router-cache` must say; `None`: nobody looks.
    pub(crate) cache: Option<&'static str>,
    pub(crate) bodies: Arc<Bodies>,
    /// Requests a second; `None`: as many as the target can do.
    pub(crate) rate: Option<u32>,
    /// The number of the next request; no two requests of a run share one.
    pub(crate) numbers: Arc<AtomicU64>,
}

/// What came of it.
#[derive(Debug, Default)]
pub(crate) struct Tally {
    /// From a request's first byte to its answer's last.
    pub(crate) latencies: Vec<Duration>,
    /// To the first byte of the answer's body.
    pub(crate) first_bytes: Vec<Duration>,
    /// Requests without the answer that was due.
    pub(crate) errors: u64,
    /// What was wrong with the first of them.
    pub(crate) first_error: Option<String>,
    /// From the first request to the last answer.
    pub(crate) elapsed: Duration,
}

impl Tally {
    fn count(&mut self, began: Instant, answer: &Answer) {
        self.latencies.push(began.elapsed());
        self.first_bytes.push(answer.first_byte.duration_since(began));
    }

    fn fail(&mut self, error: &anyhow::Error) {
        self.errors += 1;
        self.first_error.get_or_insert_with(|| format!("{error:#}"));
    }

    fn add(&mut self, other: Self) {
        self.latencies.extend(other.latencies);
        self.first_bytes.extend(other.first_bytes);
        self.errors += other.errors;
        self.first_error = self.first_error.take().or(other.first_error);
    }
}

/// The requests of a round that nobody has sent yet.
struct Queue {
    began: Instant,
    taken: AtomicU64,
    requests: u64,
    rate: Option<u32>,
}

impl Queue {
    fn new(requests: u64, rate: Option<u32>) -> Self {
        Self { began: Instant::now(), taken: AtomicU64::new(0), requests, rate }
    }

    /// Takes a request, with the time at which it is due where there is a rate. `None`: none is left.
    fn take(&self) -> Option<Option<Instant>> {
        let position = self.taken.fetch_add(1, Ordering::Relaxed);
        let due = |rate| self.began + Duration::from_secs_f64(position as f64 / f64::from(rate));
        (position < self.requests).then(|| self.rate.map(due))
    }
}

impl Arrivals {
    /// Sends `requests` over `connections` and waits for their answers, `limit` at most.
    ///
    /// # Errors
    /// The target does not listen or does not come to an end. A wrong answer is counted instead.
    pub(crate) async fn run(
        self: &Arc<Self>,
        requests: u64,
        connections: usize,
        limit: Duration,
    ) -> anyhow::Result<Tally> {
        let mut lines = Vec::new();
        for _ in 0..connections {
            lines.push(Line::open(self.target).await?);
        }
        let queue = Arc::new(Queue::new(requests, self.rate));
        let began = queue.began;
        let mut callers = JoinSet::new();
        for line in lines {
            callers.spawn(Arc::clone(self).call(line, Arc::clone(&queue)));
        }
        let mut tally = Tally::default();
        let all = async {
            while let Some(caller) = callers.join_next().await {
                tally.add(caller?);
            }
            anyhow::Ok(())
        };
        tokio::time::timeout(limit, all).await.context("the round does not come to an end")??;
        tally.elapsed = began.elapsed();
        Ok(tally)
    }

    /// One caller: asks until none of the requests is left.
    async fn call(self: Arc<Self>, line: Line, queue: Arc<Queue>) -> Tally {
        let mut tally = Tally::default();
        let mut line = Some(line);
        let mut request = Vec::with_capacity(2 << 10);
        while let Some(due) = queue.take() {
            let number = self.numbers.fetch_add(1, Ordering::Relaxed);
            self.bodies.write(self.scenario.prompt(number), &mut request);
            if let Some(due) = due {
                tokio::time::sleep_until(due.into()).await;
            }
            let began = Instant::now();
            match self.ask(line.take(), &request).await {
                Ok((answer, open)) => {
                    tally.count(began, &answer);
                    line = Some(open);
                }
                Err(error) => tally.fail(&error),
            }
        }
        tally
    }

    async fn ask(&self, line: Option<Line>, request: &[u8]) -> anyhow::Result<(Answer, Line)> {
        let mut line = match line {
            Some(line) => line,
            None => Line::open(self.target).await?,
        };
        let answer = line.exchange(request).await?;
        ensure!(answer.body.ends_with(self.scenario.ending()), "the answer is not complete");
        if let Some(due) = self.cache {
            let said = answer.cache.as_deref().unwrap_or("nothing");
            ensure!(said == due, "the cache said {said} where {due} was due");
        }
        Ok((answer, line))
    }
}
