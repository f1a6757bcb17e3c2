//! The program as a person or a script runs it: arguments, output, exit status.

use std::net::TcpListener;

use http::StatusCode;
use serde_json::{Value, json};

use crate::support::{HARD, Policy, Program, Speech, World, base_policy, chat, run, run_with, within, world};

/// A policy over providers that nobody needs.
fn policy() -> Policy {
    let address = |port| std::net::SocketAddr::from(([127, 0, 0, 1], port));
    Policy::write(&base_policy(address(1), address(2)))
}

fn path(policy: &Policy) -> String {
    policy.path().to_str().unwrap().to_owned()
}

#[test]
fn check_is_silent_about_a_good_file() {
    let policy = policy();
    let ended = run(&["check", &path(&policy)], "");
    assert_eq!((ended.code, ended.stdout.as_str(), ended.stderr.as_str()), (0, "", ""));
}

#[test]
fn check_tells_every_error_with_its_place() {
    let (good, bad) = (policy(), policy());
    let text = std::fs::read_to_string(good.path()).unwrap();
    bad.replace(&text.replace("baseline =", "baselin =").replace("tier = 3", "tier = \"high\""));
    let ended = run(&["check", &path(&good), &path(&bad), "/nowhere/policy.toml"], "");
    assert_eq!((ended.code, ended.stdout.as_str()), (1, ""));
    let lines: Vec<_> = ended.stderr.lines().collect();
    assert_eq!(lines.len(), 4, "{}", ended.stderr);
    let first = format!("{}:1:1: error: ", path(&bad));
    assert!(lines[0].starts_with(&first), "{}", lines[0]);
    assert!(lines[0].ends_with("(did you mean \"baseline\"?)"), "{}", lines[0]);
    for line in &lines[1..3] {
        let place = line.strip_prefix(&format!("{}:", path(&bad))).unwrap();
        let mut parts = place.splitn(3, ':');
        assert!(parts.next().unwrap().parse::<u32>().unwrap() > 1, "{line}");
        assert!(parts.next().unwrap().parse::<u32>().unwrap() > 1, "{line}");
        assert!(parts.next().unwrap().starts_with(" error: "), "{line}");
    }
    assert!(lines[3].starts_with("/nowhere/policy.toml:1:1: error: "), "{}", lines[3]);
}

#[test]
fn an_unset_secret_is_a_warning() {
    let policy = policy();
    let text = std::fs::read_to_string(policy.path()).unwrap();
    policy.replace(&text.replacen("timeouts", "api_key = { env = \"NOT_SET_ANYWHERE\" }\ntimeouts", 1));
    let ended = run(&["check", &path(&policy)], "");
    assert_eq!(ended.code, 0, "{}", ended.stderr);
    assert!(
        ended.stderr.contains(": warning: ") && ended.stderr.contains("NOT_SET_ANYWHERE"),
        "{}",
        ended.stderr
    );
    let set = run_with(&["check", &path(&policy)], &[("NOT_SET_ANYWHERE", "x")], "");
    assert_eq!((set.code, set.stderr.as_str()), (0, ""));
}

#[test]
fn wrong_usage_is_a_2() {
    for arguments in [
        &["nonsense"][..],
        &["check"],
        &["serve", "--nonsense"],
        &["serve", "--listen", "nowhere"],
        &["demo", "--requests", "0"],
        &["demo", "--requests", "many"],
        &["explain", "--policy"],
    ] {
        let ended = run(arguments, "");
        assert_eq!((ended.code, ended.stdout.as_str()), (2, ""), "{arguments:?}");
        assert!(!ended.stderr.is_empty());
    }
}

#[test]
fn help_and_version_are_told() {
    for command in [&["--help"][..], &["serve", "--help"], &["--version"]] {
        let ended = run(command, "");
        assert_eq!(ended.code, 0);
        assert!(ended.stdout.contains("xynergy-router"), "{}", ended.stdout);
    }
}

#[test]
fn explain_prints_one_json_object() {
    let policy = policy();
    let policy = path(&policy);
    let body = chat("auto", "hello").to_string();
    let ended = run(&["explain", "--policy", &policy, "--json"], &body);
    assert_eq!(ended.code, 0, "{}", ended.stderr);
    let told = ended.json();
    for (key, value) in
        [("band", "internal"), ("model", "small"), ("provider", "local"), ("placement", "internal")]
    {
        assert_eq!(told[key], value, "{told}");
    }
    assert!(told["rule"].is_null() && told["score"].is_number());
    assert!(told["terms"][0]["name"].is_string() && told["terms"][0]["value"].is_number());
    for key in ["model", "provider", "expected_cost_usd", "chosen", "reason"] {
        assert!(told["candidates"][0].get(key).is_some(), "{key} in {told}");
    }

    let messages = Speech::Anthropic.body_to("auto", HARD, json!({})).to_string();
    let arguments = ["explain", "--policy", &policy, "--endpoint", "/v1/messages", "--json"];
    let inside = ["--header", "x-router-placement: internal", "--header", "x-router-tags:a=b"];
    assert!(run(&arguments, &messages).json()["model"].as_str().unwrap().ends_with("-a"));
    assert_eq!(run(&[&arguments[..], &inside].concat(), &messages).json()["model"], "small-a");
}

