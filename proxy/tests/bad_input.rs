//! Bad input gets the contract's 4xx in the caller's dialect; no provider sees it, none is blamed for it.

mod support;

use http::{Method, StatusCode};
use serde_json::json;
use support::{chat, world, world_with};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

#[tokio::test]
async fn each_fault_has_its_code_and_nothing_goes_upstream() {
    let world = world().await;
    let cases: &[(&str, &str, StatusCode, &str)] = &[
        ("/v1/chat/completions", "{", StatusCode::BAD_REQUEST, "invalid_json"),
        ("/v1/chat/completions", "", StatusCode::BAD_REQUEST, "invalid_json"),
        ("/v1/chat/completions", "[]", StatusCode::BAD_REQUEST, "invalid_json"),
        ("/v1/chat/completions", "{\"model\":\"small\"} x", StatusCode::BAD_REQUEST, "invalid_json"),
        ("/v1/chat/completions", "{\"model\":\"small\"}", StatusCode::BAD_REQUEST, "invalid_request"),
        (
            "/v1/chat/completions",
            "{\"model\":\"small\",\"messages\":[]}",
            StatusCode::BAD_REQUEST,
            "invalid_request",
        ),
        (
            "/v1/chat/completions",
            "{\"model\":\"small\",\"messages\":\"hi\"}",
            StatusCode::BAD_REQUEST,
            "invalid_request",
        ),
        ("/v1/chat/completions", "{\"model\":7,\"messages\":[]}", StatusCode::BAD_REQUEST, "invalid_request"),
        (
            "/v1/messages",
            "{\"model\":\"small-a\",\"messages\":[5]}",
            StatusCode::BAD_REQUEST,
            "invalid_request",
        ),
        (
            "/v1/messages",
            "{\"model\":\"smal-a\",\"messages\":[{\"role\":\"user\",\"content\":\"x\"}]}",
            StatusCode::NOT_FOUND,
            "model_not_found",
        ),
        ("/v1/nothing", "{}", StatusCode::NOT_FOUND, "not_found"),
    ];
    for (path, body, status, code) in cases {
        let reply = world.client.post(path, &[], *body).await;
        assert_eq!(reply.status, *status, "{path} {body}: {}", reply.text());
        assert_eq!(reply.header("x-router-error"), *code, "{path} {body}");
        assert_eq!(reply.json()["error"]["code"], *code);
        assert_eq!(reply.json()["type"] == "error", *path == "/v1/messages", "the caller's dialect");
    }
    assert_eq!(world.inside.stats().calls + world.outside.stats().calls, 0);
    assert_eq!(world.client.metric("breaker_state{model=\"small\",provider=\"local\"}").await, 0.0);
}

#[tokio::test]
async fn an_unknown_model_lists_near_names() {
    let world = world().await;
    let reply = world.client.chat(chat("smal", "x")).await;
    assert!(reply.text().contains("'small'"), "{}", reply.text());
}

#[tokio::test]
async fn a_wrong_method_is_a_405() {
    let world = world().await;
    let reply = world.client.get("/v1/chat/completions", &[]).await;
    assert_eq!((reply.status, reply.header("allow")), (StatusCode::METHOD_NOT_ALLOWED, "POST"));
    let reply = world.client.post("/v1/models", &[], "{}").await;
    assert_eq!(reply.header("x-router-error"), "method_not_allowed");
}

#[tokio::test]
async fn an_unknown_path_answers_in_the_dialect_that_the_headers_tell() {
    let world = world().await;
    let plain = world.client.get("/v2", &[]).await.json();
    assert_eq!(plain["error"]["type"], "invalid_request_error");
    let anthropic = world.client.get("/v2", &[("anthropic-version", "2023-06-01")]).await.json();
    assert_eq!(anthropic["error"]["type"], "not_found_error");
}

#[tokio::test]
async fn a_body_over_the_limit_is_a_413() {
    let mut settings = router_proxy::sidecar::Settings::default();
    settings.body.max_bytes = 1000;
    let world = support::world_of(|base| base, settings).await;
    let reply = world.client.chat(chat("small", &"x".repeat(2000))).await;
    assert_eq!(
        (reply.status, reply.header("x-router-error")),
        (StatusCode::PAYLOAD_TOO_LARGE, "body_too_large")
    );
}

