//! Plays of one trouble each.

use std::time::{Duration, Instant};

use router_upstream::{Builder, Delay, Fault, Jitter, Rule};

use super::caller::{Reply, error_share, first_byte, kinds};
use super::cast::{Stage, providers};
use super::row::Row;

/// Requests a second where nothing else is said.
const RATE: u32 = 100;

/// First tokens around 20 ms, as spread out as those of a good hosted provider.
fn lifelike(number: usize, builder: Builder) -> Builder {
    let jitter = Jitter::Lognormal(0.5);
    let delay = Delay { first_token: Duration::from_millis(20), jitter, seed: number as u64, ..Delay::ZERO };
    builder.delay(delay).answer_tokens(16)
}

/// The fault of this name.
fn fault(name: &str) -> anyhow::Result<Fault> {
    Ok(name.parse()?)
}

pub(super) fn percent(share: f64) -> String {
    format!("{:.2} %", share * 100.0)
}

pub(super) fn ms(time: Duration) -> String {
    format!("{:.1} ms", time.as_secs_f64() * 1e3)
}

/// The last part of a play, when everybody has been got to know.
pub(super) fn settled(replies: &[Reply]) -> &[Reply] {
    &replies[replies.len() / 5..]
}

pub(super) async fn slow(stage: &Stage<'_>, lasting: Duration) -> anyhow::Result<Vec<Row>> {
    let healthy = stage.start(providers(&[0; 4], lifelike).await?, "", "")?;
    let before = healthy.caller.stream_of(RATE, lasting, true).await?;
    let sick = stage.start(providers(&[0; 4], lifelike).await?, "", "")?;
    sick.providers[3].upstream.script(fault("slow=10")?);
    let after = sick.caller.stream_of(RATE, lasting, true).await?;
    let (before, after) = (settled(&before), settled(&after));
    let share = after.iter().filter(|reply| reply.model == "m3").count() as f64 / after.len() as f64;
    let (p99, usual) = (first_byte(after, 0.99), first_byte(before, 0.99));
    let ratio = p99.as_secs_f64() / usual.as_secs_f64();
    Ok(vec![Row::new(
        "one of four providers 10 × slower",
        "its share ≤ 0.8 %, p99 first token ≤ 1.3 × healthy",
        format!("{}; p99 {} against {}: {ratio:.2} ×", percent(share), ms(p99), ms(usual)),
        share <= 0.008 && ratio <= 1.3,
    )])
}

pub(super) async fn outage(stage: &Stage<'_>, lasting: Duration) -> anyhow::Result<Vec<Row>> {
    const BREAKER: &str = "breaker = { recovery = \"5s\" }";
    let cast = stage.start(providers(&[0; 3], lifelike).await?, BREAKER, "")?;
    cast.caller.stream_of(RATE, Duration::from_secs(3), false).await?;
    for provider in &cast.providers {
        provider.upstream.script(fault("status-503")?);
    }
    let calls = cast.calls();
    let during = cast.caller.stream_of(2 * RATE, lasting, false).await?;
    let attempts = (cast.calls() - calls) as f64 / during.len() as f64;
    for provider in &cast.providers {
        provider.upstream.clear_script();
    }
    let over = Instant::now();
    let after = cast.caller.stream_of(RATE, Duration::from_secs(3), false).await?;
    let back =
        after.iter().find(|reply| reply.is_ok()).map(|reply| reply.began.saturating_duration_since(over));
    Ok(vec![Row::new(
        format!("total outage for {} s, {} requests/s", lasting.as_secs(), 2 * RATE),
        "≤ 1.2 attempts per request; recovery within one cool-down and one probe",
        format!(
            "{attempts:.3} attempts; answers again {} after it, {} errors then",
            back.map_or_else(|| "not".to_owned(), ms),
            after.iter().filter(|reply| !reply.is_ok()).count()
        ),
        attempts <= 1.2 && back.is_some_and(|back| back <= Duration::from_secs(5)),
    )])
}

pub(super) async fn limited(stage: &Stage<'_>, lasting: Duration) -> anyhow::Result<Vec<Row>> {
    let cast = stage.start(providers(&[0; 3], lifelike).await?, "", "")?;
    cast.caller.stream_of(RATE, Duration::from_secs(3), true).await?;
    cast.providers[2].upstream.script(fault("status-429=20")?);
    let calls = cast.providers[2].calls();
    let replies = cast.caller.stream_of(RATE, lasting.min(Duration::from_secs(20)), true).await?;
    let share = (cast.providers[2].calls() - calls) as f64 / replies.len() as f64;
    Ok(vec![Row::new(
        "429 with `retry-after: 20` from one of three",
        "≤ 2 % of requests sent to it while limited",
        format!("{}, {} noticed", percent(share), percent(error_share(&replies))),
        share <= 0.02 && error_share(&replies) == 0.0,
    )])
}

pub(super) async fn region(stage: &Stage<'_>, lasting: Duration) -> anyhow::Result<Vec<Row>> {
    let cast = stage.start(providers(&[0, 0, 1, 1], lifelike).await?, "", "")?;
    let before = cast.caller.stream_of(RATE, lasting / 2, true).await?;
    for provider in cast.providers.iter().filter(|provider| provider.group == 0) {
        provider.upstream.refuse().await;
    }
    let during = cast.caller.stream_of(RATE, lasting / 2, true).await?;
    let (usual, p99) = (first_byte(&before, 0.99), first_byte(&during, 0.99));
    let most = during.iter().map(|reply| reply.attempts).max().unwrap_or_default();
    let errors = during.iter().filter(|reply| !reply.is_ok()).count();
    Ok(vec![Row::new(
        "a whole region refuses connections",
        "answered from the other within the request, added p99 ≤ connect timeout (5 s)",
        format!("{errors} errors, {most} attempts at most; p99 {} against {}", ms(p99), ms(usual)),
        errors == 0 && p99 <= usual + Duration::from_secs(5),
    )])
}

pub(super) async fn flapping(stage: &Stage<'_>, lasting: Duration) -> anyhow::Result<Vec<Row>> {
    let cast = stage.start(providers(&[0, 0], lifelike).await?, "breaker = { recovery = \"2s\" }", "")?;
    cast.providers[1].upstream.script(Rule::sometimes(fault("status-500")?, 0.5, 7));
    let replies = cast.caller.stream_of(RATE, lasting, true).await?;
    let (errors, failed) =
        (error_share(&replies), cast.metric("upstream_requests_total", "error_status").await?);
    Ok(vec![Row::new(
        "flapping provider (50 % errors) beside a healthy one",
        "caller-visible errors ≤ 0.5 %",
        format!(
            "{} of {} requests ({}); {failed} attempts had failed",
            percent(errors),
            replies.len(),
            kinds(&replies)
        ),
        errors <= 0.005 && failed > 0.0,
    )])
}
