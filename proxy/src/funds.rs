//! Money that is set aside for one attempt.

use std::sync::Arc;
use std::time::SystemTime;

use router_core::Usd;
use router_core::budget::{Exhausted, Hold};

use crate::books::Books;
use crate::ledger::Ticket;
use crate::metrics::Metrics;

/// How the money grows with an answer whose length nobody has limited.
#[derive(Clone, Copy, Debug)]
pub struct Pace {
    /// Answer tokens that the money is for.
    pub covered: u64,
    /// Tokens by which it is extended.
    pub step: u64,
    /// What these cost at most.
    pub price: Usd,
}

/// What one attempt may cost, set aside in every budget that it falls under. Dropped, it is free again.
#[derive(Debug)]
pub struct Funds {
    /// In budgets whose limit binds.
    firm: Hold,
    /// In budgets that let the request pass nevertheless.
    lenient: Hold,
    ticket: Option<Ticket>,
    pace: Option<Pace>,
    books: Arc<Books>,
}

/// Bytes of an answer's text that a token has at least on average, to stay ahead of the provider's own count: digits, signs and most scripts
/// have about three, prose more.
const BYTES_PER_TOKEN: u64 = 3;

impl Funds {
    /// Takes charge of what was set aside.
    #[must_use]
    pub fn new(
        firm: Hold,
        lenient: Hold,
        ticket: Option<Ticket>,
        pace: Option<Pace>,
        books: Arc<Books>,
    ) -> Self {
        Self { firm, lenient, ticket, pace, books }
    }

    /// Sets more aside when an answer of so much text has used up what there is.
    ///
    /// # Errors
    /// [`Exhausted`]: a budget has no more.
    pub fn keep_pace(&mut self, text_bytes: u64) -> Result<(), Exhausted> {
        let Some(pace) = &mut self.pace else { return Ok(()) };
        while text_bytes / BYTES_PER_TOKEN > pace.covered {
            self.firm.try_extend(pace.price)?;
            pace.covered = pace.covered.saturating_add(pace.step);
            if let Some(ticket) = &self.ticket {
                self.books.extend(ticket, pace.price);
            }
        }
        Ok(())
    }

    /// Spends `actual` and frees the rest.
    pub fn settle(mut self, actual: Usd, metrics: &Metrics) {
        let (firm, lenient) = (std::mem::take(&mut self.firm), std::mem::take(&mut self.lenient));
        for alert in firm.settle(actual).into_iter().chain(lenient.settle(actual)) {
            metrics.money.budget_alerts.with_label_values(&[&alert.budget]).inc();
            self.books.announce(&alert);
        }
        self.close(actual);
    }

    fn close(&mut self, actual: Usd) {
        if let Some(ticket) = self.ticket.take() {
            self.books.settle(ticket, actual, SystemTime::now());
        }
    }
}

/// Nothing was spent.
impl Drop for Funds {
    fn drop(&mut self) {
        self.close(Usd::ZERO);
    }
}
