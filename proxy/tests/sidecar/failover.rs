//! Trouble with one provider that another one hides.

use http::{Method, StatusCode};
use router_upstream::{Rule, Upstream};
use serde_json::{Value, json};

use crate::support::{DIALECTS, Speech, World, chat, chat_with, fault, until, within, world_with};

/// Both models alike, the outer one second in the order of preference: another region, say.
pub fn equals(base: String) -> String {
    base.replace("$2.50/M", "$0.05/M")
        .replace("$10/M", "$0.08/M")
        .replace("tier = 3", "tier = 1")
        .replace("placement = \"external\"", "placement = \"internal\"\ngroup = 1")
}

fn streamed(speech: Speech, prompt: &str) -> Value {
    speech.body_to("auto", prompt, json!({"stream": true}))
}

/// What answered, and how many attempts it took.
fn answered(reply: &crate::support::Reply) -> (&str, &str) {
    assert_eq!(reply.status, StatusCode::OK, "{}", reply.text());
    (reply.header("x-router-model"), reply.header("x-router-attempts"))
}

async fn impatient() -> World {
    world_with(|base| base + "[attempts]\nfirst_token = \"200ms\"\n").await
}

#[tokio::test]
async fn a_first_token_that_does_not_come_is_got_elsewhere() {
    for (speech, big) in DIALECTS.into_iter().zip(["big", "big-a"]) {
        let world = impatient().await;
        for name in ["slow-first-token=3600000", "slow-headers=3600000", "stall=0"] {
            world.inside.script(Rule::next(fault(name), 1));
            let reply = world.client.ask(speech, &streamed(speech, name)).await;
            assert_eq!(answered(&reply), (big, "2"), "{name}");
            assert!(reply.text().contains(speech.terminator()));
        }
        within(world.inside.wait_for(|stats| stats.cancelled == 3 && stats.in_flight == 0)).await;
    }
}

#[tokio::test]
async fn the_last_candidate_is_never_cut() {
    let world = impatient().await;
    world.inside.script(fault("slow-first-token=600"));
    world.outside.script(fault("slow-first-token=600"));
    let named = world.client.ask(Speech::OpenAi, &Speech::OpenAi.streamed("only one")).await;
    assert_eq!(answered(&named), ("small", "1"));
    let both = world.client.ask(Speech::OpenAi, &streamed(Speech::OpenAi, "one after the other")).await;
    assert_eq!(answered(&both), ("big", "2"));
}

/// All of a plain answer comes at once: how long its first token took nobody knows.
#[tokio::test]
async fn a_plain_answer_is_not_cut() {
    let world = impatient().await;
    world.inside.script(fault("slow-headers=600"));
    assert_eq!(answered(&world.client.chat(chat("auto", "x")).await), ("small", "1"));
}

/// Where retries are spent nobody else can be asked: then a late answer is better than none.
#[tokio::test]
async fn without_retries_left_nobody_is_cut() {
    let world =
        world_with(|base| base + "[attempts]\nfirst_token = \"200ms\"\nretry = { share = 0.0, floor = 0 }\n")
            .await;
    world.inside.script(fault("slow-first-token=600"));
    let reply = world.client.ask(Speech::OpenAi, &streamed(Speech::OpenAi, "x")).await;
    assert_eq!(answered(&reply), ("small", "1"));
}