/// Sends raw bytes and reads what comes back until the connection closes or a second passes.
async fn raw(world: &support::World, bytes: &str) -> String {
    let mut stream = tokio::net::TcpStream::connect(world.client.data).await.unwrap();
    stream.write_all(bytes.as_bytes()).await.unwrap();
    let mut answer = Vec::new();
    let _ = tokio::time::timeout(std::time::Duration::from_secs(1), stream.read_to_end(&mut answer)).await;
    String::from_utf8_lossy(&answer).into_owned()
}

#[tokio::test]
async fn malformed_chunks_are_the_callers_fault() {
    let world = world().await;
    for body in ["zz\r\n{}\r\n0\r\n\r\n", "5\r\n{\"mod\r\nxx", "fffffffffffffffffff\r\n"] {
        let head = "POST /v1/chat/completions HTTP/1.1\r\nhost: a\r\ntransfer-encoding: chunked\r\n\r\n";
        let answer = raw(&world, &format!("{head}{body}")).await;
        assert!(answer.is_empty() || answer.starts_with("HTTP/1.1 400"), "{body:?}: {answer}");
    }
    assert_eq!(world.inside.stats().calls + world.outside.stats().calls, 0);
    assert_eq!(world.client.metric("upstream_requests_total").await, 0.0);
}

#[tokio::test]
async fn two_ways_to_read_a_request_are_one_too_many() {
    let world = world().await;
    for head in [
        "POST /v1/chat/completions HTTP/1.1\r\nhost: a\r\nhost: b\r\ncontent-length: 0\r\n\r\n",
        "POST /v1/chat/completions HTTP/1.1\r\ncontent-length: 0\r\n\r\n",
        "POST /v1/chat/completions HTTP/1.1\r\nhost: a\r\ncontent-length: 5\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n",
        "POST /v1/chat/completions HTTP/1.1\r\nhost: a\r\ntransfer-encoding: gzip, chunked\r\n\r\n0\r\n\r\n",
        "GET /v1/%2e%2e/models HTTP/1.1\r\nhost: a\r\n\r\n",
        "GET http://b/v1/models HTTP/1.1\r\nhost: a\r\n\r\n",
    ] {
        let answer = raw(&world, head).await;
        assert!(answer.starts_with("HTTP/1.1 400"), "{head:?}: {answer}");
    }
}

#[tokio::test]
async fn a_wrong_header_is_named() {
    let world = world().await;
    let body = chat("small", "x").to_string();
    for (name, value) in
        [("x-router-placement", "moon"), ("x-router-max-cost-usd", "-3"), ("x-router-cache-ttl", "soon")]
    {
        let reply = world.client.post("/v1/chat/completions", &[(name, value)], body.clone()).await;
        assert_eq!(
            (reply.status, reply.json()["error"]["param"].clone()),
            (StatusCode::BAD_REQUEST, json!(name))
        );
    }
}

#[tokio::test]
async fn the_policy_denies_without_inviting_a_retry() {
    let world = world_with(
        "[[rules]]\nname = \"no\"\nwhen = { tags = { x = \"1\" } }\nuse = { deny = \"not here\" }\n",
    )
    .await;
    let body = chat("auto", "x").to_string();
    let denied = world.client.post("/v1/chat/completions", &[("x-router-tags", "x=1")], body.clone()).await;
    assert_eq!(denied.status, StatusCode::FORBIDDEN);
    assert_eq!(denied.json()["error"]["message"], "not here");
    assert_eq!((denied.header("x-should-retry"), denied.header("x-router-rule")), ("false", "no"));
    let dear = world
        .client
        .post("/v1/chat/completions", &[("x-router-max-cost-usd", "0.0000000001")], body.clone())
        .await;
    assert_eq!((dear.status, dear.header("x-router-error")), (StatusCode::FORBIDDEN, "cost_limit"));
    let inside = [("x-router-placement", "internal")];
    let stays = world.client.post("/v1/chat/completions", &inside, chat("big", "x").to_string()).await;
    assert_eq!(
        (stays.status, stays.header("x-router-error")),
        (StatusCode::FORBIDDEN, "placement_unavailable")
    );
    assert_eq!(world.outside.stats().calls, 0);
}

#[tokio::test]
async fn the_admin_plane_is_not_on_the_data_listener() {
    let world = world().await;
    for path in ["/metrics", "/livez", "/policy", "/"] {
        assert_eq!(world.client.get(path, &[]).await.status, StatusCode::NOT_FOUND, "{path}");
    }
    let forged = world
        .client
        .fetch(world.client.admin, Method::POST, "/-/reload", &[("origin", "http://evil")], "")
        .await;
    assert_eq!(forged.status, StatusCode::FORBIDDEN);
}
