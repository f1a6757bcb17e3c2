//! The provider's own ceiling, as its `x-ratelimit-*` headers tell it.
//!
//! Hosted providers meter with token buckets that refill continuously; a header says how much is left and
//! when the bucket will be full again. In between, this module follows the bucket on its own: every attempt
//! takes its part, and the rest refills at `(limit − remaining) / resets_in`. Each answer's headers set it
//! right. So an attempt that the provider would refuse is not made, and costs nobody a 429.
//!
//! Unknown is unlimited. When not to use it: as the router's own rate limit towards callers. It is lenient by
//! design (a few attempts at once may take the last place together) since the provider has the last word.

use std::sync::atomic::{AtomicU32, AtomicU64, Ordering::Relaxed};
use std::time::{Duration, Instant};

use crate::timeline::{Stamped, Timeline};

use super::Size;

/// The longest that a header is believed: as long as a `Retry-After` is by default. What comes after it is
/// sent on trust, and its answer brings new headers.
const BELIEVED: Duration = Duration::from_secs(120);

/// One pair of headers: what is left of a limit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Allowance {
    /// The whole limit, where the provider states it.
    pub limit: Option<u64>,
    /// What is left of it.
    pub remaining: u64,
    /// When it will be whole again.
    pub resets_in: Duration,
}

/// What is left of a provider's request and token limits.
#[derive(Debug)]
pub(super) struct Quota {
    requests: Bucket,
    tokens: Bucket,
}

impl Quota {
    pub(super) fn new(timeline: Timeline) -> Self {
        Self { requests: Bucket::new(timeline), tokens: Bucket::new(timeline) }
    }

    /// Takes in an answer's headers. `waiting` attempts were sent but not answered; the provider may not
    /// have counted them yet.
    pub(super) fn observe(
        &self,
        requests: Option<Allowance>,
        tokens: Option<Allowance>,
        waiting: u32,
        now: Instant,
    ) {
        if let Some(allowance) = requests {
            self.requests.observe(allowance, u64::from(waiting), now);
        }
        if let Some(allowance) = tokens {
            self.tokens.observe(allowance, 0, now);
        }
    }

    /// Whether a request of this size fits at `now`.
    pub(super) fn fits(&self, size: Size, now: Instant) -> bool {
        self.requests.left(now) >= 1.0 && self.tokens.left(now) >= size.tokens() as f32
    }

    /// Takes a request's part.
    pub(super) fn take(&self, size: Size, now: Instant) {
        self.requests.take(1.0, now);
        self.tokens.take(size.tokens() as f32, now);
    }
}

/// A bucket that somebody else empties, too. Its three words are read one by one: they change together, with
/// an answer's headers, and a mixed reading is off by what one answer changes.
#[derive(Debug)]
struct Bucket {
    timeline: Timeline,
    left: Stamped,
    /// Refill a second, as `f32` bits.
    refill: AtomicU32,
    /// Microseconds until which the headers are believed.
    until: AtomicU64,
}

impl Bucket {
    fn new(timeline: Timeline) -> Self {
        Self {
            timeline,
            left: Stamped::new(timeline, 0.0),
            refill: AtomicU32::new(0),
            until: AtomicU64::new(0),
        }
    }

    fn observe(&self, allowance: Allowance, uncounted: u64, now: Instant) {
        let missing = allowance.limit.map_or(0, |limit| limit.saturating_sub(allowance.remaining));
        let refill = missing as f32 / allowance.resets_in.as_secs_f32().max(0.001);
        let left = allowance.remaining.saturating_sub(uncounted) as f32;
        let until = now.checked_add(allowance.resets_in.min(BELIEVED)).unwrap_or(now);
        self.refill.store(refill.to_bits(), Relaxed);
        self.left.update(now, |_| left);
        self.until.store(self.timeline.micros(until), Relaxed);
    }

    fn take(&self, amount: f32, now: Instant) {
        self.left.update(now, |held| (held.value + held.seconds * self.refill() - amount).max(0.0));
    }

    /// What is left; infinite where nothing is known.
    fn left(&self, now: Instant) -> f32 {
        if self.timeline.micros(now) >= self.until.load(Relaxed) {
            return f32::INFINITY;
        }
        let held = self.left.load(now);
        held.value + held.seconds * self.refill()
    }

    fn refill(&self) -> f32 {
        f32::from_bits(self.refill.load(Relaxed))
    }
}
