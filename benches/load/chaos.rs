//! Provider trouble for real: the sidecar as a process over scripted providers that fail by name, and what callers saw of it.
//!
//! Every play is one row of the table: what is asked, what was measured. Providers run in this process, so that a play can kill, slow
//! and count them; the sidecar has a core of its own. Times are shorter than in the simulation (`router-core/tests/simulation.rs`),
//! which runs the same decisions for hours in seconds.

mod caller;
mod cast;
mod crowds;
mod plays;
mod row;
mod tails;
mod weather;

use std::process::ExitCode;
use std::time::Duration;

use clap::Args;
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use serde_json::json;

use crate::cores::{self, Cores};
use crate::programs::Programs;
use cast::Stage;
use row::Row;

/// Options of `chaos`.
#[derive(Args)]
pub(crate) struct Options {
    /// How long each of the longer plays lasts; those on hedging take three times as long, each.
    #[arg(long, default_value_t = 20, value_parser = clap::value_parser!(u64).range(1..=3_600))]
    seconds: u64,
    /// What to play; may be repeated. Default: everything.
    #[arg(long, value_enum)]
    play: Vec<Play>,
    /// One JSON object on stdout instead of a table.
    #[arg(long)]
    json: bool,
}

/// What can be played.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
enum Play {
    /// All faults of the scripted provider, mixed.
    Mixed,
    /// One of four providers is ten times slower.
    Slow,
    /// All providers answer 503 for a while.
    Outage,
    /// One of three providers answers 429 with `retry-after`.
    Limited,
    /// Second attempts for late first tokens.
    Hedging,
    /// The preferred region refuses connections.
    Region,
    /// One of two providers fails every other time.
    Flapping,
    /// A thousand equal streams at once.
    Equal,
    /// A thousand callers leave in mid-stream.
    Leavers,
    /// Ten thousand requests that are their callers' fault.
    Callers,
}

impl Play {
    const ALL: [Self; 10] = [
        Self::Mixed,
        Self::Slow,
        Self::Outage,
        Self::Limited,
        Self::Hedging,
        Self::Region,
        Self::Flapping,
        Self::Equal,
        Self::Leavers,
        Self::Callers,
    ];

    async fn perform(self, stage: &Stage<'_>, lasting: Duration) -> anyhow::Result<Vec<Row>> {
        match self {
            Self::Mixed => weather::mixed(stage, lasting).await,
            Self::Slow => plays::slow(stage, lasting).await,
            Self::Outage => plays::outage(stage, lasting).await,
            Self::Limited => plays::limited(stage, lasting).await,
            Self::Hedging => tails::hedging(stage, lasting * 3).await,
            Self::Region => plays::region(stage, lasting).await,
            Self::Flapping => plays::flapping(stage, lasting).await,
            Self::Equal => crowds::equal(stage).await,
            Self::Leavers => crowds::leavers(stage).await,
            Self::Callers => crowds::callers(stage).await,
        }
    }
}

/// Plays, and prints the table. Fails where something was not reached.
///
/// # Errors
/// The sidecar or a provider does not start.
pub(crate) async fn run(options: &Options) -> anyhow::Result<ExitCode> {
    let programs = Programs::find()?;
    let cores = Cores::choose()?;
    cores::bind_self(cores.generator)?;
    raise_descriptor_limit();
    let stage = Stage::new(&programs, cores);
    let plays = if options.play.is_empty() { Play::ALL.to_vec() } else { options.play.clone() };
    let mut rows = Vec::new();
    for play in plays {
        eprintln!("{play:?} …");
        rows.extend(play.perform(&stage, Duration::from_secs(options.seconds)).await?);
    }
    if options.json {
        println!("{}", json!({ "rows": rows }));
    } else {
        print!("{}", row::table(&rows));
    }
    let all_reached = rows.iter().all(|row| row.reached);
    Ok(if all_reached { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// A thousand streams have four thousand ends, and many systems begin at 1,024. The sidecar inherits it.
fn raise_descriptor_limit() {
    let Rlimit { maximum, .. } = getrlimit(Resource::Nofile);
    // Where it is not allowed, the plays with crowds will say so.
    let _ = setrlimit(Resource::Nofile, Rlimit { current: maximum, maximum });
}
