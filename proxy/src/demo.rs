//! `demo`: the sidecar at work over two simulated providers, and what it saved.

mod client;
mod providers;
mod report;
mod workload;

use std::io::IsTerminal;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Instant;

use anyhow::Context;
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use tokio::sync::Semaphore;
use tokio::task::JoinSet;

use crate::args;
use crate::commands::{Signals, listen, run, runtime, scorer};
use crate::log;
use crate::sidecar::{Settings, Sidecar};

use client::{Client, Reply};
use providers::Providers;
use report::Report;

/// Requests under way at the same time: a small team's worth.
const CONCURRENCY: usize = 16;

/// Runs the demo.
///
/// # Errors
/// Where the sidecar or a simulated provider does not start.
pub fn demo(options: &args::Demo) -> anyhow::Result<ExitCode> {
    log::init("info");
    runtime()?.block_on(play(options))
}

async fn play(options: &args::Demo) -> anyhow::Result<ExitCode> {
    let providers = Providers::start().await.context("the simulated providers do not start")?;
    let settings = listen(Settings::default(), &options.listeners);
    let sidecar = Sidecar::start(settings, providers.origin(), scorer()).await?;
    let replies = drive(&sidecar, options.requests).await;
    let report = Report::new(&sidecar, &replies)?;
    if options.json {
        println!("{}", serde_json::to_string(&report)?);
    } else {
        print!("{report}");
    }
    if options.exit {
        sidecar.drain().await;
        return Ok(if report.has_errors() { ExitCode::FAILURE } else { ExitCode::SUCCESS });
    }
    if !options.json {
        print!("{}", report::what_next(&sidecar, providers.policy()));
    }
    Ok(run(sidecar, Signals::take()?).await)
}

/// Sends the workload and waits for every answer.
async fn drive(sidecar: &Sidecar, requests: u32) -> Vec<Reply> {
    let client = Client::new(sidecar.data());
    let places = Arc::new(Semaphore::new(CONCURRENCY));
    let progress = progress(requests);
    let mut tasks = JoinSet::new();
    for order in workload::orders(requests) {
        let Ok(place) = Arc::clone(&places).acquire_owned().await else { break };
        let client = client.clone();
        let progress = progress.clone();
        tasks.spawn(async move {
            let began = Instant::now();
            let reply = client.send(&order, began).await;
            progress.inc(1);
            drop(place);
            reply
        });
    }
    let replies = tasks.join_all().await;
    progress.finish_and_clear();
    replies
}

fn progress(requests: u32) -> ProgressBar {
    let target = if std::io::stderr().is_terminal() {
        ProgressDrawTarget::stderr()
    } else {
        ProgressDrawTarget::hidden()
    };
    let bar = ProgressBar::with_draw_target(Some(requests.into()), target);
    if let Ok(style) = ProgressStyle::with_template("  {bar:40} {pos}/{len} requests  {per_sec}") {
        bar.set_style(style);
    }
    bar
}
