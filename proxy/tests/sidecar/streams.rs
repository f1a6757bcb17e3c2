//! Streams pass event by event and byte for byte, and one that died never looks finished.

use http::Method;
use serde_json::{Value, json};
use tokio::io::AsyncWriteExt;
use tokio::net::TcpStream;

use crate::support::{
    DIALECTS, Gate, Plan, Reply, Speech, World, chat, events, fault, until, within, world, world_with,
};

/// What the provider sends for the same request, past the router.
async fn reference(world: &World, speech: Speech, body: &Value) -> Vec<u8> {
    direct(world, speech, &body.to_string().replace("small-a", "small")).await
}

/// What the provider answers to these very bytes.
async fn direct(world: &World, speech: Speech, sent: &str) -> Vec<u8> {
    let address = world.inside.addr();
    let reply = world.client.fetch(address, Method::POST, speech.path(), speech.headers(), sent).await;
    assert_eq!(reply.status, 200);
    assert!(reply.text().contains(speech.terminator()));
    world.inside.forget_requests();
    reply.body.into()
}

fn script(world: &World, faults: &str) {
    world.inside.clear_script();
    for name in faults.split(',').filter(|name| !name.is_empty()) {
        world.inside.script(fault(name));
    }
}

#[tokio::test]
async fn the_bytes_are_the_providers() {
    let world = world().await;
    for speech in DIALECTS {
        let body = speech.streamed("tell me");
        for faults in ["", "crlf", "split", "crlf,split", "split=7", "crlf,split=13"] {
            script(&world, faults);
            let expected = reference(&world, speech, &body).await;
            assert_eq!(expected.windows(2).any(|pair| pair == b"\r\n"), faults.contains("crlf"));
            let seen = world.client.ask(speech, &body).await;
            assert_eq!(seen.status, 200);
            assert_eq!(seen.text(), String::from_utf8_lossy(&expected), "{speech:?} {faults}");
            assert_eq!(seen.header("content-type"), "text/event-stream; charset=utf-8");
        }
    }
    assert_eq!(world.client.outcomes("ok").await, 12.0);
    assert_eq!(world.client.metric("streams_truncated_total", &[]).await, 0.0);
}

#[tokio::test]
async fn without_the_usage_chunk_nothing_else_is_missing() {
    let world = world().await;
    for faults in ["", "crlf,split"] {
        script(&world, faults);
        let unasked = Speech::OpenAi.body("tell me", json!({"stream": true}));
        let seen = world.client.ask(Speech::OpenAi, &unasked).await;
        let sent = world.inside.requests().pop().unwrap().body;
        let whole = direct(&world, Speech::OpenAi, std::str::from_utf8(&sent).unwrap()).await;
        let (usage, expected): (Vec<_>, Vec<_>) = events(&whole).into_iter().partition(|e| is_usage_chunk(e));
        assert_eq!(usage.len(), 1, "the router has asked for it");
        assert_eq!(seen.text(), String::from_utf8(expected.concat()).unwrap());
    }
}

fn is_usage_chunk(event: &[u8]) -> bool {
    String::from_utf8_lossy(event).contains("\"choices\":[]")
}

/// The provider sends so many events and waits; all of them are with the caller while it waits.
#[tokio::test]
async fn each_event_is_flushed_by_itself() {
    let world = world().await;
    for speech in DIALECTS {
        let body = speech.streamed("tell me");
        script(&world, "");
        let whole = reference(&world, speech, &body).await;
        for count in 1..=4 {
            script(&world, &format!("stall={count}"));
            let expected = events(&whole)[..count].concat();
            let mut stream = world.client.stream(speech, &body).await;
            stream.read(expected.len()).await;
            assert_eq!(stream.seen, expected, "{speech:?} {count}");
            assert_eq!(world.inside.stats().in_flight, 1, "the provider waits");
        }
        within(world.inside.wait_for(|stats| stats.in_flight == 0)).await;
    }
}

