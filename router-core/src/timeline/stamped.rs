//! A number and when it was last written, in one word.
//!
//! Everything that fades (a latency estimate, a success rate, a penalty) is such a pair: it is read as
//! "this value, that many seconds ago" and faded by whoever reads it. Nothing has to tick.
//!
//! Not for money or counts: an `f32` holds seven digits.

use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::Instant;

use super::Timeline;

/// Length of a tick. 32 bits of these span 497 days, and a signed difference half of that: a value that
/// nobody has written for 248 days stops fading, which no provider in use will notice. Against the shortest
/// fading time in use (10 s), a tick is a thousandth.
const TICK_MICROS: u64 = 10_000;

/// An `f32` with the tick of its last write. All operations are lock-free.
#[derive(Debug)]
pub(crate) struct Stamped {
    timeline: Timeline,
    word: AtomicU64,
}

/// A value and its age in seconds, at least 0.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Aged {
    pub(crate) value: f32,
    pub(crate) seconds: f32,
}

impl Aged {
    /// What is left of 1 after this age, fading by 1/e every `tau` seconds.
    pub(crate) fn remaining(self, tau: f32) -> f32 {
        if tau > 0.0 { (-self.seconds / tau).exp() } else { 0.0 }
    }
}

impl Stamped {
    /// Holds `value`, written at the origin.
    pub(crate) fn new(timeline: Timeline, value: f32) -> Self {
        Self { timeline, word: AtomicU64::new(pack(value, 0)) }
    }

    /// The value as it was written.
    pub(crate) fn value(&self) -> f32 {
        unpack(self.word.load(Relaxed)).0
    }

    /// The value and how long ago it was written.
    pub(crate) fn load(&self, now: Instant) -> Aged {
        aged(self.word.load(Relaxed), self.tick(now))
    }

    /// Replaces the value by `next` of it, written `now`. A write that arrives late does not move the
    /// stamp back.
    pub(crate) fn update(&self, now: Instant, next: impl Fn(Aged) -> f32) {
        let tick = self.tick(now);
        self.replace(|word| {
            let (_, stamp) = unpack(word);
            pack(next(aged(word, tick)), if newer(tick, stamp) { tick } else { stamp })
        });
    }

    /// Replaces the value by `next` of it and leaves the stamp as it is.
    pub(crate) fn adjust(&self, next: impl Fn(f32) -> f32) {
        self.replace(|word| {
            let (value, stamp) = unpack(word);
            pack(next(value), stamp)
        });
    }

    /// As [`update`](Self::update) where `next` gives a value, and leaves everything alone where it
    /// gives none. Says whether it wrote.
    pub(crate) fn try_update(&self, now: Instant, next: impl Fn(Aged) -> Option<f32>) -> bool {
        let tick = self.tick(now);
        let mut word = self.word.load(Relaxed);
        while let Some(value) = next(aged(word, tick)) {
            let (_, stamp) = unpack(word);
            let replacement = pack(value, if newer(tick, stamp) { tick } else { stamp });
            match self.word.compare_exchange_weak(word, replacement, Relaxed, Relaxed) {
                Ok(_) => return true,
                Err(actual) => word = actual,
            }
        }
        false
    }

    fn replace(&self, next: impl Fn(u64) -> u64) {
        let mut word = self.word.load(Relaxed);
        while let Err(actual) = self.word.compare_exchange_weak(word, next(word), Relaxed, Relaxed) {
            word = actual;
        }
    }

    fn tick(&self, now: Instant) -> u32 {
        // Truncation is the wrap-around that `newer` and `aged` allow for.
        (self.timeline.micros(now) / TICK_MICROS) as u32
    }
}

fn pack(value: f32, stamp: u32) -> u64 {
    u64::from(value.to_bits()) << 32 | u64::from(stamp)
}

fn unpack(word: u64) -> (f32, u32) {
    (f32::from_bits((word >> 32) as u32), word as u32)
}

/// Whether `tick` comes after `stamp` on a clock that wraps around.
fn newer(tick: u32, stamp: u32) -> bool {
    (tick.wrapping_sub(stamp) as i32) > 0
}

fn aged(word: u64, tick: u32) -> Aged {
    let (value, stamp) = unpack(word);
    let ticks = if newer(tick, stamp) { tick.wrapping_sub(stamp) } else { 0 };
    Aged { value, seconds: ticks as f32 * (TICK_MICROS as f32 / 1e6) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    #[test]
    fn a_late_write_keeps_the_newer_stamp() {
        let origin = Instant::now();
        let cell = Stamped::new(Timeline::starting(origin), 1.0);
        cell.update(origin + Duration::from_secs(10), |_| 2.0);
        cell.update(origin + Duration::from_secs(4), |aged| {
            assert_eq!(aged.seconds, 0.0);
            aged.value + 1.0
        });
        let read = cell.load(origin + Duration::from_secs(15));
        assert_eq!(read, Aged { value: 3.0, seconds: 5.0 });
    }

    #[test]
    fn age_survives_the_wrap_of_the_tick() {
        let origin = Instant::now();
        let cell = Stamped::new(Timeline::starting(origin), 0.0);
        let day = Duration::from_secs(86_400);
        // The tick wraps after about 497.1 days.
        for days in [200, 400, 497] {
            cell.update(origin + day * days, |_| 1.0);
        }
        let read = cell.load(origin + day * 498);
        assert!((read.seconds - 86_400.0).abs() < 1.0, "{read:?}");
    }
}
