//! Leaves out the candidates that cannot take a request now, but never all of them.
//!
//! A breaker knows its own provider only. Were every provider's breaker open, ejecting them all would turn
//! a partial trouble into a total one, and nobody would be left to find out that it is over. So the last
//! candidate standing is tried anyway, and the receipt says so (Envoy's panic threshold is the same idea for
//! a share of a cluster).
//!
//! When not to use it: to keep a request from a provider for good; that is the policy's list of candidates.

use std::cmp::Ordering;
use std::time::Instant;

use smallvec::SmallVec;

use crate::health::{Refused, Size};

use super::{Candidate, Indices};

/// Who of a list of candidates can take a request.
#[derive(Clone, Debug, PartialEq)]
pub struct Standing {
    /// Those that can, in the list's order.
    pub admitted: SmallVec<[usize; 8]>,
    /// Those that cannot, and why.
    pub ejected: SmallVec<[(usize, Refused); 8]>,
    /// Where nobody can: the one that is tried nevertheless. Nobody only if the list is empty or all are at
    /// the ceiling of attempts in flight, which protects the router itself.
    pub last: Option<usize>,
}

impl Standing {
    /// Whether anybody can take the request at whom it has not failed yet.
    #[must_use]
    pub fn has_untried(&self, tried: &[usize]) -> bool {
        self.admitted.iter().any(|index| !tried.contains(index))
    }
}

/// Sorts `candidates` into those that can take a request of this size at `now` and those that cannot.
///
/// The last one standing is the one in the least trouble: too busy before out of quota before rate-limited
/// before failing; among equals the one with the best success rate, so that of several failing ones each is
/// tried in turn and the first to recover is soon found.
#[must_use]
pub fn eject(candidates: &[Candidate<'_>], size: Size, now: Instant) -> Standing {
    let mut standing = Standing { admitted: Indices::new(), ejected: SmallVec::new(), last: None };
    for (index, candidate) in candidates.iter().enumerate() {
        match candidate.health.check(size, candidate.settings, now) {
            Ok(()) => standing.admitted.push(index),
            Err(refused) => standing.ejected.push((index, refused)),
        }
    }
    if standing.admitted.is_empty() {
        standing.last = last_of(candidates, &standing.ejected, now);
    }
    standing
}

fn last_of(candidates: &[Candidate<'_>], ejected: &[(usize, Refused)], now: Instant) -> Option<usize> {
    let below_ceiling = ejected.iter().filter_map(|&(index, refused)| {
        let candidate = candidates.get(index)?;
        let free = candidate.health.in_flight() < candidate.settings.concurrency.ceiling;
        free.then(|| (trouble(refused), candidate.health.success_rate(now), candidate.group, index))
    });
    below_ceiling.min_by(by_trouble).map(|(.., index)| index)
}

fn by_trouble(a: &(u8, f32, u8, usize), b: &(u8, f32, u8, usize)) -> Ordering {
    a.0.cmp(&b.0).then(b.1.total_cmp(&a.1)).then(a.2.cmp(&b.2))
}

fn trouble(refused: Refused) -> u8 {
    match refused {
        Refused::Saturated { .. } => 0,
        Refused::Quota => 1,
        Refused::Limited { .. } => 2,
        Refused::Tripped(_) => 3,
    }
}
