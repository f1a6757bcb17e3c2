//! Simulated request streams: does the bound hold, and what does keeping it cost?
//!
//! A request has an intent. If the cache holds an answer for that intent the best candidate is most often it, with a
//! score that tends to be high; else the best candidate is another intent's answer, with a score that tends to be
//! low. How far the two kinds of scores overlap, and how many intents have a twin that looks just like them, differs
//! from seed to seed, so that no threshold is right for all. Two kinds of streams: `Zipf`, where few intents make up
//! most requests, and `OnceOnly`, where most intents are asked for once and the rest twice or three times.
//!
//! A run breaks the bound if, of the hits served while the bound was claimed, a larger share than allowed was wrong.
//! Its hits, all of them, are compared with those of the best fixed threshold in hindsight: the one with the most hits
//! among those that would have kept the bound over the whole stream.

use fastrand::Rng;

use router_core::cache::bound::{Bound, Label, Standing, Trust};

/// How intents recur.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Stream {
    /// The n-th most frequent intent has a share in proportion to 1/n.
    Zipf,
    /// Most intents once, some twice or three times.
    OnceOnly,
}

impl Stream {
    /// Both.
    pub(crate) const ALL: [Self; 2] = [Self::Zipf, Self::OnceOnly];

    /// Stable name for tables.
    #[must_use]
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Zipf => "zipf",
            Self::OnceOnly => "once",
        }
    }
}

/// What one run came to.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(crate) struct Run {
    /// Requests.
    pub(crate) requests: u64,
    /// Near hits, right and wrong.
    pub(crate) hits: u64,
    /// Of these, wrong.
    pub(crate) wrong: u64,
    /// Hits while the bound was claimed.
    pub(crate) claimed: u64,
    /// Of these, wrong.
    pub(crate) claimed_wrong: u64,
    /// Hits of the best fixed threshold in hindsight.
    pub(crate) best: u64,
    /// Whether the claim was broken.
    pub(crate) broken: bool,
}

/// Requests of one run. With a label for every tenth candidate this is 6,000 labels.
const REQUESTS: usize = 60_000;

/// The threshold that the simulated verifier ships with; how many of its hits are wrong differs from seed to seed.
const SHIPPED: f32 = 0.5;

/// Runs one stream under one bound.
#[must_use]
pub(crate) fn run(stream: Stream, max_false_hit_rate: f64, seed: u64) -> Run {
    let world = World::new(stream, seed);
    let mut learned = Learned {
        bound: Bound::new(max_false_hit_rate, SHIPPED),
        trust: vec![Trust::default(); world.intents],
        rng: Rng::with_seed(seed ^ 0x5eed),
        most_wrong: max_false_hit_rate,
        run: Run { requests: world.requests.len() as u64, ..Run::default() },
    };
    world.replay(|candidate| learned.offer(candidate));
    let mut run = learned.run;
    run.best =
        (0..=40).filter_map(|step| world.fixed(step as f32 / 40.0, max_false_hit_rate)).max().unwrap_or(0);
    run.broken = run.claimed_wrong as f64 > max_false_hit_rate * run.claimed as f64;
    run
}

/// Runs one stream under one bound with several seeds, and reports on them together.
pub(crate) fn summarize(stream: Stream, max_false_hit_rate: f64, seeds: u64) -> serde_json::Value {
    let runs: Vec<Run> = (0..seeds).map(|seed| run(stream, max_false_hit_rate, seed)).collect();
    let mean = |figure: &dyn Fn(&Run) -> (u64, u64)| {
        let shares: Vec<f64> = runs
            .iter()
            .map(figure)
            .filter(|&(_, of)| of > 0)
            .map(|(part, of)| part as f64 / of as f64)
            .collect();
        (!shares.is_empty()).then(|| shares.iter().sum::<f64>() / shares.len() as f64)
    };
    serde_json::json!({
        "stream": stream.name(),
        "bound": max_false_hit_rate,
        "runs": runs.len(),
        "broken": runs.iter().filter(|run| run.broken).count(),
        "hit_rate": mean(&|run| (run.hits, run.requests)),
        "best_hit_rate": mean(&|run| (run.best, run.requests)),
        "of_best": mean(&|run| (run.hits, run.best)),
        "below_half_of_best": runs.iter().filter(|run| run.hits * 2 < run.best).count(),
        "claimed": mean(&|run| (run.claimed, run.hits)),
        "wrong_while_claimed": mean(&|run| (run.claimed_wrong, run.claimed)),
    })
}

/// One request, with everything that chance decides drawn beforehand, so that every policy meets the same stream.
struct Request {
    intent: usize,
    /// The intent that would be found in its stead.
    other: usize,
    right_score: f32,
    wrong_score: f32,
    /// Whether the other intent outranks a cached right one.
    misled: bool,
}

/// A cached answer offered for a request.
#[derive(Clone, Copy)]
struct Candidate {
    entry: usize,
    score: f32,
    wrong: bool,
}

struct World {
    requests: Vec<Request>,
    intents: usize,
}

