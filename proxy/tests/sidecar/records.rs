//! What is written down about requests, and what must not be.

use std::path::Path;

use http::{Method, StatusCode};
use router_policies::{Records, WhenFull};
use router_proxy::sidecar::Settings;
use router_upstream::Rule;
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::support::{Plan, Program, Speech, World, chat, chat_with, fault, run, until, within, world};

/// Two tenants, blue and red, with a key each: `key-of-blue`, `key-of-red`.
pub fn tenants() -> String {
    let tenant = |name: &str| format!("[tenants.{name}]\nkeys = [\"{}\"]\n", hash(&format!("key-of-{name}")));
    tenant("blue") + &tenant("red")
}

pub fn hash(key: &str) -> String {
    let digits: String = Sha256::digest(key).iter().map(|byte| format!("{byte:02x}")).collect();
    format!("sha256:{digits}")
}

/// Settings of a sidecar that keeps its records in this folder.
pub fn keeping(folder: &tempfile::TempDir) -> Settings {
    Settings { records: Some(Records::new(folder.path())), ..Settings::default() }
}

/// Every line of every file under a folder.
pub fn lines(folder: &Path) -> Vec<Value> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            found.extend(lines(&path));
        } else if path.extension().is_some_and(|kind| kind == "jsonl") {
            let text = std::fs::read_to_string(&path).unwrap();
            found.extend(text.lines().map(|line| serde_json::from_str::<Value>(line).unwrap()));
        }
    }
    found
}

/// The bytes of every file under a folder.
fn bytes(folder: &Path) -> String {
    let mut found = String::new();
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        found += &if path.is_dir() {
            bytes(&path)
        } else {
            String::from_utf8_lossy(&std::fs::read(&path).unwrap()).into_owned()
        };
    }
    found
}

async fn kept(folder: &tempfile::TempDir) -> World {
    Plan { policy: |base| base + &tenants(), settings: keeping(folder), ..Plan::default() }.start().await
}

async fn ask(world: &World, key: &str, body: Value) -> crate::support::Reply {
    let headers = [("x-api-key", key), ("x-router-tags", "team=search,user=ada")];
    world.client.ask_with(Speech::OpenAi, &headers, &body).await
}

#[tokio::test]
async fn every_request_has_a_line_and_the_report_adds_them_up() {
    let folder = tempfile::tempdir().unwrap();
    let world = kept(&folder).await;
    let cold = |prompt: &str| chat_with("small", prompt, json!({"temperature": 0}));
    world.inside.script(Rule::next(fault("status-500"), 1));
    for (key, body, cache) in [
        ("key-of-blue", chat("auto", "hi"), "bypass"),
        ("key-of-blue", cold("what?"), "miss"),
        ("key-of-blue", cold("what?"), "hit"),
        ("key-of-red", chat_with("big", "hello", json!({"max_tokens": 5})), "bypass"),
    ] {
        let reply = ask(&world, key, body).await;
        assert_eq!((reply.status, reply.cache()), (StatusCode::OK, cache), "{}", reply.text());
    }
    let streamed = Speech::OpenAi.streamed("stream");
    let mut request =
        world.client.request("/v1/chat/completions", &[("x-api-key", "key-of-red")], streamed.to_string());
    request.headers_mut().insert("x-request-id", "my-own-id".parse().unwrap());
    world.client.open(request).await.rest().await;
    let refused = ask(&world, "key-of-red", chat("nothing", "hi")).await;
    assert_eq!(refused.status, StatusCode::NOT_FOUND);
    let cost = world.client.metric("cost_usd_total", &[]).await;
    let baseline = world.client.metric("baseline_cost_usd_total", &[]).await;
    world.sidecar.drain().await;

    let mut ledger = lines(&folder.path().join("ledger"));
    ledger.sort_by_key(|entry| entry["time"].as_str().unwrap().to_owned());
    assert_eq!(ledger.len(), 6, "{ledger:#?}");
    let first = &ledger[0];
    assert_eq!(
        (&first["tenant"], &first["user"], &first["tags"]["team"]),
        (&json!("blue"), &json!("ada"), &json!("search"))
    );
    assert_eq!(first["key"].as_str().unwrap().len(), 12);
    let parts: Vec<_> =
        first["attempts"].as_array().unwrap().iter().map(|a| a["part"].as_str().unwrap()).collect();
    assert_eq!(parts, ["retried", "served"], "{first:#}");
    assert_eq!((&ledger[2]["cache"], &ledger[2]["cost_usd"]), (&json!("hit"), &json!(0.0)));
    assert_eq!(ledger[2]["baseline_method"], "stored_tokens");
    assert_eq!(ledger[2]["model"], "small");
    assert_eq!((&ledger[4]["receipt"], &ledger[4]["cost_state"]), (&json!("my-own-id"), &json!("priced")));
    assert_eq!(ledger[5]["outcome"], "client_error");
    let sum = |key: &str| ledger.iter().filter_map(|entry| entry[key].as_f64()).sum::<f64>();
    assert!((sum("cost_usd") - cost).abs() < 1e-9, "{} {cost}", sum("cost_usd"));
    assert!((sum("baseline_usd") - baseline).abs() < 1e-9, "{} {baseline}", sum("baseline_usd"));

    let records = folder.path().to_str().unwrap();
    let report =
        run(&["report", "--records", records, "--by", "tenant,cache", "--since", "1h", "--json"], "");
    assert_eq!(report.code, 0, "{}", report.stderr);
    let total = report.json()["total"].clone();
    assert_eq!(total["requests"], 6);
    assert!((total["spent_usd"].as_f64().unwrap() - cost).abs() < 1e-9, "{total}");
    assert!(total["saved_by_cache_usd"].as_f64().unwrap() > 0.0, "{total}");
    let csv = run(&["report", "--records", records, "--by", "tenant", "--csv"], "").stdout;
    assert!(csv.starts_with("tenant,requests,") && csv.lines().count() == 3, "{csv}");
    let text = run(&["report", "--records", records], "").stdout;
    assert!(text.contains("saved by cache"), "{text}");
    let later = run(&["report", "--records", records, "--since", "2999-01-01", "--json"], "");
    assert_eq!(later.json()["total"]["requests"], 0);
    assert_eq!(run(&["report", "--records", records, "--by", "colour"], "").code, 1);
}

