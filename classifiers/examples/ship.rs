//! Makes the weight files that come with this crate: `ship DATA WEIGHTS`. What must lie under DATA, where it comes from and
//! under which licence stands in `classifiers/weights/README.md`. The same data gives the same bytes.

use std::error::Error;
use std::fs::{self, File};
use std::io::BufReader;
use std::path::Path;

use router_classifiers::dataset::{self, Row};
use router_classifiers::learned::gate::background;
use router_classifiers::learned::train;
use router_classifiers::volatility;
use serde_json::Value;

type Outcome<T> = Result<T, Box<dyn Error>>;

/// What the background is measured on: file and key.
const BACKGROUND: [(&str, &str); 6] = [
    ("cache/intents_clinc150.jsonl", "text"),
    ("cache/intents_banking77.jsonl", "text"),
    ("cache/disfluent.jsonl", "a"),
    ("routing/mmlu.jsonl", "prompt"),
    ("routing/mmlu_pro.jsonl", "prompt"),
    ("routing/math_levels.jsonl", "prompt"),
];

/// What the complexity weights are trained on.
const LABELLED: [&str; 3] = ["routing/mmlu.jsonl", "routing/mmlu_pro.jsonl", "routing/math_l5.jsonl"];

/// MATH problems with a level from 1 to 5 set by people, for order.
const LEVELS: &str = "routing/math_levels.jsonl";

/// Assumed gain per level: the observed mean gain at level 5 is 0.33, an easy problem gains next to nothing.
const GAIN_PER_LEVEL: f32 = 0.066;

/// Of everyday traffic and tasks like the training rows together, the share of the former. So the simplest twentieth of the
/// training rows falls into the internal band (up to 0.4), where everyday requests are.
const SIMPLE_SHARE: f32 = 0.36;

const QUESTIONS: &str = "volatility/recency.jsonl";

fn main() -> Outcome<()> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [data, weights] = arguments.as_slice() else { return Err("usage: ship DATA WEIGHTS".into()) };
    let (data, weights) = (Path::new(data), Path::new(weights));
    if write(&weights.join("background-v1.bin"), &measure_background(data)?)? {
        return Err(
            "the background has changed: run this again, so that the gates are fitted against it".into()
        );
    }
    write(&weights.join("complexity-v1.bin"), &fit_complexity(data)?)?;
    write(&weights.join("volatility-v1.bin"), &fit_volatility(data)?)?;
    Ok(())
}

/// Returns whether the content is new.
fn write(path: &Path, bytes: &[u8]) -> Outcome<bool> {
    let changed = fs::read(path).ok().as_deref() != Some(bytes);
    fs::write(path, bytes)?;
    println!("{}: {} bytes{}", path.display(), bytes.len(), if changed { ", changed" } else { "" });
    Ok(changed)
}

fn measure_background(data: &Path) -> Outcome<Vec<u8>> {
    let texts = |(file, key): (&str, &str)| {
        lines(&data.join(file))?.iter().map(|row| text(row, key)).collect::<Outcome<Vec<String>>>()
    };
    let sources = BACKGROUND.into_iter().map(texts).collect::<Outcome<Vec<_>>>()?;
    Ok(background::measure(&sources))
}

fn fit_complexity(data: &Path) -> Outcome<Vec<u8>> {
    let mut rows: Vec<Row> = Vec::new();
    for file in LABELLED {
        rows.extend(dataset::read_rows(BufReader::new(File::open(data.join(file))?))?);
    }
    let labelled: std::collections::HashSet<String> = rows.iter().map(|row| row.prompt.clone()).collect();
    for row in lines(&data.join(LEVELS))? {
        let row = assumed(&row)?;
        if !labelled.contains(&row.prompt) {
            rows.push(row);
        }
    }
    let options = train::Options {
        name: "complexity-v1".into(),
        note: "MMLU and MMLU-Pro (MIT; labels from RouteLLM and MMLU-Pro results, Apache-2.0), MATH (MIT; labels from ZeroEval \
               results, Apache-2.0; levels by the authors)"
            .into(),
        simple_share: SIMPLE_SHARE,
        ..train::Options::default()
    };
    Ok(train::fit(&rows, &options)?.to_bytes())
}

fn assumed(row: &Value) -> Outcome<Row> {
    let level = text(row, "level")?;
    let level: f32 = level.trim_start_matches("Level ").parse()?;
    Ok(Row {
        id: text(row, "id")?,
        prompt: text(row, "prompt")?,
        category: None,
        weak_score: Some(1.0 - GAIN_PER_LEVEL * level),
        strong_score: Some(1.0),
        assumed: true,
    })
}

fn fit_volatility(data: &Path) -> Outcome<Vec<u8>> {
    let questions = volatility::dataset::read_questions(BufReader::new(File::open(data.join(QUESTIONS))?))?;
    let options = train::Options {
        name: "volatility-v1".into(),
        note: "RecencyQA (MIT)".into(),
        ..train::Options::default()
    };
    Ok(volatility::train::fit(&questions, &options)?.to_bytes())
}

fn lines(path: &Path) -> Outcome<Vec<Value>> {
    let content = fs::read_to_string(path).map_err(|error| format!("{}: {error}", path.display()))?;
    Ok(content.lines().map(serde_json::from_str).collect::<Result<_, _>>()?)
}

fn text(row: &Value, key: &str) -> Outcome<String> {
    Ok(row[key].as_str().ok_or_else(|| format!("a row has no {key}"))?.to_owned())
}
