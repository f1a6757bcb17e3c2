//! A policy is replaced in one step, or not at all; nothing that runs notices.

use std::os::unix::fs::symlink;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use http::{Method, StatusCode};
use router_policies::Origin;
use router_proxy::sidecar::{Settings, Sidecar};
use serde_json::{Value, json};

use crate::streams::{endless, without_limit};
use crate::support::{
    DIALECTS, Plan, Reply, Speech, TestClient, any_port, chat, fault, until, until_eq, within, world,
};

const RULE: &str = "[[rules]]\nname = \"added\"\nuse = { max_tokens = 7 }\n";

async fn reload(client: &TestClient) -> Reply {
    client.admin(Method::POST, "/-/reload", "").await
}

/// The rule in force for a plain request.
async fn rule_in_force(client: &TestClient) -> String {
    client.chat(chat("small", "x")).await.header("x-router-rule").to_owned()
}

#[tokio::test]
async fn a_reload_says_what_is_different() {
    let world = world().await;
    assert_eq!(world.client.generation().await, 1);
    let text = world.base_policy().replace("tier = 3", "tier = 4");
    world.policy.slip(&format!("{text}{RULE}[aliases]\nfast = \"small\"\n"));
    let reply = reload(&world.client).await;
    assert_eq!(reply.status, StatusCode::OK, "{}", reply.text());
    let expected = json!({
        "generation": 2,
        "changed": ["aliases.fast (added)", "models.big-a.tier", "models.big.tier", "rules.added (added)"],
    });
    assert_eq!(sorted(reply.json()), expected);
    assert_eq!(rule_in_force(&world.client).await, "added");
    assert_eq!(world.client.metric("policy_generation", &[]).await, 2.0);
    assert_eq!(world.client.metric("policy_last_reload_successful", &[]).await, 1.0);
    assert_eq!(world.client.chat(chat("fast", "x")).await.header("x-router-model"), "small");
}

fn sorted(mut reply: Value) -> Value {
    reply["changed"].as_array_mut().unwrap().sort_by_key(Value::to_string);
    reply
}

#[tokio::test]
async fn a_bad_policy_changes_nothing_and_says_all_that_is_wrong() {
    let world = world().await;
    world.policy.slip(&format!("{}{RULE}", world.base_policy()));
    assert_eq!(reload(&world.client).await.status, StatusCode::OK);
    let since = world.client.metric("policy_last_reload_success_timestamp_seconds", &[]).await;
    let bad = world.base_policy().replace("baseline = \"big\"", "baselin = \"big\"");
    world.policy.slip(&format!("{bad}[aliases]\nfast = \"smal\"\n"));
    let reply = reload(&world.client).await;
    assert_eq!(reply.status, StatusCode::UNPROCESSABLE_ENTITY);
    let reply = reply.json();
    let errors = reply["errors"].as_array().unwrap();
    assert_eq!(errors.len(), 2, "{reply}");
    let suggestions: Vec<_> = errors.iter().map(|error| error["suggestion"].as_str().unwrap()).collect();
    assert_eq!(suggestions, ["baseline", "small"]);
    for error in errors {
        let mut keys: Vec<_> = error.as_object().unwrap().keys().map(String::as_str).collect();
        keys.sort_unstable();
        assert_eq!(keys, ["column", "file", "line", "message", "suggestion"]);
        assert!(error["file"].as_str().unwrap().ends_with("policy.toml"));
    }
    assert_eq!((&errors[0]["line"], &errors[0]["column"]), (&json!(1), &json!(1)));
    assert_eq!(world.client.generation().await, 2);
    assert_eq!(rule_in_force(&world.client).await, "added", "the last good one stays");
    assert_eq!(world.client.metric("policy_last_reload_successful", &[]).await, 0.0);
    assert_eq!(world.client.metric("policy_last_reload_success_timestamp_seconds", &[]).await, since);
    assert_eq!(world.client.metric("policy_generation", &[]).await, 2.0);
    world.policy.slip(&world.base_policy());
    assert_eq!(reload(&world.client).await.json()["generation"], 3);
    assert_eq!(rule_in_force(&world.client).await, "");
    assert_eq!(world.client.metric("policy_last_reload_successful", &[]).await, 1.0);
}

#[tokio::test]
async fn a_file_that_is_gone_changes_nothing() {
    let world = world().await;
    std::fs::remove_file(world.policy.path()).unwrap();
    let reply = reload(&world.client).await;
    assert_eq!(reply.status, StatusCode::UNPROCESSABLE_ENTITY, "{}", reply.text());
    assert_eq!(world.client.chat(chat("small", "x")).await.status, StatusCode::OK);
}

