//! The admin plane: what is counted, whether all is well, and why a request goes where it goes.

use std::collections::{BTreeMap, BTreeSet};

use http::{Method, StatusCode};
use serde_json::{Value, json};

use crate::support::{
    DIALECTS, HARD, Program, Reply, Speech, World, chat, fault, until_eq, world, world_with,
};

/// Metric names and labels that users rely on.
const METRICS: [(&str, &[&str]); 27] = [
    ("requests_total", &["endpoint", "tenant", "outcome"]),
    ("request_duration_seconds", &["endpoint"]),
    ("overhead_seconds", &["path"]),
    ("decisions_total", &["rule", "band", "placement"]),
    ("complexity_score", &[]),
    ("cache_lookups_total", &["tier", "result"]),
    ("cache_entries", &["tier"]),
    ("cache_bytes", &["tier"]),
    ("upstream_requests_total", &["provider", "model", "outcome"]),
    ("time_to_first_token_seconds", &["provider", "model"]),
    ("tokens_total", &["provider", "model", "type"]),
    ("cost_usd_total", &["tenant", "provider", "model"]),
    ("baseline_cost_usd_total", &["tenant"]),
    ("unpriced_requests_total", &["model"]),
    ("breaker_state", &["provider", "model"]),
    ("health_score", &["provider", "model"]),
    ("success_ratio", &["provider", "model"]),
    ("first_token_estimate_seconds", &["provider", "model"]),
    ("attempts_in_flight", &["provider", "model"]),
    ("retries_total", &[]),
    ("streams_truncated_total", &["side"]),
    ("policy_generation", &[]),
    ("policy_last_reload_successful", &[]),
    ("policy_last_reload_success_timestamp_seconds", &[]),
    ("in_flight_requests", &[]),
    ("usage_estimated_total", &["provider", "model"]),
    ("build_info", &["version"]),
];

/// Family → names of its labels, those of histogram buckets left out.
fn families(page: &str) -> BTreeMap<String, BTreeSet<String>> {
    let mut families: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    let mut family = String::new();
    for line in page.lines() {
        if let Some(declared) = line.strip_prefix("# TYPE ") {
            family = declared.split(' ').next().unwrap().to_owned();
        } else if !line.starts_with('#') {
            assert!(line.starts_with(&family), "{line} stands under {family}");
            let labels = line.split_once('{').map_or("", |(_, rest)| rest.rsplit_once('}').unwrap().0);
            let names = labels.split(',').filter_map(|pair| pair.split_once('=')).map(|(name, _)| name);
            let names = names.filter(|name| *name != "le").map(str::to_owned);
            families.entry(family.clone()).or_default().extend(names);
        }
    }
    families
}

#[tokio::test]
async fn the_metrics_have_the_names_and_labels_that_users_rely_on() {
    let world = world_with(|base| {
        base + "[models.free]\nprovider = \"local\"\nupstream_model = \"small\"\n\
            [[rules]]\nname = \"free\"\nwhen = { model = \"free\" }\nuse = { max_tokens = 20 }\n"
    })
    .await;
    for _ in 0..2 {
        world.client.chat(Speech::OpenAi.body("x", json!({"temperature": 0}))).await;
    }
    world.client.chat(chat("free", "x")).await;
    world.inside.script(fault("status-500"));
    world.client.chat(chat("auto", "x")).await;
    world.inside.clear_script();
    world.inside.script(fault("no-usage"));
    world.client.ask(Speech::Anthropic, &Speech::Anthropic.streamed("x")).await;
    let page = world.client.admin(Method::GET, "/metrics", "").await;
    assert_eq!(page.header("content-type"), "text/plain; version=0.0.4; charset=utf-8");
    let families = families(&page.text());
    for (name, labels) in METRICS {
        let found = families.get(&format!("xynergy_router_{name}"));
        let found = found.unwrap_or_else(|| panic!("{name} is missing"));
        let labels: BTreeSet<String> = labels.iter().map(|label| (*label).to_owned()).collect();
        assert_eq!(*found, labels, "{name}");
    }
    for name in ["process_cpu_seconds_total", "process_open_fds", "process_resident_memory_bytes"] {
        assert!(families.contains_key(name), "{name}");
    }
    let known = |name: &&String| name.starts_with("xynergy_router_") || name.starts_with("process_");
    assert_eq!(families.keys().filter(known).count(), families.len(), "one prefix: {:?}", families.keys());
    assert_eq!(world.client.metric("unpriced_requests_total", &["model=\"free\""]).await, 1.0);
    assert_eq!(world.client.metric("decisions_total", &["rule=\"free\""]).await, 1.0);
}

