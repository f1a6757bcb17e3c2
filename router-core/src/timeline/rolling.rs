//! A count over the last few buckets of time.
//!
//! A ring of words, each holding a bucket's number and its count. A bucket that comes round again is
//! started anew by the first who writes to it, so nothing has to tick and nothing is ever swept. The window
//! slides by whole buckets: a sum over ten of them covers between nine and ten bucket lengths.
//!
//! Not for exact windows, and not for more than 2³² − 1 in one bucket: counts saturate there.

use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::{Duration, Instant};

use super::{Timeline, micros};

/// Counts over `N` buckets. All operations are lock-free.
#[derive(Debug)]
pub(crate) struct Rolling<const N: usize> {
    timeline: Timeline,
    bucket_micros: u64,
    buckets: [AtomicU64; N],
}

impl<const N: usize> Rolling<N> {
    /// An empty ring of buckets of this length (at least a microsecond).
    pub(crate) fn new(timeline: Timeline, bucket: Duration) -> Self {
        let buckets = std::array::from_fn(|_| AtomicU64::new(0));
        Self { timeline, bucket_micros: micros(bucket).max(1), buckets }
    }

    /// Counts `amount` in the bucket of `now`. A late writer counts in whichever newer bucket has taken
    /// that place.
    pub(crate) fn add(&self, now: Instant, amount: u32) {
        let number = self.number(now);
        self.replace(number, |held, count| {
            if held >= number { (held, count.saturating_add(amount)) } else { (number, amount) }
        });
    }

    /// Takes back what was counted under the same `now`; nothing, where that bucket is gone.
    pub(crate) fn take_back(&self, now: Instant, amount: u32) {
        let number = self.number(now);
        self.replace(number, |held, count| {
            (held, if held == number { count.saturating_sub(amount) } else { count })
        });
    }

    /// The sum over the latest `buckets` buckets (at most `N`), the one of `now` included.
    pub(crate) fn sum(&self, now: Instant, buckets: usize) -> u64 {
        let number = self.number(now);
        let oldest =
            number.saturating_sub(u32::try_from(buckets.min(N)).unwrap_or(u32::MAX).saturating_sub(1));
        let words = self.buckets.iter().map(|bucket| unpack(bucket.load(Relaxed)));
        words.filter(|&(held, _)| held >= oldest.max(1)).map(|(_, count)| u64::from(count)).sum()
    }

    /// Forgets everything.
    pub(crate) fn clear(&self) {
        for bucket in &self.buckets {
            bucket.store(0, Relaxed);
        }
    }

    fn replace(&self, number: u32, next: impl Fn(u32, u32) -> (u32, u32)) {
        let Some(bucket) = self.buckets.get(number as usize % N.max(1)) else { return };
        let mut word = bucket.load(Relaxed);
        loop {
            let (held, count) = unpack(word);
            let (held, count) = next(held, count);
            let replacement = u64::from(held) << 32 | u64::from(count);
            match bucket.compare_exchange_weak(word, replacement, Relaxed, Relaxed) {
                Ok(_) => return,
                Err(actual) => word = actual,
            }
        }
    }

    /// The bucket of `now`, from 1: 0 marks a place that was never used.
    fn number(&self, now: Instant) -> u32 {
        u32::try_from(self.timeline.micros(now) / self.bucket_micros).unwrap_or(u32::MAX).saturating_add(1)
    }
}

fn unpack(word: u64) -> (u32, u32) {
    ((word >> 32) as u32, word as u32)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        /// The ring agrees with a list of everything that was ever counted.
        #[test]
        fn sums_like_a_list(steps in prop::collection::vec((0_u64..4_000, 1_u32..5), 1..80)) {
            let origin = Instant::now();
            let ring = Rolling::<10>::new(Timeline::starting(origin), Duration::from_secs(1));
            let (mut millis, mut list) = (0, Vec::new());
            for (pause, amount) in steps {
                millis += pause;
                let now = origin + Duration::from_millis(millis);
                ring.add(now, amount);
                list.push((millis / 1_000, u64::from(amount)));
                for window in [1, 3, 10] {
                    let recent = list.iter().filter(|(second, _)| second + window > millis / 1_000);
                    let expected: u64 = recent.map(|(_, amount)| amount).sum();
                    prop_assert_eq!(ring.sum(now, window as usize), expected);
                }
            }
        }
    }

    #[test]
    fn what_is_taken_back_was_never_there() {
        let now = Instant::now();
        let ring = Rolling::<4>::new(Timeline::starting(now), Duration::from_secs(1));
        ring.add(now, 3);
        ring.take_back(now, 2);
        ring.take_back(now + Duration::from_secs(1), 1);
        assert_eq!(ring.sum(now, 4), 1);
        ring.clear();
        assert_eq!(ring.sum(now, 4), 0);
    }
}
