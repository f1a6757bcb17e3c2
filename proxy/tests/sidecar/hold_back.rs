//! A stream that goes wrong while it is held back is replaced, and nobody sees it.

use http::StatusCode;
use router_upstream::Rule;
use serde_json::{Value, json};

use crate::support::{DIALECTS, Speech, data, fault, world_with};

/// More than any answer here is long: the whole stream is held back.
fn held(base: String) -> String {
    base.replace("idle = \"30s\"", "idle = \"200ms\"") + "[attempts]\nhold_back = { bytes = \"1MiB\" }\n"
}

fn streamed(speech: Speech, prompt: &str) -> Value {
    speech.body_to("auto", prompt, json!({"stream": true}))
}

#[tokio::test]
async fn a_stream_that_dies_while_held_is_replaced() {
    for (speech, big) in DIALECTS.into_iter().zip(["big", "big-a"]) {
        let mut charged = 0.0;
        for name in [
            "close=5",
            "rst=5",
            "end=5",
            "stall=5",
            "no-terminator",
            "invalid-utf8",
            "error-event=0",
            "error-event=5",
        ] {
            let world = world_with(held).await;
            world.inside.script(Rule::next(fault(name), 1));
            let reply = world.client.ask(speech, &streamed(speech, "greet the team")).await;
            assert_eq!(reply.status, StatusCode::OK, "{name}: {}", reply.text());
            assert_eq!(
                (reply.header("x-router-model"), reply.header("x-router-attempts")),
                (big, "2"),
                "{name}"
            );
            assert!(speech.streamed_text(&reply.body).starts_with("[big:"), "{name}: {}", reply.text());
            assert!(reply.text().contains(speech.terminator()), "{name}");
            assert!(data(&reply.body).iter().all(|event| event.get("error").is_none()), "{name}");
            let client = &world.client;
            assert_eq!(client.metric("streams_truncated_total", &[]).await, 0.0, "nobody saw it: {name}");
            assert_eq!((client.outcomes("ok").await, client.metric("retries_total", &[]).await), (1.0, 1.0));
            charged += client
                .metric("tokens_total", &[&format!("model=\"{}\"", speech.small()), "type=\"output\""])
                .await;
        }
        assert!(charged > 0.0, "what a provider had written is paid for");
    }
}

#[tokio::test]
async fn what_is_held_passes_as_it_came() {
    for speech in DIALECTS {
        let (plain, world) = (crate::support::world().await, world_with(held).await);
        let body = speech.streamed("greet the team");
        let expected = plain.client.ask(speech, &body).await;
        assert_eq!(world.client.ask(speech, &body).await.text(), expected.text());
        let auto = streamed(speech, "greet the team");
        assert_eq!(
            world.client.ask(speech, &auto).await.text(),
            plain.client.ask(speech, &auto).await.text()
        );
    }
}

/// The window is over when the stream stops: too late to be replaced, and never silently.
#[tokio::test]
async fn behind_the_window_a_broken_stream_says_so() {
    let world = world_with(|base| {
        base.replace("idle = \"30s\"", "idle = \"600ms\"") + "[attempts]\nhold_back = { time = \"50ms\" }\n"
    })
    .await;
    for speech in DIALECTS {
        world.inside.script(Rule::next(fault("stall=5"), 1));
        let reply = world.client.ask(speech, &streamed(speech, "x")).await;
        assert_eq!((reply.status, reply.header("x-router-attempts")), (StatusCode::OK, "1"));
        assert!(reply.text().contains("upstream_timeout"), "{}", reply.text());
        assert!(!reply.text().contains(speech.terminator()));
    }
}

/// Without anybody who could replace it nothing is held back.
#[tokio::test]
async fn the_only_candidate_is_not_held() {
    let world = world_with(held).await;
    world.inside.script(fault("stall=3"));
    for speech in DIALECTS {
        let mut stream = world.client.stream(speech, &speech.streamed("x")).await;
        stream.read(1).await;
        assert_eq!(world.inside.stats().in_flight, 1, "the provider is still silent");
    }
}