#[tokio::test]
async fn a_changed_file_is_noticed() {
    let world = world().await;
    let with_rule = format!("{}{RULE}", world.base_policy());
    world.policy.replace(&with_rule);
    until_eq(2, || world.client.generation()).await;
    assert_eq!(rule_in_force(&world.client).await, "added");
    world.policy.rename_over(&world.base_policy());
    until_eq(3, || world.client.generation()).await;
    assert_eq!(rule_in_force(&world.client).await, "");
    // What was renamed into place is watched on.
    world.policy.rename_over(&with_rule);
    until_eq(4, || world.client.generation()).await;
    world.policy.replace(&world.base_policy());
    until_eq(5, || world.client.generation()).await;
}

#[tokio::test]
async fn a_changed_file_that_is_bad_keeps_the_last_good_one() {
    let world = world().await;
    world.policy.replace("providers = 3");
    let failed = async || world.client.metric("policy_last_reload_successful", &[]).await == 0.0;
    until(failed).await;
    assert_eq!(world.client.generation().await, 1);
    assert_eq!(world.client.chat(chat("auto", "x")).await.status, StatusCode::OK);
    assert_eq!(world.client.admin(Method::GET, "/readyz", "").await.status, StatusCode::OK);
    world.policy.replace(&format!("{}{RULE}", world.base_policy()));
    until_eq(2, || world.client.generation()).await;
    until(async || !failed().await).await;
}

/// As Kubernetes does it: `policy.toml → ..data/policy.toml`, `..data → ..1`, then `..data → ..2` by a rename.
#[tokio::test]
async fn a_swapped_link_is_noticed() {
    let world = world().await;
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name);
    let volume = |name: &str, text: &str| {
        std::fs::create_dir(at(name)).unwrap();
        std::fs::write(at(name).join("policy.toml"), text).unwrap();
        symlink(name, at("..tmp")).unwrap();
        std::fs::rename(at("..tmp"), at("..data")).unwrap();
    };
    volume("..1", &world.base_policy());
    symlink("..data/policy.toml", at("policy.toml")).unwrap();
    let sidecar = start(&at("policy.toml")).await;
    let client = TestClient::new(sidecar.data(), sidecar.admin());
    for (generation, name) in [(2, "..2"), (3, "..3")] {
        volume(name, &format!("{}{}", world.base_policy(), RULE.replace("added", name)));
        std::fs::remove_dir_all(at(&format!("..{}", generation - 1))).unwrap();
        until_eq(generation, || client.generation()).await;
        assert_eq!(rule_in_force(&client).await, name);
    }
}

async fn start(policy: &Path) -> Sidecar {
    let settings = Settings { listen: any_port(), admin: any_port(), ..Settings::default() };
    let origin = Origin::File(policy.to_path_buf());
    Sidecar::start(settings, origin, router_proxy::commands::scorer()).await.unwrap()
}

#[tokio::test]
async fn what_is_known_outlives_a_reload() {
    let world = world().await;
    let question = |speech: Speech| speech.body("what?", json!({"temperature": 0}));
    for speech in DIALECTS {
        assert_eq!(world.client.ask(speech, &question(speech)).await.cache(), "miss");
    }
    world.outside.script(fault("status-500"));
    for _ in 0..5 {
        world.client.chat(chat("big", "x")).await;
    }
    assert_eq!(world.client.metric("breaker_state", &["model=\"big\""]).await, 2.0);
    let requests = world.client.metric("requests_total", &[]).await;
    let cost = world.client.metric("cost_usd_total", &[]).await;

    world.policy.slip(&world.base_policy().replace("tier = 1", "tier = 2"));
    assert_eq!(
        reload(&world.client).await.json()["changed"],
        json!(["models.small-a.tier", "models.small.tier"])
    );

    assert_eq!(world.client.metric("breaker_state", &["model=\"big\""]).await, 2.0);
    assert_eq!(world.client.metric("requests_total", &[]).await, requests);
    assert_eq!(world.client.metric("cost_usd_total", &[]).await, cost);
    let calls = world.inside.stats().calls;
    for speech in DIALECTS {
        assert_eq!(world.client.ask(speech, &question(speech)).await.cache(), "hit");
    }
    assert_eq!(world.inside.stats().calls, calls);
    assert_eq!(world.inside.stats().connections_total, 2, "connections are kept: one for each entry");
}

