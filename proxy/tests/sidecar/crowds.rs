//! Many callers at once: nothing is left behind, nobody is blamed for them.

use http::StatusCode;
use serde_json::json;

use crate::support::{Speech, chat, fault, until, within, world};

#[tokio::test]
async fn a_thousand_callers_leave_in_mid_stream() {
    let world = world().await;
    world.inside.script(fault("stall=2"));
    world.outside.script(fault("stall=2"));
    let callers = (0..1000).map(|number| {
        let client = world.client.clone();
        let body = Speech::OpenAi.body(&format!("caller {number}"), json!({"stream": true}));
        // A pool of 100 connections serves a thousand callers in turns: each leaves as soon as it has begun to read.
        tokio::spawn(async move { client.stream(Speech::OpenAi, &body).await.read(1).await })
    });
    for caller in callers.collect::<Vec<_>>() {
        caller.await.unwrap();
    }
    let app = world.sidecar.app();
    until(|| async { app.metrics.in_flight.get() == 0 }).await;
    let gone = |stats: &router_upstream::Stats| stats.in_flight == 0;
    let all = async { tokio::join!(world.inside.wait_for(gone), world.outside.wait_for(gone)) };
    let (inside, outside) = within(all).await;
    assert_eq!(inside.cancelled + outside.cancelled, inside.calls + outside.calls);
    assert_eq!(world.client.outcomes("cancelled").await, 1000.0);
    assert_eq!(app.flights.count(), 0);
}

#[tokio::test]
async fn ten_thousand_faults_of_callers_are_nobodys_fault_but_theirs() {
    let world = world().await;
    world.inside.script(fault("status-400"));
    let body = chat("small", "x").to_string();
    let wrong = [
        ("{", StatusCode::BAD_REQUEST),
        ("{\"model\":\"small\"}", StatusCode::BAD_REQUEST),
        (&*body, StatusCode::BAD_REQUEST),
    ];
    let asking = (0..10).map(|_| {
        let (client, wrong) = (world.client.fresh(), wrong.map(|(body, status)| (body.to_owned(), status)));
        tokio::spawn(async move {
            for number in 0..1000 {
                let (body, status) = &wrong[number % wrong.len()];
                let reply = client.post("/v1/chat/completions", &[], body.clone()).await;
                assert_eq!(reply.status, *status, "{}", reply.text());
            }
        })
    });
    for asked in asking.collect::<Vec<_>>() {
        asked.await.unwrap();
    }
    assert_eq!(world.client.metric("breaker_state", &[]).await, 0.0);
    assert_eq!(world.client.metric("health_score", &["model=\"small\""]).await, 1.0);
    assert_eq!(world.client.outcomes("client_error").await, 10_000.0);
    assert_eq!(world.client.metric("retries_total", &[]).await, 0.0);
}