/// However many names callers make up, the number of lines stays.
#[tokio::test]
async fn made_up_names_do_not_become_labels() {
    let world = world().await;
    for number in 0..20 {
        let (model, path) = (format!("made-up-{number}"), format!("/v1/made-up-{number}"));
        world.client.chat(chat(&model, "x")).await;
        world.client.post(&path, &[], "{}").await;
        let tags = format!("made-up-{number}=made-up");
        world.client.ask_with(Speech::OpenAi, &[("x-router-tags", &tags)], &chat("small", "x")).await;
    }
    let page = world.client.admin(Method::GET, "/metrics", "").await.text();
    assert!(!page.contains("made-up"), "{page}");
    assert_eq!(world.client.metric("requests_total", &["endpoint=\"_other\""]).await, 20.0);
}

#[tokio::test]
async fn the_numbers_add_up() {
    let world = world().await;
    for speech in DIALECTS {
        for stream in [false, true] {
            world.client.ask(speech, &speech.body("count me", json!({"stream": stream}))).await;
        }
    }
    let client = &world.client;
    assert_eq!(client.outcomes("ok").await, 4.0);
    assert_eq!(client.metric("request_duration_seconds_count", &[]).await, 4.0);
    assert_eq!(client.metric("upstream_requests_total", &["outcome=\"ok\""]).await, 4.0);
    assert_eq!(client.metric("time_to_first_token_seconds_count", &["provider=\"local\""]).await, 2.0);
    assert_eq!(client.metric("complexity_score_count", &[]).await, 4.0);
    assert_eq!(client.metric("in_flight_requests", &[]).await, 0.0);
    let input = client.metric("tokens_total", &["type=\"input\""]).await;
    let output = client.metric("tokens_total", &["type=\"output\""]).await;
    let cost = client.metric("cost_usd_total", &[]).await;
    assert!((cost - (0.05 * input + 0.08 * output) / 1e6).abs() < 1e-12, "{cost}");
    let baseline = client.metric("baseline_cost_usd_total", &[]).await;
    assert!((baseline - (2.5 * input + 10.0 * output) / 1e6).abs() < 1e-12, "{baseline}");
    let plain = client.chat(chat("small", "count me")).await;
    let stated: f64 = plain.header("x-router-cost-usd").parse().unwrap();
    assert!((client.metric("cost_usd_total", &[]).await - cost - stated).abs() < 1e-12);
    let usage = &plain.json()["usage"];
    assert_eq!(
        client.metric("tokens_total", &["type=\"output\""]).await - output,
        usage["completion_tokens"].as_f64().unwrap()
    );
}

#[tokio::test]
async fn health_is_told() {
    let world = world().await;
    let live = world.client.admin(Method::GET, "/livez", "").await;
    assert_eq!(live.status, StatusCode::OK);
    let ready = world.client.admin(Method::GET, "/readyz", "").await;
    assert_eq!((ready.status, &ready.json()["ready"]), (StatusCode::OK, &json!(true)));
    // A provider that is gone does not make the router unfit: it says so to every caller itself.
    world.inside.refuse().await;
    world.client.chat(chat("small", "x")).await;
    assert_eq!(world.client.admin(Method::GET, "/readyz", "").await.status, StatusCode::OK);
}

#[tokio::test]
async fn each_provider_is_listed_with_its_health() {
    let world = world().await;
    world.inside.script(fault("status-500"));
    for _ in 0..5 {
        world.client.chat(chat("small", "x")).await;
    }
    world.client.chat(chat("big", "x")).await;
    let list = world.client.admin(Method::GET, "/providers", "").await.json();
    let of = |model: &str| {
        let entries = list.as_array().unwrap();
        entries.iter().find(|entry| entry["model"] == model).unwrap_or_else(|| panic!("{model} in {list}"))
    };
    assert_eq!(list.as_array().unwrap().len(), 4);
    let (small, big) = (of("small"), of("big"));
    assert_eq!(
        (&small["provider"], &small["breaker"], &small["in_flight"]),
        (&json!("local"), &json!("open"), &json!(0))
    );
    assert!(small["health_score"].as_f64().unwrap() < big["health_score"].as_f64().unwrap(), "{list}");
    assert!(small["success_rate"].as_f64().unwrap() < 0.5 && big["success_rate"] == json!(1.0), "{list}");
    assert_eq!((&big["breaker"], &big["placement"]), (&json!("closed"), &json!("external")));
    assert!(big["first_token_ms"].as_f64().unwrap() > 0.0);
    assert!(of("big-a")["first_token_ms"].is_null(), "nobody has asked it");
}

#[tokio::test]
async fn a_page_shows_it_to_a_person() {
    let world = world().await;
    let page = world.client.admin(Method::GET, "/", "").await;
    assert!(page.header("content-type").starts_with("text/html"));
    for shown in ["small-a", "cloud", "generation 1"] {
        assert!(page.text().contains(shown), "{shown}");
    }
}

