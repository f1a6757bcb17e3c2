//! A thousand callers at once.

use std::time::{Duration, Instant};

use anyhow::ensure;
use http_body_util::BodyExt as _;
use serde_json::{Value, json};
use tokio::task::JoinSet;

use super::caller::{Caller, question};
use super::cast::{Cast, Stage, providers};
use super::plays::ms;
use super::row::Row;

const CROWD: usize = 1_000;

/// The longest that anything here may take.
const LIMIT: Duration = Duration::from_secs(60);

pub(super) async fn equal(stage: &Stage<'_>) -> anyhow::Result<Vec<Row>> {
    let cast = stage.start(providers(&[0], |_, builder| builder).await?, "", "")?;
    cast.providers[0].upstream.script("slow-first-token=2000".parse::<router_upstream::Fault>()?);
    let body = with(question("the same for everybody", true), json!({"temperature": 0}));
    let mut asked = JoinSet::new();
    for _ in 0..CROWD {
        let (caller, body) = (cast.caller.clone(), body.clone());
        asked.spawn(async move { caller.ask(&body).await });
    }
    let replies = asked.join_all().await;
    let whole = replies.iter().filter(|reply| reply.is_ok()).count();
    let calls = cast.calls();
    Ok(vec![Row::new(
        "1,000 identical streamed requests at once",
        "1 upstream call; every caller's bytes complete",
        format!("{calls} call, {whole} complete"),
        calls == 1 && whole == CROWD,
    )])
}

pub(super) async fn leavers(stage: &Stage<'_>) -> anyhow::Result<Vec<Row>> {
    let cast = stage.start(providers(&[0], |_, builder| builder).await?, "", "")?;
    // Rounds before the one that counts, so that what is allocated once is there.
    for _ in 0..3 {
        leave(&cast).await?;
    }
    let (descriptors, resident) = (cast.sidecar.descriptors()?, cast.sidecar.resident_bytes()?);
    let took = leave(&cast).await?;
    let left = cast.sidecar.descriptors()?.saturating_sub(descriptors);
    let grown = cast.sidecar.resident_bytes()?.saturating_sub(resident);
    let held = cast.metric("in_flight_requests", "").await?;
    Ok(vec![Row::new(
        "1,000 callers leave in mid-stream",
        "every upstream cancelled within 1 s; nothing left behind",
        format!(
            "all cancelled after {}; {held} requests, {left} descriptors and {:.1} MiB more than before",
            ms(took),
            grown as f64 / f64::from(1 << 20)
        ),
        took <= Duration::from_secs(1) && held == 0.0 && left <= 5,
    )])
}

/// A thousand begin to read and then leave. How long it took until the provider was left alone.
async fn leave(cast: &Cast) -> anyhow::Result<Duration> {
    let upstream = &cast.providers[0].upstream;
    upstream.script("stall=3".parse::<router_upstream::Fault>()?);
    let before = upstream.stats();
    let mut opening = JoinSet::new();
    for number in 0..CROWD {
        let caller = Caller::new(cast.sidecar.address);
        let body = question(&format!("caller {number}"), true).to_string();
        opening.spawn(async move {
            let mut body = caller.open(body).await?.into_body();
            let first = body.frame().await;
            anyhow::Ok((caller, body, first.is_some()))
        });
    }
    let mut streams = Vec::new();
    while let Some(opened) = opening.join_next().await {
        streams.push(opened??);
    }
    ensure!(streams.iter().all(|(_, _, begun)| *begun), "a stream did not begin");
    ensure!(upstream.stats().in_flight == CROWD as u64, "not all streams are open at the same time");
    let left = Instant::now();
    drop(streams);
    let gone = upstream.wait_for(|stats| stats.in_flight == 0);
    let stats = tokio::time::timeout(LIMIT, gone).await?;
    let took = left.elapsed();
    ensure!(stats.cancelled - before.cancelled == CROWD as u64, "an answer was read to its end");
    tokio::time::timeout(LIMIT, upstream.wait_for(|stats| stats.connections_open == 0)).await?;
    upstream.clear_script();
    Ok(took)
}

pub(super) async fn callers(stage: &Stage<'_>) -> anyhow::Result<Vec<Row>> {
    let cast = stage.start(providers(&[0], |_, builder| builder).await?, "", "")?;
    cast.providers[0].upstream.script("status-400".parse::<router_upstream::Fault>()?);
    let wrong = ["{".to_owned(), "{\"model\":\"auto\"}".to_owned(), question("x", false).to_string()];
    let mut asking = JoinSet::new();
    for _ in 0..10 {
        let (caller, wrong) = (cast.caller.clone(), wrong.clone());
        asking.spawn(async move {
            let mut client_errors = 0;
            for number in 0..1_000 {
                let answer = caller.open(wrong[number % wrong.len()].clone()).await?;
                client_errors += u32::from(answer.status().is_client_error());
                answer.into_body().collect().await?;
            }
            anyhow::Ok(client_errors)
        });
    }
    let mut client_errors = 0;
    while let Some(counted) = asking.join_next().await {
        client_errors += counted??;
    }
    let open = cast.metric("breaker_state", "").await?;
    let health = cast.metric("health_score", "").await?;
    Ok(vec![Row::new(
        "10,000 caller-caused faults",
        "breaker count 0, all 4xx",
        format!("{client_errors} answers 4xx; breaker {open}, health {health}"),
        client_errors == 10_000 && open == 0.0 && health == 1.0,
    )])
}

/// A body with more fields.
fn with(mut body: Value, more: Value) -> Value {
    for (name, value) in more.as_object().into_iter().flatten() {
        body[name] = value.clone();
    }
    body
}
