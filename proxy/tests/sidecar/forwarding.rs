//! What goes through, what is changed on the way, and what is not.

use bytes::Bytes;
use http::{StatusCode, Version};
use http_body_util::{BodyExt, Full};
use hyper_util::client::legacy::Client;
use hyper_util::rt::TokioExecutor;
use router_upstream::Rule;
use serde_json::json;

use crate::support::{
    DIALECTS, HARD, Speech, chat, chat_with, fault, message, until, within, world, world_with,
};

#[tokio::test]
async fn an_easy_request_is_answered_inside_and_says_so() {
    let world = world().await;
    let reply = world.client.chat(chat("auto", "hi there")).await;
    assert_eq!(reply.status, StatusCode::OK, "{}", reply.text());
    assert_eq!(reply.json()["model"], "small");
    for (name, value) in [
        ("x-router-model", "small"),
        ("x-router-provider", "local"),
        ("x-router-placement", "internal"),
        ("x-router-band", "internal"),
        ("x-router-cache", "bypass"),
        ("x-router-attempts", "1"),
        ("x-router-rule", ""),
    ] {
        assert_eq!(reply.header(name), value, "{name}");
    }
    assert!(reply.header("x-request-id").starts_with("req_"));
    assert!(reply.header("x-router-cost-usd").parse::<f64>().unwrap() > 0.0);
    assert!(reply.header("x-router-overhead-us").parse::<u64>().is_ok());
    let complexity = reply.header("x-router-complexity");
    assert_eq!(complexity.len(), "0.123".len());
    assert!((0.0..=0.4).contains(&complexity.parse::<f64>().unwrap()));
}

#[tokio::test]
async fn a_hard_request_goes_outside() {
    let world = world_with(|base| {
        base + "[[rules]]\nname = \"low\"\nuse = { bands = { hybrid = 0.1, external = 0.2 } }\n"
    })
    .await;
    let reply = world.client.chat(chat("auto", HARD)).await;
    assert_eq!(reply.header("x-router-band"), "external", "{:?}", reply.headers);
    assert_eq!(reply.header("x-router-model"), "big");
    assert_eq!(reply.header("x-router-placement"), "external");
    assert_eq!(reply.header("x-router-rule"), "low");
    assert_eq!((world.inside.stats().calls, world.outside.stats().calls), (0, 1));
}

#[tokio::test]
async fn only_the_model_is_spliced() {
    let world = world().await;
    let body = "{ \"model\" :\"small-a\",\n\t\"max_tokens\": 90, \"x\": {\"model\": \"big\"},\
        \"messages\":[{\"content\":\"caf\\u00e9\",\"role\":\"user\"}] }";
    let reply = world.client.post("/v1/messages", &[], body).await;
    assert_eq!(reply.status, StatusCode::OK, "{}", reply.text());
    let seen = &world.inside.requests()[0];
    assert_eq!(String::from_utf8_lossy(&seen.body), body.replacen("small-a", "small", 1));
}

#[tokio::test]
async fn an_equal_name_leaves_the_body_as_it_is() {
    let world = world().await;
    let body = "{\"messages\":[{\"role\":\"user\",\"content\":\"x\"}],\"model\":\"small\",\
        \"unknown_field\":[1,2.50,null,1e40,12345678901234567890123]}  ";
    let reply = world.client.post("/v1/chat/completions", &[], body).await;
    assert_eq!(reply.status, StatusCode::OK, "{}", reply.text());
    assert_eq!(String::from_utf8_lossy(&world.inside.requests()[0].body), body);
}

#[tokio::test]
async fn a_plain_answer_is_the_providers_byte_for_byte() {
    let world = world().await;
    for speech in DIALECTS {
        let reply = world.client.ask(speech, &speech.body("a question", json!({}))).await;
        let seen = world.inside.requests().pop().unwrap();
        let direct = world.client.fetch(
            world.inside.addr(),
            http::Method::POST,
            speech.path(),
            speech.headers(),
            std::str::from_utf8(&seen.body).unwrap(),
        );
        assert_eq!(reply.body, direct.await.body);
        assert!(speech.text(&reply.json()).starts_with("[small:"));
    }
}