#[tokio::test]
async fn what_is_not_there_is_a_404_or_405() {
    let world = world().await;
    for (method, path, status) in [
        (Method::GET, "/nothing", 404),
        (Method::GET, "/v1/models", 404),
        (Method::GET, "/-/reload", 405),
        (Method::GET, "/explain", 405),
        (Method::DELETE, "/policy", 405),
    ] {
        let reply = world.client.admin(method, path, "").await;
        assert_eq!(reply.status.as_u16(), status, "{path}");
    }
}

#[tokio::test]
async fn a_web_page_may_change_nothing() {
    let world = world().await;
    let origin = [("origin", "http://evil.example")];
    for path in ["/-/reload", "/explain", "/cache/purge", "/feedback"] {
        let refused = world.client.fetch(world.client.admin, Method::POST, path, &origin, "{}").await;
        assert_eq!(refused.status, StatusCode::FORBIDDEN, "{path}");
    }
    assert_eq!(world.client.generation().await, 1);
    let read = world.client.fetch(world.client.admin, Method::GET, "/metrics", &origin, "").await;
    assert_eq!(read.status, StatusCode::OK);
}

async fn explain(world: &World, headers: &[(&str, &str)], path: &str, body: &Value) -> Reply {
    world.client.fetch(world.client.admin, Method::POST, path, headers, &body.to_string()).await
}

/// The shape that scripts rely on; more may stand beside it.
fn assert_explains(told: &Value) {
    for key in ["score", "band", "rule", "model", "provider", "placement", "terms", "candidates"] {
        assert!(told.get(key).is_some(), "{key} in {told}");
    }
    assert!((0.0..=1.0).contains(&told["score"].as_f64().unwrap()));
    assert!(["internal", "hybrid", "external"].contains(&told["band"].as_str().unwrap()));
    let terms = told["terms"].as_array().unwrap();
    assert!(!terms.is_empty());
    for term in terms {
        assert!(term["name"].is_string() && term["value"].is_number(), "{term}");
    }
    for candidate in told["candidates"].as_array().unwrap() {
        for key in ["model", "provider", "expected_cost_usd", "chosen", "reason"] {
            assert!(candidate.get(key).is_some(), "{key} in {candidate}");
        }
        assert!(candidate["chosen"].is_boolean() && !candidate["reason"].as_str().unwrap().is_empty());
    }
    let chosen = told["candidates"].as_array().unwrap().iter().filter(|c| c["chosen"] == true);
    let chosen: Vec<_> = chosen.map(|candidate| &candidate["model"]).collect();
    match &told["model"] {
        Value::Null => assert!(chosen.is_empty(), "{told}"),
        model => assert_eq!(chosen, [model], "{told}"),
    }
}

#[tokio::test]
async fn explain_tells_what_would_happen_and_asks_nobody() {
    for (speech, prompt) in
        [(Speech::OpenAi, "hi"), (Speech::OpenAi, HARD), (Speech::Anthropic, "hi"), (Speech::Anthropic, HARD)]
    {
        let world = world().await;
        let body = speech.body_to("auto", prompt, json!({}));
        let told = explain(&world, &[], &format!("/explain?endpoint={}", speech.path()), &body).await.json();
        assert_explains(&told);
        assert_eq!(world.calls(), 0);
        assert_eq!(world.client.metric("decisions_total", &[]).await, 0.0);
        let candidates = told["candidates"].as_array().unwrap();
        let reasons: Vec<_> =
            candidates.iter().map(|candidate| candidate["reason"].as_str().unwrap()).collect();
        assert_eq!(reasons.iter().filter(|reason| reason.starts_with("speaks")).count(), 2, "{told}");
        let done = world.client.ask(speech, &body).await;
        for (key, header) in [
            ("model", "x-router-model"),
            ("provider", "x-router-provider"),
            ("placement", "x-router-placement"),
            ("band", "x-router-band"),
        ] {
            assert_eq!(told[key], done.header(header), "{key}");
        }
        assert_eq!(format!("{:.3}", told["score"].as_f64().unwrap()), done.header("x-router-complexity"));
    }
}

