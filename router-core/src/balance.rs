//! Chooses among candidates that are equally good for a request.
//!
//! 1. [`eject`] leaves out whoever cannot take the request now, but never the last one standing.
//! 2. Of the rest, the most preferred [group](Candidate::group) that has anybody left (a region, say).
//! 3. A provider of that group whose breaker is half-open gets its probe, if this is the request's first
//!    attempt.
//! 4. A conversation goes to the [home](Ask::home) of its prefix, unless that is overloaded.
//! 5. Otherwise the power of two choices (Mitzenmacher): two are drawn by weight, and the one with less load
//!    is taken. A provider in slow start takes part in that share of the draws.
//!
//! Load is Finagle's `latency × (in flight + 1)`, with three particulars of token streams. Latency is the
//! normalised first-token time and "in flight" are the attempts that *wait* for their first token: a running
//! answer is as long as its caller asked for and says nothing about the next one. What fails or was
//! rate-limited lately weighs more: by 1/rate², as a failure costs its caller both the time and a retry.
//! And where the two differ by less than half in all that (`NEAR`), only the waiting count, so that the
//! noise of the estimates does not decide and weights are kept among the alike.
//!
//! Who loses for slowness is sent one in 256 of the requests that it lost, while nothing waits for it: the
//! estimate of a provider that recovers is corrected, at a cost that does not depend on the traffic.
//!
//! Choosing reads atomics only and changes nothing; [`place`] also claims what it chose.
//!
//! When not to use it: across models of different price or quality. That is the policy's choice, made before.

mod affinity;
mod eject;
mod prefix;
#[cfg(test)]
mod tests;

pub use affinity::{Affinity, PrefixKey};
pub use eject::{Standing, eject};
pub use prefix::{Block, Prefix};

use std::cmp::Ordering;
use std::sync::Arc;
use std::time::Instant;

use smallvec::SmallVec;

use crate::breaker::Phase;
use crate::health::{Admission, Health, HealthSettings, Size};

/// Latencies (with handicaps) within this factor are equal. Peak-EWMA estimates of equally fast providers
/// differ by as much a good part of the time.
const NEAR: f32 = 1.5;

/// The part of the time to the first token that a prefix saves which is all of the prompt (OpenAI's prompt caching guide: up to
/// 80 %). So up to five times the load home is still the sooner one, and the cheaper one in any case; where only half of the prompt
/// is held, up to 1.7 times.
const SAVED: f32 = 0.8;

/// Draws lost for slowness per scout. With four providers, a slow one is drawn in half of all choices:
/// 0.2 % of the traffic at most.
const SCOUT_ONE_IN: u32 = 256;

/// Attempts that may wait for a provider of unknown speed while another's is known.
const UNKNOWN_WAITING: u32 = 2;

/// Success rates below this weigh alike: the load stays finite.
const LEAST_RATE: f32 = 0.05;

/// One way to serve a request.
#[derive(Clone, Copy, Debug)]
pub struct Candidate<'a> {
    /// What is known about it.
    pub health: &'a Arc<Health>,
    /// How that is judged.
    pub settings: &'a HealthSettings,
    /// Its share of the traffic relative to others in its group, > 0. Usually 1.
    pub weight: f32,
    /// Its place in the order of preference: 0 first. A group is only used while all before it have nobody
    /// left.
    pub group: u8,
}

/// Who holds the beginning of a prompt: of a whole conversation, or of what several have in common (see [`Affinity`]).
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Home {
    /// Its place in the list of candidates.
    pub index: usize,
    /// The share of the prompt that it holds, 0 to 1.
    pub share: f32,
}

impl Home {
    /// How many times the load of another one it may have.
    fn stickiness(self) -> f32 {
        1.0 / (1.0 - SAVED * self.share.clamp(0.0, 1.0))
    }
}

/// What is wanted.
#[derive(Clone, Copy, Debug, Default)]
pub struct Ask<'a> {
    /// The size of the request.
    pub size: Size,
    /// The candidate that holds the prompt's prefix.
    pub home: Option<Home>,
    /// Candidates that earlier attempts of this request have failed at.
    pub tried: &'a [usize],
    /// Groups that could not be reached at all by earlier attempts of this request. Avoided while another
    /// group has anybody left: a region that refuses one connection will refuse the next.
    pub unreachable: &'a [u8],
}

