//! Web pages that ask.

use http::{Method, StatusCode};

use crate::support::{Reply, World, chat, until, world, world_with};

async fn from(world: &World, method: Method, origin: &str, more: &[(&str, &str)]) -> Reply {
    let headers = [&[("origin", origin)], more].concat();
    let body = if method == Method::POST { chat("small", "hi").to_string() } else { String::new() };
    world.client.fetch(world.client.data, method, "/v1/chat/completions", &headers, &body).await
}

const ASKS: &[(&str, &str)] = &[
    ("access-control-request-method", "POST"),
    ("access-control-request-headers", "authorization,content-type,x-router-tags"),
];

#[tokio::test]
async fn pages_of_allowed_origins_ask_and_no_others() {
    let world = world_with(|base| {
        base + "[cors]\norigins = [\"https://*.xynergy.com\", \"http://localhost:3000\"]\n"
    })
    .await;
    for origin in ["https://app.xynergy.com", "http://localhost:3000"] {
        let preflight = from(&world, Method::OPTIONS, origin, ASKS).await;
        assert_eq!(preflight.status, StatusCode::NO_CONTENT);
        assert_eq!(preflight.header("access-control-allow-origin"), origin);
        assert_eq!(preflight.header("access-control-allow-headers"), ASKS[1].1);
        assert!(preflight.header("access-control-allow-methods").contains("POST"));
        let reply = from(&world, Method::POST, origin, &[]).await;
        assert_eq!((reply.status, reply.header("access-control-allow-origin")), (StatusCode::OK, origin));
        assert!(reply.header("access-control-expose-headers").contains("x-router-cost-usd"));
        assert!(reply.header("vary").contains("origin"));
    }
    let calls = world.calls();
    for origin in [
        "https://xynergy.com",
        "https://a.b.xynergy.com",
        "http://app.xynergy.com",
        "https://evil.example",
        "null",
    ] {
        for (method, more) in [(Method::OPTIONS, ASKS), (Method::POST, &[][..])] {
            let reply = from(&world, method, origin, more).await;
            assert_eq!(
                (reply.status, reply.header("x-router-error")),
                (StatusCode::FORBIDDEN, "policy_denied"),
                "{origin}"
            );
            assert_eq!(reply.header("access-control-allow-origin"), "", "{origin}");
        }
    }
    assert_eq!(world.calls(), calls, "nothing was asked for them");
}

#[tokio::test]
async fn errors_can_be_read_by_the_page() {
    let world = world_with(|base| base + "[cors]\norigins = [\"http://localhost:3000\"]\n").await;
    let headers = [("origin", "http://localhost:3000")];
    let reply = world.client.post("/v1/chat/completions", &headers, "{").await;
    assert_eq!(
        (reply.status, reply.header("access-control-allow-origin")),
        (StatusCode::BAD_REQUEST, headers[0].1)
    );
}

#[tokio::test]
async fn the_list_is_hot() {
    let world = world().await;
    let origin = "https://app.xynergy.com";
    assert_eq!(from(&world, Method::POST, origin, &[]).await.status, StatusCode::FORBIDDEN);
    world.policy.replace(&(world.base_policy() + "[cors]\norigins = [\"https://*.xynergy.com\"]\n"));
    until(|| async { from(&world, Method::POST, origin, &[]).await.status == StatusCode::OK }).await;
}