/// The end user stands in the body under each dialect's own name, and can be forgotten by it.
#[tokio::test]
async fn the_end_user_of_the_body_is_written_down_and_forgotten() {
    let folder = tempfile::tempdir().unwrap();
    let world = Plan { settings: keeping(&folder), ..Plan::default() }.start().await;
    for (speech, more) in [
        (Speech::OpenAi, json!({"user": "ada-7"})),
        (Speech::Anthropic, json!({"metadata": {"user_id": "ada-7"}})),
        (Speech::OpenAi, json!({"user": "bob-7"})),
    ] {
        let reply = world.client.ask(speech, &speech.body("hi", more)).await;
        assert_eq!(reply.status, StatusCode::OK, "{}", reply.text());
    }
    world.sidecar.drain().await;
    let users = || {
        let mut users: Vec<_> =
            lines(&folder.path().join("ledger")).iter().map(|l| l["user"].clone()).collect();
        users.sort_by_key(Value::to_string);
        users
    };
    assert_eq!(users(), ["ada-7", "ada-7", "bob-7"]);
    let records = folder.path().to_str().unwrap();
    let forgotten = run(&["forget", "--records", records, "--user", "ada-7", "--json"], "");
    assert_eq!((forgotten.code, &forgotten.json()["ledger_entries"]), (0, &json!(2)), "{}", forgotten.stderr);
    assert_eq!(users(), ["bob-7"]);
}

/// Who shared somebody else's call has a line that names the model, too, whether or not the answer could be stored.
#[tokio::test]
async fn a_shared_answer_names_its_model() {
    let folder = tempfile::tempdir().unwrap();
    let world = Plan { settings: keeping(&folder), ..Plan::default() }.start().await;
    for fault_name in ["slow-first-token=300", "slow-first-token=300,length"] {
        for name in fault_name.split(',') {
            world.inside.script(Rule::next(fault(name), 1));
        }
        let body = chat_with("small", fault_name, json!({"temperature": 0}));
        let (one, two) = tokio::join!(world.client.chat(body.clone()), world.client.chat(body));
        assert_eq!((one.status, two.status), (StatusCode::OK, StatusCode::OK));
    }
    world.sidecar.drain().await;
    let ledger = lines(&folder.path().join("ledger"));
    let shared: Vec<_> = ledger.iter().filter(|entry| entry["cache"] == "shared").collect();
    assert_eq!((ledger.len(), shared.len()), (4, 2), "{ledger:#?}");
    for entry in shared {
        assert_eq!((&entry["model"], &entry["provider"]), (&json!("small"), &json!("local")), "{entry:#}");
        assert_eq!(entry["cost_usd"], 0.0);
    }
}