#[tokio::test]
async fn when_the_caller_leaves_the_provider_is_let_go_and_paid() {
    for speech in DIALECTS {
        let world = world().await;
        let body = speech.streamed("tell me");
        let whole = reference(&world, speech, &body).await;
        script(&world, "stall=5");
        let mut stream = world.client.stream(speech, &body).await;
        stream.read(events(&whole)[..5].concat().len()).await;
        assert_eq!(world.inside.stats().cancelled, 0);
        drop(stream);
        // The provider would wait for half a minute more: it is the caller's leaving that ends it.
        within(world.inside.wait_for(|stats| stats.cancelled == 1 && stats.in_flight == 0)).await;
        until(|| async { world.client.outcomes("cancelled").await == 1.0 }).await;
        let client = &world.client;
        assert_eq!(client.metric("streams_truncated_total", &["side=\"client\""]).await, 1.0);
        assert_eq!(client.metric("streams_truncated_total", &["side=\"upstream\""]).await, 0.0);
        until(|| async { client.metric("cost_usd_total", &["model="]).await > 0.0 }).await;
        assert!(client.metric("tokens_total", &["type=\"output\""]).await > 0.0);
        assert!(client.metric("tokens_total", &["type=\"input\""]).await > 0.0);
        assert_eq!(client.metric("upstream_requests_total", &["outcome=\"cancelled\""]).await, 1.0);
        assert_eq!(client.metric("breaker_state", &[]).await, 0.0, "nobody is blamed");
        assert_eq!(client.metric("in_flight_requests", &[]).await, 0.0);
    }
}

#[tokio::test]
async fn when_the_caller_leaves_before_the_answer_the_provider_is_let_go() {
    let world = world().await;
    for (count, fault) in [(1, "slow-headers=3600000"), (2, "slow-first-token=3600000"), (3, "stall=1")] {
        script(&world, fault);
        let body = chat("small", "x").to_string();
        let head = format!(
            "POST /v1/chat/completions HTTP/1.1\r\nhost: a\r\ncontent-length: {}\r\n\r\n",
            body.len()
        );
        let mut caller = TcpStream::connect(world.client.data).await.unwrap();
        caller.write_all(format!("{head}{body}").as_bytes()).await.unwrap();
        within(world.inside.wait_for(|stats| stats.in_flight == 1)).await;
        drop(caller);
        within(world.inside.wait_for(|stats| stats.cancelled == count && stats.in_flight == 0)).await;
        until(|| async { world.client.outcomes("cancelled").await == count as f64 }).await;
    }
    assert_eq!(world.client.metric("breaker_state", &[]).await, 0.0);
}

/// The events before the one that says that the stream broke off. That one is the last, and in the caller's dialect.
fn before_error(speech: Speech, seen: &Reply) -> Vec<u8> {
    assert_eq!(seen.status, 200);
    let events = events(&seen.body);
    let (error, passed) = events.split_last().expect("an error event at least");
    let text = std::str::from_utf8(error).unwrap();
    let payload = match speech {
        Speech::OpenAi => text.strip_prefix("data: "),
        Speech::Anthropic => text.strip_prefix("event: error\ndata: "),
    };
    let payload = payload.and_then(|payload| payload.strip_suffix("\n\n"));
    let payload: Value = serde_json::from_str(payload.unwrap_or_else(|| panic!("{text}"))).unwrap();
    assert!(speech.is_error(&payload), "{text}");
    assert!(!seen.text().contains(speech.terminator()), "{}", seen.text());
    passed.concat()
}

/// The stream is a whole number of the provider's events, then one error event, then the orderly end; and it is
/// counted as what it is.
async fn assert_broken_off(world: &World, speech: Speech, whole: &[u8], seen: &Reply) {
    let passed = before_error(speech, seen);
    assert!(whole.starts_with(&passed), "{}", seen.text());
    assert!(passed.is_empty() || passed.ends_with(b"\n\n"), "whole events only");
    assert_eq!(seen.headers.get("connection"), None, "it would hide the error from some clients");
    assert_eq!(world.client.metric("streams_truncated_total", &["side=\"upstream\""]).await, 1.0);
    assert_eq!(world.client.outcomes("upstream_error").await, 1.0);
    assert_eq!(world.client.outcomes("ok").await, 0.0);
    assert_eq!(world.client.metric("retries_total", &[]).await, 0.0);
    assert_eq!(world.client.metric("in_flight_requests", &[]).await, 0.0);
}

/// A world in which a silent provider is given up soon.
async fn impatient() -> World {
    world_with(|base| base.replace("idle = \"30s\"", "idle = \"100ms\"")).await
}

async fn broken_off(speech: Speech, faults: &str) -> (World, Reply) {
    let world = impatient().await;
    let body = speech.streamed("tell me");
    let whole = reference(&world, speech, &body).await;
    script(&world, faults);
    let seen = world.client.ask(speech, &body).await;
    assert_broken_off(&world, speech, &whole, &seen).await;
    (world, seen)
}

