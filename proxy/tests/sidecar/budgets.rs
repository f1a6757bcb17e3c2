//! How much a caller may spend.

use http::StatusCode;
use router_core::Usd;
use router_proxy::ledger::{Checkpoint, Who};
use router_upstream::Rule;
use serde_json::json;

use crate::records::tenants;
use crate::support::{
    DIALECTS, HARD, Plan, Program, Speech, World, chat, chat_with, fault, until, within, world_with,
};

/// A budget of so many dollars a day.
fn daily(limit: &str, more: &str) -> String {
    format!("[[budgets]]\nname = \"daily\"\nper = \"day\"\nlimit = \"{limit}\"\n{more}")
}

async fn spent(world: &World) -> f64 {
    world.client.metric("budget_spent_usd", &["daily"]).await
}

#[tokio::test]
async fn what_cannot_be_paid_for_is_not_sent() {
    let world = world_with(|base| base + &daily("$0.00005", "")).await;
    for speech in DIALECTS {
        // A thousand tokens of the small model cost $0.00008.
        let reply = world.client.ask(speech, &speech.body("hi", json!({"max_tokens": 1_000}))).await;
        assert_eq!(
            (reply.status, reply.header("x-router-error")),
            (StatusCode::FORBIDDEN, "budget_exceeded")
        );
        assert_eq!(reply.header("x-should-retry"), "false");
        assert!(speech.is_error(&reply.json()), "{}", reply.text());
        assert!(reply.text().contains("budget daily has $0.0000"), "{}", reply.text());
        let reply = world.client.ask(speech, &speech.body("hi", json!({"max_tokens": 100}))).await;
        assert_eq!(reply.status, StatusCode::OK, "{}", reply.text());
    }
    assert_eq!(world.calls(), 2);
    assert_eq!(world.client.metric("budget_denials_total", &["daily"]).await, 2.0);
    assert_eq!(world.client.metric("budget_limit_usd", &["daily"]).await, 0.00005);
}

/// As many prompt tokens as there are bytes, the answer as long as it may be, each at the dearest price of its kind.
#[tokio::test]
async fn the_most_that_a_request_can_cost_is_set_aside() {
    let world = world_with(|base| {
        let dear = "price = { input = \"$0.05/M\", cache_write = \"$2/M\", output = \"$0.08/M\", reasoning = \"$3/M\" }";
        base.replace("price = { input = \"$0.05/M\", output = \"$0.08/M\" }", dear) + &daily("$1", "")
    })
    .await;
    world.inside.script(Rule::always(fault("stall=1")));
    let prompt = "\u{4f60}\u{597d}".repeat(50);
    let body = chat_with("small", &prompt, json!({"max_tokens": 1_000, "n": 2, "stream": true}));
    let mut stream = world.client.stream(Speech::OpenAi, &body).await;
    stream.read(1).await;
    let reserved = world.client.metric("budget_reserved_usd", &["daily"]).await;
    // Sixteen tokens frame a message at most, and a line feed parts it from the next.
    let expected = (prompt.len() as f64 + 17.0) * 2e-6 + 2_000.0 * 3e-6;
    assert!((reserved - expected).abs() < 1e-9, "{reserved} {expected}");
    drop(stream);
    until(|| async { world.client.metric("budget_reserved_usd", &["daily"]).await == 0.0 }).await;
}

#[tokio::test]
async fn what_was_set_aside_and_not_used_is_free_again() {
    let world = Plan {
        // Room for two reservations, and for twenty answers.
        policy: |base| base + &daily("$0.0002", ""),
        upstream: |builder| builder.answer_tokens(20),
        ..Plan::default()
    }
    .start()
    .await;
    for number in 0..20 {
        let body = chat_with("small", &number.to_string(), json!({"max_tokens": 1_000}));
        let reply = world.client.chat(body).await;
        assert_eq!(reply.status, StatusCode::OK, "{number}: {}", reply.text());
    }
    let cost = world.client.metric("cost_usd_total", &[]).await;
    assert!((spent(&world).await - cost).abs() < 1e-12 && cost > 0.0);
    assert_eq!(world.client.metric("budget_reserved_usd", &[]).await, 0.0);
}

#[tokio::test(flavor = "multi_thread")]
async fn however_many_race_no_more_is_spent_than_allowed() {
    let limit = 0.0006;
    let world = Plan {
        policy: |base| base + &daily("$0.0006", ""),
        upstream: |builder| builder.answer_tokens(1_000),
        ..Plan::default()
    }
    .start()
    .await;
    let ask = |number: usize| {
        let client = world.client.clone();
        tokio::spawn(async move {
            let body = chat_with("small", &format!("tell {number}"), json!({"max_tokens": 1_000}));
            client.chat(body).await.status
        })
    };
    let asked: Vec<_> = (0..64).map(ask).collect();
    let mut answered = 0;
    for reply in asked {
        match reply.await.unwrap() {
            StatusCode::OK => answered += 1,
            status => assert_eq!(status, StatusCode::FORBIDDEN),
        }
    }
    assert!((1..=7).contains(&answered), "{answered}");
    let spent = spent(&world).await;
    assert!(spent > 0.0 && spent <= limit, "{spent}");
    assert!((world.client.metric("cost_usd_total", &[]).await - spent).abs() < 1e-12);
}

