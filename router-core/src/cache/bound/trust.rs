//! What is known about one cached answer.

/// How often one entry's answer was found right and wrong.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Trust {
    right: u16,
    wrong: u16,
}

/// Weight of the prior belief that an entry errs as often as the bound allows, in observations. With 5, one wrong
/// label is forgiven only after a good dozen right ones.
const PRIOR_WEIGHT: f64 = 5.0;

/// An entry is not served once its expected error is so many times the bound …
const TOLERANCE: f64 = 3.0;

/// … and at least this: with a strict bound a single wrong label in twenty is still one bad label.
const LEAST_TOLERATED: f64 = 0.05;

impl Trust {
    /// Takes a label of this entry in.
    pub fn observe(&mut self, wrong: bool) {
        let count = if wrong { &mut self.wrong } else { &mut self.right };
        *count = count.saturating_add(1);
    }

    /// The expected share of wrong answers: the mean of a Beta distribution whose prior mean is the bound.
    #[must_use]
    pub fn expected_error(&self, max_false_hit_rate: f64) -> f64 {
        let (right, wrong) = (f64::from(self.right), f64::from(self.wrong));
        (PRIOR_WEIGHT * max_false_hit_rate + wrong) / (PRIOR_WEIGHT + right + wrong)
    }

    /// Whether this entry must not be served to other questions, whatever the score.
    #[must_use]
    pub fn vetoes(&self, max_false_hit_rate: f64) -> bool {
        self.wrong > 0
            && self.expected_error(max_false_hit_rate) > (TOLERANCE * max_false_hit_rate).max(LEAST_TOLERATED)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_wrong_label_vetoes_until_right_ones_outweigh_it() {
        let mut trust = Trust::default();
        assert!(!trust.vetoes(0.02));
        trust.observe(true);
        assert!(trust.vetoes(0.02));
        for _ in 0..13 {
            trust.observe(false);
        }
        assert!(!trust.vetoes(0.02), "{}", trust.expected_error(0.02));
    }

    #[test]
    fn right_labels_alone_never_veto() {
        let mut trust = Trust::default();
        for _ in 0..100_000 {
            trust.observe(false);
        }
        assert!(!trust.vetoes(0.001));
        assert!(trust.expected_error(0.001) < 0.001);
    }
}
