//! The same question in other words, and questions that only look the same.

use serde_json::json;

use crate::support::{DIALECTS, Speech, merged, world, world_with};

fn semantic(base: String) -> String {
    format!("{base}\n[cache]\nsemantic = true\n")
}

fn ask(speech: Speech, prompt: &str) -> serde_json::Value {
    speech.body(prompt, json!({"temperature": 0}))
}

#[tokio::test]
async fn a_paraphrase_is_answered_and_says_so() {
    let world = world_with(semantic).await;
    for speech in DIALECTS {
        world.client.ask(speech, &ask(speech, "How do I reset my password?")).await;
        let calls = world.calls();
        let near = world.client.ask(speech, &ask(speech, "how to reset a password")).await;
        assert_eq!((near.cache(), near.header("x-router-cache-bound")), ("near", "prior"), "{}", near.text());
        assert!(near.header("x-router-cache-similarity").parse::<f32>().unwrap() >= 0.5);
        assert_eq!((near.header("x-router-cost-usd"), near.header("x-router-attempts")), ("0", "0"));
        assert_eq!(world.calls(), calls);
        let streamed =
            merged(ask(speech, "what is the best way to reset my password"), json!({"stream": true}));
        let streamed = world.client.ask(speech, &streamed).await;
        assert_eq!(streamed.cache(), "near");
        assert!(streamed.text().contains(speech.terminator()), "{}", streamed.text());
    }
}

#[tokio::test]
async fn a_trap_is_refused() {
    let world = world_with(semantic).await;
    for (stored, trap) in [
        ("How do I turn on dark mode?", "How do I turn off dark mode?"),
        ("How long is 5 miles in kilometres?", "How long is 6 miles in kilometres?"),
        ("Are cats afraid of tigers?", "Are tigers afraid of cats?"),
        ("What is the capital of France?", "What is the capital of Italy?"),
        ("Can I eat eggs when pregnant?", "Can I not eat eggs when pregnant?"),
    ] {
        world.client.ask(Speech::OpenAi, &ask(Speech::OpenAi, stored)).await;
        let reply = world.client.ask(Speech::OpenAi, &ask(Speech::OpenAi, trap)).await;
        assert_eq!(reply.cache(), "miss", "{stored} | {trap}");
    }
}

#[tokio::test]
async fn everything_but_the_last_turn_must_be_equal() {
    let world = world_with(semantic).await;
    let with = |prompt: &str, more| merged(ask(Speech::OpenAi, prompt), more);
    let (stored, paraphrase) = ("How do I reset my password?", "how to reset a password");
    world.client.ask(Speech::OpenAi, &with(stored, json!({"user": "a"}))).await;
    for other in [
        json!({"user": "b"}),
        json!({"user": "a", "seed": 1}),
        json!({"user": "a", "tools": [{"type": "function", "function": {"name": "reset"}}]}),
        json!({"user": "a", "messages": [{"role": "system", "content": "Be brief."}, {"role": "user", "content": paraphrase}]}),
    ] {
        let reply = world.client.ask(Speech::OpenAi, &with(paraphrase, other.clone())).await;
        assert_eq!(reply.cache(), "miss", "{other}");
    }
    assert_eq!(
        world.client.ask(Speech::OpenAi, &with(paraphrase, json!({"user": "a"}))).await.cache(),
        "near"
    );
}

#[tokio::test]
async fn it_is_off_until_the_policy_turns_it_on() {
    let world = world().await;
    world.client.ask(Speech::OpenAi, &ask(Speech::OpenAi, "How do I reset my password?")).await;
    assert_eq!(
        world.client.ask(Speech::OpenAi, &ask(Speech::OpenAi, "how to reset a password")).await.cache(),
        "miss"
    );
}

#[tokio::test]
async fn a_bad_answer_is_not_served_again() {
    let world = world_with(semantic).await;
    world.client.ask(Speech::OpenAi, &ask(Speech::OpenAi, "How do I reset my password?")).await;
    let paraphrase = ask(Speech::OpenAi, "how to reset a password");
    let near = world.client.ask_with(Speech::OpenAi, &[("x-request-id", "near-1")], &paraphrase).await;
    assert_eq!(near.cache(), "near");
    let feedback = json!({"request_id": "near-1", "score": "bad"}).to_string();
    let told = world.client.admin(http::Method::POST, "/feedback", &feedback).await;
    assert_eq!(told.json()["evicted"], true, "{}", told.text());
    assert_eq!(world.client.ask(Speech::OpenAi, &paraphrase).await.cache(), "miss");
}
