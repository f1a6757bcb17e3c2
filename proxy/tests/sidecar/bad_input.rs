//! Bad input gets the contract's 4xx in the caller's dialect; no provider sees it, none is blamed for it.

use http::{Method, StatusCode};
use serde_json::json;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::support::{DIALECTS, Plan, Speech, World, chat, within, world, world_with};

#[tokio::test]
async fn each_fault_has_its_code_and_nothing_goes_upstream() {
    const ASK: &str = "\"messages\":[{\"role\":\"user\",\"content\":\"x\"}]";
    let world = world().await;
    let cases: Vec<(String, StatusCode, &str)> = [
        ("{".to_owned(), 400, "invalid_json"),
        (String::new(), 400, "invalid_json"),
        ("null".to_owned(), 400, "invalid_json"),
        ("[]".to_owned(), 400, "invalid_json"),
        ("\u{feff}{}".to_owned(), 400, "invalid_json"),
        (format!("{{\"model\":\"SMALL\",{ASK}}} x"), 400, "invalid_json"),
        (format!("{{\"model\":\"SMALL\",{ASK},}}"), 400, "invalid_json"),
        (format!("{{{ASK}}}"), 400, "invalid_request"),
        ("{\"model\":\"SMALL\"}".to_owned(), 400, "invalid_request"),
        ("{\"model\":\"SMALL\",\"messages\":[]}".to_owned(), 400, "invalid_request"),
        ("{\"model\":\"SMALL\",\"messages\":\"hi\"}".to_owned(), 400, "invalid_request"),
        ("{\"model\":\"SMALL\",\"messages\":[5]}".to_owned(), 400, "invalid_request"),
        (format!("{{\"model\":7,{ASK}}}"), 400, "invalid_request"),
        (format!("{{\"model\":\"SMALL\",\"stream\":\"yes\",{ASK}}}"), 400, "invalid_request"),
        (format!("{{\"model\":\"nobody\",{ASK}}}"), 404, "model_not_found"),
        (format!("{{\"model\":\"auto:nobody\",{ASK}}}"), 404, "model_not_found"),
    ]
    .map(|(body, status, code)| (body, StatusCode::from_u16(status).unwrap(), code))
    .into();
    for speech in DIALECTS {
        for (body, status, code) in &cases {
            let body = body.replace("SMALL", speech.small());
            let reply = world.client.post(speech.path(), &[], body.clone()).await;
            assert_eq!(reply.status, *status, "{speech:?} {body}: {}", reply.text());
            assert_eq!(reply.header("x-router-error"), *code, "{speech:?} {body}");
            assert_eq!(reply.json()["error"]["code"], *code);
            assert!(speech.is_error(&reply.json()), "the caller's dialect: {}", reply.text());
        }
    }
    assert_eq!(world.calls(), 0);
    assert_eq!(world.client.outcomes("client_error").await, 2.0 * cases.len() as f64);
    assert_eq!(world.client.metric("upstream_requests_total", &[]).await, 0.0);
    assert_eq!(world.client.metric("breaker_state", &[]).await, 0.0);
}

#[tokio::test]
async fn a_body_that_is_not_utf8_is_not_json() {
    let world = world().await;
    let mut body = chat("small", "x").to_string().into_bytes();
    let at = body.iter().position(|byte| *byte == b'x').unwrap();
    body[at] = 0xff;
    let reply = world.client.post("/v1/chat/completions", &[], body).await;
    assert_eq!((reply.status, reply.header("x-router-error")), (StatusCode::BAD_REQUEST, "invalid_json"));
}

#[tokio::test]
async fn a_deep_body_is_refused_or_passes_but_breaks_nothing() {
    let world = world().await;
    let deep = |depth: usize| {
        format!(
            "{{\"model\":\"small\",\"x\":{}{},\"messages\":[{{\"role\":\"user\",\"content\":\"x\"}}]}}",
            "[".repeat(depth),
            "]".repeat(depth)
        )
    };
    let reply = world.client.post("/v1/chat/completions", &[], deep(1_000_000)).await;
    assert_eq!(reply.status, StatusCode::BAD_REQUEST, "{}", reply.text());
    assert_eq!(world.calls(), 0);
    assert_eq!(world.client.chat(chat("small", "x")).await.status, StatusCode::OK);
}

