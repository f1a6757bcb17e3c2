//! A bound on the share of served near hits that are wrong, and the threshold that keeps it.
//!
//! Evidence is labels: for a sample of candidates, served or not, the cached answer was compared with a fresh one.
//! The sample must not depend on the score ([`Bound::label_share`] says how large it is just now), or the candidates
//! below the threshold, whose labels cost nothing, would drown those above it.
//!
//! Whenever the labels have doubled, thresholds are tested from strict to loose. A threshold passes if the upper
//! confidence limit of the error among all labels at or above it is at most the bound; the first failure ends the
//! test, and the loosest that passed is served from then on. Testing in a fixed order needs no correction for the
//! number of thresholds (a wrong one can only pass if it is the first wrong one); testing again does, so the
//! confidence of 95 % is split over the tests. Picking the best of all thresholds, or looking at every label, would
//! break the bound in about every second run.
//!
//! Before the first threshold has passed the cache serves at the shipped one and promises nothing
//! ([`Standing::Prior`]). When errors at the threshold in force clearly pass the bound, it moves to the loosest
//! threshold that looks clean ([`Standing::Tightened`]), or nothing is served ([`Standing::Off`]) while the labels,
//! then free, go on.

pub mod binomial;
mod trust;

use std::collections::VecDeque;

pub use trust::Trust;

use binomial::{surely_above, surely_within, upper_limit};

/// Chance that the bound is claimed and wrong, over all tests together.
const ALPHA: f64 = 0.05;

/// Labels kept, newest first to stay. Enough for a bound of 1 % with 60 errors among them; 64 KiB.
const MOST_LABELS: usize = 8192;

/// Share of candidates that are labelled once the bound is measured: every tenth hit is also sent upstream.
const SHADOW_SHARE: f64 = 0.1;

/// The same before: until there is something to promise, every fourth.
const LEARNING_SHARE: f64 = 0.25;

/// Candidates below this score are neither labelled nor ever served: they are most of all candidates, and would push
/// the others out of memory.
const LEAST_SCORE: f32 = 0.2;

/// Where a test begins: the strictest threshold with so many times the labels with which a flawless one could pass.
/// With few labels only a flawless threshold passes, with many even the strictest may be too loose. Neither is known
/// beforehand, so the confidence of a test is split over three walks from strict to loose.
const STARTS: [f64; 3] = [6.0, 3.0, 1.5];

/// Each further threshold has so many times the labels of the one before.
const STRIDE: f64 = 1.2;

/// Chance, per look, of an alarm over errors that are not above the bound. Looks are many, but a false alarm costs
/// hits only, never the promise.
const ALARM: f64 = 0.05;

/// Fewest wrong labels that raise an alarm: two may be chance or one bad entry.
const ALARM_ERRORS: u64 = 3;

/// Fewest labels above a threshold for it to look clean.
const LEAST_CLEAN: f64 = 10.0;

/// What the cache can say about its near hits.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Standing {
    /// Served at the shipped threshold; nothing is promised.
    Prior,
    /// The bound holds with 95 % confidence.
    Measured,
    /// Errors passed the bound; a stricter threshold is in force and has yet to pass a test.
    Tightened,
    /// Errors passed the bound at every threshold; nothing is served.
    Off,
}

impl Standing {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::Prior, Self::Measured, Self::Tightened, Self::Off];

    /// Stable name for receipts and metrics.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Prior => "prior",
            Self::Measured => "measured",
            Self::Tightened => "tightened",
            Self::Off => "off",
        }
    }
}

/// One candidate whose answer was compared with a fresh one.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Label {
    /// The verdict's score.
    pub score: f32,
    /// Whether the cached answer was, or would have been, wrong.
    pub wrong: bool,
}

/// The labels of one kind of matcher, and the threshold they allow.
#[derive(Clone, Debug)]
pub struct Bound {
    most_wrong: f64,
    shipped: f32,
    labels: VecDeque<Label>,
    /// Labels since the start or since the last alarm; the next test is due at `next_test`.
    seen: u64,
    next_test: u64,
    tests: u32,
    threshold: f32,
    standing: Standing,
}