#[tokio::test]
async fn an_exhausted_budget_can_send_its_requests_inside() {
    let world = world_with(|base| base + &daily("$0.0000001", "then = \"internal\"\n")).await;
    for (body, case) in [(chat("auto", HARD), "chosen"), (chat("big", "hi"), "named")] {
        let reply = world.client.chat(body).await;
        assert_eq!(reply.status, StatusCode::OK, "{case}: {}", reply.text());
        assert_eq!(reply.header("x-router-placement"), "internal", "{case}");
    }
    assert_eq!(world.outside.stats().calls, 0);
    assert!(spent(&world).await > 0.0, "what it costs there is counted");
}

#[tokio::test]
async fn an_exhausted_budget_can_send_its_requests_to_a_cheaper_profile() {
    let world = world_with(|base| {
        base + "[profiles.cheap]\ncandidates = [\"small\", \"small-a\"]\n"
            + &daily("$0.0000001", "then = { profile = \"cheap\" }\n")
    })
    .await;
    for speech in DIALECTS {
        let body = speech.body_to(if speech == Speech::OpenAi { "big" } else { "big-a" }, "hi", json!({}));
        assert_eq!(world.client.ask(speech, &body).await.header("x-router-model"), speech.small());
    }
}

#[tokio::test]
async fn a_stream_ends_where_the_money_ends() {
    let world = Plan {
        policy: |base| format!("reserve_output_tokens = 50\n{base}{}", daily("$0.00002", "")),
        upstream: |builder| builder.answer_tokens(5_000),
        ..Plan::default()
    }
    .start()
    .await;
    let reply = world.client.stream(Speech::OpenAi, &Speech::OpenAi.streamed("go on")).await.rest().await;
    assert_eq!(reply.status, StatusCode::OK);
    assert!(reply.text().contains("budget_exceeded"), "…{}", &reply.text()[reply.text().len() - 300..]);
    assert!(!reply.text().contains("[DONE]"));
    until(|| async { world.client.metric("budget_reserved_usd", &[]).await == 0.0 }).await;
    let spent = spent(&world).await;
    // What was seen is counted exactly; the money was set aside by the shortest tokens that there are on average.
    assert!(spent > 0.000008 && spent <= 0.00002, "{spent}");
}

#[tokio::test]
async fn levels_are_announced_and_a_guard_names_who_it_was() {
    let folder = tempfile::tempdir().unwrap();
    let world = Plan {
        policy: |base| base + &tenants() + &daily("$0.001", "alerts = [\"10%\"]\nguard = true\n"),
        upstream: |builder| builder.answer_tokens(100),
        settings: crate::records::keeping(&folder),
    }
    .start()
    .await;
    let ask = async |key: &str, tokens: u64| {
        let body = chat_with("big", &fastrand::u64(..).to_string(), json!({"max_tokens": tokens}));
        world.client.ask_with(Speech::OpenAi, &[("x-api-key", key)], &body).await.status
    };
    // A hundred tokens of the big model cost a tenth of a cent, and the whole budget.
    assert_eq!(ask("key-of-blue", 80).await, StatusCode::OK);
    assert_eq!(world.client.metric("budget_alerts_total", &["daily"]).await, 1.0);
    assert_eq!(ask("key-of-red", 80).await, StatusCode::FORBIDDEN);
    assert_eq!(ask("key-of-red", 80).await, StatusCode::FORBIDDEN);
    world.sidecar.drain().await;
    let audit = crate::records::lines(&folder.path().join("audit"));
    let stops: Vec<_> = audit.iter().filter(|event| event["event"] == "budget_stopped").collect();
    assert_eq!(stops.len(), 1, "once a window: {audit:?}");
    assert!(stops[0]["culprit"].as_str().unwrap().starts_with("blue, key "), "{stops:?}");
    assert!(audit.iter().any(|event| event["event"] == "budget_alert"), "{audit:?}");
}

