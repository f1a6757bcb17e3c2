//! `[attempts]`

use std::time::Duration;

use router_core::Usd;

use crate::read;
use crate::source::At;
use crate::table::Table;

/// More retries of one request than this are never useful, and a policy bomb.
const MAX_RETRIES: u32 = 20;

/// Beyond it second attempts are no longer the exception that they are meant to be.
const MAX_HEDGE_SHARE: f64 = 0.2;

/// `retry = { … }`
#[derive(Clone, Debug, Default)]
pub struct RetryEntry {
    /// Retries as a share of the requests of the last ten seconds.
    pub share: Option<At<f64>>,
    /// Retries in ten seconds that are always allowed.
    pub floor: Option<At<u32>>,
    /// Retries of one request.
    pub most: Option<At<u32>>,
    /// The wait before the first retry at the same provider.
    pub base: Option<At<Duration>>,
}

/// `hedge = { … }`
#[derive(Clone, Debug, Default)]
pub struct HedgeEntry {
    /// Extra calls as a share of the requests that may be hedged.
    pub share: Option<At<f64>>,
    /// A request expected to cost more is not hedged.
    pub max_cost: Option<At<Usd>>,
    /// What one tenant's second attempts may cost in an hour.
    pub tenant_hourly: Option<At<Usd>>,
}

/// `hold_back = { … }`
#[derive(Clone, Debug, Default)]
pub struct HoldBackEntry {
    /// Until so many bytes have come,
    pub bytes: Option<At<u64>>,
    /// or so much time has passed since the first of them.
    pub time: Option<At<Duration>>,
}

/// How attempts follow and accompany each other, as typed.
#[derive(Clone, Debug, Default)]
pub struct AttemptsSection {
    /// How failed attempts are followed by others.
    pub retry: RetryEntry,
    /// When a second attempt is sent beside a late first one. Absent: never.
    pub hedge: Option<HedgeEntry>,
    /// No first token after so long: the next candidate is asked.
    pub first_token: Option<At<Duration>>,
    /// How much of a stream is held back.
    pub hold_back: HoldBackEntry,
    /// Whether hybrid answers are checked.
    pub escalate: Option<At<bool>>,
    /// A comment is sent on a silent stream after so long.
    pub keep_alive: Option<At<Duration>>,
    /// Whether equal requests in flight share one call.
    pub coalesce: Option<At<bool>>,
}

impl AttemptsSection {
    pub(super) fn read(table: &mut Table<'_, '_>) -> Self {
        Self {
            retry: table.section("retry", RetryEntry::read).map(|at| at.value).unwrap_or_default(),
            hedge: table.section("hedge", HedgeEntry::read).map(|at| at.value),
            first_token: table.optional("first_token", read::duration),
            hold_back: table.section("hold_back", HoldBackEntry::read).map(|at| at.value).unwrap_or_default(),
            escalate: table.optional("escalate", read::boolean),
            keep_alive: table.optional("keep_alive", read::duration),
            coalesce: table.optional("coalesce", read::boolean),
        }
    }
}

impl RetryEntry {
    fn read(table: &mut Table<'_, '_>) -> Self {
        Self {
            share: table.optional("share", read::share(1.0)),
            floor: table.optional("floor", read::integer(0..=10_000)),
            most: table.optional("most", read::integer(0..=MAX_RETRIES)),
            base: table.optional("base", read::duration),
        }
    }
}

impl HedgeEntry {
    fn read(table: &mut Table<'_, '_>) -> Self {
        Self {
            share: table.optional("share", read::share(MAX_HEDGE_SHARE)),
            max_cost: table.optional("max_cost", read::amount),
            tenant_hourly: table.optional("tenant_hourly", read::amount),
        }
    }
}

impl HoldBackEntry {
    fn read(table: &mut Table<'_, '_>) -> Self {
        Self { bytes: table.optional("bytes", read::size), time: table.optional("time", read::duration) }
    }
}