#[tokio::test]
async fn a_stream_that_dies_never_looks_finished() {
    for speech in DIALECTS {
        for faults in [
            "close=5",
            "rst=5",
            "end=5",
            "stall=5",
            "no-terminator",
            "invalid-utf8",
            "oversize-event=9000000",
            "split,close=700B",
        ] {
            let (world, seen) = broken_off(speech, faults).await;
            let code = if faults.starts_with("stall") { "upstream_timeout" } else { "upstream_error" };
            assert!(seen.text().contains(code), "{faults}: {}", seen.text());
            if faults != "oversize-event=9000000" && faults != "invalid-utf8" {
                // What was seen is charged.
                until(|| async { world.client.metric("cost_usd_total", &["model="]).await > 0.0 }).await;
                let charged = world.client.metric("tokens_total", &["type=\"output\""]).await;
                assert!(charged > 0.0, "{faults}");
            }
        }
    }
}

/// Comments say that a silent stream lives; they are no sign of life of the provider.
#[tokio::test]
async fn a_silent_stream_is_kept_alive_until_it_is_given_up() {
    const COMMENT: &str = ": keep-alive\n\n";
    let world = world_with(|base| {
        base.replace("idle = \"30s\"", "idle = \"900ms\"") + "[attempts]\nkeep_alive = \"100ms\"\n"
    })
    .await;
    for speech in DIALECTS {
        let body = speech.streamed("tell me");
        let whole = reference(&world, speech, &body).await;
        script(&world, "stall=5");
        let seen = world.client.ask(speech, &body).await;
        let passed = String::from_utf8(before_error(speech, &seen)).unwrap();
        assert!(passed.matches(COMMENT).count() >= 3, "{passed}");
        assert!(whole.starts_with(passed.replace(COMMENT, "").as_bytes()), "the events are the provider's");
        assert!(seen.text().contains("upstream_timeout"));
        script(&world, "");
    }
}

/// Wherever the bytes stop, the caller sees whole events and an error; or an error alone where there was no event yet.
#[tokio::test]
async fn a_stream_may_be_cut_at_any_byte() {
    for speech in DIALECTS {
        let world = world().await;
        let body = speech.streamed("tell me");
        let whole = reference(&world, speech, &body).await;
        let finished = String::from_utf8(whole.clone()).unwrap().find(speech.terminator()).unwrap();
        let first = events(&whole)[0].len();
        let mut broken = 0.0;
        for offset in (0..finished).step_by(finished / 40).chain([first - 1, first, first + 1]) {
            for end in ["close", "end", "rst"] {
                script(&world, &format!("{end}={offset}B"));
                let seen = world.client.ask(speech, &body).await;
                broken += 1.0;
                // A reset may overtake what was sent before it.
                if offset < first || (end == "rst" && seen.status == 502) {
                    assert_eq!(seen.status, 502, "{end}={offset}B");
                    assert!(speech.is_error(&seen.json()), "{}", seen.text());
                    continue;
                }
                let passed = before_error(speech, &seen);
                assert!(whole.starts_with(&passed), "{end}={offset}B");
                assert!(passed.is_empty() || passed.ends_with(b"\n\n"), "{end}={offset}B");
            }
        }
        assert_eq!(world.client.outcomes("upstream_error").await, broken);
    }
}

#[tokio::test]
async fn the_total_time_of_a_stream_is_limited() {
    let world = world_with(|base| base.replace("total = \"120s\"", "total = \"300ms\"")).await;
    for speech in DIALECTS {
        script(&world, "stall=1");
        let seen = world.client.ask(speech, &speech.streamed("tell me")).await;
        assert!(seen.text().contains("upstream_timeout"), "{}", seen.text());
        assert!(!seen.text().contains(speech.terminator()));
    }
    within(world.inside.wait_for(|stats| stats.in_flight == 0)).await;
}

/// The provider's own error event passes as it is, and is the last thing that does.
#[tokio::test]
async fn a_providers_error_event_is_not_doubled() {
    let world = impatient().await;
    let mut count = 0.0;
    for speech in DIALECTS {
        let body = speech.streamed("tell me");
        script(&world, "error-event=3");
        let sent = body.to_string().replace("small-a", "small");
        let address = world.inside.addr();
        let whole = world.client.fetch(address, Method::POST, speech.path(), speech.headers(), &sent).await;
        for silent in [false, true] {
            if silent {
                world.inside.script(fault("stall=4"));
            }
            count += 1.0;
            let seen = world.client.ask(speech, &body).await;
            assert_eq!(seen.text(), whole.text(), "whatever the provider does after it");
            let last = String::from_utf8_lossy(events(&seen.body).pop().unwrap()).into_owned();
            assert!(last.contains("\"error\""), "{last}");
            assert_eq!(world.client.outcomes("upstream_error").await, count);
            assert_eq!(world.client.metric("streams_truncated_total", &["side=\"upstream\""]).await, count);
            let attempts = world.client.metric("upstream_requests_total", &["outcome=\"error_event\""]);
            assert_eq!(attempts.await, count);
        }
    }
}