#[tokio::test]
async fn models_without_a_price_are_refused_or_charged_at_the_ceiling() {
    let unpriced = |base: String| base.replace("price = { input = \"$2.50/M\", output = \"$10/M\" }\n", "");
    let refusing = Plan {
        policy: |base| {
            let base = base.replace("price = { input = \"$2.50/M\", output = \"$10/M\" }\n", "");
            format!("unpriced = \"refuse\"\n{base}")
        },
        ..Plan::default()
    }
    .start()
    .await;
    let reply = refusing.client.chat(chat("big", "hi")).await;
    assert_eq!((reply.status, reply.header("x-router-error")), (StatusCode::FORBIDDEN, "policy_denied"));
    assert_eq!(refusing.client.chat(chat("small", "hi")).await.status, StatusCode::OK);

    let text = format!("unpriced = {{ ceiling = \"$20/M\" }}\n{}", unpriced(refusing.base_policy()));
    refusing.policy.replace(&text);
    until(|| async { refusing.client.generation().await == 2 }).await;
    let reply = refusing.client.chat(chat("big", "hi")).await;
    let usage = reply.json()["usage"].clone();
    let tokens = usage["total_tokens"].as_f64().unwrap();
    assert_eq!(reply.header("x-router-cost-usd").parse::<f64>().unwrap(), (tokens * 20_000.0).round() / 1e9);
    assert_eq!(refusing.client.metric("unpriced_requests_total", &["big"]).await, 1.0);
}

/// What was spent before a budget came counts in it, each part for whom it was.
#[tokio::test]
async fn a_budget_that_is_added_knows_what_was_spent_before() {
    let folder = tempfile::tempdir().unwrap();
    let rules = "[[rules]]\nname = \"searching\"\nwhen = { tags = { team = \"search\" } }\nuse = { candidates = [\"small\"] }\n";
    let world = Plan {
        policy: |base| base + &tenants(),
        settings: crate::records::keeping(&folder),
        ..Plan::default()
    }
    .start()
    .await;
    world.policy.slip(&(world.base_policy() + &tenants() + rules));
    world.client.admin(http::Method::POST, "/-/reload", "").await;
    for (key, tags) in
        [("key-of-blue", "team=search"), ("key-of-red", "team=ads"), ("key-of-blue", "team=ads")]
    {
        let headers = [("x-api-key", key), ("x-router-tags", tags)];
        let body = chat_with("small", "hi", json!({"max_tokens": 50}));
        assert_eq!(world.client.ask_with(Speech::OpenAi, &headers, &body).await.status, StatusCode::OK);
    }
    let spent = |name: &'static str| {
        let client = world.client.clone();
        async move { client.metric("budget_spent_usd", &[&format!("budget=\"{name}\"")]).await }
    };
    let cost = world.client.metric("cost_usd_total", &[]).await;
    let of_blue = world.client.metric("cost_usd_total", &["tenant=\"blue\""]).await;
    assert!(of_blue > 0.0 && of_blue < cost);
    let budget = |name: &str, of: &str| {
        format!("[[budgets]]\nname = \"{name}\"\nper = \"month\"\nlimit = \"$1\"\n{of}\n")
    };
    let policy = world.base_policy()
        + &tenants()
        + rules
        + &budget("all", "")
        + &budget("blue", "for = { tenant = \"blue\" }")
        + &budget("searching", "for = { rule = \"searching\" }")
        + &budget("ads", "for = { tags = { team = \"ads\" } }");
    world.policy.slip(&policy);
    let reply = world.client.admin(http::Method::POST, "/-/reload", "").await;
    assert_eq!(reply.status, StatusCode::OK, "{}", reply.text());
    let near = |a: f64, b: f64| (a - b).abs() < 1e-12;
    until(|| async { near(spent("all").await, cost) && near(spent("blue").await, of_blue) }).await;
    until(|| async { near(spent("searching").await + spent("ads").await, cost) }).await;
    assert!(spent("searching").await > 0.0);

    // What it counts from now on comes on top, and a second reload adds nothing.
    let headers = [("x-api-key", "key-of-red"), ("x-router-tags", "team=none")];
    world.client.ask_with(Speech::OpenAi, &headers, &chat("small", "more")).await;
    let cost = world.client.metric("cost_usd_total", &[]).await;
    assert!(near(spent("all").await, cost));
    world.policy.slip(&(policy + "# changed\n"));
    world.client.admin(http::Method::POST, "/-/reload", "").await;
    assert!(near(spent("all").await, cost));
}

/// The same for a budget that comes with a restart.
#[tokio::test]
async fn a_budget_that_is_new_at_the_start_knows_what_was_spent_before() {
    let folder = tempfile::tempdir().unwrap();
    let plan = || Plan { settings: crate::records::keeping(&folder), ..Plan::default() };
    let world = Plan { policy: |base| base + &daily("$1", ""), ..plan() }.start().await;
    world.client.chat(chat("small", "hi")).await;
    let cost = world.client.metric("cost_usd_total", &[]).await;
    world.sidecar.drain().await;
    let with_tag = |base: String| {
        base + &daily("$1", "") + "[[budgets]]\nname = \"anonymous\"\nper = \"month\"\nlimit = \"$1\"\n"
    };
    let world = Plan { policy: with_tag, ..plan() }.start().await;
    for name in ["daily", "anonymous"] {
        let spent = || async { world.client.metric("budget_spent_usd", &[name]).await };
        until(|| async { (spent().await - cost).abs() < 1e-12 && cost > 0.0 }).await;
    }
}

