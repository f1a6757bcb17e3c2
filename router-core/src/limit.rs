//! How much a key, a tenant, a model or a route may use: requests and tokens per window, requests at once.
//!
//! A [`Limit`] is what the policy says, a [`Limiter`] what has been used; the second outlives reloads of the
//! first. Every limit that applies to a request is asked in turn, and [`Permit`] holds what was taken from
//! all of them. Tokens are taken by estimate and corrected with [`Permit::correct`] when the usage is known.

mod gcra;
mod slots;

use std::num::NonZeroU32;
use std::sync::Arc;
use std::time::{Duration, Instant};

use smallvec::SmallVec;

pub use gcra::{Charge, Full, Gcra, Quota, Standing};
pub use slots::{Slot, Slots};

/// A caller who finds no slot is told to come back after this time. A slot frees when another request ends,
/// which nobody can foretell; a second is the shortest wait that `retry-after` can state.
const SLOT_WAIT: Duration = Duration::from_secs(1);

/// The limits that a policy sets for one key, tenant, model or route. All `None`: unlimited.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Limit {
    /// Requests per window.
    pub requests: Option<Quota>,
    /// Tokens per window, prompt and answer together.
    pub tokens: Option<Quota>,
    /// Requests under way at once.
    pub concurrency: Option<NonZeroU32>,
}

/// What has been used of a [`Limit`].
#[derive(Debug)]
pub struct Limiter {
    requests: Gcra,
    tokens: Gcra,
    slots: Arc<Slots>,
}

/// What a limit counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Measure {
    /// Requests per window.
    Requests,
    /// Tokens per window.
    Tokens,
    /// Requests at once.
    Concurrency,
}

/// Why a request may not pass now.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("limit {index} ({measure:?}) is used up")]
pub struct Refused {
    /// Which of the limits asked, by position.
    pub index: usize,
    /// What it counts.
    pub measure: Measure,
    /// When to come back; `None` when the request is larger than the quota and never fits.
    pub retry_after: Option<Duration>,
}

/// Passage through every limit that applies. Dropping it frees the slots and leaves the estimates standing.
#[derive(Debug, Default)]
#[must_use = "dropping a permit frees its slots"]
pub struct Permit {
    taken: SmallVec<[Taken; 4]>,
}

#[derive(Debug)]
struct Taken {
    limiter: Arc<Limiter>,
    limit: Limit,
    request: Option<Charge>,
    tokens: Option<Charge>,
    _slot: Option<Slot>,
}

impl Limiter {
    /// A limiter of which nothing is used.
    #[must_use]
    pub fn new(epoch: Instant) -> Self {
        Self { requests: Gcra::new(epoch), tokens: Gcra::new(epoch), slots: Arc::default() }
    }

    /// Requests under way.
    #[must_use]
    pub fn in_flight(&self) -> u32 {
        self.slots.used()
    }

    /// Where a limit on requests and one on tokens stand.
    #[must_use]
    pub fn standing(&self, limit: &Limit, now: Instant) -> (Option<Standing>, Option<Standing>) {
        let requests = limit.requests.map(|quota| self.requests.standing(&quota, now));
        let tokens = limit.tokens.map(|quota| self.tokens.standing(&quota, now));
        (requests, tokens)
    }

    fn take(self: &Arc<Self>, limit: &Limit, tokens: u64, now: Instant) -> Result<Taken, (Measure, Full)> {
        let slot = match limit.concurrency {
            Some(ceiling) => {
                let busy = (Measure::Concurrency, Full::Until(SLOT_WAIT));
                Some(self.slots.try_take(ceiling).ok_or(busy)?)
            }
            None => None,
        };
        let take = |gcra: &Gcra, quota: Option<Quota>, units, measure| match quota {
            Some(quota) => gcra.try_take(&quota, units, now).map(Some).map_err(|full| (measure, full)),
            None => Ok(None),
        };
        let request = take(&self.requests, limit.requests, 1, Measure::Requests)?;
        let mut taken =
            Taken { limiter: Arc::clone(self), limit: *limit, request, tokens: None, _slot: slot };
        match take(&self.tokens, limit.tokens, tokens, Measure::Tokens) {
            Ok(charge) => taken.tokens = charge,
            Err(full) => {
                taken.cancel(now);
                return Err(full);
            }
        }
        Ok(taken)
    }
}

impl Permit {
    /// Asks every limit for one request of an estimated `tokens`; takes from all of them or from none.
    ///
    /// What earlier limits gave is returned when a later one refuses. Until then others can find them used:
    /// under contention a request may be refused that would just have fitted, never the reverse.
    ///
    /// # Errors
    /// [`Refused`] by the first limit that is used up.
    pub fn try_new<'a>(
        limits: impl IntoIterator<Item = (&'a Arc<Limiter>, &'a Limit)>,
        tokens: u64,
        now: Instant,
    ) -> Result<Self, Refused> {
        let mut permit = Self::default();
        for (index, (limiter, limit)) in limits.into_iter().enumerate() {
            match limiter.take(limit, tokens, now) {
                Ok(taken) => permit.taken.push(taken),
                Err((measure, full)) => {
                    permit.cancel(now);
                    let retry_after = match full {
                        Full::Until(wait) => Some(wait),
                        Full::Never => None,
                    };
                    return Err(Refused { index, measure, retry_after });
                }
            }
        }
        Ok(permit)
    }

    /// Replaces the estimate by the `tokens` that were used, and frees the slots.
    pub fn correct(self, tokens: u64, now: Instant) {
        for taken in &self.taken {
            if let (Some(quota), Some(charge)) = (&taken.limit.tokens, taken.tokens) {
                taken.limiter.tokens.correct(quota, charge, tokens, now);
            }
        }
    }

    /// Gives everything back: the request was not made.
    pub fn cancel(self, now: Instant) {
        self.taken.iter().for_each(|taken| taken.cancel(now));
    }

    /// Where the tightest limit on requests stands, where there is one.
    #[must_use]
    pub fn requests(&self, now: Instant) -> Option<Standing> {
        self.standing(|taken| Some(taken.limiter.requests.standing(taken.limit.requests.as_ref()?, now)))
    }

    /// Where the tightest limit on tokens stands, where there is one.
    #[must_use]
    pub fn tokens(&self, now: Instant) -> Option<Standing> {
        self.standing(|taken| Some(taken.limiter.tokens.standing(taken.limit.tokens.as_ref()?, now)))
    }

    fn standing(&self, of: impl Fn(&Taken) -> Option<Standing>) -> Option<Standing> {
        self.taken.iter().filter_map(of).reduce(Standing::tighter)
    }
}

impl Taken {
    fn cancel(&self, now: Instant) {
        if let (Some(quota), Some(charge)) = (&self.limit.requests, self.request) {
            self.limiter.requests.refund(quota, charge, now);
        }
        if let (Some(quota), Some(charge)) = (&self.limit.tokens, self.tokens) {
            self.limiter.tokens.refund(quota, charge, now);
        }
    }
}

#[cfg(test)]
mod tests;
