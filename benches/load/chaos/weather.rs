//! All faults of the scripted provider at once.

use std::time::Duration;

use router_upstream::{Delay, Fault, Rule};

use super::caller::{Ending, Reply, first_byte, kinds};
use super::cast::{Stage, providers};
use super::plays::{ms, percent};
use super::row::Row;

/// How often each fault hits a request: with thirty of them, every fourth request meets one.
const SHARE: f64 = 0.01;

const RATE: u32 = 100;

/// Limits that fit into a play.
const SETTINGS: &str = "timeouts = { connect = \"1s\", first_byte = \"3s\", idle = \"1s\", total = \"10s\" }\n\
                        breaker = { recovery = \"1s\", slow_start = \"1s\" }";

const ATTEMPTS: &str =
    "[attempts]\nfirst_token = \"500ms\"\nhold_back = { bytes = \"1KiB\", time = \"100ms\" }\nhedge = {}\n";

/// Two of three providers meet every fault by name, one is well. Half of the requests are streams.
pub(super) async fn mixed(stage: &Stage<'_>, lasting: Duration) -> anyhow::Result<Vec<Row>> {
    let delay = Delay {
        first_token: Duration::from_millis(10),
        per_output_token: Duration::from_micros(200),
        ..Delay::ZERO
    };
    let cast =
        stage.start(providers(&[0; 3], |_, builder| builder.delay(delay)).await?, SETTINGS, ATTEMPTS)?;
    for (number, provider) in cast.providers.iter().take(2).enumerate() {
        for (name, seed) in Fault::NAMES.iter().zip(100 * number as u64..) {
            provider.upstream.script(Rule::sometimes(name.parse()?, SHARE, seed));
        }
    }
    let (streams, plain) =
        tokio::join!(cast.caller.stream_of(RATE, lasting, true), cast.caller.stream_of(RATE, lasting, false));
    let (streams, plain) = (streams?, plain?);
    let all: Vec<Reply> = streams.iter().chain(&plain).cloned().collect();
    let hidden = all.iter().filter(|reply| reply.is_ok() && reply.attempts > 1).count();
    let silent = all.iter().filter(|reply| reply.ending == Ending::Silent).count();
    let noticed = all.iter().filter(|reply| !reply.is_ok()).count() as f64 / all.len() as f64;
    Ok(vec![
        Row::new(
            format!("all {} faults mixed, {} requests", Fault::NAMES.len(), all.len()),
            "0 silent truncations",
            format!("{silent}; {hidden} failures hidden, {} noticed ({})", percent(noticed), kinds(&all)),
            silent == 0,
        ),
        Row::new(
            "the same: first token of streams",
            "reported",
            format!("p50 {}, p99 {}", ms(first_byte(&streams, 0.5)), ms(first_byte(&streams, 0.99))),
            true,
        ),
    ])
}
