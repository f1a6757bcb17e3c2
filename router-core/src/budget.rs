//! Budgets: money is reserved before a request is sent and settled after it was answered.
//!
//! A request reserves the most it can cost in every budget it falls under ([`Hold`]); only what fits is sent.
//! So however many requests race, what they spend together stays within the limit, unless a provider
//! charges more than the most it said it would.
//!
//! A [`Budget`] is what has been spent, and outlives reloads; its [`Terms`] are what the policy says, and come
//! with every call. Each day or month is a window of its own: a reservation settles in the window in which it
//! was made, so midnight moves no money. Windows follow the wall clock, which the caller passes in. When it
//! goes back:
//!
//! * A window that was opened before is used again with all that was spent in it. The last eight are kept.
//! * Otherwise, less than a window's length back, the newest window stays in use.
//! * Further back, the clock had been wrong before: the right window is opened, and everything that was
//!   committed in the newest one counts as spent in it too.
//!
//! So turning the clock back and forth spends no window's money twice.
//!
//! Budgets count in one process. Several routers share a limit only by dividing it.

mod account;
mod alert;
mod reservation;
mod spike;
mod window;

use std::sync::Arc;
// `account` takes its atomics from here, so that the model checker can bring its own.
use std::sync::atomic;
use std::time::SystemTime;

use arc_swap::ArcSwap;
use jiff::tz::TimeZone;
use smallvec::{SmallVec, smallvec};

use crate::money::Usd;
use account::Account;
pub use alert::{Alert, Alerts, Levels};
pub use reservation::{Abandoned, Hold, Reservation};
pub use spike::{Culprit, Spender};
pub use window::{Period, Span};
use window::{Position, Window};

/// How many windows a budget remembers. Only clocks that go back need more than two, the second for requests
/// that are under way at midnight.
const KNOWN: usize = 8;

/// What a policy says about a budget.
#[derive(Clone, Debug)]
pub struct Terms {
    /// Names the budget in alerts, logs and errors.
    pub name: Arc<str>,
    /// The most that may be spent in a window; [`Usd::MAX`] for a budget that only alerts.
    pub limit: Usd,
    /// Where to alert.
    pub alerts: Levels,
    /// Whose midnight counts. A change takes effect when the next window opens.
    pub zone: TimeZone,
    /// How many spenders to tell apart, one more than their highest number, so that an exhausted budget names the
    /// largest: this makes it a spike guard. Eight bytes each; zero for none. A change takes effect when the next
    /// window opens.
    pub spenders: u16,
}

/// A budget has no room for a request.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("budget {budget} has ${free} left this {}", .period.name())]
pub struct Exhausted {
    /// The budget's name.
    pub budget: Arc<str>,
    /// Its period.
    pub period: Period,
    /// What was neither spent nor reserved.
    pub free: Usd,
    /// When it starts over.
    pub until: SystemTime,
    /// Whether this is the first refusal of the window, the one to announce.
    pub first: bool,
    /// Who committed the most, where the terms ask for it.
    pub culprit: Option<Culprit>,
}

/// Where a budget stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Balance {
    /// Settled in the open window.
    pub spent: Usd,
    /// Set aside in the open window.
    pub reserved: Usd,
    /// The open window.
    pub span: Span,
}

/// What has been spent in the day or month that is open.
#[derive(Debug)]
pub struct Budget {
    period: Period,
    /// Those that were opened last, the newest first; never empty.
    windows: ArcSwap<Windows>,
}

type Windows = SmallVec<[Arc<Window>; KNOWN]>;

impl Budget {
    /// A budget of which nothing is spent. `None` when `now` is outside the years −9999..=9999.
    #[must_use]
    pub fn try_new(period: Period, terms: &Terms, now: SystemTime) -> Option<Self> {
        let span = period.span(&terms.zone, now)?;
        let window = Window::open(span, Account::default(), terms.spenders);
        Some(Self { period, windows: ArcSwap::from_pointee(smallvec![Arc::new(window)]) })
    }

    /// Sets `amount` aside.
    ///
    /// # Errors
    /// [`Exhausted`]: less than `amount` is left. An `amount` of nothing always fits.
    pub fn try_reserve(
        &self,
        terms: &Arc<Terms>,
        amount: Usd,
        spender: Spender,
        now: SystemTime,
    ) -> Result<Reservation, Exhausted> {
        let window = self.window(terms, now);
        window.try_reserve(terms, self.period, amount)?;
        Ok(Reservation::new(window, Arc::clone(terms), self.period, amount, spender))
    }

    /// Sets `amount` aside, whatever the limit.
    pub fn reserve(&self, terms: &Arc<Terms>, amount: Usd, spender: Spender, now: SystemTime) -> Reservation {
        let window = self.window(terms, now);
        window.account.reserve(amount.nanos());
        Reservation::new(window, Arc::clone(terms), self.period, amount, spender)
    }

    /// Counts `amount` that was spent at `at`, if that is in a window that is known: what a restarted process
    /// finds in its records. Whether it was.
    pub fn restore(&self, amount: Usd, spender: Spender, at: SystemTime) -> bool {
        let windows = self.windows.load();
        let window = windows.iter().find(|window| window.span.contains(at));
        if let Some(window) = window {
            window.account.settle(0, amount.nanos());
            window.tally.add(spender, amount.nanos());
        }
        window.is_some()
    }

    /// What is spent and reserved in the window around `now`.
    #[must_use]
    pub fn balance(&self, terms: &Terms, now: SystemTime) -> Balance {
        let window = self.window(terms, now);
        let spent = window.account.spent();
        let reserved = window.account.committed().saturating_sub(spent);
        Balance { spent: Usd::from_nanos(spent), reserved: Usd::from_nanos(reserved), span: window.span }
    }

    /// How often it starts over.
    #[must_use]
    pub const fn period(&self) -> Period {
        self.period
    }

    /// The window for `now`, opened if need be. Of several threads that find it missing one opens it; the
    /// others look again.
    fn window(&self, terms: &Terms, now: SystemTime) -> Arc<Window> {
        loop {
            let windows = self.windows.load();
            if let Some(window) = windows.iter().find(|window| window.span.contains(now)) {
                return Arc::clone(window);
            }
            let newest = &windows[0];
            let carried = match newest.position(now) {
                Position::Lagging => return Arc::clone(newest),
                Position::Ahead => 0,
                Position::Astray => newest.account.committed(),
            };
            let Some(span) = self.period.span(&terms.zone, now) else { return Arc::clone(newest) };
            let opened = Window::open(span, Account::with_spent(carried), terms.spenders);
            let known = windows.iter().take(KNOWN - 1).cloned();
            let next = std::iter::once(Arc::new(opened)).chain(known).collect();
            self.windows.compare_and_swap(&windows, Arc::new(next));
        }
    }
}

impl Window {
    fn try_reserve(&self, terms: &Terms, period: Period, amount: Usd) -> Result<(), Exhausted> {
        self.account.try_reserve(amount.nanos(), terms.limit.nanos()).map_err(|free| Exhausted {
            budget: Arc::clone(&terms.name),
            period,
            free: Usd::from_nanos(free),
            until: self.span.end(),
            first: self.account.mark(alert::EXHAUSTED) != 0,
            culprit: self.tally.culprit(),
        })
    }
}

#[cfg(test)]
mod tests;
