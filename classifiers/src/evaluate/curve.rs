//! Quality recovered against the share of strong calls.
//!
//! `PGR = (quality of the routed set − weak) / (strong − weak)`; rank the prompts by a score, send the top share p to the
//! strong model, and PGR over p is the curve (RouteLLM, arXiv 2406.18665). Prompts with equal scores are taken in
//! proportion, as if their order were drawn at random: a constant score gives exactly the diagonal.

/// Thresholds that cut the scores into ten quantile bins: the resolution of the reported figures.
pub const THRESHOLDS: usize = 11;

/// Quality of the weak and the strong model on one prompt.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Pair {
    /// The weak model's score.
    pub weak: f64,
    /// The strong model's score.
    pub strong: f64,
}

/// PGR at equally spaced shares of strong calls from 0 to 1.
#[derive(Clone, Debug, PartialEq)]
pub struct Curve {
    recovered: Vec<f64>,
}

impl Curve {
    /// The curve of a ranking, at `points` shares. None if the two models are equally good overall: there is nothing to
    /// recover.
    #[must_use]
    pub fn of(scores: &[f64], pairs: &[Pair], points: usize) -> Option<Self> {
        let total: f64 = pairs.iter().map(|pair| pair.strong - pair.weak).sum();
        if scores.len() != pairs.len() || total.abs() < 1e-9 || points < 2 {
            return None;
        }
        let gains = cumulative_gains(scores, pairs);
        let n = pairs.len() as f64;
        let recovered =
            (0..points).map(|at| interpolate(&gains, n * at as f64 / (points - 1) as f64) / total).collect();
        Some(Self { recovered })
    }

    /// PGR at each share.
    #[must_use]
    pub fn recovered(&self) -> &[f64] {
        &self.recovered
    }

    /// Area under the curve by trapezoids: APGR. 0.5 for a random ranking.
    #[must_use]
    pub fn area(&self) -> f64 {
        let steps = (self.recovered.len() - 1) as f64;
        self.recovered.windows(2).map(|pair| (pair[0] + pair[1]) / 2.0 / steps).sum()
    }

    /// The share of strong calls at which `wanted` of the quality is first recovered, by linear interpolation.
    #[must_use]
    pub fn share_for(&self, wanted: f64) -> Option<f64> {
        let steps = (self.recovered.len() - 1) as f64;
        let at = self.recovered.iter().position(|&recovered| recovered >= wanted)?;
        let Some(before) = at.checked_sub(1) else { return Some(0.0) };
        let (low, high) = (self.recovered[before], self.recovered[at]);
        Some((before as f64 + (wanted - low) / (high - low)) / steps)
    }

    /// The mean of curves of equal length, None if there are none.
    #[must_use]
    pub fn mean(curves: &[Self]) -> Option<Self> {
        let first = curves.first()?;
        let mean = |at: usize| {
            curves.iter().filter_map(|curve| curve.recovered.get(at)).sum::<f64>() / curves.len() as f64
        };
        Some(Self { recovered: (0..first.recovered.len()).map(mean).collect() })
    }
}

/// Gain collected after each whole group of equal scores, best first: (prompts, gain).
fn cumulative_gains(scores: &[f64], pairs: &[Pair]) -> Vec<(f64, f64)> {
    let mut order: Vec<usize> = (0..scores.len()).collect();
    order.sort_by(|&a, &b| scores[b].total_cmp(&scores[a]));
    let mut gains = vec![(0.0, 0.0)];
    let mut sum = 0.0;
    for (at, &row) in order.iter().enumerate() {
        sum += pairs[row].strong - pairs[row].weak;
        if order.get(at + 1).is_none_or(|&next| scores[next] != scores[row]) {
            gains.push(((at + 1) as f64, sum));
        }
    }
    gains
}

fn interpolate(points: &[(f64, f64)], x: f64) -> f64 {
    let right = points.partition_point(|point| point.0 < x);
    match (right.checked_sub(1).and_then(|left| points.get(left)), points.get(right)) {
        (Some(a), Some(b)) => a.1 + (b.1 - a.1) * (x - a.0) / (b.0 - a.0),
        (_, Some(point)) | (Some(point), None) => point.1,
        (None, None) => 0.0,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pairs() -> Vec<Pair> {
        (0..100).map(|i| Pair { weak: 0.0, strong: f64::from(u8::from(i % 4 == 0)) }).collect()
    }

    #[test]
    fn a_constant_score_is_the_diagonal() {
        let curve = Curve::of(&[0.3; 100], &pairs(), THRESHOLDS).unwrap();
        assert!((curve.area() - 0.5).abs() < 1e-12);
        assert!((curve.share_for(0.5).unwrap() - 0.5).abs() < 1e-12);
    }

    #[test]
    fn the_oracle_needs_only_the_gains() {
        let pairs = pairs();
        let gains: Vec<f64> = pairs.iter().map(|pair| pair.strong - pair.weak).collect();
        let curve = Curve::of(&gains, &pairs, 101).unwrap();
        assert!((curve.share_for(1.0).unwrap() - 0.25).abs() < 1e-9);
        assert!((curve.area() - 0.875).abs() < 1e-9);
    }

    #[test]
    fn equal_models_leave_nothing_to_recover() {
        assert_eq!(Curve::of(&[0.1, 0.9], &[Pair { weak: 1.0, strong: 1.0 }; 2], THRESHOLDS), None);
        assert_eq!(Curve::of(&[], &[], THRESHOLDS), None);
    }
}
