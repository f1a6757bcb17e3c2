//! What the upstream knows of its callers.

use std::time::Duration;

use http::{Method, Version};
use router_upstream::{Delay, Fault, Rule, Stats, Upstream};
use serde_json::{Value, json};

use crate::client::{Client, Received};

const CHAT: &str = "/v1/chat/completions";

fn stream() -> Value {
    json!({"model": "small", "messages": [{"role": "user", "content": "Why?"}], "stream": true})
}

#[tokio::test]
async fn requests_are_kept_as_they_came() {
    let upstream = Upstream::start().await.unwrap();
    let body = r#"{ "model":"small@crlf", "messages":[{"role":"user","content":"é"}], "x":1.50 }"#;
    let client = Client::of(&upstream).header("x-mine", "yes").http2();
    client.send(Method::POST, CHAT, body.to_owned()).await;
    let [request] = &upstream.requests()[..] else { panic!("one request is kept") };
    assert_eq!(request.body, body);
    assert_eq!((&request.method, request.uri.path()), (&Method::POST, CHAT));
    assert_eq!((request.version, request.header("x-mine")), (Version::HTTP_2, Some("yes")));
    assert_eq!((request.ordinal, request.connection), (0, 0));
    assert_eq!(request.faults, [Fault::Crlf]);
    assert_eq!(request.json()["x"], 1.5);
    upstream.forget_requests();
    assert!(upstream.requests().is_empty());
}

#[tokio::test]
async fn keeping_requests_is_bounded_and_can_be_off() {
    let few = Upstream::builder().record_limit(2).start().await.unwrap();
    let none = Upstream::builder().record_limit(0).start().await.unwrap();
    for _ in 0..3 {
        Client::of(&few).post(CHAT, &stream()).await;
        Client::of(&none).post(CHAT, &stream()).await;
    }
    assert_eq!(few.requests().iter().map(|request| request.ordinal).collect::<Vec<_>>(), [1, 2]);
    assert!(none.requests().is_empty());
    assert_eq!(none.stats().calls, 3);
}

#[tokio::test]
async fn callers_who_leave_are_counted() {
    let slow = Delay { first_token: Duration::from_secs(3_600), ..Delay::ZERO };
    let waiting = Upstream::builder().delay(slow).start().await.unwrap();
    let client = Client::of(&waiting);
    let body = stream();
    let call = client.open(CHAT, &body);
    tokio::select! {
        _ = call => panic!("nothing is answered for an hour"),
        _ = waiting.wait_for(|stats| stats.in_flight == 1) => {}
    }
    // The call is dropped with its connection, before a byte of the answer.
    let stats = waiting.wait_for(|stats| stats.in_flight == 0).await;
    assert_eq!((stats.calls, stats.cancelled, stats.completed), (1, 1, 0));
}

#[tokio::test]
async fn many_callers_leave_and_nothing_stays_behind() {
    let upstream =
        Upstream::builder().script(Rule::always("stall=3".parse().unwrap())).start().await.unwrap();
    let mut open = Vec::new();
    for _ in 0..200 {
        open.push(Client::of(&upstream).open(CHAT, &stream()).await.unwrap());
    }
    assert_eq!(upstream.stats().in_flight, 200);
    drop(open);
    let stats = upstream.wait_for(|stats| stats.connections_open == 0).await;
    assert_eq!((stats.cancelled, stats.in_flight, stats.connections_total), (200, 0, 200));
}

#[tokio::test]
async fn the_counters_add_up() {
    let upstream = Upstream::start().await.unwrap();
    Client::of(&upstream).post(CHAT, &stream()).await;
    Client::of(&upstream).fault("status-500").post(CHAT, &stream()).await;
    Client::of(&upstream).fault("close").post(CHAT, &stream()).await;
    drop(Client::of(&upstream).fault("stall").open(CHAT, &stream()).await);
    let stats = upstream.wait_for(|stats| stats.in_flight == 0 && stats.connections_open == 0).await;
    let expected =
        Stats { calls: 4, completed: 2, cut: 1, cancelled: 1, connections_total: 4, ..Stats::default() };
    assert_eq!(stats, expected);
}

#[tokio::test]
async fn suites_in_other_languages_see_the_same() {
    let upstream = Upstream::start().await.unwrap();
    let client = Client::of(&upstream).header("x-mine", "yes");
    let order = json!({"clear": true, "fault": "crlf", "probability": 1.0, "seed": 7, "model": "small"});
    let rules = client.post("/__script", &order).await.json();
    assert_eq!(
        rules["rules"][0],
        json!({"fault": "crlf", "probability": 1.0, "seed": 7, "model": "small", "path": null})
    );
    client.post(CHAT, &stream()).await;
    let stats = client.get("/__stats").await.json();
    assert_eq!((&stats["calls"], &stats["completed"]), (&json!(1), &json!(1)));
    let requests = client.get("/__requests").await.json();
    assert_eq!(requests[0]["path"], CHAT);
    assert!(requests[0]["headers"].as_array().unwrap().contains(&json!(["x-mine", "yes"])));
    assert_eq!(requests[0]["body"], stream().to_string());
    assert_eq!(requests[0]["faults"], json!(["crlf"]));
    assert_eq!(client.post("/__script", &json!({"clear": true})).await.json(), json!({"rules": []}));
    client.send(Method::DELETE, "/__requests", String::new()).await;
    assert_eq!(client.get("/__requests").await.json(), json!([]));
}

#[tokio::test]
async fn a_shutdown_lets_answers_finish() {
    let delay = Delay { per_output_token: Duration::from_millis(1), ..Delay::ZERO };
    let upstream = Upstream::builder().delay(delay).start().await.unwrap();
    let addr = upstream.addr();
    let response = Client::of(&upstream).open(CHAT, &stream()).await.unwrap();
    let (received, ()) = tokio::join!(Received::whole(response), upstream.shutdown());
    assert!(received.text().ends_with("[DONE]\n\n") && !received.broken);
    assert!(tokio::net::TcpStream::connect(addr).await.is_err());
}

#[tokio::test]
async fn a_killed_upstream_leaves_streams_broken() {
    let upstream = Upstream::builder().script("stall=3".parse::<Fault>().unwrap()).start().await.unwrap();
    let response = Client::of(&upstream).open(CHAT, &stream()).await.unwrap();
    upstream.kill().await;
    assert!(Received::whole(response).await.broken);
}

#[tokio::test]
async fn dropping_the_handle_frees_the_port() {
    let upstream = Upstream::start().await.unwrap();
    let addr = upstream.addr();
    drop(upstream);
    while tokio::net::TcpStream::connect(addr).await.is_ok() {
        tokio::task::yield_now().await;
    }
    let again = Upstream::builder().listen(addr).start().await.unwrap();
    assert_eq!(again.addr(), addr);
}