#[tokio::test]
async fn a_damaged_line_is_named_and_passed_over() {
    let folder = tempfile::tempdir().unwrap();
    let world = kept(&folder).await;
    for number in 0..3 {
        ask(&world, "key-of-blue", chat("small", &number.to_string())).await;
    }
    world.sidecar.drain().await;
    let day = std::fs::read_dir(folder.path().join("ledger"))
        .unwrap()
        .map(|e| e.unwrap().path())
        .find(|p| p.is_dir());
    let file = day.unwrap().join("tenant=blue/000.jsonl");
    let text = std::fs::read_to_string(&file).unwrap();
    std::fs::write(&file, text.replacen("{\"time\"", "{\"tame\"", 1)).unwrap();
    let report = run(&["report", "--records", folder.path().to_str().unwrap(), "--json"], "");
    assert_eq!((report.code, &report.json()["total"]["requests"]), (1, &json!(2)));
    assert!(report.stderr.contains("000.jsonl:1: "), "{}", report.stderr);
}

#[tokio::test]
async fn who_changed_what_and_who_was_turned_away_is_in_the_audit() {
    let folder = tempfile::tempdir().unwrap();
    let world = kept(&folder).await;
    ask(&world, "nobody", chat("small", "hi")).await;
    let rule = "[[rules]]\nname = \"no\"\nwhen = { tags = { team = \"search\" } }\nuse = { deny = \"no\" }\n";
    world.policy.slip(&(world.base_policy() + &tenants() + rule));
    world.client.admin(Method::POST, "/-/reload", "").await;
    assert_eq!(ask(&world, "key-of-blue", chat("small", "hi")).await.status, StatusCode::FORBIDDEN);
    world.policy.slip("= broken");
    world.client.admin(Method::POST, "/-/reload", "").await;
    world.sidecar.drain().await;
    let audit = lines(&folder.path().join("audit"));
    let event = |name: &str| {
        audit.iter().find(|event| event["event"] == name).unwrap_or_else(|| panic!("{name}: {audit:#?}"))
    };
    assert_eq!(event("unknown_key").get("key"), None, "an unknown key has no name");
    assert_eq!(
        (&event("reloaded")["by"], &event("reloaded")["changed"]),
        (&json!("admin"), &json!(["rules.no (added)"]))
    );
    let denied = event("denied");
    assert_eq!(
        (&denied["tenant"], &denied["code"], &denied["rule"]),
        (&json!("blue"), &json!("policy_denied"), &json!("no"))
    );
    assert!(event("reload_refused")["errors"].as_u64().unwrap() > 0);
}

#[tokio::test]
async fn who_is_forgotten_is_in_no_record() {
    let folder = tempfile::tempdir().unwrap();
    let world = Plan {
        policy: |base| {
            base + &tenants()
                + "[[budgets]]\nname = \"b\"\nfor = { tenant = \"*\" }\nper = \"day\"\nlimit = \"$1\"\n"
        },
        settings: keeping(&folder),
        ..Plan::default()
    }
    .start()
    .await;
    for key in ["key-of-blue", "key-of-red"] {
        assert_eq!(ask(&world, key, chat("small", "hi")).await.status, StatusCode::OK);
    }
    let records = folder.path().to_str().unwrap();
    let running = run(&["forget", "--records", records, "--tenant", "nobody", "--json"], "");
    assert_eq!(running.json()["spending"], json!(false), "a router is running");
    world.sidecar.drain().await;
    assert!(bytes(folder.path()).contains("blue"));
    let forgotten = run(&["forget", "--records", records, "--tenant", "blue", "--json"], "");
    assert_eq!((forgotten.code, &forgotten.json()["ledger_entries"]), (0, &json!(1)), "{}", forgotten.stderr);
    assert!(!bytes(folder.path()).contains("blue"));
    let user = run(&["forget", "--records", records, "--user", "ada", "--json"], "");
    assert_eq!(user.json()["ledger_entries"], 1);
    assert!(!bytes(folder.path()).contains("ada"));
    assert_eq!(run(&["forget", "--records", records], "").code, 1, "nobody is named");
}

