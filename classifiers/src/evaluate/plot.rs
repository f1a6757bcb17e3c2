//! The curves as a picture.

use std::fmt::Write;

use super::complexity::{Curves, Report};
use super::curve::Curve;

const WIDTH: f64 = 640.0;
const HEIGHT: f64 = 480.0;
const LEFT: f64 = 64.0;
const TOP: f64 = 40.0;
const SIDE: f64 = 540.0;
const RISE: f64 = 380.0;

/// An SVG of quality recovered against the share of strong calls: the score, prompt length, the oracle and a random router.
#[must_use]
pub fn svg(title: &str, report: &Report, curves: &Curves) -> String {
    let top = ceiling(curves);
    let mut out = String::new();
    let _ = write!(
        out,
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {WIDTH} {HEIGHT}\" width=\"{WIDTH}\" height=\"{HEIGHT}\" \
         font-family=\"sans-serif\" font-size=\"12\">\n<rect width=\"100%\" height=\"100%\" fill=\"#fff\"/>\n\
         <text x=\"{LEFT}\" y=\"24\" font-size=\"15\">{}</text>\n",
        escape(title)
    );
    axes(&mut out, top);
    let figure = |apgr: Option<f64>| apgr.map_or("undefined".to_owned(), |apgr| format!("{apgr:.3}"));
    let lines = [
        (curves.oracle.as_ref(), "#999", "4 3", format!("oracle, APGR {}", figure(report.oracle_apgr))),
        (
            curves.length.as_ref(),
            "#c77700",
            "",
            format!("prompt length, APGR {}", figure(report.length_apgr)),
        ),
        (curves.scorer.as_ref(), "#0b62c4", "", format!("score, APGR {}", figure(report.apgr))),
    ];
    let diagonal = [0.0, 1.0];
    line(&mut out, &diagonal, top, "#bbb", "2 3");
    legend(&mut out, 0, "#bbb", "random, APGR 0.500");
    for (row, (curve, colour, dash, label)) in lines.iter().enumerate() {
        if let Some(curve) = curve {
            line(&mut out, Curve::recovered(curve), top, colour, dash);
            legend(&mut out, row + 1, colour, label);
        }
    }
    out.push_str("</svg>\n");
    out
}

/// The oracle recovers more than everything, since it also avoids the prompts on which the strong model is worse.
fn ceiling(curves: &Curves) -> f64 {
    let all = [&curves.scorer, &curves.length, &curves.oracle];
    let highest = all.into_iter().flatten().flat_map(Curve::recovered).copied().fold(1.0, f64::max);
    (highest * 5.0).ceil() / 5.0
}

fn axes(out: &mut String, top: f64) {
    let (bottom, right) = (TOP + RISE, LEFT + SIDE);
    let _ = writeln!(out, "<path d=\"M{LEFT} {TOP}V{bottom}H{right}\" fill=\"none\" stroke=\"#333\"/>");
    for tick in 0..=5 {
        let share = f64::from(tick) / 5.0;
        let (x, y) = (LEFT + SIDE * share, bottom - RISE * share);
        let (below, beside) = (bottom + 18.0, LEFT - 8.0);
        let _ = writeln!(
            out,
            "<text x=\"{x:.1}\" y=\"{below:.1}\" text-anchor=\"middle\">{:.0} %</text>",
            share * 100.0
        );
        let label = share * top * 100.0;
        let _ = writeln!(
            out,
            "<text x=\"{beside:.1}\" y=\"{:.1}\" text-anchor=\"end\">{label:.0} %</text>",
            y + 4.0
        );
        let _ = writeln!(out, "<path d=\"M{LEFT} {y:.1}H{right}\" stroke=\"#eee\"/>");
    }
    let _ = writeln!(
        out,
        "<text x=\"{:.1}\" y=\"{:.1}\" text-anchor=\"middle\">share of strong calls</text>\n\
         <text x=\"16\" y=\"{:.1}\" text-anchor=\"middle\" transform=\"rotate(-90 16 {:.1})\">gain recovered</text>",
        LEFT + SIDE / 2.0,
        bottom + 40.0,
        TOP + RISE / 2.0,
        TOP + RISE / 2.0
    );
}

fn line(out: &mut String, values: &[f64], top: f64, colour: &str, dash: &str) {
    let steps = (values.len().max(2) - 1) as f64;
    let mut path = String::new();
    for (at, value) in values.iter().enumerate() {
        let x = LEFT + SIDE * at as f64 / steps;
        let y = TOP + RISE * (1.0 - value.max(0.0) / top);
        let _ = write!(path, "{}{x:.1} {y:.1}", if at == 0 { 'M' } else { 'L' });
    }
    let _ = writeln!(
        out,
        "<path d=\"{path}\" fill=\"none\" stroke=\"{colour}\" stroke-width=\"2\" stroke-dasharray=\"{dash}\"/>"
    );
}

fn legend(out: &mut String, row: usize, colour: &str, label: &str) {
    let y = TOP + RISE - 80.0 + 18.0 * row as f64;
    let x = LEFT + SIDE - 210.0;
    let _ = writeln!(
        out,
        "<path d=\"M{x} {:.1}h24\" stroke=\"{colour}\" stroke-width=\"3\"/><text x=\"{}\" y=\"{y:.1}\">{}</text>",
        y - 4.0,
        x + 32.0,
        escape(label)
    );
}

fn escape(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::evaluate::curve::Pair;

    #[test]
    fn the_picture_has_all_four_lines_and_no_raw_markup() {
        let pairs: Vec<Pair> =
            (0..50).map(|i| Pair { weak: 0.0, strong: f64::from(u8::from(i % 3 == 0)) }).collect();
        let scores: Vec<f64> = (0..50).map(f64::from).collect();
        let curve = Curve::of(&scores, &pairs, 101);
        let curves = Curves { scorer: curve.clone(), length: curve.clone(), oracle: curve };
        let report = Report {
            n: 50,
            weak_accuracy: 0.0,
            strong_accuracy: 0.34,
            apgr: Some(0.5),
            apgr_sd: None,
            cpt50: None,
            cpt80: None,
            oracle_apgr: Some(0.9),
            length_apgr: Some(0.5),
            calibration_error: None,
            gated_share: None,
            gated_accuracy: None,
        };
        let picture = svg("a < b & c", &report, &curves);
        assert!(picture.starts_with("<svg") && picture.ends_with("</svg>\n"));
        assert!(picture.contains("a &lt; b &amp; c"));
        for label in ["random", "prompt length", "oracle", "score, APGR 0.500"] {
            assert!(picture.contains(label), "{label}");
        }
        assert_eq!(picture.matches("stroke-width=\"2\"").count(), 4);
    }
}