/// A process that is killed under load forgets nothing that a provider has answered for, and says how much of it nobody has settled. What was
/// damaged meanwhile is named, and the rest counts.
#[tokio::test(flavor = "multi_thread")]
async fn spending_survives_a_kill_under_load() {
    // The prompt costs something on top.
    const LEAST: f64 = 20.0 * 10e-6;
    let world = Plan { upstream: |builder| builder.answer_tokens(20), ..Plan::default() }.start().await;
    let folder = tempfile::tempdir().unwrap();
    let policy = folder.path().join("policy.toml");
    let config = folder.path().join("proxy.toml");
    std::fs::write(&policy, world.base_policy() + &daily("$100", "")).unwrap();
    std::fs::write(&config, "[records]\nfolder = \"records\"\n").unwrap();
    let arguments = ["serve", "--policy", policy.to_str().unwrap(), "--config", config.to_str().unwrap()];
    for round in 0..3_u64 {
        let mut program = Program::start(&arguments).await;
        let answered = world.outside.stats().completed as f64 * LEAST;
        let restored = program.client.metric("budget_spent_usd", &["daily"]).await;
        assert!(restored >= answered, "round {round}: {restored} of {answered}");
        let told = program.before.iter().find(|event| event["event"] == "spending_restored");
        let damaged = program.before.iter().filter(|event| event["event"] == "spending_damaged");
        let places: Vec<_> = damaged.map(|event| event["place"].to_string()).collect();
        if round > 0 {
            let told = told.unwrap();
            assert!((told["spent_usd"].as_f64().unwrap() - restored).abs() < 1e-9, "{told}");
            assert!(told["unsettled_usd"].as_f64().unwrap() > 0.0, "one was never answered: {told}");
            assert!(places.len() == 1 && places[0].contains("spend-"), "{places:?}");
        }

        world.outside.script(Rule::next(fault("slow-headers=3600000"), 1));
        let callers = (0..16).map(|caller| {
            let client = program.client.fresh();
            tokio::spawn(async move {
                for number in 0.. {
                    let prompt = format!("{round} {caller} {number}");
                    let body = chat_with("big", &prompt, json!({"max_tokens": 500})).to_string();
                    if client.try_send(client.request("/v1/chat/completions", &[], body)).await.is_err() {
                        break;
                    }
                }
            })
        });
        let callers: Vec<_> = callers.collect();
        let enough = world.outside.stats().completed + 100;
        within(world.outside.wait_for(|stats| stats.completed >= enough && stats.in_flight > 0)).await;
        program.signal("KILL");
        program.ended().await;
        for caller in callers {
            let _ = within(caller).await;
        }
        within(world.outside.wait_for(|stats| stats.in_flight == 0)).await;
        let newest = std::fs::read_dir(folder.path().join("records/spending")).unwrap();
        let newest = newest
            .map(|file| file.unwrap().path())
            .filter(|path| path.extension().is_some_and(|e| e == "log"));
        let newest = newest.max().unwrap();
        let text = std::fs::read(&newest).unwrap();
        std::fs::write(&newest, [&text, b"not a record\n".as_slice()].concat()).unwrap();
    }
}

/// A clock that ran ahead before the restart has spent nothing in the future: it counts now.
#[tokio::test]
async fn what_was_spent_in_the_future_counts_today() {
    let folder = tempfile::tempdir().unwrap();
    let tomorrow = std::time::SystemTime::now() + std::time::Duration::from_secs(30 * 3_600);
    {
        let (spending, _) = Checkpoint::open(folder.path().join("spending"), &[]).unwrap();
        let ticket = spending.reserve(&Who::default(), Usd::from_dollars(0.5), tomorrow).unwrap();
        spending.settle(ticket, Usd::from_dollars(0.25), tomorrow).unwrap();
    }
    let world = Plan {
        policy: |base| base + &daily("$0.3", ""),
        settings: crate::records::keeping(&folder),
        ..Plan::default()
    }
    .start()
    .await;
    assert_eq!(spent(&world).await, 0.25);
    let reply = world.client.chat(chat_with("big", "hi", json!({"max_tokens": 10_000}))).await;
    assert_eq!(reply.status, StatusCode::FORBIDDEN, "{}", reply.text());
}
