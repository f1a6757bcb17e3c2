//! Answers that their providers have not counted.

use http::StatusCode;
use router_upstream::Rule;
use serde_json::{Value, json};

use crate::records::{keeping, lines};
use crate::support::{DIALECTS, Plan, Speech, World, chat, chat_with, data, events, fault, until, within};

const PROMPT: &str = "Tell me about the great wall, in \"plain\" words: 你好\n";

async fn recording(folder: &tempfile::TempDir) -> World {
    Plan { settings: keeping(folder), ..Plan::default() }.start().await
}

/// The ledger once everything is written.
async fn ledger(world: World, folder: &tempfile::TempDir) -> Vec<Value> {
    world.sidecar.drain().await;
    let mut ledger = lines(&folder.path().join("ledger"));
    ledger.sort_by_key(|entry| entry["time"].as_str().unwrap().to_owned());
    ledger
}

fn tokens(text: &str) -> u64 {
    tiktoken_rs::o200k_base_singleton().count_ordinary(text) as u64
}

/// One user turn: its text and four tokens around it.
fn prompt_tokens(prompt: &str) -> u64 {
    tokens(prompt) + 4
}

#[tokio::test]
async fn what_no_provider_has_counted_is_counted_by_the_vocabulary() {
    let folder = tempfile::tempdir().unwrap();
    let world = recording(&folder).await;
    world.inside.script(Rule::always(fault("no-usage")));
    let mut texts = Vec::new();
    for speech in DIALECTS {
        let reply = world.client.ask(speech, &speech.body(PROMPT, json!({}))).await;
        assert_eq!(reply.status, StatusCode::OK, "{}", reply.text());
        assert_eq!(reply.header("x-router-cost-usd"), "", "not known yet");
        texts.push(speech.text(&reply.json()));
        let reply = world.client.ask(speech, &speech.streamed(PROMPT)).await;
        texts.push(speech.streamed_text(&reply.body));
    }
    until(|| async { world.client.metric("recounts_total", &["counted"]).await == 4.0 }).await;
    assert_eq!(world.client.metric("usage_estimated_total", &[]).await, 4.0);
    let cost = world.client.metric("cost_usd_total", &[]).await;

    let ledger = ledger(world, &folder).await;
    assert_eq!(ledger.len(), 4);
    for (entry, text) in ledger.iter().zip(&texts) {
        assert!(!text.is_empty() && entry["cost_state"] == "estimated", "{entry:#}");
        assert_eq!(entry["tokens"]["input"], prompt_tokens(PROMPT), "{entry:#}");
        assert_eq!(entry["tokens"]["output"], tokens(text), "{text:?} {entry:#}");
        assert_eq!(entry["attempts"].as_array().unwrap().len(), 1);
    }
    let sum: f64 = ledger.iter().map(|entry| entry["cost_usd"].as_f64().unwrap()).sum();
    assert!((sum - cost).abs() < 1e-12 && cost > 0.0, "{sum} {cost}");
}

/// Of a stream that its caller leaves, the events that came are counted.
#[tokio::test]
async fn a_stream_that_was_left_is_counted_as_far_as_it_came() {
    let folder = tempfile::tempdir().unwrap();
    let world = recording(&folder).await;
    let body = Speech::OpenAi.streamed(PROMPT);
    let whole = world.client.ask(Speech::OpenAi, &body).await.body;
    let came = events(&whole)[..7].concat();
    world.inside.script(Rule::next(fault("stall=7"), 1));
    let mut stream = world.client.stream(Speech::OpenAi, &body).await;
    stream.read(came.len()).await;
    let text: String = data(&came).iter().map(|event| Speech::OpenAi.delta(event).to_owned()).collect();
    drop(stream);
    until(|| async { world.client.metric("recounts_total", &["counted"]).await == 1.0 }).await;

    let ledger = ledger(world, &folder).await;
    let left = &ledger[1];
    assert_eq!((&left["outcome"], &left["cost_state"]), (&json!("cancelled"), &json!("estimated")));
    assert_eq!(left["tokens"], json!({"input": prompt_tokens(PROMPT), "output": tokens(&text)}), "{left:#}");
    assert_eq!(left["model"], "small");
}