#[tokio::test]
async fn credentials_and_router_headers_stay_and_the_rest_goes_on() {
    let world = world().await;
    let headers = [
        ("authorization", "Bearer caller-secret"),
        ("x-api-key", "caller-secret"),
        ("cookie", "a=b"),
        ("x-router-tags", "team=blue"),
        ("openai-organization", "org-1"),
        ("anthropic-beta", "some-beta"),
        ("x-custom", "kept"),
        ("connection", "x-hop"),
        ("x-hop", "dropped"),
        ("upgrade", "websocket"),
        ("accept-encoding", "gzip"),
        ("x-request-id", "mine-1"),
    ];
    let reply = world.client.post("/v1/chat/completions", &headers, chat("small", "x").to_string()).await;
    assert_eq!(reply.header("x-request-id"), "mine-1");
    let seen = &world.inside.requests()[0];
    assert!(!format!("{:?}", seen.headers).contains("caller-secret"));
    for absent in ["cookie", "x-router-tags", "x-hop", "x-api-key", "authorization", "upgrade"] {
        assert_eq!(seen.header(absent), None, "{absent}");
    }
    for (name, value) in [
        ("openai-organization", "org-1"),
        ("anthropic-beta", "some-beta"),
        ("x-custom", "kept"),
        ("accept-encoding", "identity"),
        ("x-request-id", "mine-1"),
    ] {
        assert_eq!(seen.header(name), Some(value), "{name}");
    }
    assert!(seen.header("via").unwrap().starts_with("1.1 xynergy-router-"));
    assert_eq!(seen.header("host"), Some(world.inside.addr().to_string().as_str()));
}

#[tokio::test]
async fn each_provider_gets_its_own_key_in_its_dialects_header() {
    let folder = tempfile::tempdir().unwrap();
    let key = folder.path().join("key");
    std::fs::write(&key, "sk-provider\n").unwrap();
    let world = world().await;
    let with_key = format!("placement = \"internal\"\napi_key = {{ file = \"{}\" }}", key.display());
    world.policy.replace(&world.base_policy().replace("placement = \"internal\"", &with_key));
    until(|| async { world.client.generation().await == 2 }).await;
    let callers = [("authorization", "Bearer caller-secret")];
    for speech in DIALECTS {
        world.client.ask_with(speech, &callers, &speech.body("x", json!({}))).await;
    }
    let [openai, anthropic] = &world.inside.requests()[..] else { panic!("two requests") };
    let credentials = |seen: &router_upstream::RecordedRequest| {
        (seen.header("authorization").map(str::to_owned), seen.header("x-api-key").map(str::to_owned))
    };
    assert_eq!(credentials(openai), (Some("Bearer sk-provider".to_owned()), None));
    assert_eq!(credentials(anthropic), (None, Some("sk-provider".to_owned())));
}

#[tokio::test]
async fn a_provider_error_passes_unchanged_where_nobody_else_can_answer() {
    let world = world().await;
    for speech in DIALECTS {
        for status in [400_u16, 413, 422, 500, 503] {
            world.inside.clear_script();
            world.inside.script(fault(&format!("status-{status}")));
            let body = speech.body("x", json!({}));
            let reply = world.client.ask(speech, &body).await;
            assert_eq!(reply.status, status);
            assert!(reply.json()["error"]["message"].is_string());
            assert_eq!(reply.header("x-router-error"), "", "it is not the router's own");
            assert_eq!(reply.header("x-router-model"), speech.small());
        }
    }
}

#[tokio::test]
async fn a_providers_limits_and_cookies_are_its_own_affair() {
    let world = world().await;
    world.inside.script(fault("rate-limit-headers=7"));
    for speech in DIALECTS {
        let reply = world.client.ask(speech, &speech.body("x", json!({}))).await;
        assert_eq!(reply.status, StatusCode::OK);
        assert!(!format!("{:?}", reply.headers).contains("ratelimit"), "{:?}", reply.headers);
    }
}