/// Asks in both dialects, plain and streamed, until told to stop, and counts what is not a whole answer.
async fn keep_asking(
    client: TestClient,
    stop: Arc<AtomicBool>,
    done: Arc<AtomicU64>,
    failed: Arc<AtomicU64>,
) {
    for number in 0_u32.. {
        if stop.load(Ordering::Acquire) {
            return;
        }
        let speech = DIALECTS[number as usize % 2];
        let model = if number % 8 < 4 { "auto" } else { speech.small() };
        let body = speech.body_to(model, &number.to_string(), json!({"stream": number % 4 < 2}));
        let request = client.request(speech.path(), speech.headers(), body.to_string());
        let whole = match client.try_send(request).await {
            Ok(reply) if number % 4 < 2 => reply.status == 200 && reply.text().contains(speech.terminator()),
            Ok(reply) => reply.status == 200 && speech.text(&reply.json()).starts_with('['),
            Err(_) => false,
        };
        failed.fetch_add(u64::from(!whole), Ordering::AcqRel);
        done.fetch_add(1, Ordering::AcqRel);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn twenty_reloads_under_load_cost_no_request() {
    let world = world().await;
    let (stop, done, failed) = (Arc::default(), Arc::default(), Arc::default());
    let callers: Vec<_> = (0..8)
        .map(|_| keep_asking(world.client.fresh(), Arc::clone(&stop), Arc::clone(&done), Arc::clone(&failed)))
        .map(tokio::spawn)
        .collect();
    for number in 0..20_u32 {
        // Other limits make other connection pools; other names make other rules.
        let text =
            world.base_policy().replace("connect = \"30s\"", &format!("connect = \"{}s\"", 30 + number % 3));
        let bad = if number % 5 == 4 { "[aliases]\nx = \"nobody\"\n" } else { "" };
        world.policy.slip(&format!("{text}{}{bad}", RULE.replace("added", &format!("rule-{number}"))));
        let status = reload(&world.client).await.status;
        assert_eq!(status, if bad.is_empty() { 200 } else { 422 });
        let before = done.load(Ordering::Acquire);
        until(|| async { done.load(Ordering::Acquire) >= before + 16 }).await;
    }
    stop.store(true, Ordering::Release);
    for caller in callers {
        within(caller).await.unwrap();
    }
    assert_eq!(failed.load(Ordering::Acquire), 0, "of {}", done.load(Ordering::Acquire));
    assert_eq!(world.client.generation().await, 17);
    assert_eq!(world.client.metric("retries_total", &[]).await, 0.0);
}

/// The policy that a request began under holds to its last byte, whatever has become of its model.
#[tokio::test]
async fn a_stream_in_flight_ends_under_its_old_policy() {
    for speech in DIALECTS {
        let world = endless().start().await;
        let mut stream = world.client.stream(speech, &without_limit(speech)).await;
        stream.read(1).await;
        let policy = world.base_policy();
        let sections = policy.split_inclusive('\n').collect::<String>();
        let without_small = remove_model(&remove_model(&sections, "small"), "small-a")
            .replace("\"small\", \"small-a\", ", "")
            .replace("idle = \"30s\", total = \"120s\"", "idle = \"1ms\", total = \"1ms\"");
        world.policy.slip(&without_small);
        let reply = reload(&world.client).await;
        assert_eq!(reply.status, StatusCode::OK, "{}", reply.text());
        assert_eq!(
            world.client.ask(speech, &speech.body("x", json!({}))).await.status,
            StatusCode::NOT_FOUND
        );
        assert_eq!(world.inside.stats().in_flight, 1, "the stream is still under way");
        let seen = stream.rest().await;
        assert!(seen.text().contains(speech.terminator()));
        let model = format!("model=\"{}\"", speech.small());
        assert!(world.client.metric("tokens_total", &[&model, "type=\"output\""]).await > 1e6);
        assert!(world.client.metric("cost_usd_total", &[&model]).await > 0.08, "at the old price");
        assert_eq!(world.client.metric("upstream_requests_total", &[&model, "outcome=\"ok\""]).await, 1.0);
    }
}

/// The policy without one `[models.NAME]` section.
fn remove_model(policy: &str, name: &str) -> String {
    let start = policy.find(&format!("[models.{name}]")).unwrap();
    let end = start + 1 + policy[start + 1..].find("\n[").unwrap();
    [&policy[..start], &policy[end..]].concat()
}

#[tokio::test]
async fn a_provider_that_is_the_router_itself_is_refused() {
    let world = Plan::default().start().await;
    let own = world.base_policy().replace(&world.inside.addr().to_string(), &world.client.data.to_string());
    world.policy.slip(&own);
    let reply = reload(&world.client).await;
    assert_eq!(reply.status, StatusCode::UNPROCESSABLE_ENTITY, "{}", reply.text());
    assert_eq!(reply.json()["errors"].as_array().unwrap().len(), 2, "{}", reply.text());
}