#[tokio::test]
async fn an_unknown_model_lists_near_names() {
    let world = world().await;
    let reply = world.client.chat(chat("smal", "x")).await;
    assert!(reply.text().contains("'small'"), "{}", reply.text());
    assert_eq!(reply.json()["error"]["param"], "model");
}

#[tokio::test]
async fn a_wrong_method_is_a_405() {
    let world = world().await;
    for (method, path, allow) in [
        (Method::GET, "/v1/chat/completions", "POST"),
        (Method::DELETE, "/v1/messages", "POST"),
        (Method::POST, "/v1/models", "GET"),
    ] {
        let reply = world.client.fetch(world.client.data, method, path, &[], "").await;
        assert_eq!((reply.status, reply.header("allow")), (StatusCode::METHOD_NOT_ALLOWED, allow), "{path}");
        assert_eq!(reply.header("x-router-error"), "method_not_allowed");
    }
}

#[tokio::test]
async fn an_unknown_path_answers_in_the_dialect_that_the_headers_tell() {
    let world = world().await;
    let plain = world.client.get("/v2", &[]).await;
    assert_eq!((plain.status, plain.header("x-router-error")), (StatusCode::NOT_FOUND, "not_found"));
    assert!(Speech::OpenAi.is_error(&plain.json()));
    let anthropic = world.client.get("/v2", Speech::Anthropic.headers()).await;
    assert!(Speech::Anthropic.is_error(&anthropic.json()));
    assert_eq!(anthropic.json()["error"]["type"], "not_found_error");
}

#[tokio::test]
async fn a_body_over_the_limit_is_a_413() {
    let mut settings = router_proxy::sidecar::Settings::default();
    settings.body.max_bytes = 1000;
    let world = Plan { settings, ..Plan::default() }.start().await;
    for speech in DIALECTS {
        let reply = world.client.ask(speech, &speech.body(&"x".repeat(2000), json!({}))).await;
        assert_eq!(reply.status, StatusCode::PAYLOAD_TOO_LARGE);
        assert_eq!(reply.header("x-router-error"), "body_too_large");
        assert!(speech.is_error(&reply.json()));
    }
    // Without a length it is noticed while it comes.
    let chunk = format!("3e8\r\n{}\r\n", "x".repeat(1000));
    let head = "POST /v1/chat/completions HTTP/1.1\r\nhost: a\r\ntransfer-encoding: chunked\r\n\r\n";
    let answer = raw(&world, &format!("{head}{chunk}{chunk}")).await;
    assert!(answer.starts_with("HTTP/1.1 413"), "{answer}");
    assert_eq!(world.calls(), 0);
}

/// Sends raw bytes and nothing more, and reads until the connection closes.
async fn raw(world: &World, bytes: &str) -> String {
    let mut stream = TcpStream::connect(world.client.data).await.unwrap();
    stream.write_all(bytes.as_bytes()).await.unwrap();
    stream.shutdown().await.unwrap();
    let mut answer = Vec::new();
    // A reset after the answer is an end, too.
    let _ = within(stream.read_to_end(&mut answer)).await;
    String::from_utf8_lossy(&answer).into_owned()
}

#[tokio::test]
async fn malformed_chunks_are_the_callers_fault() {
    let world = world().await;
    for body in ["zz\r\n{}\r\n0\r\n\r\n", "5\r\n{\"mod\r\nxx\r\n", "fffffffffffffffffff\r\n", "-1\r\n\r\n"] {
        let head = "POST /v1/chat/completions HTTP/1.1\r\nhost: a\r\ntransfer-encoding: chunked\r\n\r\n";
        let answer = raw(&world, &format!("{head}{body}")).await;
        assert!(answer.starts_with("HTTP/1.1 400"), "{body:?}: {answer}");
    }
    assert_eq!(world.calls(), 0);
    assert_eq!(world.client.metric("upstream_requests_total", &[]).await, 0.0);
    assert_eq!(world.client.outcomes("client_error").await, 4.0);
}

#[tokio::test]
async fn a_body_that_breaks_off_reaches_nobody() {
    let world = world().await;
    let head = "POST /v1/chat/completions HTTP/1.1\r\nhost: a\r\ncontent-length: 500\r\n\r\n{\"model\":";
    raw(&world, head).await;
    let chunked =
        "POST /v1/messages HTTP/1.1\r\nhost: a\r\ntransfer-encoding: chunked\r\n\r\n5\r\n{\"mod\r\n";
    raw(&world, chunked).await;
    assert_eq!(world.calls(), 0);
    assert_eq!(world.client.metric("in_flight_requests", &[]).await, 0.0);
}

