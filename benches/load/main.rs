//! Load harness: the sidecar against a bare hyper pass-through, in one run, each alone on a core.
//!
//! For every scenario it starts a scripted upstream and both targets, then sends rounds of requests to one and the other in
//! turn. What counts is CPU time per request, which stays still on a busy machine; latencies and rates do not. Stiller yet
//! are instructions: with `--callgrind` both targets run under valgrind, which counts them.

mod arrivals;
mod bodies;
mod chaos;
mod cores;
mod exchange;
mod instructions;
mod process;
mod programs;
mod report;
mod round;
mod scenario;
mod stage;

use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;

use anyhow::bail;
use clap::{Parser, Subcommand};
use serde_json::json;
use tokio::signal::unix::{SignalKind, signal};

use crate::cores::Cores;
use crate::instructions::Instructions;
use crate::programs::Programs;
use crate::report::Report;
use crate::round::Drive;
use crate::scenario::Scenario;
use crate::stage::{Stage, Target};

/// Measures the sidecar against a bare hyper pass-through.
#[derive(Parser)]
#[command(args_conflicts_with_subcommands = true)]
struct Args {
    #[command(subcommand)]
    command: Option<Command>,
    /// What to send; may be repeated. Default: everything.
    #[arg(long, value_enum)]
    scenario: Vec<Scenario>,
    /// Requests in a round (of streams a tenth of it).
    #[arg(long, default_value_t = 20_000, value_parser = clap::value_parser!(u64).range(100..=10_000_000))]
    requests: u64,
    /// Requests before those that count (of streams a tenth of it). Default: as many as in a round, and at least enough for
    /// every popular prompt to be in the cache.
    #[arg(long, value_parser = clap::value_parser!(u64).range(..=10_000_000))]
    warm_up: Option<u64>,
    /// Connections, each with one request under way.
    #[arg(long, default_value_t = 32, value_parser = clap::value_parser!(u16).range(1..=1_000))]
    connections: u16,
    /// Requests a second that fall due at equal distances. Default: each connection sends as soon as it has its answer.
    #[arg(long, value_parser = clap::value_parser!(u32).range(1..=1_000_000))]
    rate: Option<u32>,
    /// Rounds at each target.
    #[arg(long, default_value_t = 7, value_parser = clap::value_parser!(u16).range(1..=100))]
    rounds: u16,
    /// Count instructions with valgrind instead of time (a tenth of the requests, one round), and leave the profiles for
    /// callgrind_annotate in this folder.
    #[arg(long, value_name = "DIR")]
    callgrind: Option<PathBuf>,
    /// One JSON object on stdout instead of tables.
    #[arg(long)]
    json: bool,
}

#[derive(Subcommand)]
enum Command {
    /// Lets providers fail in every way they can, and prints what callers saw of it.
    Chaos(chaos::Options),
}

/// Asks for each popular prompt several times over every connection that there may usefully be.
const LEAST_WARM_UP: u64 = 256;

impl Args {
    fn scenarios(&self) -> Vec<Scenario> {
        if self.scenario.is_empty() { Scenario::ALL.to_vec() } else { self.scenario.clone() }
    }

    fn drive(&self, scenario: Scenario) -> Drive {
        let plain = if self.callgrind.is_some() { self.requests.div_ceil(10) } else { self.requests };
        let requests = scenario.requests(plain);
        Drive {
            scenario,
            requests,
            connections: self.connections.into(),
            rate: self.rate,
            warm_up: self.warm_up.map_or(requests.max(LEAST_WARM_UP), |plain| scenario.requests(plain)),
            numbers: Arc::default(),
        }
    }
}

/// Rounds at both targets in turn; every other time the sidecar goes first.
async fn compare(stage: &Stage<'_>, drive: Drive, rounds: u16) -> anyhow::Result<Report> {
    let bare = stage.start(Target::Bare, &[])?;
    let sidecar = stage.start(Target::Sidecar, &[])?;
    drive.warm_up(Target::Bare, &bare, drive.warm_up).await?;
    drive.warm_up(Target::Sidecar, &sidecar, drive.warm_up).await?;
    let mut report = Report::new(drive);
    for number in 0..rounds {
        eprint!("\r{}: round {} of {rounds} ", stage.scenario().summary(), number + 1);
        let drive = report.drive();
        let (one, other) = if number % 2 == 0 {
            let one = drive.round(Target::Bare, &bare).await?;
            (one, drive.round(Target::Sidecar, &sidecar).await?)
        } else {
            let other = drive.round(Target::Sidecar, &sidecar).await?;
            (drive.round(Target::Bare, &bare).await?, other)
        };
        report.add(one, other);
    }
    eprintln!();
    Ok(report)
}

/// What a run has to say.
struct Findings {
    json: serde_json::Value,
    table: String,
    errors: u64,
}

async fn measure(args: &Args, stage: &Stage<'_>) -> anyhow::Result<Findings> {
    let drive = args.drive(stage.scenario());
    Ok(match &args.callgrind {
        None => {
            let report = compare(stage, drive, args.rounds).await?;
            Findings { json: report.json(), table: report.table(), errors: report.errors() }
        }
        Some(folder) => {
            let counted = Instructions::count(stage, &drive, folder).await?;
            Findings { json: counted.json(), table: counted.table(), errors: counted.errors() }
        }
    })
}

async fn run(args: &Args) -> anyhow::Result<ExitCode> {
    if let Some(Command::Chaos(options)) = &args.command {
        return chaos::run(options).await;
    }
    let programs = Programs::find()?;
    let cores = Cores::choose()?;
    cores::bind_self(cores.generator)?;
    let (mut scenarios, mut errors) = (Vec::new(), 0);
    for scenario in args.scenarios() {
        let findings = measure(args, &Stage::set(&programs, cores, scenario)?).await?;
        if !args.json {
            print!("{}", findings.table);
        }
        errors += findings.errors;
        scenarios.push(findings.json);
    }
    if args.json {
        println!("{}", json!({"cores": cores, "scenarios": scenarios}));
    }
    Ok(if errors == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// Waits until somebody wants the run to end.
async fn interrupted() -> anyhow::Result<ExitCode> {
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    tokio::select! {
        _ = terminate.recv() => {}
        _ = interrupt.recv() => {}
    }
    bail!("interrupted")
}

fn main() -> anyhow::Result<ExitCode> {
    let args = Args::parse();
    tokio::runtime::Builder::new_current_thread().enable_all().build()?.block_on(async {
        // Whichever ends first drops the other, and with a run its processes.
        tokio::select! {
            done = run(&args) => done,
            early = interrupted() => early,
        }
    })
}
