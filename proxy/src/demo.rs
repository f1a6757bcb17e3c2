//! `demo`: the sidecar at work over two simulated providers, and what it saved.

mod chaos;
mod client;
mod providers;
mod report;
mod workload;

use std::io::IsTerminal;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::Context;
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use tokio::sync::Semaphore;
use tokio::task::JoinSet;

use crate::args;
use crate::commands::{Signals, listen, run, runtime, scorer};
use crate::log;
use crate::sidecar::{Settings, Sidecar};

use chaos::Storm;
use client::{Client, Reply};
use providers::Providers;
use report::Report;
use workload::Order;

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
    let starting =
        async { if options.chaos { Providers::start_pairs().await } else { Providers::start().await } };
    let providers = starting.await.context("the simulated providers do not start")?;
    let settings = listen(Settings::default(), &options.listeners);
    let sidecar = Sidecar::start(settings, providers.origin(), scorer()).await?;
    let orders = workload::orders(options.requests());
    let report = if options.chaos {
        weather(&sidecar, &providers, orders).await?
    } else {
        Report::new(&sidecar, &drive(&sidecar, orders, None).await)?
    };
    if options.json {
        println!("{}", serde_json::to_string(&report)?);
    } else {
        print!("{report}");
    }
    if options.exit || options.chaos {
        sidecar.drain().await;
        return Ok(if report.has_failed() { ExitCode::FAILURE } else { ExitCode::SUCCESS });
    }
    // Whoever reads that it still serves may end it at once.
    let signals = Signals::take()?;
    if !options.json {
        print!("{}", report::what_next(&sidecar, providers.policy()));
    }
    Ok(run(sidecar, signals).await)
}

/// A quarter of the workload in fair weather, so that the router gets to know its providers, and the rest in rough.
async fn weather(sidecar: &Sidecar, providers: &Providers, mut orders: Vec<Order>) -> anyhow::Result<Report> {
    let rough = orders.split_off(orders.len() / 4);
    let calm = drive(sidecar, orders, Some(chaos::LASTING / 4)).await;
    let storm = Storm::new(providers, sidecar);
    let replies = tokio::select! {
        replies = drive(sidecar, rough, Some(chaos::LASTING)) => replies,
        never = storm.rage() => match never {},
    };
    let damage = storm.end().await;
    let account = chaos::Account::new(damage, &calm, &replies, sidecar);
    let all: Vec<Reply> = calm.into_iter().chain(replies).collect();
    Ok(Report::new(sidecar, &all)?.in_weather(account))
}

/// Sends the orders, over this time where one is given, and waits for every answer.
async fn drive(sidecar: &Sidecar, orders: Vec<Order>, over: Option<Duration>) -> Vec<Reply> {
    let client = Client::new(sidecar.data());
    let places = Arc::new(Semaphore::new(CONCURRENCY));
    let count = u32::try_from(orders.len()).unwrap_or(u32::MAX);
    let progress = progress(count);
    let mut tasks = JoinSet::new();
    let begun = Instant::now();
    for (order, number) in orders.into_iter().zip(0..) {
        if let Some(over) = over {
            tokio::time::sleep_until((begun + over * number / count).into()).await;
        }
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
