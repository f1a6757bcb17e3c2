//! Many callers at once: nothing is left behind, nobody is blamed for them.

use http::StatusCode;
use serde_json::json;

use crate::support::{Speech, chat, fault, until, within, world, world_with};

/// Every caller has a connection of its own, as have the calls that are made for it: all thousand streams are open at the same time.
#[tokio::test]
async fn a_thousand_callers_leave_in_mid_stream() {
    let roomy = |base: String| base.replace("timeouts =", "pool = { max_connections = 1000 }\ntimeouts =");
    let world = world_with(roomy).await;
    world.inside.script(fault("stall=2"));
    let tasks = || tokio::runtime::Handle::current().metrics().num_alive_tasks();
    let before = tasks();
    let callers = (0..1000).map(|number| {
        let client = world.client.fresh();
        let body = Speech::OpenAi.body(&format!("caller {number}"), json!({"stream": true}));
        tokio::spawn(async move {
            let mut stream = client.stream(Speech::OpenAi, &body).await;
            stream.read(1).await;
            (client, stream)
        })
    });
    let mut streams = Vec::new();
    for caller in callers.collect::<Vec<_>>() {
        streams.push(within(caller).await.unwrap());
    }
    assert_eq!((world.inside.stats().in_flight, world.inside.stats().cancelled), (1000, 0));
    drop(streams);
    let stats = within(world.inside.wait_for(|stats| stats.in_flight == 0)).await;
    assert_eq!((stats.calls, stats.cancelled), (1000, 1000), "nobody's answer was waited for");
    // Neither connections nor tasks nor places remain: nothing reads for a caller who has gone.
    within(world.inside.wait_for(|stats| stats.connections_open == 0)).await;
    let app = world.sidecar.app();
    until(|| async { app.metrics.traffic.in_flight.get() == 0 && tasks() <= before }).await;
    assert_eq!(app.flights.count(), 0);
    let providers = world.client.admin(http::Method::GET, "/providers", "").await.json();
    for provider in providers["providers"].as_array().or(providers.as_array()).unwrap() {
        assert_eq!(
            (&provider["in_flight"], &provider["health_score"]),
            (&json!(0), &json!(1.0)),
            "{provider}"
        );
    }
    assert_eq!(world.client.outcomes("cancelled").await, 1000.0);
    assert_eq!(world.client.metric("streams_truncated_total", &["side=\"client\""]).await, 1000.0);
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