impl Bound {
    /// A bound without labels: `max_false_hit_rate` in 0..1 is the share of near hits that may be wrong, `shipped`
    /// the threshold to serve at until labels say otherwise. A rate outside 0.001..=0.5 is clamped: below, the labels
    /// needed are more than are kept.
    #[must_use]
    pub fn new(max_false_hit_rate: f64, shipped: f32) -> Self {
        let most_wrong =
            if max_false_hit_rate.is_nan() { 0.001 } else { max_false_hit_rate.clamp(0.001, 0.5) };
        let mut bound = Self {
            most_wrong,
            shipped,
            labels: VecDeque::new(),
            seen: 0,
            next_test: 0,
            tests: 0,
            threshold: shipped,
            standing: Standing::Prior,
        };
        bound.next_test = bound.first_test();
        bound
    }

    /// The lowest score to serve; `None` while nothing is served.
    #[must_use]
    pub fn threshold(&self) -> Option<f32> {
        (self.standing != Standing::Off).then_some(self.threshold)
    }

    /// What may be said about hits at that threshold.
    #[must_use]
    pub fn standing(&self) -> Standing {
        self.standing
    }

    /// The share of candidates to label, whatever their score: draw once per candidate that no guard refused. A
    /// candidate that is served and drawn is sent upstream as well.
    #[must_use]
    pub fn label_share(&self) -> f64 {
        match self.standing {
            Standing::Prior | Standing::Tightened => LEARNING_SHARE,
            Standing::Measured => SHADOW_SHARE,
            Standing::Off => 1.0,
        }
    }

    /// Labels kept.
    #[must_use]
    pub fn labels(&self) -> usize {
        self.labels.len()
    }

    /// The share of wrong answers among the labels at or above the threshold in force; `None` without any.
    #[must_use]
    pub fn wrong_share(&self) -> Option<f64> {
        let (wrong, all) = self.tally(self.threshold);
        (all > 0).then(|| wrong as f64 / all as f64)
    }

    /// The upper confidence limit of that share at 95 %; 1 without labels. For a metric: looked at often, it is no
    /// promise.
    #[must_use]
    pub fn wrong_share_limit(&self) -> f64 {
        let (wrong, all) = self.tally(self.threshold);
        upper_limit(wrong, all, ALPHA)
    }

    /// Takes one label in. Returns the new standing if it, or the threshold, changed.
    ///
    /// A test sorts the labels (a millisecond for all 8,192), at every doubling; otherwise this is a scan over them
    /// for a wrong label and a push for a right one. Not for a request's path.
    pub fn observe(&mut self, label: Label) -> Option<Standing> {
        if label.score.is_nan() || label.score < LEAST_SCORE {
            return None;
        }
        if self.labels.len() == MOST_LABELS {
            self.labels.pop_front();
        }
        self.labels.push_back(label);
        self.seen += 1;
        let before = (self.standing, self.threshold);
        if self.seen >= self.next_test {
            self.test();
        }
        if label.wrong {
            self.check();
        }
        ((self.standing, self.threshold) != before).then_some(self.standing)
    }

    /// Labels that the strictest threshold of a walk must have.
    fn start(&self, times: f64) -> f64 {
        times * self.next_alpha().ln() / (1.0 - self.most_wrong).ln()
    }

    /// Labels with which a test is worth its part of the confidence.
    fn first_test(&self) -> u64 {
        self.start(STARTS[STARTS.len() - 1]).ceil() as u64
    }

    /// What each walk of the next test has of [`ALPHA`]: the tests have α/2, α/6, α/12, …, which add up to α however
    /// many there are.
    fn next_alpha(&self) -> f64 {
        let test = f64::from(self.tests) + 1.0;
        ALPHA / (test * (test + 1.0)) / STARTS.len() as f64
    }

