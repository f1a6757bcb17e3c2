//! Coming to rest: not ready first, nothing new, what is open to its end.

use http::{Method, StatusCode};
use router_proxy::sidecar::Settings;
use serde_json::json;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::streams::{endless, without_limit};
use crate::support::{DIALECTS, Plan, Program, Speech, TestClient, chat, fault, until, within, world};

/// What `/readyz` says.
async fn ready(client: &TestClient) -> (StatusCode, bool) {
    let reply = client.admin(Method::GET, "/readyz", "").await;
    (reply.status, reply.json()["ready"].as_bool().unwrap())
}

#[tokio::test]
async fn open_streams_end_and_nothing_new_begins() {
    let world = endless().start().await;
    let client = world.client.clone();
    assert_eq!(ready(&client).await, (StatusCode::OK, true));
    let mut streams = Vec::new();
    for speech in DIALECTS {
        let mut stream = client.fresh().stream(speech, &without_limit(speech)).await;
        stream.read(1).await;
        streams.push((speech, stream));
    }
    let drain = tokio::spawn(world.sidecar.drain());
    until(|| async { ready(&client).await == (StatusCode::SERVICE_UNAVAILABLE, false) }).await;
    assert_eq!(client.admin(Method::GET, "/livez", "").await.status, StatusCode::OK, "alive until the end");
    for speech in DIALECTS {
        let refused = client.fresh().ask(speech, &speech.body("x", json!({}))).await;
        assert_eq!(refused.status, StatusCode::SERVICE_UNAVAILABLE);
        assert_eq!(refused.header("x-router-error"), "draining");
        assert!(!refused.header("retry-after").is_empty());
        assert!(speech.is_error(&refused.json()), "{}", refused.text());
    }
    assert_eq!(world.inside.stats().in_flight, 2, "the streams are still under way");
    assert!(!drain.is_finished());
    for (speech, stream) in streams {
        let seen = stream.rest().await;
        assert!(seen.text().contains(speech.terminator()));
        assert_eq!(seen.headers.get("connection"), None);
    }
    assert!(within(drain).await.unwrap(), "everything has come to its end");
    assert_eq!(world.inside.stats().calls, 2);
}

#[tokio::test]
async fn an_idle_connection_does_not_hold_up_the_end() {
    let world = world().await;
    let client = world.client.clone();
    client.chat(chat("small", "x")).await;
    let mut silent = TcpStream::connect(client.data).await.unwrap();
    assert!(within(world.sidecar.drain()).await);
    let mut rest = Vec::new();
    // Closed or reset: gone either way.
    let _ = within(silent.read_to_end(&mut rest)).await;
    assert!(rest.is_empty());
}

#[tokio::test]
async fn what_does_not_end_is_cut_at_the_deadline() {
    let settings = Settings { drain_deadline: std::time::Duration::from_millis(50), ..Settings::default() };
    let world = Plan { settings, ..Plan::default() }.start().await;
    world.inside.script(fault("stall=2"));
    let speech = Speech::OpenAi;
    let mut stream = world.client.stream(speech, &speech.streamed("x")).await;
    stream.read(1).await;
    assert!(!within(world.sidecar.drain()).await, "it says that something was left");
}

/// A request whose head is in and whose body is still coming when the drain begins is not new.
#[tokio::test]
async fn a_request_half_sent_gets_an_answer() {
    let world = world().await;
    let client = world.client.clone();
    let body = chat("small", "x").to_string();
    let mut caller = TcpStream::connect(client.data).await.unwrap();
    let head =
        format!("POST /v1/chat/completions HTTP/1.1\r\nhost: a\r\ncontent-length: {}\r\n\r\n", body.len());
    caller.write_all(head.as_bytes()).await.unwrap();
    until(|| async { client.metric("in_flight_requests", &[]).await == 1.0 }).await;
    let drain = tokio::spawn(world.sidecar.drain());
    until(|| async { !ready(&client).await.1 }).await;
    caller.write_all(body.as_bytes()).await.unwrap();
    let mut answer = String::new();
    within(caller.read_to_string(&mut answer)).await.unwrap();
    assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
    assert!(answer.contains("[small:"), "{answer}");
    assert!(within(drain).await.unwrap());
}

#[tokio::test]
async fn sigterm_ends_the_program_when_its_streams_have_ended() {
    for signal in ["TERM", "INT"] {
        let world = endless().start().await;
        let mut program = Program::start(&["serve", "--policy", world.policy.path().to_str().unwrap()]).await;
        let speech = Speech::OpenAi;
        let mut stream = program.client.stream(speech, &without_limit(speech)).await;
        stream.read(1).await;
        program.signal(signal);
        let draining = program.event("draining").await;
        assert_eq!(draining["in_flight"], 1);
        assert_eq!(ready(&program.client).await.0, StatusCode::SERVICE_UNAVAILABLE);
        let refused = program.client.fresh().chat(chat("small", "x")).await;
        assert_eq!(refused.header("x-router-error"), "draining");
        let seen = stream.rest().await;
        assert!(seen.text().ends_with("data: [DONE]\n\n"));
        assert_eq!(program.event("drained").await["complete"], true);
        assert_eq!(program.ended().await.code(), Some(0), "{signal}");
    }
}

#[tokio::test]
async fn sighup_reloads() {
    let world = world().await;
    let mut program = Program::start(&["serve", "--policy", world.policy.path().to_str().unwrap()]).await;
    world.policy.slip(&format!("{}[aliases]\nfast = \"small\"\n", world.base_policy()));
    program.signal("HUP");
    let reloaded = program.event("policy_reloaded").await;
    assert_eq!((&reloaded["by"], &reloaded["generation"]), (&json!("sighup"), &json!(2)));
    assert!(reloaded["changed"].to_string().contains("aliases.fast"), "{reloaded}");
    assert_eq!(program.client.chat(chat("fast", "x")).await.status, StatusCode::OK);
    world.policy.slip("nonsense");
    program.signal("HUP");
    let refused = program.event("policy_refused").await;
    assert!(refused["error"].as_str().unwrap().contains("policy.toml:1:"), "{refused}");
    assert_eq!(program.client.chat(chat("fast", "x")).await.status, StatusCode::OK);
    program.signal("TERM");
    assert_eq!(program.ended().await.code(), Some(0));
}
