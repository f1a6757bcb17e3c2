//! How long an answer takes: a wait before the first token that grows with the prompt, then a steady rate.

use std::time::Duration;

use fastrand::Rng;

/// The longest a single wait may become through jitter, as a multiple of its median.
///
/// A lognormal with σ = 2, the widest we test with, exceeds it three times in ten thousand draws; without a
/// cap a single draw could outlast a test.
const MAX_STRETCH: f64 = 1_000.0;

/// How waits vary from one request to the next.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub enum Jitter {
    /// They do not.
    #[default]
    None,
    /// Every wait is multiplied by a factor drawn evenly from `1 - spread ..= 1 + spread`, spread 0 to 1.
    Uniform(f64),
    /// The wait for the first token is lognormal around its median with this σ. Token rates stay steady.
    Lognormal(f64),
}

/// The delay model. All waits are zero by default.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Delay {
    /// Until the first token of an empty prompt.
    pub first_token: Duration,
    /// Added to the first token's wait for every token of the prompt.
    pub per_prompt_token: Duration,
    /// Between one token of the answer and the next.
    pub per_output_token: Duration,
    /// How the waits vary.
    pub jitter: Jitter,
    /// Where the variation comes from: the same seed and the same order of requests give the same waits.
    pub seed: u64,
}

impl Delay {
    /// No waiting at all, and no timer is ever made: for load runs.
    pub const ZERO: Self = Self {
        first_token: Duration::ZERO,
        per_prompt_token: Duration::ZERO,
        per_output_token: Duration::ZERO,
        jitter: Jitter::None,
        seed: 0,
    };

    /// The waits of the request with this ordinal number.
    pub(crate) fn pace(&self, ordinal: u64, prompt_tokens: u32) -> Pace {
        let first = self.first_token + self.per_prompt_token * prompt_tokens;
        let pace = Pace { first, token: self.per_output_token, ..Pace::default() };
        let mut rng = Rng::with_seed(self.seed ^ ordinal.wrapping_mul(0x9e37_79b9_7f4a_7c15));
        match self.jitter {
            Jitter::None => pace,
            Jitter::Uniform(spread) => pace.stretch(1.0 + spread.clamp(0.0, 1.0) * (2.0 * rng.f64() - 1.0)),
            Jitter::Lognormal(sigma) => {
                let factor = (sigma * normal(&mut rng)).exp().min(MAX_STRETCH);
                Pace { first: pace.first.mul_f64(factor), ..pace }
            }
        }
    }
}

/// The waits of one answer.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(crate) struct Pace {
    /// Before the status line, in addition to everything else.
    pub(crate) headers: Duration,
    /// Before the first token.
    pub(crate) first: Duration,
    /// Between the status line and the body.
    pub(crate) body: Duration,
    /// Before every further token.
    pub(crate) token: Duration,
}

impl Pace {
    /// All waits times a factor.
    pub(crate) fn stretch(self, factor: f64) -> Self {
        let factor = factor.clamp(0.0, MAX_STRETCH);
        Self {
            headers: self.headers.mul_f64(factor),
            first: self.first.mul_f64(factor),
            body: self.body.mul_f64(factor),
            token: self.token.mul_f64(factor),
        }
    }
}

/// A standard normal draw (Box and Muller, 1958).
fn normal(rng: &mut Rng) -> f64 {
    let radius = (-2.0 * (1.0 - rng.f64()).ln()).sqrt();
    radius * (std::f64::consts::TAU * rng.f64()).cos()
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Delay = Delay { first_token: Duration::from_secs(1), ..Delay::ZERO };

    #[test]
    fn the_prompt_is_paid_before_the_first_token() {
        let delay = Delay { per_prompt_token: Duration::from_millis(2), ..SECOND };
        assert_eq!(delay.pace(0, 100).first, Duration::from_millis(1_200));
    }

    #[test]
    fn uniform_jitter_stays_in_its_band_and_repeats() {
        let delay = Delay { jitter: Jitter::Uniform(0.2), seed: 7, ..SECOND };
        let waits: Vec<_> = (0..1_000).map(|ordinal| delay.pace(ordinal, 0).first.as_secs_f64()).collect();
        assert!(waits.iter().all(|wait| (0.8..=1.2).contains(wait)));
        assert!(waits.iter().any(|wait| *wait < 0.85) && waits.iter().any(|wait| *wait > 1.15));
        assert_eq!(delay.pace(3, 0).first.as_secs_f64(), waits[3]);
    }

    #[test]
    fn lognormal_jitter_keeps_the_median_and_grows_a_tail() {
        let delay = Delay { jitter: Jitter::Lognormal(1.5), seed: 7, ..SECOND };
        let mut waits: Vec<_> =
            (0..10_000).map(|ordinal| delay.pace(ordinal, 0).first.as_secs_f64()).collect();
        waits.sort_by(f64::total_cmp);
        assert!((0.9..1.1).contains(&waits[5_000]), "median {}", waits[5_000]);
        // The 99th percentile of a lognormal is exp(2.326 sigma) times its median: 32.8 here.
        assert!((26.0..40.0).contains(&waits[9_900]), "p99 {}", waits[9_900]);
    }
}