    fn test(&mut self) {
        let mut sorted: Vec<Label> = self.labels.iter().copied().collect();
        sorted.sort_unstable_by(|x, y| y.score.total_cmp(&x.score));
        self.next_test = self.seen * 2;
        if (sorted.len() as u64) < self.first_test() {
            return;
        }
        let alpha = self.next_alpha();
        let passed = STARTS
            .iter()
            .filter_map(|&times| loosest(&sorted, self.start(times), self.most_wrong, alpha))
            .reduce(f32::min);
        self.tests += 1;
        if let Some(threshold) = passed {
            self.threshold = threshold;
            self.standing = Standing::Measured;
        } else if self.standing == Standing::Off {
            // What turned the cache off may be over: the older half must not weigh on it for ever.
            self.labels.drain(..sorted.len() / 2);
        }
    }

    /// Looks whether the errors at the threshold in force have clearly passed the bound.
    fn check(&mut self) {
        if self.standing == Standing::Off {
            return;
        }
        let (wrong, all) = self.tally(self.threshold);
        if wrong >= ALARM_ERRORS && surely_above(self.most_wrong, wrong, all, ALARM) {
            self.tighten();
        }
    }

    /// Moves to the loosest threshold above the present one whose labels look clean, or turns off.
    fn tighten(&mut self) {
        let mut sorted: Vec<Label> =
            self.labels.iter().copied().filter(|l| l.score > self.threshold).collect();
        sorted.sort_unstable_by(|x, y| y.score.total_cmp(&x.score));
        let clean = prefixes(&sorted, LEAST_CLEAN, STRIDE)
            .filter(|prefix| prefix.wrong as f64 <= self.most_wrong * prefix.all as f64)
            .last();
        if self.standing == Standing::Measured {
            // What passed a test fails now: the world has changed, and these labels are about another one.
            self.labels.clear();
            self.seen = 0;
            self.next_test = self.first_test();
        }
        self.standing = if clean.is_some() { Standing::Tightened } else { Standing::Off };
        self.threshold = clean.map_or(self.shipped, |prefix| prefix.score);
    }

    /// Wrong labels and all labels at or above a score.
    fn tally(&self, threshold: f32) -> (u64, u64) {
        self.labels
            .iter()
            .filter(|label| label.score >= threshold)
            .fold((0, 0), |(wrong, all), label| (wrong + u64::from(label.wrong), all + 1))
    }
}

/// The labels at or above one score.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Prefix {
    score: f32,
    wrong: u64,
    all: u64,
}

/// Ever longer beginnings of labels sorted by falling score, the first of at least `start` labels, each `stride`
/// times the one before, the last of all labels. Where they end depends on the scores alone, never on what turned out
/// wrong, which is what makes testing them in order valid. Equal scores are never split.
fn prefixes(sorted: &[Label], start: f64, stride: f64) -> impl Iterator<Item = Prefix> + '_ {
    let mut wanted = start.max(1.0);
    let mut wrong = 0;
    sorted.iter().enumerate().filter_map(move |(at, label)| {
        wrong += u64::from(label.wrong);
        let all = at as u64 + 1;
        let last = at + 1 == sorted.len();
        let tied = sorted.get(at + 1).is_some_and(|next| next.score == label.score);
        if tied || (!last && (all as f64) < wanted) || (last && (all as f64) < start) {
            return None;
        }
        wanted = all as f64 * stride;
        Some(Prefix { score: label.score, wrong, all })
    })
}

/// The loosest threshold that passes, all stricter ones having passed.
fn loosest(sorted: &[Label], start: f64, most_wrong: f64, alpha: f64) -> Option<f32> {
    prefixes(sorted, start, STRIDE)
        .take_while(|prefix| surely_within(most_wrong, prefix.wrong, prefix.all, alpha))
        .last()
        .map(|prefix| prefix.score)
}

#[cfg(test)]
mod tests;
