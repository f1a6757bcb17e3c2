//! Keys: made, exchanged, expired, limited.

use http::StatusCode;
use router_upstream::Rule;
use serde_json::json;
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use crate::records::{hash, tenants};
use crate::support::{DIALECTS, Plan, Reply, Speech, World, chat, fault, run, until_eq, within, world_with};

async fn ask(world: &World, key: &str, body: serde_json::Value) -> Reply {
    world.client.ask_with(Speech::OpenAi, &[("x-api-key", key)], &body).await
}

#[tokio::test]
async fn a_new_key_is_shown_once_and_pasted() {
    let made = run(&["key", "new", "--tenant", "team a", "--expires-in", "90d"], "");
    assert_eq!(made.code, 0, "{}", made.stderr);
    let key = made.stdout.trim();
    assert!(key.starts_with("xr-") && key.len() == 43, "{key}");
    assert!(!made.stderr.contains(key));
    let section = made.stderr.split_once("[tenants.").map(|(_, rest)| format!("[tenants.{rest}")).unwrap();
    let world = world_with(|base| base + &tenants()).await;
    world.policy.replace(&(world.base_policy() + &section));
    until_eq(2, || world.client.generation()).await;
    assert_eq!(ask(&world, key, chat("small", "hi")).await.status, StatusCode::OK);
    let expiry = world.client.metric("key_expiry_timestamp_seconds", &["tenant=\"team a\""]).await;
    let now = std::time::SystemTime::UNIX_EPOCH.elapsed().unwrap().as_secs_f64();
    assert!((expiry - now - 90.0 * 86_400.0).abs() < 600.0, "{expiry}");
    assert_eq!(run(&["key", "new", "--tenant", "a", "--expires-in", "soon"], "").code, 1);
}

#[tokio::test]
async fn unknown_and_expired_are_answered_alike() {
    let world = world_with(|base| {
        let expired = format!("{{ hash = \"{}\", expires = 2020-01-01T00:00:00Z }}", hash("old"));
        let early = format!("{{ hash = \"{}\", not_before = 2999-01-01T00:00:00Z }}", hash("early"));
        base + &format!("[tenants.a]\nkeys = [\"{}\", {expired}, {early}]\n", hash("new"))
    })
    .await;
    assert_eq!(ask(&world, "new", chat("small", "hi")).await.status, StatusCode::OK);
    let [old, early, unknown] = ["old", "early", "nobodys"].map(|key| ask(&world, key, chat("small", "hi")));
    let (old, early, unknown) = (old.await, early.await, unknown.await);
    for reply in [&old, &early] {
        assert_eq!((reply.status, &reply.body), (StatusCode::UNAUTHORIZED, &unknown.body));
        let names = |reply: &Reply| reply.headers.keys().cloned().collect::<Vec<_>>();
        assert_eq!(names(reply), names(&unknown));
    }
}

#[tokio::test]
async fn a_tenant_uses_what_it_may_use() {
    let world = world_with(|base| {
        base + "[profiles.cheap]\ncandidates = [\"small\", \"big\"]\n"
            + &tenants().replace(
                "[tenants.red]",
                "models = [\"small\"]\nprofiles = [\"cheap\"]\n[tenants.red]\nplacement = \"internal\"",
            )
    })
    .await;
    let blue = |body| ask(&world, "key-of-blue", body);
    for (model, status) in
        [("small", 200), ("auto:cheap", 200), ("big", 404), ("auto", 404), ("auto:default", 404)]
    {
        let reply = blue(chat(model, "hi")).await;
        assert_eq!(reply.status.as_u16(), status, "{model}: {}", reply.text());
    }
    let hard = blue(chat("auto:cheap", crate::support::HARD)).await;
    assert_eq!(hard.header("x-router-model"), "small", "the big one is closed to it");
    let list = world.client.get("/v1/models", &[("x-api-key", "key-of-blue")]).await.json();
    let names: Vec<_> = list["data"].as_array().unwrap().iter().map(|m| m["id"].as_str().unwrap()).collect();
    assert_eq!(names, ["auto:cheap", "small"]);
    let red = ask(&world, "key-of-red", chat("big", "hi")).await;
    assert_eq!((red.status, red.header("x-router-error")), (StatusCode::FORBIDDEN, "placement_unavailable"));
}