#[tokio::test]
async fn a_redirect_is_neither_followed_nor_passed_on() {
    let world = world().await;
    let elsewhere = format!("redirect=http://{}/v1/chat/completions", world.outside.addr());
    world.inside.script(fault(&elsewhere));
    let reply = world.client.chat(chat("small", "x")).await;
    assert_eq!(reply.status, StatusCode::BAD_GATEWAY, "{:?}", reply.headers);
    assert_eq!((reply.header("location"), reply.header("x-router-error")), ("", "upstream_error"));
    assert_eq!(world.outside.stats().calls, 0);
}

#[tokio::test]
async fn an_internal_failure_is_answered_outside() {
    for speech in DIALECTS {
        for name in ["status-503", "status-429", "status-401", "hang-up", "close=0", "short-body", "redirect"]
        {
            let world = world().await;
            world.inside.script(Rule::next(fault(name), 1));
            let reply = world.client.ask(speech, &speech.body_to("auto", name, json!({}))).await;
            assert_eq!(reply.status, StatusCode::OK, "{name}: {}", reply.text());
            assert!(speech.text(&reply.json()).starts_with("[big:"), "{name}");
            assert_eq!(reply.header("x-router-attempts"), "2", "{name}");
            assert_eq!(world.client.metric("retries_total", &[]).await, 1.0);
            assert_eq!(world.client.outcomes("ok").await, 1.0);
        }
    }
}

/// What fails before the caller has seen anything of it can still be mended.
#[tokio::test]
async fn a_stream_that_fails_before_its_first_event_is_answered_outside() {
    for speech in DIALECTS {
        for name in ["status-503", "hang-up", "close=0", "end=0", "rst=0", "close=20B", "error-event=0"] {
            let world = world().await;
            world.inside.script(Rule::next(fault(name), 1));
            let body = speech.body_to("auto", name, json!({"stream": true}));
            let reply = world.client.ask(speech, &body).await;
            assert_eq!(reply.status, StatusCode::OK, "{name}: {}", reply.text());
            assert!(reply.text().contains(speech.terminator()), "{name}");
            assert!(speech.streamed_text(&reply.body).starts_with("[big:"), "{name}");
            assert_eq!(world.client.metric("streams_truncated_total", &[]).await, 0.0, "{name}");
            assert_eq!(world.client.outcomes("ok").await, 1.0);
        }
    }
}

#[tokio::test]
async fn a_caller_at_fault_is_told_so_once() {
    let world = world().await;
    world.inside.script(fault("status-400"));
    for _ in 0..6 {
        assert_eq!(world.client.chat(chat("auto", "hi")).await.status, StatusCode::BAD_REQUEST);
    }
    assert_eq!(world.outside.stats().calls, 0, "nobody else is asked");
    assert_eq!(world.client.metric("breaker_state", &[]).await, 0.0, "nobody is blamed");
    assert_eq!(world.client.outcomes("client_error").await, 6.0);
}

#[tokio::test]
async fn a_model_that_fails_five_times_is_left_alone() {
    let world = world().await;
    world.inside.script(fault("status-500"));
    for _ in 0..5 {
        world.client.chat(chat("auto", "hi")).await;
    }
    let before = world.inside.stats().calls;
    assert_eq!(before, 5);
    let reply = world.client.chat(chat("auto", "hi")).await;
    assert_eq!((reply.status, reply.header("x-router-attempts")), (StatusCode::OK, "1"));
    assert_eq!(world.inside.stats().calls, before);
    assert_eq!(world.client.metric("breaker_state", &["model=\"small\""]).await, 2.0);
    assert_eq!(world.client.metric("health_score", &["model=\"small\""]).await, 0.0);
    let named = world.client.chat(chat("small", "hi")).await;
    assert_eq!(named.status, 500, "the last one standing is always tried");
}

