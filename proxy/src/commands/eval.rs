//! `eval`: measures what the router decides by.

mod cosines;

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{BufRead, BufReader, IsTerminal};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::Context;
use indicatif::{ProgressBar, ProgressStyle};
use router_classifiers::dataset::{Row, read_rows};
use router_classifiers::evaluate::complexity::{Curves, Report, Split, run};
use router_classifiers::evaluate::ranks::rank_correlation;
use router_classifiers::evaluate::{plot, served, volatility as evaluate_volatility};
use router_classifiers::volatility::dataset::read_questions;
use router_core::cache::evaluate::{Row as Pair, evaluate_cache};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use self::cosines::Cosines;
use crate::args::{EvalCache, EvalComplexity, EvalServed, EvalVolatility, Matcher};

/// `eval complexity`
///
/// # Errors
/// Data that cannot be read or does not suit what was asked.
pub fn complexity(options: &EvalComplexity) -> anyhow::Result<ExitCode> {
    let data = rows(&options.data)?;
    let train = options.train.as_deref().map(rows).transpose()?;
    let split = match (options.folds, options.labels) {
        (Some(folds), _) => Split::Folds(folds),
        (None, Some(labels)) => Split::Labels { labels, seeds: options.seeds },
        (None, None) => Split::Whole,
    };
    let progress = progress();
    let (report, curves) = run(&data, train.as_deref(), split, &mut |done, total| {
        progress.set_length(total as u64);
        progress.set_position(done as u64);
    })?;
    progress.finish_and_clear();
    if let Some(path) = &options.plot {
        draw(path, &options.data, &report, &curves)?;
    }
    print_report(&report, options.json)?;
    Ok(ExitCode::SUCCESS)
}

/// `eval cache`: each pair judged alone, as the running cache would at its shipped setting.
///
/// # Errors
/// Data that cannot be read, by line; a sentence model that is not there, with how to get one.
pub fn cache(options: &EvalCache) -> anyhow::Result<ExitCode> {
    let report = match options.matcher {
        Matcher::Builtin => evaluate_cache(&pairs(&options.data)?, None),
        Matcher::Fastembed => {
            let mut cosines = Cosines::load(options.models.as_deref())?;
            let pairs = pairs(&options.data)?;
            let progress = progress();
            progress.set_length(pairs.len() as u64);
            let report = evaluate_cache(
                &pairs,
                Some(&mut |a, b| {
                    progress.inc(1);
                    cosines.of(a, b)
                }),
            );
            progress.finish_and_clear();
            for (reason, texts) in &cosines.without {
                eprintln!("{texts} texts without an embedding: {reason}");
            }
            report
        }
    };
    print_report(&report, options.json)?;
    Ok(ExitCode::SUCCESS)
}

/// The pairs of a file, blank lines passed over.
fn pairs(path: &Path) -> anyhow::Result<Vec<Pair>> {
    let mut pairs = Vec::new();
    for (number, line) in lines(path)?.lines().enumerate() {
        let place = || format!("{}:{}", path.display(), number + 1);
        let line = line.with_context(place)?;
        if line.trim().is_empty() {
            continue;
        }
        let pair: Pair = serde_json::from_str(&line).with_context(place)?;
        anyhow::ensure!(pair.label <= 1, "{}: 'label' must be 0 or 1", place());
        pairs.push(pair);
    }
    Ok(pairs)
}

/// `eval volatility`
///
/// # Errors
/// Data that cannot be read, by line.
pub fn volatility(options: &EvalVolatility) -> anyhow::Result<ExitCode> {
    let read = |path: &Path| -> anyhow::Result<_> {
        read_questions(lines(path)?).with_context(|| path.display().to_string())
    };
    let train = options.train.as_deref().map(read).transpose()?;
    let report = evaluate_volatility::run(&read(&options.data)?, train.as_deref())?;
    print_report(&report, options.json)?;
    Ok(ExitCode::SUCCESS)
}

/// What `eval served` prints.
#[derive(Debug, Serialize)]
struct Served {
    everyday: usize,
    hard: usize,
    auc: Option<f64>,
    everyday_internal: Option<f64>,
    hard_internal: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    level_correlation: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    level_correlation_of_length: Option<f64>,
    /// Share of all prompts whose band the edit changes.
    band_changed_by: BTreeMap<&'static str, Option<f64>>,
}

/// A row with a text, under the names that such rows have.
#[derive(Debug, Deserialize)]
struct Text {
    #[serde(alias = "text", alias = "question")]
    prompt: String,
    #[serde(default)]
    level: Option<String>,
}