/// Some providers send their completion marker behind an error event, both at once.
#[tokio::test]
async fn nothing_follows_a_providers_error_event() {
    const HI: &str = "data: {\"choices\":[{\"index\":0,\"delta\":{\"content\":\"Hi\"}}]}\n\n";
    const ERROR: &str = "data: {\"error\":{\"message\":\"overloaded\",\"code\":529}}\n\n";
    const DONE: &str = "data: [DONE]\n\n";
    let gate = Gate::between(HI, format!("{ERROR}{DONE}")).await;
    let world = world().await;
    world.replace_inside(gate.address).await;
    let body = Speech::OpenAi.body("x", json!({"stream": true}));
    let mut stream = world.client.stream(Speech::OpenAi, &body).await;
    stream.read(HI.len()).await;
    gate.open();
    assert_eq!(stream.rest().await.text(), format!("{HI}{ERROR}"));
    assert_eq!(world.client.outcomes("upstream_error").await, 1.0);
}

#[tokio::test]
async fn a_stream_that_died_five_times_takes_its_model_out() {
    let world = world().await;
    script(&world, "close=3");
    for _ in 0..5 {
        world.client.ask(Speech::OpenAi, &Speech::OpenAi.streamed("x")).await;
    }
    assert_eq!(world.client.metric("breaker_state", &["model=\"small\""]).await, 2.0);
}

/// An answer that the sockets between provider and caller cannot hold: it waits for the caller to read it.
pub(crate) fn endless() -> Plan {
    Plan { upstream: |builder| builder.answer_tokens(8_000_000).chunk_tokens(4_000), ..Plan::default() }
}

#[tokio::test]
async fn a_reader_who_pauses_holds_the_provider_and_loses_nothing() {
    let world = endless().start().await;
    for speech in DIALECTS {
        let mut stream = world.client.stream(speech, &without_limit(speech)).await;
        stream.read(1).await;
        assert_eq!(world.inside.stats().in_flight, 1);
        let reply = stream.rest().await;
        assert!(reply.text().contains(speech.terminator()));
        assert!(speech.streamed_text(&reply.body).len() > 16 << 20);
    }
}

/// A streamed request whose answer is as long as the provider makes it.
pub(crate) fn without_limit(speech: Speech) -> Value {
    speech.body("tell me", json!({"stream": true, "max_tokens": 10_000_000}))
}

#[tokio::test]
async fn no_stream_says_connection_close() {
    for speech in DIALECTS {
        let world = world().await;
        // The request is on its way when the drain begins, the head of its answer still to come.
        script(&world, "slow-headers=300");
        let client = world.client.clone();
        let asked = tokio::spawn(async move { client.ask(speech, &speech.streamed("x")).await });
        within(world.inside.wait_for(|stats| stats.in_flight == 1)).await;
        world.sidecar.app().drain.begin();
        let reply = within(asked).await.unwrap();
        assert_eq!(reply.status, 200);
        assert_eq!(reply.headers.get("connection"), None);
        assert!(reply.text().contains(speech.terminator()));
    }
}

/// The provider has all of its answer on the way; it is the caller who pauses for longer than `idle`.
#[tokio::test]
async fn a_pausing_reader_is_not_a_silent_provider() {
    let plan = Plan { policy: |base| base.replace("idle = \"30s\"", "idle = \"400ms\""), ..endless() };
    let world = plan.start().await;
    let speech = Speech::OpenAi;
    let mut stream = world.client.stream(speech, &without_limit(speech)).await;
    stream.read(1).await;
    for _ in 0..2 {
        tokio::time::sleep(std::time::Duration::from_millis(800)).await;
        let seen = stream.seen.len();
        stream.read(seen + (8 << 20)).await;
    }
    let reply = stream.rest().await;
    assert!(reply.body.ends_with(b"data: [DONE]\n\n"), "{}", reply.text().split_off(reply.body.len() - 300));
}
