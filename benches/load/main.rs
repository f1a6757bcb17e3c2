//! Load harness: the sidecar against a bare hyper pass-through, in one run, each alone on a core.
//!
//! For every scenario it starts a scripted upstream and both targets, then sends rounds of requests to one and the other in
//! turn. What counts is CPU time per request, which stays still on a busy machine; latencies and rates do not.

mod arrivals;
mod bodies;
mod cores;
mod exchange;
mod process;
mod programs;
mod report;
mod round;
mod scenario;
mod stage;

use std::process::ExitCode;

use clap::Parser;
use serde_json::json;

use crate::cores::Cores;
use crate::programs::Programs;
use crate::report::Report;
use crate::round::Drive;
use crate::scenario::Scenario;
use crate::stage::{Stage, Target};

/// Measures the sidecar against a bare hyper pass-through.
#[derive(Parser)]
struct Args {
    /// What to send; may be repeated. Default: everything.
    #[arg(long, value_enum)]
    scenario: Vec<Scenario>,
    /// Requests in a round (of streams a tenth of it).
    #[arg(long, default_value_t = 20_000, value_parser = clap::value_parser!(u64).range(100..=10_000_000))]
    requests: u64,
    /// Connections, each with one request under way.
    #[arg(long, default_value_t = 32, value_parser = clap::value_parser!(u16).range(1..=1_000))]
    connections: u16,
    /// Rounds at each target.
    #[arg(long, default_value_t = 7, value_parser = clap::value_parser!(u16).range(1..=100))]
    rounds: u16,
    /// One JSON object on stdout instead of tables.
    #[arg(long)]
    json: bool,
}

impl Args {
    fn scenarios(&self) -> Vec<Scenario> {
        if self.scenario.is_empty() { Scenario::ALL.to_vec() } else { self.scenario.clone() }
    }
}

/// Rounds at both targets in turn; every other time the sidecar goes first.
async fn compare(stage: &Stage<'_>, drive: Drive, rounds: u16) -> anyhow::Result<Report> {
    let bare = stage.start(Target::Bare, &[])?;
    let sidecar = stage.start(Target::Sidecar, &[])?;
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

async fn run(args: &Args) -> anyhow::Result<ExitCode> {
    let programs = Programs::find()?;
    let cores = Cores::choose()?;
    cores::bind_self(cores.generator)?;
    let mut reports = Vec::new();
    for scenario in args.scenarios() {
        let stage = Stage::set(&programs, cores, scenario)?;
        let drive = Drive::new(scenario, scenario.requests(args.requests), args.connections.into());
        let report = compare(&stage, drive, args.rounds).await?;
        if !args.json {
            print!("{}", report.table());
        }
        reports.push(report);
    }
    if args.json {
        let scenarios: Vec<_> = reports.iter().map(Report::json).collect();
        println!("{}", json!({"cores": cores, "scenarios": scenarios}));
    }
    let errors: u64 = reports.iter().map(Report::errors).sum();
    Ok(if errors == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

fn main() -> anyhow::Result<ExitCode> {
    let args = Args::parse();
    tokio::runtime::Builder::new_current_thread().enable_all().build()?.block_on(run(&args))
}
