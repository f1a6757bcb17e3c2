//! Measures the cache's matchers beyond what `xynergy-router eval cache` does: makes traps, asks labelled intents for
//! each other's answers, and plays simulated streams against the error bound. `benches/quality/run` calls all of it.

mod cosine;
mod intents;
mod streams;
mod traps;

use std::io::Write;
use std::path::PathBuf;

use clap::{Parser, Subcommand};
use serde_json::json;

use streams::Stream;
use traps::{Half, Trap};

#[derive(Debug, Parser)]
#[command(about = "What the tables of docs/quality.md need besides the router itself")]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Prints pairs that look alike and must not share an answer, as `eval cache` reads them.
    Traps {
        /// What the pairs differ in.
        #[arg(value_enum)]
        trap: Trap,
        /// Which templates and words they are made of.
        #[arg(long, value_enum)]
        half: Half,
        /// How many pairs.
        #[arg(long, default_value_t = 1000)]
        count: usize,
    },
    /// Judges pairs by cosine alone, to compare with.
    Cosine {
        /// JSON lines: id, a, b, label.
        #[arg(long, value_name = "FILE.jsonl")]
        data: PathBuf,
        /// The folder of the sentence model.
        #[arg(long, value_name = "DIR")]
        models: PathBuf,
        /// Serve from this cosine on.
        #[arg(long, default_value_t = 0.9)]
        threshold: f32,
    },
    /// The share of texts that would get the answer of a text of another intent.
    Intents {
        /// JSON lines: text, intent.
        #[arg(long, value_name = "FILE.jsonl")]
        data: PathBuf,
        /// Judge with the sentence model in this folder.
        #[arg(long, value_name = "DIR")]
        models: Option<PathBuf>,
        /// List the pairs that would be served on stderr.
        #[arg(long)]
        list: bool,
    },
    /// Simulated streams against the bound on wrong hits: a line of JSON for each stream and bound.
    Streams {
        /// Runs of each.
        #[arg(long, default_value_t = 20)]
        seeds: u64,
    },
}

fn main() -> anyhow::Result<()> {
    let mut out = std::io::stdout().lock();
    match Arguments::parse().command {
        Command::Traps { trap, half, count } => {
            for pair in traps::generate(trap, half, count, 1) {
                writeln!(out, "{}", json!({"id": "trap", "a": pair.a, "b": pair.b, "label": 0}))?;
            }
        }
        Command::Cosine { data, models, threshold } => {
            writeln!(out, "{}", cosine::measure(&data, &models, threshold)?)?;
        }
        Command::Intents { data, models, list } => {
            writeln!(out, "{}", intents::measure(&data, models.as_deref(), list)?)?;
        }
        Command::Streams { seeds } => {
            for stream in Stream::ALL {
                for bound in [0.01, 0.02, 0.05, 0.1] {
                    writeln!(out, "{}", streams::summarize(stream, bound, seeds))?;
                }
            }
        }
    }
    Ok(())
}