/// A running router forgets everything at once: what is written, what waits to be written, and what is cached.
#[tokio::test(flavor = "multi_thread")]
async fn a_running_router_forgets_its_cache_too() {
    let folder = tempfile::tempdir().unwrap();
    let world = Plan {
        policy: |base| {
            base + &tenants()
                + "[[budgets]]\nname = \"daily\"\nper = \"day\"\nlimit = \"$1\"\nfor = { tenant = \"*\" }\n"
        },
        settings: keeping(&folder),
        ..Plan::default()
    }
    .start()
    .await;
    let cold = || chat_with("small", "what?", json!({"temperature": 0}));
    for (key, cache) in [("key-of-blue", "miss"), ("key-of-red", "miss"), ("key-of-blue", "hit")] {
        assert_eq!(ask(&world, key, cold()).await.cache(), cache);
    }
    assert_eq!(ask(&world, "key-of-blue", chat("nothing", "hi")).await.status, StatusCode::NOT_FOUND);
    let admin = format!("http://{}", world.client.admin);
    let forget = |who: &'static [&'static str]| {
        let admin = admin.clone();
        let run = move || run(&[&["forget", "--json", "--url", &admin], who].concat(), "");
        tokio::task::spawn_blocking(run)
    };
    let forgotten = forget(&["--tenant", "blue"]).await.unwrap();
    assert_eq!(forgotten.code, 0, "{}", forgotten.stderr);
    let report = forgotten.json();
    assert_eq!((&report["ledger_entries"], &report["cached_answers"]), (&json!(3), &json!(1)), "{report}");
    assert!(!bytes(folder.path()).contains("blue"), "{}", bytes(folder.path()));
    for (key, cache) in [("key-of-red", "hit"), ("key-of-blue", "miss")] {
        assert_eq!(ask(&world, key, cold()).await.cache(), cache);
    }
    let report = forget(&["--user", "ada"]).await.unwrap().json();
    assert_eq!((&report["ledger_entries"], &report["cached_answers"]), (&json!(3), &json!(2)), "{report}");
    assert_eq!(ask(&world, "key-of-red", cold()).await.cache(), "miss");
    assert_eq!(forget(&[]).await.unwrap().code, 1, "nobody is named");
    world.sidecar.drain().await;
    let audit = lines(&folder.path().join("audit"));
    assert_eq!(audit.iter().filter(|event| event["event"] == "forgot").count(), 2, "{audit:#?}");
}

/// Where the policy is to stop rather than to lose records, it stops, and goes on when the disk does.
#[tokio::test]
async fn a_disk_that_takes_nothing_stops_requests_where_the_policy_says_so() {
    for when_full in [WhenFull::Drop, WhenFull::Stop] {
        let folder = tempfile::tempdir().unwrap();
        let records = Records { when_full, ..Records::new(folder.path()) };
        let settings = Settings { records: Some(records), ..Settings::default() };
        let world = Plan { settings, ..Plan::default() }.start().await;
        // A file stands where the ledger's folder of the tenant should be made.
        let ledger = folder.path().join("ledger");
        std::fs::remove_dir_all(&ledger).unwrap();
        std::fs::write(&ledger, "").unwrap();
        for number in 0..100 {
            world.client.chat(chat("small", &number.to_string())).await;
        }
        let status = || async { world.client.chat(chat("small", "and now?")).await };
        match when_full {
            WhenFull::Drop => {
                until(|| async { world.client.metric("records_dropped", &["ledger"]).await >= 100.0 }).await;
                assert_eq!(status().await.status, StatusCode::OK);
            }
            WhenFull::Stop => {
                until(|| async { status().await.status == StatusCode::SERVICE_UNAVAILABLE }).await;
                assert_eq!(status().await.header("x-router-error"), "overloaded");
                std::fs::remove_file(&ledger).unwrap();
                std::fs::create_dir(&ledger).unwrap();
                until(|| async { status().await.status == StatusCode::OK }).await;
                assert_eq!(world.client.metric("records_dropped", &["ledger"]).await, 0.0);
            }
        }
    }
}

