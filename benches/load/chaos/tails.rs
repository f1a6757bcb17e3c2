//! Late first tokens, with and without second attempts.

use std::time::Duration;

use router_upstream::{Delay, Jitter};

use super::caller::first_byte;
use super::cast::{Stage, providers};
use super::plays::{ms, percent, settled};
use super::row::Row;

/// Requests a second at each of the two sidecars.
const RATE: u32 = 150;

/// A usual first token; the longest one in ten thousand at σ 2 then takes half a minute.
const MEDIAN: Duration = Duration::from_millis(20);

/// Shares of extra calls above this are a broken promise.
const CAP: f64 = 0.02;

pub(super) async fn hedging(stage: &Stage<'_>, lasting: Duration) -> anyhow::Result<Vec<Row>> {
    let mut rows = Vec::new();
    for (sigma, asked, gain) in [
        (0.5, "reported", 0.0),
        (1.0, "reported", 0.0),
        (1.5, "−25 % at ≤ 2 % extra calls", 0.25),
        (2.0, "reported", 0.0),
    ] {
        rows.push(compare(stage, lasting, sigma, asked, gain).await?);
    }
    Ok(rows)
}

/// The same traffic through a sidecar that hedges and through one that does not, at the same time.
async fn compare(
    stage: &Stage<'_>,
    lasting: Duration,
    sigma: f64,
    asked: &'static str,
    gain: f64,
) -> anyhow::Result<Row> {
    let pair = || {
        providers(&[0, 0], |number, builder| {
            let jitter = Jitter::Lognormal(sigma);
            let delay = Delay { first_token: MEDIAN, jitter, seed: number as u64, ..Delay::ZERO };
            builder.delay(delay).answer_tokens(4)
        })
    };
    let plain = stage.start(pair().await?, "", "")?;
    let hedged = stage.start(pair().await?, "", "[attempts]\nhedge = {}\n")?;
    let (without, with) = tokio::join!(
        plain.caller.stream_of(RATE, lasting, true),
        hedged.caller.stream_of(RATE, lasting, true)
    );
    let (without, with) = (without?, with?);
    let extra = hedged.metric("hedges_total", "").await? / with.len() as f64;
    // The first ones are those from which it learns.
    let (p99, usual) = (first_byte(settled(&with), 0.99), first_byte(settled(&without), 0.99));
    let change = p99.as_secs_f64() / usual.as_secs_f64() - 1.0;
    Ok(Row::new(
        format!("lognormal first tokens, σ {sigma}: p99 with hedging"),
        asked,
        format!(
            "{:+.0} % ({} against {}), {} extra calls",
            change * 100.0,
            ms(p99),
            ms(usual),
            percent(extra)
        ),
        extra <= CAP && (gain == 0.0 || change <= -gain),
    ))
}
