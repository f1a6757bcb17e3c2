//! Prints what the shipped scorer says about prompts of known kinds: `served DATA`. What must lie under DATA stands in
//! `classifiers/weights/README.md`; files that are not there are passed over.

use std::error::Error;
use std::fs;
use std::path::Path;

use router_classifiers::LearnedScorer;
use router_classifiers::evaluate::{ranks, served};
use serde_json::Value;

type Outcome<T> = Result<T, Box<dyn Error>>;

const EVERYDAY: [(&str, &str); 2] =
    [("cache/intents_clinc150.jsonl", "text"), ("cache/intents_banking77.jsonl", "text")];

const HARD: [(&str, &str); 2] = [("routing/math_l5.jsonl", "prompt"), ("routing/mmlu_pro.jsonl", "prompt")];

const LEVELS: &str = "routing/math_levels.jsonl";

fn main() -> Outcome<()> {
    let data = std::env::args().nth(1).ok_or("usage: served DATA")?;
    let data = Path::new(&data);
    let scorer = LearnedScorer::shipped()?;
    let (everyday, hard) = (kinds(data, &EVERYDAY)?, kinds(data, &HARD)?);
    let mut scores = [Vec::new(), Vec::new()];
    for (kind, sets) in [&everyday, &hard].into_iter().enumerate() {
        for (name, prompts) in sets {
            let complexities = served::complexities(&scorer, prompts);
            println!("| {name}: in band internal | {} |", percent(served::internal_share(&complexities)));
            scores[kind].extend(complexities);
        }
    }
    println!("| everyday against hard: AUC | {} |", figure(served::separation(&scores[0], &scores[1])));
    print_levels(data, &scorer)?;
    let all: Vec<String> = everyday.into_iter().chain(hard).flat_map(|(_, prompts)| prompts).collect();
    for (name, edit) in served::EDITS {
        println!("| band changed by {name} | {} |", percent(served::changed_share(&scorer, &all, edit)));
    }
    Ok(())
}

fn print_levels(data: &Path, scorer: &LearnedScorer) -> Outcome<()> {
    let Some(rows) = lines(&data.join(LEVELS))? else { return Ok(()) };
    let prompts: Vec<String> = rows.iter().map(|row| text(row, "prompt")).collect::<Outcome<_>>()?;
    let level = |row| -> Outcome<f64> { Ok(text(row, "level")?.trim_start_matches("Level ").parse()?) };
    let levels: Vec<f64> = rows.iter().map(level).collect::<Outcome<_>>()?;
    let scores: Vec<f64> = served::complexities(scorer, &prompts).into_iter().map(f64::from).collect();
    let lengths: Vec<f64> = prompts.iter().map(|prompt| prompt.len() as f64).collect();
    println!(
        "| MATH: rank correlation of the score with the level | {} |",
        figure(ranks::rank_correlation(&scores, &levels))
    );
    println!("| the same of prompt length | {} |", figure(ranks::rank_correlation(&lengths, &levels)));
    Ok(())
}

fn kinds(data: &Path, files: &[(&str, &str)]) -> Outcome<Vec<(String, Vec<String>)>> {
    let mut kinds = Vec::new();
    for &(file, key) in files {
        if let Some(rows) = lines(&data.join(file))? {
            let prompts = rows.iter().map(|row| text(row, key)).collect::<Outcome<_>>()?;
            let name =
                Path::new(file).file_stem().map_or(file.into(), |name| name.to_string_lossy().into_owned());
            kinds.push((name, prompts));
        }
    }
    Ok(kinds)
}

fn lines(path: &Path) -> Outcome<Option<Vec<Value>>> {
    if !path.exists() {
        eprintln!("{} is not there", path.display());
        return Ok(None);
    }
    let content = fs::read_to_string(path)?;
    Ok(Some(content.lines().map(serde_json::from_str).collect::<Result<_, _>>()?))
}

fn text(row: &Value, key: &str) -> Outcome<String> {
    Ok(row[key].as_str().ok_or_else(|| format!("a row has no {key}"))?.to_owned())
}

fn percent(share: Option<f64>) -> String {
    share.map_or("–".into(), |share| format!("{:.1} %", share * 100.0))
}

fn figure(value: Option<f64>) -> String {
    value.map_or("–".into(), |value| format!("{value:.3}"))
}
