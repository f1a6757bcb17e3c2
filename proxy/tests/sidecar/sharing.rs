//! Equal requests in flight share one call.

use http::StatusCode;
use router_upstream::Rule;
use serde_json::json;

use crate::support::{DIALECTS, Gate, Speech, fault, merged, until, within, world};

fn question(speech: Speech, stream: bool) -> serde_json::Value {
    speech.body("the same for everybody", merged(json!({"temperature": 0}), json!({"stream": stream})))
}

#[tokio::test]
async fn a_thousand_equal_requests_are_one_call() {
    for speech in DIALECTS {
        let world = world().await;
        let body = question(speech, true);
        let whole = world.client.ask(speech, &body).await;
        let gate = Gate::between("", whole.body.clone()).await;
        world.replace_inside(gate.address).await;
        let body = merged(body, json!({"user": "everybody"}));
        let asking = (0..1000).map(|_| {
            let (client, body) = (world.client.clone(), body.clone());
            tokio::spawn(async move { client.ask(speech, &body).await })
        });
        let asking: Vec<_> = asking.collect();
        // Everybody has asked before the answer begins.
        until(|| async { world.sidecar.app().metrics.traffic.in_flight.get() == 1000 }).await;
        gate.open();
        let mut shared = 0;
        let mut first = None;
        for reply in asking {
            let reply = reply.await.unwrap();
            assert_eq!(reply.status, StatusCode::OK, "{}", reply.text());
            assert!(reply.text().contains(speech.terminator()), "{}", reply.text());
            shared += usize::from(reply.cache() == "shared");
            assert_eq!(first.get_or_insert_with(|| reply.body.clone()), &reply.body);
        }
        assert_eq!((gate.calls(), shared), (1, 999));
        assert_eq!(world.client.outcomes("ok").await, 1001.0);
        assert_eq!(world.client.metric("upstream_requests_total", &[]).await, 2.0);
    }
}

#[tokio::test]
async fn each_caller_has_its_own_headers() {
    let world = world().await;
    world.inside.script(Rule::next(fault("slow-first-token=500"), 1));
    let body = question(Speech::OpenAi, false);
    let one = world.client.ask_with(Speech::OpenAi, &[("x-request-id", "one")], &body);
    let two = world.client.ask_with(Speech::OpenAi, &[("x-request-id", "two")], &body);
    let (one, two) = tokio::join!(one, two);
    assert_eq!((one.header("x-request-id"), two.header("x-request-id")), ("one", "two"));
    let mut caches = [one.cache(), two.cache()];
    caches.sort_unstable();
    assert_eq!(caches, ["miss", "shared"]);
    let shared = if one.cache() == "shared" { &one } else { &two };
    assert_eq!((shared.header("x-router-cost-usd"), shared.header("x-router-attempts")), ("0", "0"));
    assert_eq!(one.body, two.body);
}

#[tokio::test]
async fn the_leader_may_leave() {
    let world = world().await;
    world.inside.script(Rule::next(fault("stall=2"), 1));
    let body = question(Speech::OpenAi, true);
    let mut leader = world.client.stream(Speech::OpenAi, &body).await;
    leader.read(1).await;
    let mut follower = world.client.stream(Speech::OpenAi, &body).await;
    follower.read(1).await;
    drop(leader);
    tokio::task::yield_now().await;
    assert_eq!(world.inside.stats().cancelled, 0, "the follower keeps the call");
    drop(follower);
    // The provider would be silent for ever: it is the last one leaving that ends the call.
    within(world.inside.wait_for(|stats| stats.cancelled == 1 && stats.in_flight == 0)).await;
}

#[tokio::test]
async fn what_breaks_breaks_for_everybody() {
    let world = world().await;
    world.inside.script(Rule::next(fault("slow-first-token=500"), 1));
    world.inside.script(Rule::next(fault("end=3"), 1));
    let body = question(Speech::Anthropic, true);
    let (one, two) =
        tokio::join!(world.client.ask(Speech::Anthropic, &body), world.client.ask(Speech::Anthropic, &body));
    for reply in [one, two] {
        let complete = reply.text().contains(Speech::Anthropic.terminator());
        let broken = reply.text().contains("\"type\":\"error\"");
        assert!(complete != broken, "never both, never neither: {}", reply.text());
    }
}

#[tokio::test]
async fn what_may_not_be_cached_is_not_shared() {
    let world = world().await;
    world.inside.script(fault("slow-first-token=300"));
    let body = Speech::OpenAi.body("no temperature", json!({}));
    let (one, two) =
        tokio::join!(world.client.ask(Speech::OpenAi, &body), world.client.ask(Speech::OpenAi, &body));
    assert_eq!((one.cache(), two.cache()), ("bypass", "bypass"));
    assert_eq!(world.calls(), 2);
}