/// A plain answer that nobody waited for: the provider had the prompt, so that is charged.
#[tokio::test]
async fn a_plain_answer_that_was_left_or_came_too_late_costs_its_prompt() {
    let folder = tempfile::tempdir().unwrap();
    let world = Plan {
        policy: |base| {
            let short = "connect = \"50ms\", first_byte = \"50ms\"";
            base.replacen("connect = \"30s\", first_byte = \"30s\"", short, 1)
        },
        settings: keeping(&folder),
        ..Plan::default()
    }
    .start()
    .await;
    world.inside.script(Rule::next(fault("slow-headers=3600000"), 1));
    let late = world.client.chat(chat("small", PROMPT)).await;
    assert_eq!(late.status, StatusCode::GATEWAY_TIMEOUT, "{}", late.text());

    world.outside.script(Rule::next(fault("slow-headers=3600000"), 1));
    let client = world.client.fresh();
    let left = tokio::spawn(async move { client.chat(chat("big", PROMPT)).await });
    within(world.outside.wait_for(|stats| stats.in_flight == 1)).await;
    left.abort();
    within(world.outside.wait_for(|stats| stats.in_flight == 0)).await;
    until(|| async { world.client.metric("recounts_total", &["counted"]).await == 2.0 }).await;
    assert!(world.client.metric("cost_usd_total", &["model=\"big\""]).await > 0.0);

    let ledger = ledger(world, &folder).await;
    let expected = [("upstream_error", "retried", "timeout"), ("cancelled", "served", "cancelled")];
    for (entry, (outcome, part, label)) in ledger.iter().zip(expected) {
        assert_eq!((&entry["outcome"], &entry["cost_state"]), (&json!(outcome), &json!("estimated")));
        assert_eq!(entry["tokens"], json!({"input": prompt_tokens(PROMPT)}), "{entry:#}");
        let attempt = &entry["attempts"][0];
        assert_eq!((&attempt["part"], &attempt["outcome"]), (&json!(part), &json!(label)), "{entry:#}");
        assert!(attempt["cost_usd"].as_f64().unwrap() > 0.0, "{entry:#}");
    }
}

/// Figures that cannot be true are not believed: what they say is neither given back nor charged, and the answer is counted instead.
#[tokio::test]
async fn absurd_usage_moves_no_money() {
    let folder = tempfile::tempdir().unwrap();
    let world = Plan {
        policy: |base| base + "[[budgets]]\nname = \"daily\"\nper = \"day\"\nlimit = \"$1\"\n",
        settings: keeping(&folder),
        ..Plan::default()
    }
    .start()
    .await;
    let mut texts = Vec::new();
    for name in ["negative-usage", "huge-usage"] {
        world.inside.clear_script();
        world.inside.script(Rule::always(fault(name)));
        for speech in DIALECTS {
            let body = speech.body(PROMPT, json!({"max_tokens": 100}));
            let reply = world.client.ask(speech, &body).await;
            assert_eq!(reply.status, StatusCode::OK, "{name}: {}", reply.text());
            texts.push(speech.text(&reply.json()));
            let reply =
                world.client.ask(speech, &crate::support::merged(body, json!({"stream": true}))).await;
            texts.push(speech.streamed_text(&reply.body));
        }
    }
    until(|| async { world.client.metric("recounts_total", &["counted"]).await == 8.0 }).await;
    let spent = world.client.metric("budget_spent_usd", &["daily"]).await;
    let cost = world.client.metric("cost_usd_total", &[]).await;
    assert!((spent - cost).abs() < 1e-12 && spent > 0.0 && spent < 0.001, "{spent} {cost}");
    for (entry, text) in ledger(world, &folder).await.iter().zip(&texts) {
        assert_eq!(entry["cost_state"], "estimated", "{entry:#}");
        assert_eq!(entry["tokens"]["output"], tokens(text), "{entry:#}");
    }
}

/// What cannot be reached, or hangs up, or answers with an error has done nothing that could be billed.
#[tokio::test]
async fn what_did_no_work_costs_nothing() {
    let world = crate::support::world().await;
    for name in ["hang-up", "status-500", "status-400", "redirect"] {
        world.inside.script(Rule::always(fault(name)));
        let reply = world.client.fresh().chat(chat("small", PROMPT)).await;
        assert_ne!(reply.status, StatusCode::OK, "{name}");
        assert_eq!(world.client.metric("cost_usd_total", &[]).await, 0.0, "{name}");
        world.inside.clear_script();
    }
}

/// Without the counting thread the fast estimate is charged at once, and that is counted.
#[tokio::test]
async fn where_there_is_no_room_the_estimate_stands() {
    let folder = tempfile::tempdir().unwrap();
    let world = recording(&folder).await;
    world.sidecar.app().recounts.close();
    world.inside.script(Rule::always(fault("no-usage")));
    let reply = world.client.chat(chat_with("small", PROMPT, json!({}))).await;
    let text = Speech::OpenAi.text(&reply.json());
    assert_eq!(world.client.metric("recounts_total", &["skipped"]).await, 1.0);
    let ledger = ledger(world, &folder).await;
    assert_eq!(ledger[0]["cost_state"], "estimated");
    assert_eq!(ledger[0]["tokens"]["output"], text.len().div_ceil(4), "{:#}", ledger[0]);
}