#[tokio::test]
async fn a_region_that_refuses_is_replaced_within_the_request() {
    // A second provider in the first region.
    let near = Upstream::builder().models(["near"]).start().await.unwrap();
    let world = world_with(equals).await;
    let third = format!(
        "[providers.near]\ndialect = \"openai\"\nbase_url = \"{}\"\nplacement = \"internal\"\n\
         [models.near]\nprovider = \"near\"\ntier = 1\ncontext = \"128k\"\n\
         price = {{ input = \"$0.05/M\", output = \"$0.08/M\" }}\n",
        near.base_url_openai()
    );
    let policy = equals(world.base_policy()).replace("\"small-a\",", "\"near\",") + &third;
    world.policy.slip(&policy);
    let reloaded = world.client.admin(Method::POST, "/-/reload", "").await;
    assert_eq!(reloaded.status, StatusCode::OK, "{}", reloaded.text());
    assert_eq!(answered(&world.client.chat(chat("auto", "all is well")).await).1, "1");
    assert_eq!(world.outside.stats().calls, 0, "the preferred region is enough");

    near.refuse().await;
    world.inside.refuse().await;
    for number in 0..20 {
        let reply = world.client.chat(chat("auto", &format!("question {number}"))).await;
        let (model, attempts) = answered(&reply);
        assert_eq!(model, "big");
        assert!(matches!(attempts, "1" | "2"), "one refusal speaks for its region: {attempts}");
    }
    // Each of the two was asked until its breaker opened; nobody noticed.
    assert_eq!(world.client.outcomes("ok").await, 21.0);
    let unhealthy = world.client.metric("breaker_state", &["model=\"small\""]).await
        + world.client.metric("breaker_state", &["model=\"near\""]).await;
    assert_eq!(unhealthy, 4.0, "both are open");
}

async fn provider(world: &World, model: &str) -> Value {
    let providers = world.client.admin(Method::GET, "/providers", "").await.json();
    let providers = providers["providers"].as_array().or(providers.as_array()).unwrap().clone();
    providers.into_iter().find(|provider| provider["model"] == model).unwrap()
}

#[tokio::test]
async fn a_probe_asks_for_the_list_and_never_for_an_answer() {
    let probed = |base: String| {
        base.replacen(
            "timeouts =",
            "probe = { interval = \"1s\" }\nbreaker = { failures = 1, recovery = \"1s\" }\ntimeouts =",
            2,
        )
    };
    let world = world_with(probed).await;
    world.inside.script(fault("status-503"));
    until(|| async { provider(&world, "small").await["breaker"] != "closed" }).await;
    assert_eq!(answered(&world.client.chat(chat("auto", "nobody waits for it")).await), ("big", "1"));
    world.inside.clear_script();
    for model in ["small", "small-a"] {
        until(|| async { provider(&world, model).await["breaker"] == "closed" }).await;
    }
    let seen = world.inside.requests();
    assert!(seen.len() >= 2);
    for request in seen {
        assert_eq!((request.method.as_str(), request.uri.path()), ("GET", "/v1/models"));
    }
}

/// One in two fails, and its neighbour is well: callers see nothing of it.
#[tokio::test]
async fn a_flapping_provider_is_invisible() {
    let world = world_with(|base| equals(base).replace("\ngroup = 1", "")).await;
    world.inside.script(Rule::sometimes(fault("status-500"), 0.5, 7));
    let asking = (0..8).map(|caller| {
        let client = world.client.clone();
        tokio::spawn(async move {
            for number in 0..40 {
                let prompt = format!("question {number} of {caller}");
                let body = chat_with("auto", &prompt, json!({"stream": number % 2 == 0}));
                assert_eq!(client.chat(body).await.status, StatusCode::OK);
            }
        })
    });
    for asked in asking.collect::<Vec<_>>() {
        asked.await.unwrap();
    }
    let failed = world.client.metric("upstream_requests_total", &["outcome=\"error_status\""]).await;
    assert!(failed > 0.0, "there was something to hide");
}

/// Somebody else's page at status 200 is not an answer, asked for as a stream or not; nor is what cannot be decoded.
#[tokio::test]
async fn what_is_no_answer_is_replaced_or_refused() {
    for (name, stream) in [("garbage", false), ("garbage", true), ("invalid-utf8", false)] {
        let world = crate::support::world().await;
        world.inside.script(fault(name));
        let hidden = world.client.chat(chat_with("auto", "x", json!({"stream": stream}))).await;
        assert_eq!(answered(&hidden), ("big", "2"), "{name}");
        let named = world.client.chat(chat_with("small", "x", json!({"stream": stream}))).await;
        assert_eq!(
            (named.status, named.header("x-router-error")),
            (StatusCode::BAD_GATEWAY, "upstream_error")
        );
        assert!(Speech::OpenAi.is_error(&named.json()), "{name}");
    }
}
