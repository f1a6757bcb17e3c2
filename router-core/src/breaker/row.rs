//! Failures in a row, in the order in which their attempts *began*.
//!
//! Streams end seconds or minutes after they began. By the order of endings, those that began before an
//! outage would break up the row for as long as they last, and the breaker would open that much later.

/// Failures without a success between them, as the row word says it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Row {
    pub(super) failures: u16,
    /// When the first of them began, in microseconds: 48 bits, nine years.
    since: u64,
}

impl Row {
    /// As a word.
    pub(super) const fn word(self) -> u64 {
        (self.since << 16) | self.failures as u64
    }

    /// From a word.
    pub(super) const fn of(word: u64) -> Self {
        Self { failures: word as u16, since: word >> 16 }
    }

    /// The row after a failure of an attempt that began then.
    pub(super) fn and_failure(self, began: u64) -> Self {
        let since = if self.failures == 0 { began } else { self.since.min(began) };
        Self { failures: self.failures.saturating_add(1), since }
    }

    /// The row after a success of an attempt that began then.
    pub(super) fn and_success(self, began: u64) -> Self {
        if began < self.since { self } else { Self::default() }
    }
}