#[test]
fn explain_reads_well() {
    let policy = policy();
    let ended = run(&["explain", "--policy", &path(&policy)], &chat("auto", "hello").to_string());
    assert_eq!(ended.code, 0);
    for shown in [
        "complexity",
        "band internal",
        "small at local (internal)",
        "chosen",
        "stands by",
        "speaks anthropic",
    ] {
        assert!(ended.stdout.contains(shown), "{shown}: {}", ended.stdout);
    }
    assert_eq!(ended.stderr, "");
}

#[test]
fn explain_without_any_provider_still_tells_the_score() {
    let ended = run(&["explain", "--json"], &chat("auto", "hello").to_string());
    assert_eq!(ended.code, 0, "{}", ended.stderr);
    let told = ended.json();
    assert!(told["score"].is_number() && told["band"] == "internal");
    for key in ["model", "provider", "placement"] {
        assert_eq!(told.get(key), Some(&Value::Null), "{told}");
    }
}

#[test]
fn explain_takes_providers_from_the_environment() {
    let variables = [("OPENAI_API_KEY", "sk-canary"), ("ANTHROPIC_API_KEY", "sk-canary")];
    let ended = run_with(&["explain", "--json"], &variables, &chat("auto", "hello").to_string());
    assert_eq!((ended.code, &ended.json()["placement"]), (0, &json!("external")), "{}", ended.stdout);
    assert!(!ended.stdout.contains("sk-canary") && !ended.stderr.contains("sk-canary"));
}

#[test]
fn explain_refuses_what_it_cannot_read() {
    let policy = policy();
    let policy = path(&policy);
    let body = chat("auto", "hello").to_string();
    for (arguments, stdin) in [
        (&["explain", "--policy", &policy, "--json"][..], "{"),
        (&["explain", "--policy", &policy, "--json"], "{\"model\":\"auto\"}"),
        (&["explain", "--policy", "/nowhere.toml", "--json"], &body),
        (&["explain", "--policy", &policy, "--endpoint", "/v2"], &body),
        (&["explain", "--policy", &policy, "--header", "no-colon"], &body),
        (&["explain", "--policy", &policy, "--header", "x-router-placement: moon"], &body),
    ] {
        let ended = run(arguments, stdin);
        assert_eq!((ended.code, ended.stdout.as_str()), (1, ""), "{arguments:?}");
        assert!(!ended.stderr.is_empty(), "{arguments:?}");
    }
}

#[test]
fn the_demo_reports_in_json() {
    let ports = ["--listen", "127.0.0.1:0", "--admin", "127.0.0.1:0"];
    let ended = run(&[&["demo", "--json", "--exit", "--requests", "80"][..], &ports].concat(), "");
    assert_eq!(ended.code, 0, "{}", ended.stderr);
    let report = ended.json();
    assert_eq!((&report["requests"], &report["errors"]), (&json!(80), &json!(0)));
    let sum = |key: &str, names: &[&str]| -> u64 {
        let mut keys: Vec<_> = report[key].as_object().unwrap().keys().map(String::as_str).collect();
        let mut names = names.to_vec();
        keys.sort_unstable();
        names.sort_unstable();
        assert_eq!(keys, names);
        report[key].as_object().unwrap().values().map(|count| count.as_u64().unwrap()).sum()
    };
    assert_eq!(sum("cache", &["hit", "near", "shared", "miss", "bypass"]), 80);
    assert_eq!(sum("bands", &["internal", "hybrid", "external"]), 80);
    assert_eq!(sum("placement", &["internal", "external", "none"]), 80);
    sum("overhead_us", &["p50", "p99"]);
    let from_cache: u64 =
        ["hit", "near", "shared"].iter().map(|key| report["cache"][key].as_u64().unwrap()).sum();
    assert!(from_cache > 0, "{report}");
    assert_eq!(
        report["placement"]["none"].as_u64(),
        Some(from_cache),
        "answered without a provider: {report}"
    );
    let (cost, baseline) =
        (report["cost_usd"].as_f64().unwrap(), report["baseline_cost_usd"].as_f64().unwrap());
    assert!(0.0 < cost && cost < baseline, "{report}");
    assert!((report["saved_ratio"].as_f64().unwrap() - (1.0 - cost / baseline)).abs() < 1e-9);
    assert!(report["saved_ratio"].as_f64().unwrap() > 0.2, "{report}");
}