/// `eval served`: the score that requests are served with, gate included.
///
/// # Errors
/// Data that cannot be read, by line.
pub fn served(options: &EvalServed) -> anyhow::Result<ExitCode> {
    let scorer = super::scorer();
    let prompts = |paths: &[PathBuf]| -> anyhow::Result<Vec<String>> {
        let mut prompts = Vec::new();
        for path in paths {
            prompts.extend(texts(path)?.into_iter().map(|row| row.prompt));
        }
        Ok(prompts)
    };
    let (everyday, hard) = (prompts(&options.everyday)?, prompts(&options.hard)?);
    let (low, high) = (served::complexities(&*scorer, &everyday), served::complexities(&*scorer, &hard));
    let levels = options.levels.as_deref().map(texts).transpose()?.unwrap_or_default();
    let ranked: Vec<f64> = levels.iter().filter_map(|row| row.level.as_deref().and_then(level)).collect();
    let graded: Vec<String> = levels.into_iter().map(|row| row.prompt).collect();
    let scores: Vec<f64> = served::complexities(&*scorer, &graded).into_iter().map(f64::from).collect();
    let lengths: Vec<f64> = graded.iter().map(|prompt| prompt.len() as f64).collect();
    let all = [everyday.clone(), hard.clone(), graded].concat();
    let report = Served {
        everyday: everyday.len(),
        hard: hard.len(),
        auc: served::separation(&low, &high),
        everyday_internal: served::internal_share(&low),
        hard_internal: served::internal_share(&high),
        level_correlation: rank_correlation(&scores, &ranked),
        level_correlation_of_length: rank_correlation(&lengths, &ranked),
        band_changed_by: served::EDITS
            .iter()
            .map(|(name, edit)| (*name, served::changed_share(&*scorer, &all, *edit)))
            .collect(),
    };
    print_report(&report, options.json)?;
    Ok(ExitCode::SUCCESS)
}

/// The digit of `Level 3`.
fn level(text: &str) -> Option<f64> {
    text.trim_start_matches(|c: char| !c.is_ascii_digit()).parse().ok()
}

fn texts(path: &Path) -> anyhow::Result<Vec<Text>> {
    let mut rows = Vec::new();
    for (number, line) in lines(path)?.lines().enumerate() {
        let place = || format!("{}:{}", path.display(), number + 1);
        let line = line.with_context(place)?;
        if !line.trim().is_empty() {
            rows.push(serde_json::from_str(&line).with_context(place)?);
        }
    }
    Ok(rows)
}

fn draw(path: &Path, data: &Path, report: &Report, curves: &Curves) -> anyhow::Result<()> {
    let title = data.file_stem().map_or_else(String::new, |name| name.to_string_lossy().into_owned());
    let svg = plot::svg(&title, report, curves);
    std::fs::write(path, svg).with_context(|| format!("{} cannot be written", path.display()))
}

/// A bar on a terminal, nothing elsewhere.
pub(super) fn progress() -> ProgressBar {
    if !std::io::stderr().is_terminal() {
        return ProgressBar::hidden();
    }
    let bar = ProgressBar::new(0);
    if let Ok(style) = ProgressStyle::with_template("  {bar:40} {pos}/{len}  {eta}") {
        bar.set_style(style);
    }
    bar
}

/// Opens a file of lines.
pub(super) fn lines(path: &Path) -> anyhow::Result<impl BufRead + use<>> {
    let file = File::open(path).with_context(|| format!("{} cannot be opened", path.display()))?;
    Ok(BufReader::new(file))
}

pub(super) fn rows(path: &Path) -> anyhow::Result<Vec<Row>> {
    read_rows(lines(path)?).with_context(|| path.display().to_string())
}

/// Prints a report: one JSON object, or a line a figure.
pub(super) fn print_report(report: &impl Serialize, json: bool) -> anyhow::Result<()> {
    if json {
        println!("{}", serde_json::to_string(report)?);
        return Ok(());
    }
    let Value::Object(figures) = serde_json::to_value(report)? else { return Ok(()) };
    for (name, value) in figures {
        match value {
            Value::Number(number) if number.is_f64() => {
                println!("{name:<20} {:.4}", number.as_f64().unwrap_or_default())
            }
            Value::Null => println!("{name:<20} –"),
            value => println!("{name:<20} {value}"),
        }
    }
    Ok(())
}