#[tokio::test]
async fn a_plain_answer_cut_short_is_a_502() {
    let world = world().await;
    for speech in DIALECTS {
        for name in ["close", "rst", "short-body", "end", "close=20B", "end=120B"] {
            world.inside.clear_script();
            world.inside.script(fault(name));
            let reply = world.client.ask(speech, &speech.body("x", json!({}))).await;
            assert_eq!(reply.status, StatusCode::BAD_GATEWAY, "{name}: {}", reply.text());
            assert_eq!(reply.header("x-router-error"), "upstream_error");
            assert!(speech.is_error(&reply.json()), "{}", reply.text());
        }
    }
    assert_eq!(world.client.outcomes("upstream_error").await, 12.0);
    // The provider has done the work: what came of it is paid.
    until(|| async { world.client.metric("cost_usd_total", &[]).await > 0.0 }).await;
}

#[tokio::test]
async fn a_silent_provider_is_a_504() {
    let world = world_with(|base| {
        base.replace(
            "connect = \"30s\", first_byte = \"30s\", idle = \"30s\"",
            "connect = \"50ms\", first_byte = \"50ms\", idle = \"50ms\"",
        )
    })
    .await;
    for name in ["slow-headers=3600000", "slow-first-token=3600000", "stall=10B"] {
        world.inside.clear_script();
        world.inside.script(fault(name));
        let reply = world.client.messages(message("small-a", "x", json!({}))).await;
        assert_eq!(reply.status, StatusCode::GATEWAY_TIMEOUT, "{name}: {}", reply.text());
        assert_eq!(reply.header("x-router-error"), "upstream_timeout");
        assert!(Speech::Anthropic.is_error(&reply.json()), "{}", reply.text());
    }
    within(world.inside.wait_for(|stats| stats.cancelled == 3)).await;
}

#[tokio::test]
async fn an_answer_that_never_ends_is_a_504() {
    let world = world_with(|base| base.replace("total = \"120s\"", "total = \"100ms\"")).await;
    world.inside.script(fault("slow-headers=3600000"));
    let reply = world.client.chat(chat("small", "x")).await;
    assert_eq!(reply.status, StatusCode::GATEWAY_TIMEOUT, "{}", reply.text());
}

#[tokio::test]
async fn a_refused_connection_is_a_502_or_somebody_elses_answer() {
    let world = world().await;
    world.inside.refuse().await;
    let reply = world.client.chat(chat("small", "x")).await;
    assert_eq!((reply.status, reply.header("x-router-error")), (StatusCode::BAD_GATEWAY, "upstream_error"));
    assert!(!reply.text().contains(&world.inside.addr().port().to_string()), "no address: {}", reply.text());
    let reply = world.client.chat(chat("auto", "x")).await;
    assert_eq!((reply.status, reply.header("x-router-model")), (StatusCode::OK, "big"));
}

#[tokio::test]
async fn usage_is_asked_for_and_kept_from_who_did_not_ask() {
    let world = world().await;
    let reply = world.client.chat(chat_with("small", "x", json!({"stream": true}))).await;
    assert!(!reply.text().contains("\"choices\":[]"), "{}", reply.text());
    assert!(reply.text().ends_with("data: [DONE]\n\n"));
    assert_eq!(world.inside.requests()[0].json()["stream_options"], json!({"include_usage": true}));
    assert!(world.client.metric("tokens_total", &["model=\"small\"", "type=\"output\""]).await > 0.0);
    assert_eq!(world.client.metric("usage_estimated_total", &[]).await, 0.0);
    let asked = json!({"stream": true, "stream_options": {"include_usage": true}});
    let reply = world.client.chat(chat_with("small", "x", asked)).await;
    assert!(reply.text().contains("\"choices\":[]"), "{}", reply.text());
}

#[tokio::test]
async fn the_policy_may_forbid_to_ask_for_usage() {
    let world = world_with(|base| format!("stream_usage = false\n{base}")).await;
    let reply = world.client.chat(chat_with("small", "x", json!({"stream": true}))).await;
    assert_eq!(reply.status, StatusCode::OK);
    assert_eq!(world.inside.requests()[0].json()["stream_options"], json!(null));
    assert_eq!(world.client.metric("usage_estimated_total", &["model=\"small\""]).await, 1.0);
}

