//! How well one order agrees with another.

/// Probability that a positive scores above a negative, ties counted half (the Mann-Whitney statistic: the area under the
/// ROC curve). None without a positive and a negative.
#[must_use]
pub fn auc(rows: &[(f32, bool)]) -> Option<f64> {
    let mut sorted = rows.to_vec();
    sorted.sort_by(|a, b| a.0.total_cmp(&b.0));
    let positives = rows.iter().filter(|row| row.1).count();
    let negatives = rows.len() - positives;
    if positives == 0 || negatives == 0 {
        return None;
    }
    let (mut below, mut wins) = (0usize, 0.0);
    for group in sorted.chunk_by(|a, b| a.0 == b.0) {
        let positive = group.iter().filter(|row| row.1).count();
        let negative = group.len() - positive;
        wins += positive as f64 * (below as f64 + negative as f64 / 2.0);
        below += negative;
    }
    Some(wins / (positives as f64 * negatives as f64))
}

/// Spearman's rank correlation, ties sharing their mean rank. None if either side has no spread.
#[must_use]
pub fn rank_correlation(a: &[f64], b: &[f64]) -> Option<f64> {
    let (a, b) = (ranks(a), ranks(b));
    let mean = (a.len() as f64 - 1.0) / 2.0;
    let sum = |f: &dyn Fn(f64, f64) -> f64| a.iter().zip(&b).map(|(a, b)| f(a - mean, b - mean)).sum::<f64>();
    let (product, left, right) = (sum(&|a, b| a * b), sum(&|a, _| a * a), sum(&|_, b| b * b));
    if left == 0.0 || right == 0.0 { None } else { Some(product / (left * right).sqrt()) }
}

fn ranks(values: &[f64]) -> Vec<f64> {
    let mut order: Vec<usize> = (0..values.len()).collect();
    order.sort_by(|&a, &b| values[a].total_cmp(&values[b]));
    let mut ranks = vec![0.0; values.len()];
    let mut start = 0;
    for group in order.chunk_by(|&a, &b| values[a] == values[b]) {
        let shared = start as f64 + (group.len() as f64 - 1.0) / 2.0;
        group.iter().for_each(|&at| ranks[at] = shared);
        start += group.len();
    }
    ranks
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn auc_counts_pairs() {
        assert_eq!(auc(&[(0.1, false), (0.4, true), (0.3, false), (0.9, true)]), Some(1.0));
        assert_eq!(auc(&[(0.5, false), (0.5, true)]), Some(0.5));
        assert_eq!(auc(&[(0.9, false), (0.1, true), (0.2, true)]), Some(0.0));
        assert_eq!(auc(&[(0.9, true)]), None);
    }

    #[test]
    fn correlation_looks_at_order_only() {
        assert!((rank_correlation(&[1.0, 2.0, 3.0], &[10.0, 100.0, 1e9]).unwrap() - 1.0).abs() < 1e-12);
        assert!((rank_correlation(&[1.0, 2.0, 3.0], &[3.0, 2.0, 1.0]).unwrap() + 1.0).abs() < 1e-12);
        assert!(rank_correlation(&[1.0, 1.0, 2.0, 2.0], &[1.0, 2.0, 1.0, 2.0]).unwrap().abs() < 1e-12);
        assert_eq!(rank_correlation(&[1.0, 1.0], &[1.0, 2.0]), None);
    }
}