#[test]
fn the_demo_in_rough_weather_ends_well_and_says_what_callers_saw() {
    let ports = ["--listen", "127.0.0.1:0", "--admin", "127.0.0.1:0"];
    let ended = run(&[&["demo", "--chaos", "--json", "--requests", "300"][..], &ports].concat(), "");
    assert_eq!(ended.code, 0, "{}", ended.stderr);
    let report = ended.json();
    let chaos = &report["chaos"];
    let count = |value: &serde_json::Value| value.as_u64().unwrap_or_else(|| panic!("{chaos}"));
    assert_eq!((count(&report["requests"]), count(&chaos["requests"])), (300, 225));
    assert_eq!(count(&chaos["silent_truncations"]), 0);
    assert_eq!(chaos["faults"].as_object().unwrap().len(), 14, "every kind of trouble was there: {chaos}");
    assert!(count(&chaos["hidden"]) > 0 && count(&chaos["retries"]) > 0, "{chaos}");
    assert!(count(&chaos["breaker_openings"]) > 0, "{chaos}");
    let sum = |errors: &serde_json::Value| errors.as_object().unwrap().values().map(count).sum::<u64>();
    assert_eq!(sum(&chaos["errors"]), count(&chaos["noticed"]));
    let by_act = chaos["noticed_during"].as_object().unwrap().values();
    assert_eq!(by_act.map(sum).sum::<u64>(), count(&chaos["noticed"]));
    // One stream in twenty may be hit in the middle; nothing else should be seen.
    assert!(count(&chaos["noticed"]) <= 225 / 10, "{chaos}");
}

#[tokio::test]
async fn the_demo_goes_on_serving() {
    let mut demo = Program::start(&["demo", "--requests", "5"]).await;
    let reply = demo.client.chat(chat("auto", "hello")).await;
    assert_eq!(reply.status, StatusCode::OK, "{}", reply.text());
    // It takes signals when its workload is done.
    demo.output("Still serving").await;
    demo.signal("TERM");
    assert_eq!(demo.ended().await.code(), Some(0));
}

#[tokio::test]
async fn serve_says_where_it_listens() {
    let world = world().await;
    let program = Program::start(&["serve", "--policy", world.policy.path().to_str().unwrap()]).await;
    assert_ne!(program.client.data.port(), 0);
    assert_ne!(program.client.admin.port(), 0);
    assert_ne!(program.client.data, program.client.admin);
    assert_eq!(program.client.chat(chat("auto", "x")).await.status, StatusCode::OK);
    assert_eq!(program.client.admin(http::Method::GET, "/readyz", "").await.status, StatusCode::OK);
}

#[test]
fn serve_refuses_to_start_and_says_why() {
    let policy = policy();
    let policy_path = path(&policy);
    let bad = Policy::write("nonsense = 1");
    let bad_path = path(&bad);
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let taken = taken.local_addr().unwrap().to_string();
    let free = "127.0.0.1:0";
    for (arguments, reason) in [
        (&["serve", "--policy", &policy_path, "--listen", "0.0.0.0:0", "--admin", free][..], "tenants"),
        (&["serve", "--listen", free, "--admin", free], "OPENAI_API_KEY"),
        (&["serve", "--policy", &policy_path, "--listen", &taken, "--admin", free], "cannot listen on"),
        (&["serve", "--policy", &bad_path, "--listen", free, "--admin", free], ":1:1: error: unknown key"),
        (&["serve", "--policy", "/nowhere.toml", "--listen", free, "--admin", free], "/nowhere.toml"),
        (&["serve", "--config", "/nowhere.toml", "--listen", free, "--admin", free], "/nowhere.toml"),
    ] {
        let ended = run(arguments, "");
        assert_eq!((ended.code, ended.stdout.as_str()), (1, ""), "{arguments:?}");
        assert!(ended.stderr.contains(reason), "{arguments:?}: {}", ended.stderr);
    }
}

/// No policy file: providers from the environment, names passed as they are.
#[tokio::test]
async fn serve_takes_providers_from_the_environment() {
    let World { inside, outside, .. } = &world().await;
    let (openai, anthropic) = (outside.base_url_openai(), inside.base_url_anthropic());
    let variables = [
        ("OPENAI_API_KEY", "sk-openai"),
        ("OPENAI_BASE_URL", openai.as_str()),
        ("ANTHROPIC_API_KEY", "sk-anthropic"),
        ("ANTHROPIC_BASE_URL", anthropic.as_str()),
    ];
    let program = within(Program::start_with(&["serve"], &variables)).await;
    let reply = program.client.chat(chat("gpt-unheard-of", "x")).await;
    assert_eq!((reply.status, &reply.json()["model"]), (StatusCode::OK, &json!("gpt-unheard-of")));
    assert_eq!(reply.header("x-router-provider"), "openai");
    let body = Speech::Anthropic.body_to("claude-unheard-of", "x", json!({}));
    let reply = program.client.messages(body).await;
    assert_eq!((reply.status, reply.header("x-router-provider")), (StatusCode::OK, "anthropic"));
    let auto = program.client.chat(chat("auto", "x")).await;
    assert_eq!((auto.status, auto.header("x-router-placement")), (StatusCode::OK, "external"));
    assert_eq!(outside.requests()[0].header("authorization"), Some("Bearer sk-openai"));
    assert_eq!(inside.requests()[0].header("x-api-key"), Some("sk-anthropic"));
    assert_eq!(program.client.metric("unpriced_requests_total", &["model=\"_other\""]).await, 2.0);
}
