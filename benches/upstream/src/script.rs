//! The script: which requests meet which fault.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

use fastrand::Rng;

use crate::fault::Fault;

/// How often a rule applies.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum When {
    /// To the next so many requests, one rule per request in the order of the script.
    Next(u32),
    /// To each request with this probability (0 to 1), drawn from the seed in the order of arrival.
    Sometimes {
        /// The probability.
        share: f64,
        /// Where the draws come from.
        seed: u64,
    },
    /// To every request.
    Always,
}

/// A fault and the requests that meet it.
///
/// Rules see every request but those to the server's own `/__…` paths; [`Fault::ResetOnAccept`] sees
/// connections instead. A `Next` rule is used up; at most one of them applies to a request, the others
/// all do.
#[derive(Clone, Debug, PartialEq)]
pub struct Rule {
    /// What happens.
    pub fault: Fault,
    /// How often.
    pub when: When,
    /// Only to requests for this model, if set.
    pub model: Option<String>,
    /// Only to requests for this path, if set.
    pub path: Option<String>,
}

impl Rule {
    /// The fault hits the next `times` requests.
    pub fn next(fault: Fault, times: u32) -> Self {
        Self::new(fault, When::Next(times))
    }

    /// The fault hits each request with probability `share`, drawn from `seed`.
    pub fn sometimes(fault: Fault, share: f64, seed: u64) -> Self {
        Self::new(fault, When::Sometimes { share, seed })
    }

    /// The fault hits every request.
    pub fn always(fault: Fault) -> Self {
        Self::new(fault, When::Always)
    }

    /// Only requests for this model.
    #[must_use]
    pub fn for_model(mut self, model: impl Into<String>) -> Self {
        self.model = Some(model.into());
        self
    }

    /// Only requests for this path, as in `/v1/messages`.
    #[must_use]
    pub fn for_path(mut self, path: impl Into<String>) -> Self {
        self.path = Some(path.into());
        self
    }

    fn new(fault: Fault, when: When) -> Self {
        Self { fault, when, model: None, path: None }
    }

    fn concerns(&self, model: Option<&str>, path: &str) -> bool {
        let model_fits = self.model.as_deref().is_none_or(|only| model == Some(only));
        let path_fits = self.path.as_deref().is_none_or(|only| path == only);
        model_fits && path_fits
    }
}

impl From<Fault> for Rule {
    fn from(fault: Fault) -> Self {
        Self::always(fault)
    }
}

/// The rules in force. Free of cost while there are none.
#[derive(Debug, Default)]
pub(crate) struct Script {
    rules: Mutex<Vec<Armed>>,
    len: AtomicUsize,
}

#[derive(Debug)]
struct Armed {
    rule: Rule,
    rng: Rng,
}

impl Script {
    pub(crate) fn add(&self, rule: Rule) {
        let seed = if let When::Sometimes { seed, .. } = rule.when { seed } else { 0 };
        let mut rules = self.lock();
        rules.push(Armed { rule, rng: Rng::with_seed(seed) });
        self.len.store(rules.len(), Ordering::Release);
    }

    pub(crate) fn clear(&self) {
        self.lock().clear();
        self.len.store(0, Ordering::Release);
    }

    pub(crate) fn len(&self) -> usize {
        self.len.load(Ordering::Acquire)
    }

    /// The rules with what is left of their counts.
    pub(crate) fn rules(&self) -> Vec<Rule> {
        self.lock().iter().map(|armed| armed.rule.clone()).collect()
    }

    /// The faults that a request meets.
    pub(crate) fn draw(&self, model: Option<&str>, path: &str) -> Vec<Fault> {
        self.take(|rule| rule.fault != Fault::ResetOnAccept && rule.concerns(model, path))
    }

    /// Whether a connection is to be reset as it is accepted.
    pub(crate) fn draw_connection(&self) -> bool {
        !self.take(|rule| rule.fault == Fault::ResetOnAccept).is_empty()
    }

    fn take(&self, concerns: impl Fn(&Rule) -> bool) -> Vec<Fault> {
        let mut drawn = Vec::new();
        if self.len() == 0 {
            return drawn;
        }
        let mut rules = self.lock();
        let mut counted = false;
        for Armed { rule, rng } in rules.iter_mut().filter(|armed| concerns(&armed.rule)) {
            let hit = match &mut rule.when {
                When::Next(_) if counted => false,
                When::Next(left) => {
                    counted = *left > 0;
                    *left = left.saturating_sub(1);
                    counted
                }
                When::Sometimes { share, .. } => rng.f64() < *share,
                When::Always => true,
            };
            if hit {
                drawn.push(rule.fault.clone());
            }
        }
        rules.retain(|armed| armed.rule.when != When::Next(0));
        self.len.store(rules.len(), Ordering::Release);
        drawn
    }

    fn lock(&self) -> MutexGuard<'_, Vec<Armed>> {
        self.rules.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counted_rules_queue_up_and_run_out() {
        let script = Script::default();
        script.add(Rule::next(Fault::Crlf, 2));
        script.add(Rule::next(Fault::Empty, 1));
        let drawn: Vec<_> = (0..4).map(|_| script.draw(None, "/")).collect();
        assert_eq!(drawn, [vec![Fault::Crlf], vec![Fault::Crlf], vec![Fault::Empty], vec![]]);
        assert_eq!(script.len(), 0);
    }

    #[test]
    fn standing_rules_join_counted_ones() {
        let script = Script::default();
        script.add(Rule::always(Fault::Crlf).for_model("small"));
        script.add(Rule::next(Fault::Empty, 1).for_path("/v1/messages"));
        assert_eq!(script.draw(Some("big"), "/v1/chat/completions"), []);
        assert_eq!(script.draw(Some("small"), "/v1/messages"), [Fault::Crlf, Fault::Empty]);
        assert_eq!(script.draw(Some("small"), "/v1/messages"), [Fault::Crlf]);
    }

    #[test]
    fn a_share_is_kept_and_repeats_with_its_seed() {
        let count = || {
            let script = Script::default();
            script.add(Rule::sometimes(Fault::Empty, 0.25, 42));
            (0..10_000).filter(|_| !script.draw(None, "/").is_empty()).count()
        };
        assert!((2_300..2_700).contains(&count()));
        assert_eq!(count(), count());
    }

    #[test]
    fn connections_and_requests_draw_from_separate_rules() {
        let script = Script::default();
        script.add(Rule::next(Fault::ResetOnAccept, 1));
        assert_eq!(script.draw(None, "/"), []);
        assert!(script.draw_connection());
        assert!(!script.draw_connection());
    }
}
