//! The word that says whether a breaker lets an attempt pass.
//!
//! Two bits of state and 62 of time. A closed word stands for one closed period, since no two begin in the
//! same microsecond; whoever remembers the word can tell later whether that period still lasts.

/// What the gate word says. Times are microseconds on the breaker's timeline.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Gate {
    /// Closed since then; 0: has never been open.
    Closed(u64),
    /// Open until then.
    Open(u64),
    /// Half-open with its probe under way; was open until then.
    Probing(u64),
}

impl Gate {
    const TAG_BITS: u32 = 2;

    /// As a word.
    pub(super) const fn word(self) -> u64 {
        let (micros, tag) = match self {
            Self::Closed(micros) => (micros, 0),
            Self::Open(micros) => (micros, 1),
            Self::Probing(micros) => (micros, 2),
        };
        (micros << Self::TAG_BITS) | tag
    }

    /// From a word.
    pub(super) const fn of(word: u64) -> Self {
        let micros = word >> Self::TAG_BITS;
        match word & 3 {
            0 => Self::Closed(micros),
            1 => Self::Open(micros),
            _ => Self::Probing(micros),
        }
    }
}
