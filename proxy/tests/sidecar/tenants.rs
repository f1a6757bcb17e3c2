//! Who asks is known by a key, and nobody sees anything of anybody else.

use http::StatusCode;
use router_policies::{Live, Origin, Setup};
use serde_json::json;
use sha2::{Digest as _, Sha256};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use crate::support::{DIALECTS, Policy, Reply, Speech, World, chat, until_eq, within, world, world_with};

const BLUE: &str = "key-of-team-blue";
const RED: &str = "key-of-team-red";

fn hash(key: &str) -> String {
    let digest = Sha256::digest(key);
    digest.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn tenants() -> String {
    format!(
        "[tenants.blue]\nkeys = [\"sha256:{}\"]\ntags = {{ floor = \"3\" }}\n[tenants.red]\nkeys = [\"sha256:{}\"]\n",
        hash(BLUE),
        hash(RED)
    )
}

async fn shared() -> World {
    world_with(|base| base + &tenants()).await
}

async fn ask(world: &World, speech: Speech, headers: &[(&str, &str)]) -> Reply {
    world.client.ask_with(speech, headers, &speech.body("what?", json!({"temperature": 0}))).await
}

fn bearer(key: &str) -> String {
    format!("Bearer {key}")
}

#[tokio::test]
async fn nobody_gets_in_without_one_known_key() {
    let world = shared().await;
    let (blue, red) = (bearer(BLUE), bearer(RED));
    let cases: [&[(&str, &str)]; 10] = [
        &[],
        &[("authorization", "Bearer nobody")],
        &[("x-api-key", "nobody")],
        &[("authorization", "Bearer ")],
        &[("authorization", BLUE)],
        &[("authorization", "Basic a2V5LW9mLXRlYW0tYmx1ZQ==")],
        &[("authorization", &blue), ("x-api-key", RED)],
        &[("authorization", &blue), ("authorization", &red)],
        &[("authorization", &blue), ("x-api-key", "nobody")],
        &[("x-api-key", "key-of-team-blue ,")],
    ];
    for speech in DIALECTS {
        let mut bodies = Vec::new();
        for headers in cases {
            let reply = ask(&world, speech, headers).await;
            assert_eq!(reply.status, StatusCode::UNAUTHORIZED, "{headers:?}");
            assert_eq!(reply.header("x-router-error"), "invalid_key");
            assert!(speech.is_error(&reply.json()), "{}", reply.text());
            assert_eq!(reply.json()["error"]["type"], "authentication_error");
            bodies.push(reply.text());
        }
        bodies.dedup();
        assert_eq!(bodies.len(), 1, "the answer does not tell what was wrong: {bodies:?}");
    }
    assert_eq!(world.calls(), 0);
    let denied = ["tenant=\"_other\"", "outcome=\"denied\""];
    assert_eq!(world.client.metric("requests_total", &denied).await, 2.0 * cases.len() as f64);
}

/// Headers that no key can be in: far too long, not text, not ended. Each has the answer that an unknown key has, or that of a broken request.
#[tokio::test]
async fn odd_keys_are_unknown_keys() {
    let world = shared().await;
    let unknown = ask(&world, Speech::OpenAi, &[("x-api-key", "nobody")]).await;
    let body = chat("small", "hi").to_string();
    let long = "k".repeat(16 << 10);
    let odd: [(&[u8], u16); 9] = [
        (long.as_bytes(), 401),
        ("schlüssel-von-blau".as_bytes(), 401),
        (b"\xff\xfe\x80", 401),
        (b"\xc3\x28", 401),
        (b"\t \t", 401),
        (b"Bearer", 401),
        (b"Bearer Bearer key-of-team-blue", 401),
        (b"a\0b", 400),
        (b"a\x01b", 400),
    ];
    for name in ["authorization", "x-api-key"] {
        for (value, status) in odd {
            let mut stream = tokio::net::TcpStream::connect(world.client.data).await.unwrap();
            let head = format!(
                "POST /v1/chat/completions HTTP/1.1\r\nhost: a\r\ncontent-length: {}\r\n{name}: ",
                body.len()
            );
            let request =
                [head.as_bytes(), value, b"\r\nconnection: close\r\n\r\n", body.as_bytes()].concat();
            stream.write_all(&request).await.unwrap();
            let mut answer = Vec::new();
            let _ = within(stream.read_to_end(&mut answer)).await;
            let answer = String::from_utf8_lossy(&answer);
            assert!(answer.starts_with(&format!("HTTP/1.1 {status} ")), "{name} {value:?}: {answer}");
            assert!(status == 400 || answer.ends_with(&unknown.text()), "{name} {value:?}: {answer}");
        }
    }
    assert_eq!(world.calls(), 0);
}

#[tokio::test]
async fn a_key_is_taken_in_either_header_and_goes_no_further() {
    let world = shared().await;
    let blue = bearer(BLUE);
    for speech in DIALECTS {
        let either: [&[(&str, &str)]; 4] = [
            &[("authorization", &blue)],
            &[("authorization", "bearer key-of-team-blue")],
            &[("x-api-key", BLUE)],
            &[("authorization", &blue), ("x-api-key", BLUE)],
        ];
        for headers in either {
            assert_eq!(ask(&world, speech, headers).await.status, StatusCode::OK, "{headers:?}");
        }
    }
    assert_eq!(world.calls(), 2, "the others were hits");
    for seen in world.inside.requests() {
        assert!(!format!("{seen:?}").contains(BLUE));
    }
}

#[tokio::test]
async fn an_answer_is_served_to_its_own_tenant_alone() {
    let world = shared().await;
    for speech in DIALECTS {
        for (key, cache) in [(BLUE, "miss"), (BLUE, "hit"), (RED, "miss"), (RED, "hit"), (BLUE, "hit")] {
            assert_eq!(ask(&world, speech, &[("x-api-key", key)]).await.cache(), cache, "{key}");
        }
    }
    assert_eq!(world.calls(), 4);
}

#[tokio::test]
async fn what_is_counted_is_counted_by_tenant() {
    let world = shared().await;
    for (key, times) in [(BLUE, 3), (RED, 1)] {
        for number in 0..times {
            let body = chat("small", &number.to_string());
            world.client.ask_with(Speech::OpenAi, &[("x-api-key", key)], &body).await;
        }
    }
    for (tenant, times) in [("blue", 3.0), ("red", 1.0), ("anonymous", 0.0)] {
        let label = format!("tenant=\"{tenant}\"");
        let requests = ["endpoint=\"chat_completions\"", &label, "outcome=\"ok\""];
        assert_eq!(world.client.metric("requests_total", &requests).await, times, "{tenant}");
        assert_eq!(world.client.metric("cost_usd_total", &[&label]).await > 0.0, times > 0.0);
        assert_eq!(world.client.metric("baseline_cost_usd_total", &[&label]).await > 0.0, times > 0.0);
    }
    assert_eq!(world.client.metric("requests_total", &[]).await, 4.0);
}

#[tokio::test]
async fn without_tenants_everybody_is_anonymous() {
    let world = world().await;
    for headers in [&[][..], &[("authorization", "Bearer anything"), ("x-api-key", "else")]] {
        assert_eq!(ask(&world, Speech::OpenAi, headers).await.status, StatusCode::OK);
    }
    assert_eq!(world.client.metric("requests_total", &["tenant=\"anonymous\""]).await, 2.0);
}

#[tokio::test]
async fn the_list_of_models_is_for_those_with_a_key() {
    let world = shared().await;
    for headers in [&[][..], Speech::Anthropic.headers()] {
        assert_eq!(world.client.get("/v1/models", headers).await.status, StatusCode::UNAUTHORIZED);
    }
    let openai = world.client.get("/v1/models", &[("x-api-key", BLUE)]).await.json();
    let ids: Vec<_> = openai["data"].as_array().unwrap().iter().map(|m| m["id"].as_str().unwrap()).collect();
    assert_eq!(ids, ["auto", "auto:default", "big", "big-a", "small", "small-a"]);
    assert_eq!((&openai["object"], &openai["data"][0]["object"]), (&json!("list"), &json!("model")));
    assert_eq!(openai["data"][2]["owned_by"], "cloud");

    let headers = [Speech::Anthropic.headers(), &[("x-api-key", BLUE)]].concat();
    let anthropic = world.client.get("/v1/models", &headers).await.json();
    let names: Vec<_> =
        anthropic["data"].as_array().unwrap().iter().map(|m| m["id"].as_str().unwrap()).collect();
    assert_eq!(names, ids);
    assert_eq!((&anthropic["has_more"], &anthropic["first_id"]), (&json!(false), &json!("auto")));
    assert_eq!(anthropic["data"][0]["type"], "model");

    let one = world.client.get("/v1/models/small", &[("x-api-key", BLUE)]).await;
    assert_eq!(one.json()["id"], "small");
    let none = world.client.get("/v1/models/smal", &headers).await;
    assert_eq!((none.status, none.header("x-router-error")), (StatusCode::NOT_FOUND, "model_not_found"));
    assert!(Speech::Anthropic.is_error(&none.json()), "{}", none.text());
    assert_eq!(world.calls(), 0);
}

#[tokio::test]
async fn a_tenants_own_tags_cannot_be_overridden() {
    let world = world_with(|base| {
        base + &tenants()
            + "[[rules]]\nname = \"third-floor\"\nwhen = { tags = { floor = \"3\" } }\nuse = { deny = \"not up there\" }\n\
               [[rules]]\nname = \"red\"\nwhen = { tenant = \"red\" }\nuse = { max_tokens = 9 }\n"
    })
    .await;
    let blue = ask(&world, Speech::OpenAi, &[("x-api-key", BLUE), ("x-router-tags", "floor=1")]).await;
    assert_eq!((blue.status, blue.header("x-router-rule")), (StatusCode::FORBIDDEN, "third-floor"));
    let red = ask(&world, Speech::OpenAi, &[("x-api-key", RED), ("x-router-tags", "floor=1")]).await;
    assert_eq!((red.status, red.header("x-router-rule")), (StatusCode::OK, "red"));
}

#[tokio::test]
async fn a_key_is_exchanged_without_a_restart() {
    let world = shared().await;
    let (old, new) = ([("x-api-key", BLUE)], [("x-api-key", RED)]);
    let team = |keys: &[&str]| {
        let hashes: Vec<_> = keys.iter().map(|key| format!("\"sha256:{}\"", hash(key))).collect();
        format!("{}[tenants.blue]\nkeys = [{}]\n", world.base_policy(), hashes.join(", "))
    };
    assert_eq!(ask(&world, Speech::OpenAi, &old).await.cache(), "miss");
    world.policy.replace(&team(&[BLUE, RED]));
    until_eq(2, || world.client.generation()).await;
    for headers in [&old, &new] {
        assert_eq!(ask(&world, Speech::OpenAi, headers).await.cache(), "hit", "both are the same tenant");
    }
    world.policy.replace(&team(&[RED]));
    until_eq(3, || world.client.generation()).await;
    assert_eq!(ask(&world, Speech::OpenAi, &old).await.status, StatusCode::UNAUTHORIZED);
    assert_eq!(ask(&world, Speech::OpenAi, &new).await.cache(), "hit");
}

/// What refuses the start of an open router refuses a reload that would open it.
#[tokio::test]
async fn where_tenants_are_needed_a_reload_cannot_take_them_away() {
    let world = world().await;
    let policy = Policy::write(&(world.base_policy() + &tenants()));
    let state = std::sync::Arc::clone(&world.sidecar.app().state);
    let setup = Setup::new(state, router_proxy::commands::scorer(), Vec::new());
    let setup = Setup { may_lack_tenants: false, ..setup };
    let (live, _) = Live::open(Origin::File(policy.path()), setup).unwrap();
    policy.slip(&world.base_policy());
    let errors = live.reload().unwrap_err();
    assert!(errors[0].message.contains("[tenants.NAME]"), "{errors:?}");
    assert!(!live.snapshot().tenants.is_empty());
}
