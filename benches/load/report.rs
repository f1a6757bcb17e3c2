//! What the rounds come to: medians for each target, and the ratios between them.

use std::fmt::Write as _;

use serde_json::{Map, Value, json};

use crate::round::{Drive, Figure, Round};

/// A scenario's rounds, each at both targets.
pub(crate) struct Report {
    drive: Drive,
    bare: Vec<Round>,
    sidecar: Vec<Round>,
}

/// The middle of some values and their extremes.
struct Spread {
    median: f64,
    least: f64,
    most: f64,
}

impl Spread {
    fn of(values: impl Iterator<Item = f64>) -> Self {
        let mut values: Vec<f64> = values.collect();
        values.sort_by(f64::total_cmp);
        let middle = values.len() / 2;
        let median = match values.get(middle) {
            None => 0.0,
            Some(_) if values.len().is_multiple_of(2) => f64::midpoint(values[middle - 1], values[middle]),
            Some(value) => *value,
        };
        let end = |value: Option<&f64>| value.copied().unwrap_or_default();
        Self { median, least: end(values.first()), most: end(values.last()) }
    }
}

impl Report {
    /// Nothing yet.
    pub(crate) fn new(drive: Drive) -> Self {
        Self { drive, bare: Vec::new(), sidecar: Vec::new() }
    }

    /// How the rounds are driven.
    pub(crate) fn drive(&self) -> &Drive {
        &self.drive
    }

    /// Takes in a round at both.
    pub(crate) fn add(&mut self, bare: Round, sidecar: Round) {
        self.bare.push(bare);
        self.sidecar.push(sidecar);
    }

    fn rounds(&self) -> impl Iterator<Item = &Round> {
        self.bare.iter().chain(&self.sidecar)
    }

    /// Requests of the counted rounds that did not get the answer that was due.
    pub(crate) fn errors(&self) -> u64 {
        self.rounds().map(|round| round.errors).sum()
    }

    fn median(rounds: &[Round], index: usize) -> f64 {
        Spread::of(rounds.iter().map(|round| round.figures[index])).median
    }

    /// The sidecar's figure as a multiple of the bare proxy's in the same round, so that what disturbs both cancels.
    fn ratio(&self, index: usize) -> Spread {
        let pairs = self.bare.iter().zip(&self.sidecar);
        let ratios = pairs.map(|(bare, sidecar)| sidecar.figures[index] / bare.figures[index]);
        Spread::of(ratios.filter(|ratio| ratio.is_finite()))
    }

    /// The report as one JSON value.
    pub(crate) fn json(&self) -> Value {
        let medians = |rounds: &[Round]| -> Map<String, Value> {
            let figures = Figure::ALL.iter().enumerate();
            figures
                .map(|(index, figure)| (figure.key().to_owned(), json!(Self::median(rounds, index))))
                .collect()
        };
        let ratios: Map<String, Value> = Figure::ALL
            .iter()
            .enumerate()
            .map(|(index, figure)| {
                let Spread { median, least, most } = self.ratio(index);
                (figure.key().to_owned(), json!({"median": median, "min": least, "max": most}))
            })
            .collect();
        json!({
            "scenario": self.drive.scenario, "requests": self.drive.requests, "connections": self.drive.connections, "rate": self.drive.rate,
            "rounds": self.bare.len(), "errors": self.errors(),
            "yardstick": self.drive.scenario.yardstick(), "bare": medians(&self.bare), "sidecar": medians(&self.sidecar), "ratio": ratios,
        })
    }

    /// The report as a table.
    pub(crate) fn table(&self) -> String {
        let Drive { scenario, requests, connections, rate, .. } = &self.drive;
        let rate =
            rate.map_or_else(|| "as fast as it goes".to_owned(), |rate| format!("at {rate} requests/s"));
        let mut table = format!(
            "\n{}\n{} rounds of {requests} requests over {connections} connections, {rate}; errors: {}\n\n{:<28}{:>11}{:>11}{:>8}\n",
            scenario.summary(),
            self.bare.len(),
            self.errors(),
            "",
            scenario.yardstick(),
            "sidecar",
            "ratio"
        );
        for (index, figure) in Figure::ALL.into_iter().enumerate() {
            let first_byte = matches!(figure, Figure::FirstByteMedian | Figure::FirstByteTail);
            if first_byte && !scenario.streams() {
                continue;
            }
            let [bare, sidecar] =
                [&self.bare, &self.sidecar].map(|rounds| show(figure, Self::median(rounds, index)));
            let Spread { median, least, most } = self.ratio(index);
            // Writing to a string does not fail.
            let _ = writeln!(
                table,
                "{:<28}{bare:>11}{sidecar:>11}{median:>8.2}  ({least:.2}-{most:.2})",
                label(figure)
            );
        }
        if let Some(error) = self.rounds().find_map(|round| round.first_error.as_deref()) {
            let _ = writeln!(table, "first error: {error}");
        }
        table
    }
}

fn label(figure: Figure) -> &'static str {
    match figure {
        Figure::Cpu => "CPU s per 10,000 requests",
        Figure::Rate => "requests/s",
        Figure::Median => "latency p50, ms",
        Figure::Tail => "latency p99, ms",
        Figure::FirstByteMedian => "first byte p50, ms",
        Figure::FirstByteTail => "first byte p99, ms",
        Figure::Resident => "RSS, MiB",
    }
}

fn show(figure: Figure, value: f64) -> String {
    match figure {
        Figure::Cpu => format!("{value:.3}"),
        Figure::Rate => format!("{value:.0}"),
        Figure::Resident => format!("{:.1}", value / f64::from(1 << 20)),
        _ => format!("{:.2}", value / 1e3),
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::scenario::Scenario;

    fn round(cpu: f64) -> Round {
        Round { figures: [cpu; Figure::ALL.len()], errors: 1, first_error: None }
    }

    #[test]
    fn ratios_are_taken_within_a_round() {
        let mut report = Report::new(Drive {
            scenario: Scenario::Miss,
            requests: 10,
            connections: 1,
            rate: None,
            warm_up: 0,
            numbers: Arc::default(),
        });
        // The second round was disturbed: both targets took ten times as long.
        for (bare, sidecar) in [(1.0, 1.5), (10.0, 15.0), (1.0, 2.0)] {
            report.add(round(bare), round(sidecar));
        }
        let Spread { median, least, most } = report.ratio(0);
        assert_eq!((median, least, most), (1.5, 1.5, 2.0));
        assert_eq!(report.errors(), 6);
        assert_eq!(report.json()["sidecar"]["cpu_seconds_per_10k"], 2.0);
    }

    #[test]
    fn the_middle_of_an_even_number_lies_between_two() {
        assert_eq!(Spread::of([4.0, 1.0, 3.0, 2.0].into_iter()).median, 2.5);
        assert_eq!(Spread::of(std::iter::empty()).median, 0.0);
    }
}
