//! The same question in other words, and questions that only look the same.

use router_classifiers::embed::{EmbedError, Embedder, Fingerprint};
use serde_json::json;

use crate::records::{keeping, lines};
use crate::support::{DIALECTS, Plan, Speech, World, merged, until, world, world_with};

fn semantic(base: String) -> String {
    // Nothing is asked on the side by chance.
    format!("{base}\n[cache]\nsemantic = true\nembed_deadline = \"60s\"\nshadow = 0.0\n")
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

/// Pairs of a question and the same in other words, as many as are wanted.
fn pairs() -> impl Iterator<Item = (String, String)> {
    let things = [
        "password", "router", "printer", "keyboard", "camera", "calendar", "backpack", "bicycle", "kettle",
        "lamp", "mirror", "carpet", "window", "drawer", "balcony", "garage", "piano", "tent", "ladder",
        "helmet",
    ];
    let acts = ["reset", "clean", "paint", "repair", "sell", "measure", "describe", "store", "pack", "weigh"];
    acts.into_iter().flat_map(move |act| {
        things.map(|thing| (format!("How do I {act} my {thing}?"), format!("how to {act} a {thing}")))
    })
}

/// Asks pairs until the standing of near hits is as wished; how many near hits were served on the way.
async fn until_standing(world: &World, standing: &str) -> u32 {
    let mut served = 0;
    let wished = format!("standing=\"{standing}\"");
    for (question, paraphrase) in pairs() {
        for prompt in [&question, &paraphrase] {
            let reply = world.client.ask(Speech::OpenAi, &ask(Speech::OpenAi, prompt)).await;
            served += u32::from(reply.cache() == "near");
        }
        until(|| async { errands_under_way(world) == 0 }).await;
        if world.client.metric("near_hit_standing", &["matcher=\"builtin\"", &wished]).await == 1.0 {
            return served;
        }
    }
    panic!("{served} near hits, and no {standing}");
}

fn errands_under_way(world: &World) -> usize {
    router_proxy::handler::MOST_ERRANDS - world.sidecar.app().errands.available_permits()
}

/// Every fifth candidate is labelled, and every second answer may be wrong.
fn labelled(base: String) -> String {
    semantic(base).replace("shadow = 0.0", "shadow = 0.2") + "max_false_hit_rate = 0.5\n"
}

#[tokio::test]
async fn right_answers_earn_a_promise() {
    let plan =
        Plan { policy: labelled, upstream: |builder| builder.says("small", "So it is."), ..Plan::default() };
    let world = plan.start().await;
    let served = until_standing(&world, "measured").await;
    assert!(served > 10, "{served}");
    let client = &world.client;
    assert!(client.metric("cache_labels_total", &["verdict=\"right\""]).await > 8.0);
    assert_eq!(client.metric("cache_labels_total", &["verdict=\"wrong\""]).await, 0.0);
    assert!(client.metric("errands_total", &["purpose=\"shadow\"", "result=\"made\""]).await > 0.0);
    assert!(client.metric("near_hit_wrong_ratio_limit", &["matcher=\"builtin\""]).await < 0.5);
    let reply = client.ask(Speech::OpenAi, &ask(Speech::OpenAi, "the best way to reset my password")).await;
    assert_eq!((reply.cache(), reply.header("x-router-cache-bound")), ("near", "measured"));
}

#[tokio::test]
async fn wrong_answers_turn_near_hits_off() {
    // Each question has another answer, so every label is wrong.
    let world = world_with(|base| semantic(base).replace("shadow = 0.0", "shadow = 0.2")).await;
    let requests = world.client.outcomes("ok").await;
    assert_eq!(requests, 0.0);
    until_standing(&world, "off").await;
    assert!(world.client.metric("cache_labels_total", &["verdict=\"wrong\""]).await >= 3.0);
    let ask_twice = ["How do I brew green tea?", "how to brew a green tea"];
    for prompt in ask_twice {
        let reply = world.client.ask(Speech::OpenAi, &ask(Speech::OpenAi, prompt)).await;
        assert_eq!(reply.cache(), "miss", "{prompt}");
    }
}

#[tokio::test]
async fn what_is_asked_on_the_side_is_no_request_but_costs_money() {
    let world = Plan { policy: labelled, ..Plan::default() }.start().await;
    let mut asked = 0.0;
    for (question, paraphrase) in pairs() {
        for prompt in [question, paraphrase] {
            world.client.ask(Speech::OpenAi, &ask(Speech::OpenAi, &prompt)).await;
            asked += 1.0;
        }
    }
    until(|| async { errands_under_way(&world) == 0 }).await;
    let client = &world.client;
    let shadows = client.metric("errands_total", &["purpose=\"shadow\"", "result=\"made\""]).await;
    assert!(shadows > 0.0);
    assert_eq!(client.outcomes("ok").await, asked);
    assert_eq!(client.metric("in_flight_requests", &[]).await, 0.0);
    let upstream = client.metric("upstream_requests_total", &["outcome=\"ok\""]).await;
    assert_eq!(upstream as u64, world.calls());
    let misses = client.metric("cache_lookups_total", &["tier=\"exact\"", "result=\"miss\""]).await;
    assert_eq!(upstream, misses + shadows);
}

#[tokio::test]
async fn a_judge_settles_what_words_cannot() {
    let plan = Plan {
        policy: |base| labelled(base) + "judge = \"big\"\n",
        upstream: |builder| builder.says("big", "YES"),
        ..Plan::default()
    };
    let world = plan.start().await;
    // Answers of the internal model differ in words and are shown to nobody outside.
    world.client.ask(Speech::OpenAi, &ask(Speech::OpenAi, "How do I reset my password?")).await;
    until_standing(&world, "off").await;
    assert_eq!(world.outside.stats().calls, 0);

    let plan = Plan {
        policy: |base| labelled(base.replace("\"external\"", "\"internal\"")) + "judge = \"big\"\n",
        upstream: |builder| builder.says("big", "YES"),
        ..Plan::default()
    };
    let world = plan.start().await;
    until_standing(&world, "measured").await;
    let judged = world.client.metric("errands_total", &["purpose=\"judge\"", "result=\"made\""]).await;
    assert!(judged > 8.0);
    assert_eq!(world.outside.stats().calls as f64, judged);
    let request = &world.outside.requests()[0].json();
    assert_eq!((&request["model"], &request["temperature"]), (&json!("big"), &json!(0)));
}

#[tokio::test]
async fn a_veto_is_named_in_the_answer() {
    let world = world_with(semantic).await;
    world.client.ask(Speech::OpenAi, &ask(Speech::OpenAi, "How long is 5 miles in kilometres?")).await;
    let trap = ask(Speech::OpenAi, "How long is 6 miles in kilometres?");
    let reply = world.client.ask(Speech::OpenAi, &trap).await;
    assert_eq!((reply.cache(), reply.header("x-router-cache-vetoes")), ("miss", "numbers"));
    assert_eq!(world.client.metric("cache_vetoes_total", &["guard=\"numbers\""]).await, 1.0);
}

/// A sentence model that finds everything alike, or fails in one way.
struct Alike(Model);

type Model = fn() -> Result<Vec<f32>, EmbedError>;

impl Embedder for Alike {
    fn embed(&mut self, _: &str) -> Result<Vec<f32>, EmbedError> {
        (self.0)()
    }

    fn dimensions(&self) -> usize {
        3
    }

    fn fingerprint(&self) -> Fingerprint {
        Fingerprint::of(&[b"alike"])
    }
}

/// A world whose near hits are found by this model.
async fn embedded(policy: fn(String) -> String, model: Model) -> World {
    let world = world_with(policy).await;
    world.sidecar.app().sentences.put(Alike(model), std::path::Path::new("models")).unwrap();
    world
}

#[tokio::test]
async fn sentence_embeddings_find_other_words() {
    let world = embedded(semantic, || Ok(vec![0.6, 0.8, 0.1])).await;
    let client = &world.client;
    client.ask(Speech::OpenAi, &ask(Speech::OpenAi, "Can coffee raise my blood pressure?")).await;
    until(|| async { client.metric("cache_entries", &["tier=\"semantic\""]).await == 1.0 }).await;
    let other = ask(Speech::OpenAi, "Does drinking coffee increase blood pressure?");
    let reply = client.ask(Speech::OpenAi, &other).await;
    assert_eq!((reply.cache(), reply.header("x-router-cache-bound")), ("near", "prior"));
    assert_eq!(client.metric("embeddings_total", &["result=\"ok\""]).await, 1.0);
    let ready = client.admin(http::Method::GET, "/readyz", "").await.json();
    assert_eq!(ready["near_hits"], json!({"matcher": "fastembed"}));
    assert_eq!(client.metric("near_matcher", &["matcher=\"fastembed\""]).await, 1.0);
}

#[tokio::test]
async fn a_model_that_misbehaves_is_a_miss() {
    let faults: [(&str, Model); 5] = [
        ("bad_vector", || Ok(vec![f32::NAN, 1.0, 1.0])),
        ("bad_vector", || Ok(vec![0.0; 3])),
        ("dimensions", || Ok(vec![1.0; 4])),
        ("failed", || Err(EmbedError::Failed("no".into()))),
        ("panicked", || panic!("the model is broken")),
    ];
    for (name, fault) in faults {
        let world = embedded(semantic, || Ok(vec![0.6, 0.8, 0.1])).await;
        let client = &world.client;
        client.ask(Speech::OpenAi, &ask(Speech::OpenAi, "How do I reset my password?")).await;
        until(|| async { client.metric("cache_entries", &["tier=\"semantic\""]).await == 1.0 }).await;
        world.sidecar.app().sentences.put(Alike(fault), std::path::Path::new("models")).unwrap();
        let reply = client.ask(Speech::OpenAi, &ask(Speech::OpenAi, "how to reset a password")).await;
        assert_eq!(reply.cache(), "miss", "{name}");
        let result = format!("result=\"{name}\"");
        assert_eq!(client.metric("embeddings_total", &[&result]).await, 1.0, "{name}");
    }
}

#[tokio::test]
async fn a_model_that_is_late_is_a_miss() {
    let policy = |base| semantic(base).replace("embed_deadline = \"60s\"", "embed_deadline = \"1ms\"");
    // The first question is filed in its own time; the second one waits a millisecond and no longer.
    let slow = || {
        std::thread::sleep(std::time::Duration::from_millis(100));
        Ok(vec![0.6, 0.8, 0.1])
    };
    let world = embedded(policy, slow).await;
    let client = &world.client;
    client.ask(Speech::OpenAi, &ask(Speech::OpenAi, "How do I reset my password?")).await;
    until(|| async { client.metric("cache_entries", &["tier=\"semantic\""]).await == 1.0 }).await;
    let reply = client.ask(Speech::OpenAi, &ask(Speech::OpenAi, "how to reset a password")).await;
    assert_eq!(reply.cache(), "miss");
    assert_eq!(client.metric("embeddings_total", &["result=\"late\""]).await, 1.0);
}

#[tokio::test]
async fn a_missing_model_is_one_warning_and_the_built_in_matcher() {
    let policy = |base| semantic(base) + "matcher = \"fastembed\"\nmodels = \"nowhere\"\n";
    let world = world_with(policy).await;
    let ready = world.client.admin(http::Method::GET, "/readyz", "").await;
    assert_eq!(ready.status, 200);
    let near_hits = &ready.json()["near_hits"];
    assert_eq!(near_hits["matcher"], "builtin");
    assert!(near_hits["detail"].as_str().unwrap().contains("scripts/fetch-models"), "{near_hits}");
    world.client.ask(Speech::OpenAi, &ask(Speech::OpenAi, "How do I reset my password?")).await;
    let near = world.client.ask(Speech::OpenAi, &ask(Speech::OpenAi, "how to reset a password")).await;
    assert_eq!(near.cache(), "near");
}

#[tokio::test]
async fn a_question_too_long_for_the_model_is_never_near() {
    let world = embedded(semantic, || Err(EmbedError::TooLong { most: 256 })).await;
    let prompt = |end: &str| format!("Which of these words is the last one? {}{end}", "a word ".repeat(120));
    for end in ["cat", "cat.", "cat!"] {
        let reply = world.client.ask(Speech::OpenAi, &ask(Speech::OpenAi, &prompt(end))).await;
        assert_eq!(reply.cache(), "miss", "{end}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_thousand_at_once_get_their_own_answers() {
    let world = world_with(semantic).await;
    let ways = ["How do I clean my {}?", "how to clean a {}", "what is the best way to clean my {}"];
    let things = ["printer", "camera", "bicycle", "router"];
    let mut under_way = tokio::task::JoinSet::new();
    for n in 0..1_000 {
        let (client, thing) = (world.client.clone(), things[n % 4]);
        let prompt = ways[n / 4 % 3].replace("{}", thing);
        under_way
            .spawn(async move { (thing, client.ask(Speech::OpenAi, &ask(Speech::OpenAi, &prompt)).await) });
    }
    while let Some(ended) = under_way.join_next().await {
        let (thing, reply) = ended.unwrap();
        assert_eq!(reply.status, 200);
        // The scripted answer names the question that it was made for.
        let own =
            |way: &&str| reply.text().contains(&router_upstream::tag("small", &way.replace("{}", thing)));
        assert!(ways.iter().any(own), "{thing}: {}", reply.text());
    }
    assert!(world.calls() <= 12, "{} calls for twelve wordings", world.calls());
}

#[tokio::test]
async fn what_is_asked_on_the_side_has_lines_of_its_own() {
    let folder = tempfile::tempdir().unwrap();
    let plan = Plan {
        policy: |base| labelled(base.replace("\"external\"", "\"internal\"")) + "judge = \"big\"\n",
        upstream: |builder| builder.says("big", "YES"),
        settings: keeping(&folder),
    };
    let world = plan.start().await;
    until_standing(&world, "measured").await;
    let made = async |purpose: &str| {
        let purpose = format!("purpose=\"{purpose}\"");
        world.client.metric("errands_total", &[&purpose, "result=\"made\""]).await
    };
    let (shadows, judged) = (made("shadow").await, made("judge").await);
    let asked = world.client.outcomes("ok").await;
    let cost = world.client.metric("cost_usd_total", &[]).await;
    let baseline = world.client.metric("baseline_cost_usd_total", &[]).await;
    world.sidecar.drain().await;
    let lines = lines(&folder.path().join("ledger"));
    let of = |cache: &str| lines.iter().filter(|line| line["cache"] == cache).count() as f64;
    assert_eq!((of("shadow"), of("judge")), (shadows, judged));
    assert_eq!(lines.len() as f64, asked + shadows + judged);
    let sum = |field: &str| lines.iter().filter_map(|line| line[field].as_f64()).sum::<f64>();
    assert!((sum("cost_usd") - cost).abs() < 1e-9, "{} {cost}", sum("cost_usd"));
    assert!((sum("baseline_usd") - baseline).abs() < 1e-9, "errands have no baseline");
    let receipts: std::collections::BTreeSet<&str> = lines
        .iter()
        .filter(|line| line["cache"] != "judge" && line["cache"] != "shadow")
        .filter_map(|line| line["receipt"].as_str())
        .collect();
    assert!(
        lines.iter().all(|line| receipts.contains(line["receipt"].as_str().unwrap())),
        "each names its cause"
    );
}
