//! Money that is set aside for one request, in one budget or in several.

use std::sync::Arc;
use std::time::SystemTime;

use smallvec::SmallVec;

use super::alert::{Alerts, alerts};
use super::spike::Spender;
use super::window::Window;
use super::{Budget, Exhausted, Period, Terms};
use crate::money::Usd;

/// What becomes of money whose request ended without anybody settling it: the caller went away, a task
/// was aborted, a thread panicked.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Abandoned {
    /// Free again: nothing was sent, so nothing was spent.
    #[default]
    Release,
    /// Spent: something was sent, and the reservation is the most it can have cost.
    Charge,
}

/// Money set aside in one budget. It settles in the window in which it was made, whatever the time.
#[derive(Debug)]
#[must_use = "dropping a reservation gives it up"]
pub struct Reservation {
    pub(super) window: Arc<Window>,
    terms: Arc<Terms>,
    period: Period,
    amount: Usd,
    spender: Spender,
    abandoned: Abandoned,
    open: bool,
}

impl Reservation {
    /// `amount` must have been reserved in `window` already.
    pub(super) fn new(
        window: Arc<Window>,
        terms: Arc<Terms>,
        period: Period,
        amount: Usd,
        spender: Spender,
    ) -> Self {
        window.tally.add(spender, amount.nanos());
        Self { window, terms, period, amount, spender, abandoned: Abandoned::Release, open: true }
    }

    /// What is set aside.
    #[must_use]
    pub const fn amount(&self) -> Usd {
        self.amount
    }

    /// Sets aside `more`, for an answer that grows longer than was foreseen.
    ///
    /// # Errors
    /// [`Exhausted`]: nothing changed, and what was set aside before still is.
    pub fn try_extend(&mut self, more: Usd) -> Result<(), Exhausted> {
        self.window.try_reserve(&self.terms, self.period, more)?;
        self.extend(more);
        Ok(())
    }

    /// Counts `more`, which was reserved in the window already.
    fn extend(&mut self, more: Usd) {
        self.window.tally.add(self.spender, more.nanos());
        self.amount += more;
    }

    /// Takes back an extension.
    fn shrink(&mut self, less: Usd) {
        self.window.account.release(less.nanos());
        self.window.tally.subtract(self.spender, less.nanos());
        self.amount = self.amount.saturating_sub(less);
    }

    /// What a drop means from now on. Call with [`Abandoned::Charge`] just before sending.
    pub fn when_abandoned(&mut self, abandoned: Abandoned) {
        self.abandoned = abandoned;
    }

    /// Spends `actual` and frees the rest. More than was set aside is spent all the same, even beyond the limit:
    /// the provider has charged it.
    pub fn settle(mut self, actual: Usd) -> Alerts {
        self.close(actual)
    }

    /// Frees all of it: nothing was sent.
    pub fn release(mut self) {
        self.abandoned = Abandoned::Release;
    }

    fn close(&mut self, actual: Usd) -> Alerts {
        self.open = false;
        let (reserved, actual) = (self.amount.nanos(), actual.nanos());
        if actual > reserved {
            self.window.tally.add(self.spender, actual - reserved);
        } else {
            self.window.tally.subtract(self.spender, reserved - actual);
        }
        let spent = Usd::from_nanos(self.window.account.settle(reserved, actual));
        let fresh = self.window.account.mark(self.terms.alerts.reached(spent));
        alerts(&self.terms, self.period, fresh, spent)
    }
}

/// A charge on drop raises no alert; the next settlement does.
impl Drop for Reservation {
    fn drop(&mut self) {
        if !self.open {
            return;
        }
        match self.abandoned {
            Abandoned::Release => self.shrink(self.amount),
            Abandoned::Charge => {
                let amount = self.amount.nanos();
                self.window.account.settle(amount, amount);
            }
        }
    }
}

/// The same money set aside in every budget that a request falls under: its key's, its tenant's, its tags',
/// the router's.
#[derive(Debug, Default)]
#[must_use = "dropping a hold gives it up"]
pub struct Hold {
    reservations: SmallVec<[Reservation; 4]>,
}

impl Hold {
    /// Reserves `amount` in all `budgets` or in none. What the first ones gave is returned when a later one is
    /// exhausted; until then others can find it taken, so that under contention a request may be refused which
    /// would just have fitted, never the reverse.
    ///
    /// # Errors
    /// [`Exhausted`], of the first budget that is.
    pub fn try_new<'a>(
        budgets: impl IntoIterator<Item = (&'a Budget, &'a Arc<Terms>)>,
        amount: Usd,
        spender: Spender,
        now: SystemTime,
    ) -> Result<Self, Exhausted> {
        let reserve =
            |(budget, terms): (&Budget, &Arc<Terms>)| budget.try_reserve(terms, amount, spender, now);
        let reservations = budgets.into_iter().map(reserve).collect::<Result<_, _>>()?;
        Ok(Self { reservations })
    }

    /// Reserves `amount` in all `budgets`, whatever their limits: for a request that an exhausted budget's
    /// policy sends to a cheaper place instead of refusing it.
    pub fn new<'a>(
        budgets: impl IntoIterator<Item = (&'a Budget, &'a Arc<Terms>)>,
        amount: Usd,
        spender: Spender,
        now: SystemTime,
    ) -> Self {
        let reserve = |(budget, terms): (&Budget, &Arc<Terms>)| budget.reserve(terms, amount, spender, now);
        Self { reservations: budgets.into_iter().map(reserve).collect() }
    }

    /// What is set aside in each budget; zero without budgets.
    #[must_use]
    pub fn amount(&self) -> Usd {
        self.reservations.first().map_or(Usd::ZERO, Reservation::amount)
    }

    /// As [`Reservation::try_extend`], in all budgets or in none.
    ///
    /// # Errors
    /// [`Exhausted`], of the first budget that is.
    pub fn try_extend(&mut self, more: Usd) -> Result<(), Exhausted> {
        for index in 0..self.reservations.len() {
            if let Err(exhausted) = self.reservations[index].try_extend(more) {
                self.reservations[..index].iter_mut().for_each(|reservation| reservation.shrink(more));
                return Err(exhausted);
            }
        }
        Ok(())
    }

    /// As [`Reservation::when_abandoned`].
    pub fn when_abandoned(&mut self, abandoned: Abandoned) {
        self.reservations.iter_mut().for_each(|reservation| reservation.when_abandoned(abandoned));
    }

    /// As [`Reservation::settle`].
    pub fn settle(self, actual: Usd) -> Alerts {
        self.reservations.into_iter().flat_map(|reservation| reservation.settle(actual)).collect()
    }

    /// As [`Reservation::release`].
    pub fn release(self) {
        self.reservations.into_iter().for_each(Reservation::release);
    }
}