/// Why a candidate was chosen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Why {
    /// Nobody else was left in the group.
    Only,
    /// It had less load.
    Lighter,
    /// Its load was equal, and the weighted draw fell on it.
    Drawn,
    /// It holds the conversation's prefix.
    Home,
    /// Its breaker is half-open; this is the probe.
    Probe,
    /// It was slow when last seen, and this finds out whether it still is.
    Scout,
    /// Nobody can take the request; this one is tried nevertheless.
    LastStanding,
}

/// A candidate, by its index, and why it was chosen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Choice {
    /// Its place in the list of candidates.
    pub index: usize,
    /// Why it was chosen.
    pub why: Why,
}

/// Chooses among `candidates`; nobody where there is nobody: the list is empty, or all are at their ceiling,
/// or earlier attempts have been made and nobody stands (a retry never goes to an open breaker).
#[must_use]
pub fn choose(
    candidates: &[Candidate<'_>],
    ask: &Ask<'_>,
    now: Instant,
    rng: &mut fastrand::Rng,
) -> Option<Choice> {
    let standing = eject(candidates, ask.size, now);
    if let Some(index) = standing.last {
        return ask.tried.is_empty().then_some(Choice { index, why: Why::LastStanding });
    }
    let pool = Pool { candidates, now };
    let fresh = untried(standing.admitted, ask.tried);
    let group = pool.best_group(&fresh, ask.unreachable);
    if let Some(index) = group.iter().copied().find(|&i| ask.tried.is_empty() && pool.is_half_open(i)) {
        return Some(Choice { index, why: Why::Probe });
    }
    let home = ask.home.filter(|home| fresh.contains(&home.index) && ask.unreachable.is_empty());
    match home {
        Some(home) => pool.home_or_other(home, group, rng),
        None => pool.draw(&group, rng),
    }
}

/// Chooses and admits. Where another caller is first to claim what was chosen (the one probe, the last place
/// in flight), chooses again.
#[must_use]
pub fn place(
    candidates: &[Candidate<'_>],
    ask: &Ask<'_>,
    now: Instant,
    rng: &mut fastrand::Rng,
) -> Option<(Choice, Admission)> {
    // Whoever refuses stands no longer, so every round has one candidate fewer; the bound is for the case
    // that others free and take places all the while.
    for _ in 0..=candidates.len() {
        let choice = choose(candidates, ask, now, rng)?;
        let Candidate { health, settings, .. } = candidates.get(choice.index)?;
        let admission = match choice.why {
            Why::LastStanding => health.admit_last_standing(ask.size, settings, now),
            _ => health.admit(ask.size, settings, now),
        };
        if let Ok(admission) = admission {
            return Some((choice, admission));
        }
    }
    None
}

/// Indices into the list of candidates. Eight fit without an allocation.
type Indices = SmallVec<[usize; 8]>;

/// Those that have not been tried; all, if all have.
fn untried(admitted: Indices, tried: &[usize]) -> Indices {
    let fresh: Indices = admitted.iter().copied().filter(|index| !tried.contains(index)).collect();
    if fresh.is_empty() { admitted } else { fresh }
}

/// The candidates at one moment. Indices given to it are in range.
struct Pool<'a> {
    candidates: &'a [Candidate<'a>],
    now: Instant,
}

