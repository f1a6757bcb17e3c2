//! How much a caller may use.

use http::StatusCode;
use router_proxy::gate::GateSettings;
use router_proxy::sidecar::Settings;
use router_upstream::Rule;
use serde_json::json;

use crate::records::tenants;
use crate::support::{DIALECTS, Plan, Reply, Speech, World, chat, chat_with, fault, until_eq, world_with};

fn number(reply: &Reply, name: &str) -> u64 {
    reply.header(name).parse().unwrap_or_else(|_| panic!("{name}: {:?}", reply.headers))
}

fn keyed(base: String, more: &str) -> String {
    let keys = tenants();
    format!("{base}{keys}{more}")
}

#[tokio::test]
async fn requests_beyond_a_quota_are_refused_in_the_callers_dialect() {
    for speech in DIALECTS {
        let world = world_with(|base| {
            keyed(base, "[[quotas]]\nname = \"each\"\nfor = { tenant = \"*\" }\nrequests = \"2/h\"\n")
        })
        .await;
        let ask = async |key: &str| {
            let body = speech.body(&fastrand::u64(..).to_string(), json!({}));
            world.client.ask_with(speech, &[("x-api-key", key)], &body).await
        };
        let first = ask("key-of-blue").await;
        assert_eq!(first.status, StatusCode::OK, "{}", first.text());
        assert_eq!(number(&first, "x-ratelimit-limit-requests"), 2);
        assert_eq!(number(&first, "x-ratelimit-remaining-requests"), 1);
        assert!(first.header("x-ratelimit-reset-requests").ends_with("ms"));
        assert_eq!(ask("key-of-blue").await.status, StatusCode::OK);

        let refused = ask("key-of-blue").await;
        assert_eq!(refused.status, StatusCode::TOO_MANY_REQUESTS);
        assert_eq!(refused.header("x-router-error"), "rate_limited");
        assert!(speech.is_error(&refused.json()), "{}", refused.text());
        assert_eq!(refused.json()["error"]["type"], "rate_limit_error");
        assert!((1..=30).contains(&number(&refused, "retry-after")));
        assert!((1..=30_000).contains(&number(&refused, "retry-after-ms")));
        assert_eq!(number(&refused, "x-ratelimit-remaining-requests"), 0);
        assert!(refused.text().contains("each (tenant blue)"), "{}", refused.text());

        assert_eq!(ask("key-of-red").await.status, StatusCode::OK, "counted apart");
        assert_eq!(world.calls(), 3);
        assert_eq!(world.client.metric("rate_limited_total", &["each (tenant blue)"]).await, 1.0);
        assert_eq!(world.client.outcomes("denied").await, 1.0);
    }
}

#[tokio::test]
async fn tokens_are_taken_by_estimate_and_corrected() {
    let world = Plan {
        policy: |base| base + "[[quotas]]\nname = \"all\"\ntokens = \"100k/d\"\n",
        upstream: |builder| builder.answer_tokens(5),
        ..Plan::default()
    }
    .start()
    .await;
    let first = world.client.chat(chat("small", "one")).await;
    let second = world.client.chat(chat("small", "two")).await;
    let [before, after] = [&first, &second].map(|reply| number(reply, "x-ratelimit-remaining-tokens"));
    let used = first.json()["usage"]["total_tokens"].as_u64().unwrap();
    assert!(
        before <= 100_000 - 256,
        "an answer of unknown length is expected to be of usual length: {before}"
    );
    // The estimate has been replaced by what was used. A little drains meanwhile, and the second is taken by a better estimate.
    assert!(after + used + 10 >= before, "{before} {after} {used}");

    let body = chat_with("small", &"long ".repeat(110_000), json!({}));
    let never = world.client.chat(body).await;
    assert_eq!(never.status, StatusCode::TOO_MANY_REQUESTS);
    assert_eq!(never.header("x-should-retry"), "false", "waiting does not help");
}

#[tokio::test]
async fn as_many_at_once_as_allowed() {
    let world = world_with(|base| base + "[[quotas]]\nname = \"one\"\nconcurrency = 1\n").await;
    world.inside.script(Rule::next(fault("stall=1"), 1));
    let mut open = world.client.stream(Speech::OpenAi, &Speech::OpenAi.streamed("first")).await;
    open.read(1).await;
    let refused = world.client.chat(chat("small", "second")).await;
    assert_eq!(
        (refused.status, refused.header("x-router-error")),
        (StatusCode::TOO_MANY_REQUESTS, "rate_limited")
    );
    drop(open);
    until_eq(StatusCode::OK, || async { world.client.chat(chat("small", "third")).await.status }).await;
}

#[tokio::test]
async fn where_a_models_quota_is_used_up_another_model_answers() {
    let world = world_with(|base| {
        base + "[[quotas]]\nname = \"little\"\nfor = { model = \"small\" }\nrequests = \"1/h\"\n"
    })
    .await;
    let model = async |body| world.client.chat(body).await.header("x-router-model").to_owned();
    assert_eq!(model(chat("auto", "hi")).await, "small");
    assert_eq!(model(chat("auto", "hello")).await, "big");
    let named = world.client.chat(chat("small", "good day")).await;
    assert_eq!(
        (named.status, named.header("x-router-error")),
        (StatusCode::TOO_MANY_REQUESTS, "rate_limited")
    );
}

#[tokio::test]
async fn what_is_used_outlives_a_reload() {
    let quota = |rate: &str| format!("[[quotas]]\nname = \"all\"\nrequests = \"{rate}\"\n");
    let world = world_with(|base| base + "[[quotas]]\nname = \"all\"\nrequests = \"4/h\"\n").await;
    for word in ["a", "b", "c", "d"] {
        assert_eq!(world.client.chat(chat("small", word)).await.status, StatusCode::OK);
    }
    world.policy.replace(&(world.base_policy() + &quota("8/h")));
    until_eq(2, || world.client.generation()).await;
    assert_eq!(world.client.chat(chat("small", "e")).await.status, StatusCode::TOO_MANY_REQUESTS);
}

/// One place, nobody may wait.
async fn crowded() -> World {
    let gate = GateSettings { places: 1, queue: 0, ..GateSettings::default() };
    Plan { settings: Settings { gate, ..Settings::default() }, ..Plan::default() }.start().await
}

#[tokio::test]
async fn a_full_router_says_so_at_once() {
    let world = crowded().await;
    world.inside.script(Rule::next(fault("stall=1"), 1));
    let mut open = world.client.stream(Speech::OpenAi, &Speech::OpenAi.streamed("first")).await;
    open.read(1).await;
    let refused = world.client.chat(chat("small", "second")).await;
    assert_eq!(refused.status, StatusCode::SERVICE_UNAVAILABLE);
    assert_eq!((refused.header("x-router-error"), refused.header("retry-after")), ("overloaded", "1"));
    drop(open);
    until_eq(StatusCode::OK, || async { world.client.chat(chat("small", "third")).await.status }).await;
}
