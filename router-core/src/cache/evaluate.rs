//! How good cache admission is, measured on labelled pairs.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::digest::Digest;
use super::guard::Guard;
use super::matcher::{Kind, Verdict, judge};

/// One labelled pair.
#[derive(Clone, Debug, Deserialize, PartialEq, Eq)]
pub struct Row {
    /// Where the pair is from; may repeat.
    pub id: String,
    /// The cached question.
    pub a: String,
    /// The incoming question.
    pub b: String,
    /// 1 if the answer of `a` may be served for `b`, else 0.
    pub label: u8,
}

/// The figures of one evaluation. Rates are fractions; undefined is `None`.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Report {
    /// Pairs.
    pub n: u64,
    /// Pairs whose answer may be served.
    pub positives: u64,
    /// Pairs that would be served.
    pub served: u64,
    /// Served rightly.
    pub true_hits: u64,
    /// Served wrongly.
    pub false_hits: u64,
    /// `served / n`.
    pub hit_rate: Option<f64>,
    /// `true_hits / served`.
    pub precision: Option<f64>,
    /// `true_hits / positives`.
    pub recall: Option<f64>,
    /// `false_hits / (n − positives)`.
    pub false_hit_rate: Option<f64>,
    /// Pairs that each guard refused; one pair may be refused by several. Every guard is listed.
    pub vetoed: BTreeMap<&'static str, u64>,
}

/// Where the second matcher's cosines come from. `None` means that there is none for this pair (a text too long, an
/// embedder that failed), which is a miss as in the running cache.
pub type Cosine<'f> = dyn FnMut(&str, &str) -> Option<f32> + 'f;

/// Judges every pair alone, as the running cache does at its shipped setting before it has learned anything: by the
/// built-in matcher, or with `cosine` by the embedded one.
pub fn evaluate_cache<'r>(
    rows: impl IntoIterator<Item = &'r Row>,
    mut cosine: Option<&mut Cosine<'_>>,
) -> Report {
    let mut report = Report::default();
    report.vetoed.extend(Guard::ALL.iter().map(|guard| (guard.name(), 0)));
    for row in rows {
        let (cached, incoming) = (Digest::of(&row.a), Digest::of(&row.b));
        let (kind, verdict) = match cosine.as_mut() {
            None => (Kind::BuiltIn, Some(judge(&cached, &incoming, None))),
            Some(cosine) => {
                let verdict = cosine(&row.a, &row.b).map(|cosine| judge(&cached, &incoming, Some(cosine)));
                (Kind::Embedded, verdict)
            }
        };
        report.count(row.label != 0, verdict.as_ref(), kind);
    }
    report.close();
    report
}

impl Report {
    fn count(&mut self, positive: bool, verdict: Option<&Verdict>, kind: Kind) {
        self.n += 1;
        self.positives += u64::from(positive);
        let Some(verdict) = verdict else { return };
        for guard in verdict.vetoes.iter() {
            *self.vetoed.entry(guard.name()).or_default() += 1;
        }
        if verdict.serves(kind.shipped_threshold()) {
            self.served += 1;
            self.true_hits += u64::from(positive);
            self.false_hits += u64::from(!positive);
        }
    }

    fn close(&mut self) {
        self.hit_rate = share(self.served, self.n);
        self.precision = share(self.true_hits, self.served);
        self.recall = share(self.true_hits, self.positives);
        self.false_hit_rate = share(self.false_hits, self.n - self.positives);
    }
}

fn share(part: u64, whole: u64) -> Option<f64> {
    (whole > 0).then(|| part as f64 / whole as f64)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(a: &str, b: &str, label: u8) -> Row {
        Row { id: "x".into(), a: a.into(), b: b.into(), label }
    }

    #[test]
    fn counts_hits_and_vetoes() {
        let rows = [
            row("How do I reset my password?", "how to reset a password", 1),
            row("How do I reset my password?", "how to reset a password", 0),
            row("How long is 5 miles?", "How long is 6 miles?", 0),
            row("Why do cats purr?", "What makes a good cheese?", 1),
        ];
        let report = evaluate_cache(&rows, None);
        assert_eq!((report.n, report.positives, report.served), (4, 2, 2));
        assert_eq!((report.true_hits, report.false_hits), (1, 1));
        assert_eq!((report.hit_rate, report.precision), (Some(0.5), Some(0.5)));
        assert_eq!((report.recall, report.false_hit_rate), (Some(0.5), Some(0.5)));
        assert_eq!(report.vetoed["numbers"], 1);
    }

    #[test]
    fn a_missing_cosine_is_a_miss() {
        let rows = [row("How do I reset my password?", "how to reset a password", 1)];
        let report = evaluate_cache(&rows, Some(&mut |_, _| None));
        assert_eq!((report.n, report.served), (1, 0));
        assert_eq!(report.precision, None);
        assert!(evaluate_cache(&rows, Some(&mut |_, _| Some(0.97))).served == 1);
    }

    #[test]
    fn the_keys_are_those_of_the_contract() {
        let json = serde_json::to_value(evaluate_cache(&[], None)).unwrap();
        let keys: Vec<&str> = json.as_object().unwrap().keys().map(String::as_str).collect();
        for key in [
            "n",
            "positives",
            "served",
            "true_hits",
            "false_hits",
            "hit_rate",
            "precision",
            "recall",
            "false_hit_rate",
            "vetoed",
        ] {
            assert!(keys.contains(&key), "{key}");
        }
        assert!(json["hit_rate"].is_null());
    }
}