#[tokio::test]
async fn explain_tells_why_not() {
    let world = world_with(|base| {
        base + "[[rules]]\nname = \"closed\"\nwhen = { tags = { x = \"1\" } }\nuse = { deny = \"not here\" }\n"
    })
    .await;
    let body = chat("auto", "hi");
    for (headers, body, code, rule) in [
        (&[("x-router-tags", "x=1")][..], body.clone(), "policy_denied", json!("closed")),
        (&[("x-router-max-cost-usd", "0.0000000001")], body.clone(), "cost_limit", Value::Null),
        (&[("x-router-placement", "internal")], chat("big", "x"), "placement_unavailable", Value::Null),
        (&[], chat("nobody", "x"), "model_not_found", Value::Null),
        (&[], chat("small-a", "x"), "no_candidate", Value::Null),
    ] {
        let reply = explain(&world, headers, "/explain", &body).await;
        assert_eq!(reply.status, StatusCode::OK);
        let told = reply.json();
        assert_explains(&told);
        assert_eq!((&told["error"]["code"], &told["rule"]), (&json!(code), &rule), "{told}");
        for key in ["model", "provider", "placement"] {
            assert!(told[key].is_null(), "{key}: {told}");
        }
        let done = world.client.ask_with(Speech::OpenAi, headers, &body).await;
        assert_eq!(done.header("x-router-error"), code);
    }
    for (path, body) in [("/explain", json!({"model": "auto"})), ("/explain?endpoint=/v2", body)] {
        let reply = explain(&world, &[], path, &body).await;
        assert_eq!(reply.status, StatusCode::BAD_REQUEST, "{}", reply.text());
    }
    assert_eq!(world.calls(), 0);
}

const CANARY: &str = "canary-7Hq2mZ";

/// A secret of each kind and a prompt, looked for wherever the router says anything.
#[tokio::test]
async fn no_secret_and_no_prompt_is_ever_told() {
    let world = world().await;
    let folder = tempfile::tempdir().unwrap();
    let write = |name: &str, text: &str| std::fs::write(folder.path().join(name), text).unwrap();
    write("key", &format!("{CANARY}-provider-key"));
    write("header", &format!("{CANARY}-provider-header"));
    write("admin", &format!("{CANARY}-admin-token"));
    let secrets = "api_key = { file = \"key\" }\nheaders = { x-secret = { file = \"header\" } }\ntimeouts =";
    write("policy.toml", &world.base_policy().replace("timeouts =", secrets));
    write("proxy.toml", "admin_token = { file = \"admin\" }\n[log]\nlevel = \"trace\"\nrequests = true\n");
    let at = |name: &str| folder.path().join(name).to_str().unwrap().to_owned();
    let mut program =
        Program::start(&["serve", "--policy", &at("policy.toml"), "--config", &at("proxy.toml")]).await;
    let client = program.client.clone();
    let caller_key = format!("{CANARY}-caller-key");
    let mut told = Vec::new();
    for (speech, faults) in
        [(Speech::OpenAi, ""), (Speech::Anthropic, "close=3"), (Speech::OpenAi, "close=0")]
    {
        world.inside.clear_script();
        faults.split(',').filter(|name| !name.is_empty()).for_each(|name| world.inside.script(fault(name)));
        for stream in [true, false] {
            let prompt = format!("{CANARY}-prompt");
            let body = speech.body(&prompt, json!({"stream": stream, "temperature": 0}));
            let headers = [("x-api-key", caller_key.as_str())];
            told.push(client.ask_with(speech, &headers, &body).await);
        }
    }
    let seen = &world.inside.requests()[0];
    assert_eq!(seen.header("x-secret"), Some(&*format!("{CANARY}-provider-header")), "it does go upstream");
    assert_eq!(seen.header("authorization"), Some(&*format!("Bearer {CANARY}-provider-key")));
    for path in ["/", "/metrics", "/policy", "/providers", "/readyz", "/livez", "/nothing"] {
        told.push(client.admin(Method::GET, path, "").await);
    }
    told.push(client.admin(Method::POST, "/-/reload", "").await);
    told.push(client.admin(Method::POST, "/explain", &chat("auto", CANARY).to_string()).await);
    told.push(client.admin(Method::POST, "/explain", &format!("{{\"{CANARY}\"")).await);
    program.signal("TERM");
    assert_eq!(program.ended().await.code(), Some(0));
    let log = program.rest_of_log().await;
    assert!(log.iter().any(|line| line["event"] == "request"), "requests are logged");
    for reply in &told {
        assert!(
            !reply.text().contains(CANARY) && !format!("{:?}", reply.headers).contains(CANARY),
            "{reply:?}"
        );
    }
    for line in &log {
        assert!(!line.to_string().contains(CANARY), "{line}");
    }
    assert!(told.iter().any(|reply| reply.text().contains("[redacted]")), "the policy is among them");
}

#[tokio::test]
async fn the_policy_in_force_is_shown_with_its_generation() {
    let world = world().await;
    let shown = world.client.admin(Method::GET, "/policy", "").await.json();
    assert_eq!((&shown["generation"], &shown["baseline"]), (&json!(1), &json!("big")));
    assert_eq!(shown["models"]["small"]["tier"], 1);
    assert_eq!(shown["providers"]["cloud"]["placement"], "external");
    world.policy.replace(&world.base_policy().replace("tier = 1", "tier = 2"));
    until_eq(2, || world.client.generation()).await;
    let shown = world.client.admin(Method::GET, "/policy", "").await.json();
    assert_eq!(shown["models"]["small"]["tier"], 2);
}