#[tokio::test]
async fn max_tokens_is_clamped_by_a_rule() {
    let world = world_with(|base| base + "[[rules]]\nname = \"short\"\nuse = { max_tokens = 50 }\n").await;
    for limit in [4000, 20] {
        world.client.chat(chat_with("small", "x", json!({"max_tokens": limit}))).await;
    }
    world.client.chat(chat_with("small", "x", json!({"max_completion_tokens": 4000}))).await;
    let seen: Vec<_> = world.inside.requests().iter().map(|seen| seen.json()).collect();
    assert_eq!((&seen[0]["max_tokens"], &seen[1]["max_tokens"]), (&json!(50), &json!(20)));
    assert_eq!(seen[2]["max_completion_tokens"], json!(50));
}

#[tokio::test]
async fn a_loop_is_noticed() {
    let world = world().await;
    world.client.chat(chat("small", "x")).await;
    let via = world.inside.requests()[0].header("via").unwrap().to_owned();
    let reply = world.client.ask_with(Speech::OpenAi, &[("via", &via)], &chat("small", "x")).await;
    assert_eq!(reply.status, StatusCode::LOOP_DETECTED);
    assert_eq!(world.inside.stats().calls, 1);
}

#[tokio::test]
async fn every_endpoint_reaches_a_provider_of_its_dialect() {
    let world = world().await;
    for (path, body) in [
        ("/v1/responses", json!({"model": "auto", "input": "hello"})),
        ("/v1/embeddings", json!({"model": "small", "input": ["a", "b"]})),
        ("/v1/completions", json!({"model": "small", "prompt": "once"})),
        (
            "/v1/messages/count_tokens",
            json!({"model": "auto", "messages": [{"role": "user", "content": "x"}]}),
        ),
    ] {
        let reply = world.client.post(path, &[("anthropic-version", "2023-06-01")], body.to_string()).await;
        assert_eq!(reply.status, StatusCode::OK, "{path}: {}", reply.text());
        assert_eq!(world.inside.requests().last().unwrap().uri.path(), path);
    }
    assert_eq!(world.inside.stats().calls, 4);
}

#[tokio::test]
async fn a_query_passes() {
    let world = world().await;
    let reply =
        world.client.post("/v1/messages?beta=true", &[], message("small-a", "x", json!({})).to_string());
    assert_eq!(reply.await.status, StatusCode::OK);
    assert_eq!(world.inside.requests()[0].uri.query(), Some("beta=true"));
}

#[tokio::test]
async fn http2_is_spoken_both_ways() {
    let world =
        world_with(|base| base.replace("timeouts =", "http2 = \"prior-knowledge\"\ntimeouts =")).await;
    let client = Client::builder(TokioExecutor::new()).http2_only(true).build_http::<Full<Bytes>>();
    for (count, speech) in [(1, Speech::OpenAi), (2, Speech::Anthropic)] {
        let ask = || {
            let body = speech.streamed("x").to_string();
            within(client.request(world.client.request(speech.path(), speech.headers(), body)))
        };
        let response = ask().await.unwrap();
        assert_eq!((response.status(), response.version()), (StatusCode::OK, Version::HTTP_2));
        let body = within(response.into_body().collect()).await.unwrap().to_bytes();
        assert!(speech.streamed_text(&body).starts_with("[small:"));
        assert!(String::from_utf8_lossy(&body).contains(speech.terminator()));
        assert_eq!(world.inside.requests().last().unwrap().version, Version::HTTP_2);
        // Who leaves takes one stream back, not the connection.
        world.inside.script(Rule::next(fault("stall=2"), 1));
        drop(ask().await.unwrap());
        within(world.inside.wait_for(|stats| stats.cancelled == count && stats.in_flight == 0)).await;
        assert_eq!(world.inside.stats().connections_total, count);
    }
}
