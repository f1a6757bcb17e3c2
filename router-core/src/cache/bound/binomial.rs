//! Exact confidence limits for a share of failures.
//!
//! Clopper and Pearson, "The use of confidence or fiducial limits illustrated in the case of the binomial", 1934:
//! the upper limit is the largest failure rate under which so few failures are still likelier than `alpha`.

/// Bisection steps: 2⁻⁵⁰ is far below any rate that matters.
const STEPS: u32 = 50;

/// Whether the upper limit at confidence `1 − alpha` is at most `rate`: the failures are too few for a higher one.
#[must_use]
pub fn surely_within(rate: f64, failures: u64, trials: u64, alpha: f64) -> bool {
    failures < trials && at_most(failures, trials, rate) <= alpha
}

/// Whether the lower limit at confidence `1 − alpha` is above `rate`: the failures are too many for a lower one.
#[must_use]
pub fn surely_above(rate: f64, failures: u64, trials: u64, alpha: f64) -> bool {
    failures > 0 && 1.0 - at_most(failures - 1, trials, rate) < alpha
}

/// The upper limit of the failure rate at confidence `1 − alpha`, having seen `failures` in `trials`. 1 without
/// trials or with failures only. Takes time in the order of `failures`.
#[must_use]
pub fn upper_limit(failures: u64, trials: u64, alpha: f64) -> f64 {
    if failures >= trials {
        return 1.0;
    }
    if failures == 0 {
        // (1 − p)ⁿ = α
        return 1.0 - (alpha.ln() / trials as f64).exp();
    }
    bisect(|rate| at_most(failures, trials, rate) > alpha)
}

/// The lower limit of the failure rate at confidence `1 − alpha`. 0 without failures.
#[must_use]
pub fn lower_limit(failures: u64, trials: u64, alpha: f64) -> f64 {
    if failures == 0 || trials == 0 {
        return 0.0;
    }
    // P(X ≥ k) grows with the rate: the limit is where it reaches α.
    bisect(|rate| 1.0 - at_most(failures - 1, trials, rate) < alpha)
}

/// Where `below` turns from true to false in 0..1.
fn bisect(below: impl Fn(f64) -> bool) -> f64 {
    let (mut low, mut high) = (0.0, 1.0);
    for _ in 0..STEPS {
        let middle = 0.5 * (low + high);
        if below(middle) { low = middle } else { high = middle }
    }
    high
}

/// P(X ≤ k) for X binomial, summed from the largest term down in logarithms so that nothing under- or overflows.
fn at_most(k: u64, n: u64, rate: f64) -> f64 {
    if rate <= 0.0 {
        return 1.0;
    }
    if rate >= 1.0 {
        return if k >= n { 1.0 } else { 0.0 };
    }
    let odds = (rate / (1.0 - rate)).ln();
    let mut log_term = n as f64 * (1.0 - rate).ln();
    let mut log_terms = Vec::with_capacity(usize::try_from(k).unwrap_or(0) + 1);
    log_terms.push(log_term);
    for i in 0..k {
        log_term += ((n - i) as f64 / (i + 1) as f64).ln() + odds;
        log_terms.push(log_term);
    }
    let largest = log_terms.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    let sum: f64 = log_terms.iter().map(|term| (term - largest).exp()).sum();
    (largest + sum.ln()).exp().min(1.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn close(a: f64, b: f64) -> bool {
        (a - b).abs() < 5e-5
    }

    /// Reference values from the F distribution form of the limits.
    #[test]
    fn limits_match_published_tables() {
        assert!(close(upper_limit(0, 299, 0.05), 0.009_97), "{}", upper_limit(0, 299, 0.05));
        assert!(close(upper_limit(0, 10, 0.05), 0.258_87));
        assert!(close(upper_limit(1, 10, 0.05), 0.394_16));
        assert!(close(upper_limit(5, 100, 0.025), 0.112_83));
        assert!(close(lower_limit(5, 100, 0.025), 0.016_43));
        assert!(close(lower_limit(1, 10, 0.05), 0.005_12));
    }

    #[test]
    fn a_bound_of_one_percent_needs_299_clean_labels() {
        assert!(upper_limit(0, 299, 0.05) <= 0.01);
        assert!(upper_limit(0, 298, 0.05) > 0.01);
    }

    #[test]
    fn deciding_agrees_with_the_limits() {
        for (failures, trials) in [(0, 299), (0, 298), (3, 500), (12, 400), (1, 10), (7, 7)] {
            for rate in [0.01, 0.02, 0.05, 0.2] {
                assert_eq!(
                    surely_within(rate, failures, trials, 0.05),
                    upper_limit(failures, trials, 0.05) <= rate
                );
                assert_eq!(
                    surely_above(rate, failures, trials, 0.05),
                    lower_limit(failures, trials, 0.05) > rate
                );
            }
        }
    }

    #[test]
    fn edges() {
        assert_eq!(upper_limit(0, 0, 0.05), 1.0);
        assert_eq!(upper_limit(7, 7, 0.05), 1.0);
        assert_eq!(lower_limit(0, 7, 0.05), 0.0);
        assert!(upper_limit(4000, 8192, 0.01) < 0.51);
        assert!(lower_limit(4000, 8192, 0.01) > 0.46);
    }
}