/// What must not be seen is nowhere: not in logs at the finest level, not in errors, pages or records.
#[tokio::test]
async fn neither_keys_nor_prompts_are_anywhere() {
    const KEY: &str = "key-of-blue";
    const SECRET: &str = "canary-of-the-provider-5b1d";
    const PROMPT: &str = "canary-in-a-prompt-77aa";
    let world = world().await;
    let folder = tempfile::tempdir().unwrap();
    let policy = folder.path().join("policy.toml");
    let config = folder.path().join("proxy.toml");
    let text = world.base_policy().replace(
        "placement = \"internal\"",
        "placement = \"internal\"\napi_key = { env = \"PROVIDER_KEY\" }",
    );
    std::fs::write(&policy, text + &tenants()).unwrap();
    std::fs::write(&config, "[records]\nfolder = \"records\"\n[log]\nlevel = \"trace\"\nrequests = true\n")
        .unwrap();
    let arguments = ["serve", "--policy", policy.to_str().unwrap(), "--config", config.to_str().unwrap()];
    let mut program = Program::start_with(&arguments, &[("PROVIDER_KEY", SECRET)]).await;
    let mut seen = String::new();
    let wrong = format!("{KEY}-wrong");
    let faults: [&[&str]; 4] = [&[], &["status-500"], &["close=1"], &["status-429"]];
    for faults in faults {
        for fault_name in faults {
            world.inside.script(Rule::next(fault(fault_name), 3));
        }
        for key in [KEY, &wrong] {
            for body in [
                chat("small", PROMPT),
                Speech::OpenAi.streamed(PROMPT),
                chat("nothing-of-the-kind", PROMPT),
                chat_with("small", PROMPT, json!({"max_tokens": "many"})),
                json!({"prompt": PROMPT}),
            ] {
                let headers = [("authorization", format!("Bearer {key}")), ("x-api-key", key.to_owned())];
                let headers = headers.each_ref().map(|(name, value)| (*name, value.as_str()));
                let reply = program.client.ask_with(Speech::OpenAi, &headers, &body).await;
                if !reply.status.is_success() {
                    seen += &reply.text();
                }
                seen += &format!("{:?}", reply.headers);
            }
        }
    }
    for path in ["/metrics", "/policy", "/providers", "/", "/livez", "/nowhere"] {
        seen += &program.client.admin(Method::GET, path, "").await.text();
    }
    program.signal("HUP");
    program.event("policy_reloaded").await;
    program.signal("TERM");
    seen += &program.rest_of_log().await.iter().map(Value::to_string).collect::<String>();
    program.ended().await;
    let records = bytes(&folder.path().join("records"));
    assert!(records.contains("\"tenant\":\"blue\"") && seen.contains("xynergy_router_requests_total"));
    for (what, canary) in [("router key", KEY), ("provider key", SECRET), ("prompt", PROMPT)] {
        assert!(!records.contains(canary), "the {what} is in the records");
        assert!(!seen.contains(canary), "the {what} is in logs, pages or errors");
    }
    assert!(
        world.inside.requests().iter().any(|request| format!("{request:?}").contains(SECRET)),
        "it was used"
    );
}

/// However many names callers think up, the metrics have names of the policy only.
#[tokio::test]
async fn callers_cannot_make_series() {
    const NAMES: usize = 100_000;
    const CONNECTIONS: usize = 8;
    let world = Plan { policy: |base| base + &tenants(), ..Plan::default() }.start().await;
    let series = async || {
        let page = world.client.admin(Method::GET, "/metrics", "").await.text();
        page.lines().filter(|line| !line.starts_with('#')).count()
    };
    let mut counts = Vec::new();
    for round in [NAMES / 10, NAMES - NAMES / 10] {
        let senders =
            (0..CONNECTIONS).map(|_| tokio::spawn(think_up(world.client.data, round / CONNECTIONS)));
        for sender in senders.collect::<Vec<_>>() {
            sender.await.unwrap();
        }
        counts.push(series().await);
    }
    let answered = world.client.metric("requests_total", &[]).await;
    assert!(answered >= NAMES as f64, "{answered}");
    assert!(counts[1] <= 2_000 && counts[0] == counts[1], "{counts:?}");
}

/// Asks so many times, each time under names that nobody knows: models, keys, tags, users, paths.
async fn think_up(address: std::net::SocketAddr, times: usize) {
    let mut stream = TcpStream::connect(address).await.unwrap();
    let mut seen = Vec::new();
    for number in 0..times {
        let name = fastrand::u64(..);
        let key = if fastrand::bool() { "key-of-blue".to_owned() } else { format!("key-{name}") };
        let path = if number % 4 == 0 { format!("/v1/{name}") } else { "/v1/chat/completions".to_owned() };
        let body =
            json!({"model": name.to_string(), "user": name, "messages": [{"role": "user", "content": "hi"}]});
        let body = body.to_string();
        let request = format!(
            "POST {path} HTTP/1.1\r\nhost: a\r\nx-api-key: {key}\r\nx-router-tags: t{name}=v{name},tenant=t{name}\r\n\
             x-router-session: s{name}\r\nuser-agent: a{name}\r\ncontent-length: {}\r\n\r\n{body}",
            body.len()
        );
        stream.write_all(request.as_bytes()).await.unwrap();
        seen.clear();
        while !is_whole(&seen) {
            assert!(within(stream.read_buf(&mut seen)).await.unwrap() > 0, "the connection stays");
        }
        assert!(seen.starts_with(b"HTTP/1.1 4"), "{}", String::from_utf8_lossy(&seen));
    }
}

/// Whether this is an answer with all of its body.
fn is_whole(answer: &[u8]) -> bool {
    let text = String::from_utf8_lossy(answer);
    let Some((head, body)) = text.split_once("\r\n\r\n") else { return false };
    let length = head.split("content-length: ").nth(1).and_then(|rest| rest.lines().next()).unwrap();
    body.len() >= length.parse().unwrap()
}