impl World {
    fn new(stream: Stream, seed: u64) -> Self {
        let mut rng = Rng::with_seed(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) ^ stream as u64);
        let order = match stream {
            Stream::Zipf => zipf(&mut rng),
            Stream::OnceOnly => once_only(&mut rng),
        };
        let intents = order.iter().max().map_or(1, |most| most + 1);
        let right_mean = 1.2 + 1.2 * rng.f64();
        let wrong_mean = -2.8 + 1.2 * rng.f64();
        let twins = 0.003 * rng.f64();
        let twin: Vec<bool> = (0..intents).map(|_| rng.f64() < twins).collect();
        let requests = order
            .into_iter()
            .map(|intent| Request {
                intent,
                other: (intent + 1 + rng.usize(..intents.max(2) - 1)) % intents,
                right_score: logistic(right_mean + 1.2 * normal(&mut rng)),
                wrong_score: logistic(if twin[intent] { right_mean } else { wrong_mean } + normal(&mut rng)),
                misled: rng.f64() < 0.003,
            })
            .collect();
        Self { requests, intents }
    }

    /// Plays the stream against a policy, which says whether it serves a candidate.
    fn replay(&self, mut serves: impl FnMut(Candidate) -> bool) {
        let mut cached = vec![false; self.intents];
        for request in &self.requests {
            let right = cached[request.intent] && !request.misled;
            let candidate = if right {
                Candidate { entry: request.intent, score: request.right_score, wrong: false }
            } else {
                Candidate { entry: request.other, score: request.wrong_score, wrong: true }
            };
            if !serves(candidate) {
                cached[request.intent] = true;
            }
        }
    }

    /// Hits of a fixed threshold, if it kept the bound.
    fn fixed(&self, threshold: f32, most_wrong: f64) -> Option<u64> {
        let (mut hits, mut wrong) = (0, 0);
        self.replay(|candidate| {
            let served = candidate.score >= threshold;
            hits += u64::from(served);
            wrong += u64::from(served && candidate.wrong);
            served
        });
        (wrong as f64 <= most_wrong * hits as f64).then_some(hits)
    }
}

/// The policy under test.
struct Learned {
    bound: Bound,
    trust: Vec<Trust>,
    rng: Rng,
    most_wrong: f64,
    run: Run,
}

impl Learned {
    fn offer(&mut self, candidate: Candidate) -> bool {
        // An entry that was found wrong is no candidate any more, served or labelled.
        if self.trust[candidate.entry].vetoes(self.most_wrong) {
            return false;
        }
        let served = self.bound.threshold().is_some_and(|threshold| candidate.score >= threshold);
        let claimed = self.bound.standing() == Standing::Measured;
        self.run.hits += u64::from(served);
        self.run.wrong += u64::from(served && candidate.wrong);
        self.run.claimed += u64::from(served && claimed);
        self.run.claimed_wrong += u64::from(served && claimed && candidate.wrong);
        if self.rng.f64() < self.bound.label_share() {
            self.bound.observe(Label { score: candidate.score, wrong: candidate.wrong });
            if served {
                self.trust[candidate.entry].observe(candidate.wrong);
            }
        }
        served
    }
}

/// A stream over 20,000 intents with shares in proportion to 1/rank.
fn zipf(rng: &mut Rng) -> Vec<usize> {
    const INTENTS: usize = 20_000;
    let mut sums = Vec::with_capacity(INTENTS);
    let mut sum = 0.0;
    for rank in 1..=INTENTS {
        sum += 1.0 / rank as f64;
        sums.push(sum);
    }
    (0..REQUESTS)
        .map(|_| {
            let draw = rng.f64() * sum;
            sums.partition_point(|&s| s < draw).min(INTENTS - 1)
        })
        .collect()
}

/// A shuffled stream in which one intent in three is asked for more than once.
fn once_only(rng: &mut Rng) -> Vec<usize> {
    let mut order = Vec::with_capacity(REQUESTS + 2);
    let mut intent = 0;
    while order.len() < REQUESTS {
        let times = match rng.u8(..6) {
            0 => 3,
            1 => 2,
            _ => 1,
        };
        order.extend(std::iter::repeat_n(intent, times));
        intent += 1;
    }
    order.truncate(REQUESTS);
    rng.shuffle(&mut order);
    order
}

fn logistic(x: f64) -> f32 {
    (1.0 / (1.0 + (-x).exp())) as f32
}

/// A standard normal draw (Box and Muller).
fn normal(rng: &mut Rng) -> f64 {
    (-2.0 * (1.0 - rng.f64()).ln()).sqrt() * (std::f64::consts::TAU * rng.f64()).cos()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_bound_holds_and_most_hits_are_kept() {
        for stream in Stream::ALL {
            let summary = summarize(stream, 0.05, 4);
            assert_eq!((&summary["runs"], &summary["broken"]), (&4.into(), &0.into()), "{summary}");
            assert!(summary["of_best"].as_f64().is_some_and(|share| share > 0.5), "{summary}");
            assert!(summary["claimed"].as_f64().is_some_and(|share| share > 0.5), "{summary}");
        }
    }

    #[test]
    fn a_run_repeats_by_seed() {
        assert_eq!(run(Stream::Zipf, 0.02, 3), run(Stream::Zipf, 0.02, 3));
        assert_ne!(run(Stream::Zipf, 0.02, 3), run(Stream::Zipf, 0.02, 4));
    }
}