impl Pool<'_> {
    /// The most preferred group with anybody left, reachable ones before others.
    fn best_group(&self, fresh: &[usize], unreachable: &[u8]) -> Indices {
        let rank = |&index: &usize| {
            let group = self.candidates[index].group;
            (unreachable.contains(&group), group)
        };
        let best = fresh.iter().map(rank).min();
        fresh.iter().copied().filter(|index| Some(rank(index)) == best).collect()
    }

    fn is_half_open(&self, index: usize) -> bool {
        self.candidates[index].health.breaker().phase(self.now) == Phase::HalfOpen
    }

    /// The home of a prefix, unless the others offer so much less load that the prefix is worth losing.
    fn home_or_other(&self, home: Home, mut group: Indices, rng: &mut fastrand::Rng) -> Option<Choice> {
        group.retain(|index| *index != home.index);
        let other = self.draw(&group, rng).filter(|other| {
            let (at_home, elsewhere) = self.loads(home.index, other.index);
            at_home > elsewhere * home.stickiness()
        });
        Some(other.unwrap_or(Choice { index: home.index, why: Why::Home }))
    }

    /// The power of two choices.
    fn draw(&self, group: &[usize], rng: &mut fastrand::Rng) -> Option<Choice> {
        if let [index] = *group {
            return Some(Choice { index, why: Why::Only });
        }
        let returned: Indices = group.iter().copied().filter(|&index| self.takes_part(index, rng)).collect();
        let drawn: &[usize] = if returned.is_empty() { group } else { &returned };
        let first = self.draw_by_weight(drawn, None, rng)?;
        match self.draw_by_weight(drawn, Some(first), rng) {
            Some(second) => Some(self.lighter(first, second, rng)),
            None => Some(Choice { index: first, why: Why::Drawn }),
        }
    }

    /// Whether a provider takes part in this draw: in slow start, as often as its share says.
    fn takes_part(&self, index: usize, rng: &mut fastrand::Rng) -> bool {
        let Candidate { health, settings, .. } = self.candidates[index];
        let share = health.breaker().share(&settings.breaker, self.now);
        share >= 1.0 || rng.f32() < share
    }

    fn draw_by_weight(
        &self,
        group: &[usize],
        except: Option<usize>,
        rng: &mut fastrand::Rng,
    ) -> Option<usize> {
        let weights = || group.iter().filter(|&&i| Some(i) != except).map(|&i| (i, self.weight(i)));
        let mut mark = rng.f32() * weights().map(|(_, weight)| weight).sum::<f32>();
        for (index, weight) in weights() {
            if mark < weight {
                return Some(index);
            }
            mark -= weight;
        }
        // Rounding can leave the mark a hair beyond the last.
        weights().next_back().map(|(index, _)| index)
    }

    /// The better of two, the first where they are equal; or a scout to the worse.
    fn lighter(&self, first: usize, second: usize, rng: &mut fastrand::Rng) -> Choice {
        let (load, other_load) = self.loads(first, second);
        let (index, loser) = match load.total_cmp(&other_load) {
            Ordering::Equal => return Choice { index: first, why: Why::Drawn },
            Ordering::Less => (first, second),
            Ordering::Greater => (second, first),
        };
        if self.candidates[loser].health.waiting() == 0 && rng.u32(..SCOUT_ONE_IN) == 0 {
            return Choice { index: loser, why: Why::Scout };
        }
        Choice { index, why: Why::Lighter }
    }

    /// The loads of two candidates, comparable with each other only.
    fn loads(&self, a: usize, b: usize) -> (f32, f32) {
        let (health_a, health_b) = (self.candidates[a].health, self.candidates[b].health);
        let (known_a, known_b) = (health_a.latency_seconds(), health_b.latency_seconds());
        // An unknown latency is taken to be the other's, but bears only a few waiting attempts.
        match (known_a, known_b) {
            (None, Some(_)) if health_a.waiting() >= UNKNOWN_WAITING => return (f32::INFINITY, 0.0),
            (Some(_), None) if health_b.waiting() >= UNKNOWN_WAITING => return (0.0, f32::INFINITY),
            _ => {}
        }
        let other = known_a.or(known_b).unwrap_or(1.0);
        let mut cost_a = known_a.unwrap_or(other) * self.handicap(a);
        let mut cost_b = known_b.unwrap_or(other) * self.handicap(b);
        if cost_a.max(cost_b) <= cost_a.min(cost_b) * NEAR {
            (cost_a, cost_b) = (1.0, 1.0);
        }
        let mean_weight = (self.weight(a) + self.weight(b)) / 2.0;
        (cost_a * self.busyness(a, mean_weight), cost_b * self.busyness(b, mean_weight))
    }

    /// What recent failures and rate limits multiply the cost of an attempt by, ≥ 1.
    fn handicap(&self, index: usize) -> f32 {
        let health = self.candidates[index].health;
        let rate = health.success_rate(self.now).max(LEAST_RATE);
        health.penalty(self.now) / (rate * rate)
    }

    /// Attempts that wait for their first token, and the one that is to join them; of a heavier candidate
    /// each counts for less.
    fn busyness(&self, index: usize, mean_weight: f32) -> f32 {
        1.0 + self.candidates[index].health.waiting() as f32 * mean_weight / self.weight(index)
    }

    /// The weight, with what makes no sense as one taken for the smallest.
    fn weight(&self, index: usize) -> f32 {
        self.candidates[index].weight.clamp(1e-3, 1e6)
    }
}