#[tokio::test]
async fn two_ways_to_read_a_request_are_one_too_many() {
    let world = world().await;
    let body = chat("small", "x").to_string();
    let length = body.len();
    let post = "POST /v1/chat/completions HTTP/1.1\r\n";
    for (wrong, head) in [
        ("two hosts", format!("{post}host: a\r\nhost: b\r\ncontent-length: {length}\r\n\r\n{body}")),
        ("no host", format!("{post}content-length: {length}\r\n\r\n{body}")),
        (
            "length and chunks",
            format!(
                "{post}host: a\r\ncontent-length: {length}\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n"
            ),
        ),
        (
            "two lengths",
            format!("{post}host: a\r\ncontent-length: {length}\r\ncontent-length: 7\r\n\r\n{body}"),
        ),
        ("a coding", format!("{post}host: a\r\ntransfer-encoding: gzip, chunked\r\n\r\n0\r\n\r\n")),
        ("dots", "GET /v1/%2e%2e/models HTTP/1.1\r\nhost: a\r\n\r\n".to_owned()),
        ("two addresses", "GET http://b/v1/models HTTP/1.1\r\nhost: a\r\n\r\n".to_owned()),
    ] {
        let answer = raw(&world, &head).await;
        assert!(answer.starts_with("HTTP/1.1 400"), "{wrong}: {answer}");
    }
    assert_eq!(world.calls(), 0);
}

#[tokio::test]
async fn a_wrong_header_is_named() {
    let world = world().await;
    for speech in DIALECTS {
        for (name, value) in [
            ("x-router-placement", "moon"),
            ("x-router-max-cost-usd", "-3"),
            ("x-router-cache-ttl", "soon"),
            ("x-router-tags", "confidential"),
        ] {
            let body = speech.body("x", json!({}));
            let reply = world.client.ask_with(speech, &[(name, value)], &body).await;
            assert_eq!(
                (reply.status, reply.header("x-router-error")),
                (StatusCode::BAD_REQUEST, "invalid_request")
            );
            assert!(reply.text().contains(name), "{}", reply.text());
        }
    }
    assert_eq!(world.calls(), 0);
}

#[tokio::test]
async fn the_policy_denies_without_inviting_a_retry() {
    let world = world_with(|base| {
        base + "[[rules]]\nname = \"no\"\nwhen = { tags = { x = \"1\" } }\nuse = { deny = \"not here\" }\n"
    })
    .await;
    for speech in DIALECTS {
        let body = speech.body_to("auto", "x", json!({}));
        let denied = world.client.ask_with(speech, &[("x-router-tags", "x=1")], &body).await;
        assert_eq!(
            (denied.status, denied.header("x-router-error")),
            (StatusCode::FORBIDDEN, "policy_denied")
        );
        assert_eq!(denied.json()["error"]["message"], "not here");
        assert_eq!((denied.header("x-should-retry"), denied.header("x-router-rule")), ("false", "no"));
        let dear = world.client.ask_with(speech, &[("x-router-max-cost-usd", "0.0000000001")], &body).await;
        assert_eq!((dear.status, dear.header("x-router-error")), (StatusCode::FORBIDDEN, "cost_limit"));
        let big = speech.body_to(if speech == Speech::OpenAi { "big" } else { "big-a" }, "x", json!({}));
        let stays = world.client.ask_with(speech, &[("x-router-placement", "internal")], &big).await;
        assert_eq!(
            (stays.status, stays.header("x-router-error")),
            (StatusCode::FORBIDDEN, "placement_unavailable")
        );
        for refused in [denied, dear, stays] {
            assert_eq!(refused.header("x-should-retry"), "false");
            assert!(speech.is_error(&refused.json()), "{}", refused.text());
        }
    }
    assert_eq!(world.calls(), 0);
    assert_eq!(world.client.outcomes("denied").await, 6.0);
}

#[tokio::test]
async fn the_admin_plane_is_not_on_the_data_listener() {
    let world = world().await;
    for path in ["/metrics", "/livez", "/readyz", "/policy", "/providers", "/"] {
        assert_eq!(world.client.get(path, &[]).await.status, StatusCode::NOT_FOUND, "{path}");
    }
    let reload = world.client.post("/-/reload", &[], "").await;
    assert_eq!(reload.status, StatusCode::NOT_FOUND);
}
