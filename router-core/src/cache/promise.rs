//! What near hits promise, shared by all requests.

use std::sync::{Mutex, MutexGuard, PoisonError, RwLock};

use super::bound::{Bound, Label, Standing};
use super::matcher::Kind;

/// The terms on which near hits are served just now.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Terms {
    /// The lowest score that is served; `None` while nothing is.
    pub threshold: Option<f32>,
    /// What may be said about it.
    pub standing: Standing,
    /// The share of candidates to label, see [`Bound::label_share`].
    pub label_share: f64,
}

impl From<&Bound> for Terms {
    fn from(bound: &Bound) -> Self {
        Self { threshold: bound.threshold(), standing: bound.standing(), label_share: bound.label_share() }
    }
}

/// Figures of a promise, for metrics and the status page.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Account {
    /// The terms in force.
    pub terms: Terms,
    /// Labels kept.
    pub labels: usize,
    /// Wrong answers among those at or above the threshold; `None` without any.
    pub wrong_share: Option<f64>,
    /// The upper confidence limit of that share at 95 %.
    pub wrong_share_limit: f64,
}

/// The [`Bound`] of one kind of matcher. Reading the terms costs a read lock that is written only when they change.
#[derive(Debug)]
pub struct Promise {
    kind: Kind,
    terms: RwLock<Terms>,
    bound: Mutex<(f64, Bound)>,
}

impl Promise {
    /// A promise about `kind` that at most `max_false_hit_rate` of its near hits are wrong.
    #[must_use]
    pub fn new(kind: Kind, max_false_hit_rate: f64) -> Self {
        let bound = Bound::new(max_false_hit_rate, kind.shipped_threshold());
        let terms = RwLock::new(Terms::from(&bound));
        Self { kind, terms, bound: Mutex::new((max_false_hit_rate, bound)) }
    }

    /// A label is taken in whole, so a poisoned bound still counts.
    fn bound(&self) -> MutexGuard<'_, (f64, Bound)> {
        self.bound.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn publish(&self, bound: &Bound) {
        *self.terms.write().unwrap_or_else(PoisonError::into_inner) = Terms::from(bound);
    }

    /// The terms in force.
    #[must_use]
    pub fn terms(&self) -> Terms {
        *self.terms.read().unwrap_or_else(PoisonError::into_inner)
    }

    /// Promises another rate. The labels so far were drawn under the old one and are forgotten; with the same rate nothing happens.
    pub fn restate(&self, max_false_hit_rate: f64) {
        let mut bound = self.bound();
        if bound.0 != max_false_hit_rate {
            *bound = (max_false_hit_rate, Bound::new(max_false_hit_rate, self.kind.shipped_threshold()));
            self.publish(&bound.1);
        }
    }

    /// Takes a label in; the new terms if they changed. May take a millisecond: not for a request's path.
    pub fn observe(&self, label: Label) -> Option<Terms> {
        let mut bound = self.bound();
        bound.1.observe(label)?;
        self.publish(&bound.1);
        Some(Terms::from(&bound.1))
    }

    /// Its figures.
    #[must_use]
    pub fn account(&self) -> Account {
        let bound = &self.bound().1;
        Account {
            terms: Terms::from(bound),
            labels: bound.labels(),
            wrong_share: bound.wrong_share(),
            wrong_share_limit: bound.wrong_share_limit(),
        }
    }
}