/// Nothing that a caller sends makes the router connect anywhere but to the policy's providers.
#[tokio::test]
async fn callers_cannot_make_the_router_connect_elsewhere() {
    let elsewhere = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let target = elsewhere.local_addr().unwrap();
    let world = Plan::default().start().await;
    let url = format!("http://{target}/v1");
    let mut attempts = 0;
    let fields = [
        "base_url",
        "api_base",
        "endpoint",
        "url",
        "provider",
        "upstream",
        "host",
        "proxy",
        "callback_url",
        "webhook",
        "api_key",
        "deployment",
        "target",
        "server",
    ];
    for field in fields {
        let mut body = chat("small", "hi");
        body[field] = json!(url);
        world.client.chat(body).await;
        world.client.chat(json!({"model": url, "messages": [{"role": "user", "content": field}]})).await;
        attempts += 2;
    }
    let names = [
        "host",
        "x-forwarded-host",
        "x-forwarded-for",
        "forwarded",
        "x-original-url",
        "x-rewrite-url",
        "x-upstream",
        "x-router-provider",
        "x-router-base-url",
        "x-real-ip",
        "via",
        "referer",
        "x-http-method-override",
        "location",
        "x-target-url",
        "openai-base-url",
        "anthropic-base-url",
    ];
    for name in names {
        let value = if name == "host" { target.to_string() } else { url.clone() };
        let mut request = world.client.request("/v1/chat/completions", &[], chat("small", name).to_string());
        request
            .headers_mut()
            .insert(http::HeaderName::from_bytes(name.as_bytes()).unwrap(), value.parse().unwrap());
        let _ = world.client.try_send(request).await;
        attempts += 1;
    }
    for path in [
        format!("//{target}/v1/chat/completions"),
        format!("/v1/chat/completions?base_url={url}"),
        format!("/v1/../{target}"),
    ] {
        let _ = world
            .client
            .fetch(world.client.data, http::Method::POST, &path, &[], &chat("small", "hi").to_string())
            .await;
        attempts += 1;
    }
    let body = chat("small", "hi").to_string();
    let host = world.client.data;
    for head in [
        format!("POST {url}/chat/completions HTTP/1.1\r\nHost: {target}"),
        format!("POST {url}/chat/completions HTTP/1.1\r\nHost: {host}"),
        format!("POST http://user@{target}/v1/chat/completions HTTP/1.1\r\nHost: {target}"),
        format!("CONNECT {target} HTTP/1.1\r\nHost: {target}"),
        format!("GET {url}/models HTTP/1.1\r\nHost: {target}"),
        format!("POST /v1/chat/completions HTTP/1.1\r\nHost: {host}\r\nHost: {target}"),
    ] {
        let mut stream = tokio::net::TcpStream::connect(host).await.unwrap();
        let request = format!("{head}\r\nconnection: close\r\ncontent-length: {}\r\n\r\n{body}", body.len());
        stream.write_all(request.as_bytes()).await.unwrap();
        let mut answer = Vec::new();
        let _ = within(stream.read_to_end(&mut answer)).await;
        attempts += 1;
    }
    for speech in DIALECTS {
        let redirect = format!("redirect={url}/chat/completions");
        world.inside.script(Rule::next(fault(&redirect), 3));
        let reply = world.client.ask(speech, &speech.body("redirected", json!({}))).await;
        assert_ne!(reply.status, StatusCode::FOUND, "{}", reply.text());
        attempts += 1;
    }
    assert!(attempts >= 30, "{attempts}");
    let none = tokio::time::timeout(std::time::Duration::from_millis(50), elsewhere.accept()).await;
    assert!(none.is_err(), "something connected");
}
