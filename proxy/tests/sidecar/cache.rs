//! The same question gets the same answer, in the framing that is asked for; nothing else is ever served.

use http::StatusCode;
use router_upstream::Rule;
use serde_json::{Value, json};

use crate::support::{DIALECTS, Reply, Speech, World, fault, merged, until, world, world_with};

/// A question whose answer may be kept.
fn exact(speech: Speech, prompt: &str, more: Value) -> Value {
    speech.body(prompt, merged(json!({"temperature": 0}), more))
}

/// Asks and expects this of the cache.
async fn expect(world: &World, speech: Speech, body: &Value, cache: &str) -> Reply {
    let reply = world.client.ask(speech, body).await;
    assert_eq!(reply.status, StatusCode::OK, "{}", reply.text());
    assert_eq!(reply.cache(), cache, "{body}");
    reply
}

#[tokio::test]
async fn the_same_question_is_answered_once() {
    let world = world().await;
    for speech in DIALECTS {
        for stream in [false, true] {
            let question = exact(speech, &format!("what? {stream}"), json!({"stream": stream}));
            let calls = world.calls();
            let first = expect(&world, speech, &question, "miss").await;
            let second = expect(&world, speech, &question, "hit").await;
            assert_eq!(world.calls(), calls + 1);
            assert_eq!(first.body, second.body);
            assert_eq!(first.header("content-type"), second.header("content-type"));
            for name in ["x-router-model", "x-router-band", "x-router-complexity"] {
                assert_eq!(first.header(name), second.header(name), "{name}");
            }
            assert_eq!((second.header("x-router-attempts"), second.header("x-router-cost-usd")), ("0", "0"));
        }
    }
    let client = &world.client;
    assert_eq!(client.metric("cache_lookups_total", &["tier=\"exact\"", "result=\"hit\""]).await, 4.0);
    assert_eq!(client.metric("cache_lookups_total", &["result=\"miss\""]).await, 4.0);
    assert_eq!(client.metric("cache_entries", &["tier=\"exact\""]).await, 4.0);
    assert!(client.metric("cache_bytes", &["tier=\"exact\""]).await > 1000.0);
    assert_eq!(client.metric("overhead_seconds_count", &["path=\"hit\""]).await, 4.0);
    assert_eq!(client.outcomes("ok").await, 8.0);
}

#[tokio::test]
async fn a_hit_costs_nothing_and_is_counted_against_the_baseline() {
    let world = world().await;
    let question = exact(Speech::OpenAi, "what?", json!({}));
    expect(&world, Speech::OpenAi, &question, "miss").await;
    let cost = world.client.metric("cost_usd_total", &[]).await;
    let baseline = world.client.metric("baseline_cost_usd_total", &[]).await;
    assert!(cost > 0.0 && baseline > cost);
    expect(&world, Speech::OpenAi, &question, "hit").await;
    assert_eq!(world.client.metric("cost_usd_total", &[]).await, cost);
    assert_eq!(world.client.metric("baseline_cost_usd_total", &[]).await, 2.0 * baseline);
}

#[tokio::test]
async fn the_order_of_keys_and_the_spacing_are_nothing() {
    let world = world().await;
    let ask = |body: &'static str| world.client.post("/v1/chat/completions", &[], body);
    let first = ask(
        r#"{"model":"small","temperature":0,"messages":[{"role":"user","content":"caf\u00e9"}],"x":{"a":1,"b":[1,2]}}"#,
    );
    assert_eq!(first.await.cache(), "miss");
    let second = ask(
        "{\"x\": {\"b\":[1, 2],\"a\":1}, \"messages\": [ {\"content\":\"caf\\u00e9\",\"role\":\"user\"} ],\n\"temperature\": 0, \"model\": \"small\"}",
    );
    assert_eq!(second.await.cache(), "hit");
    let third = ask(
        r#"{"model":"small","temperature":0,"messages":[{"role":"user","content":"caf\u00e9"}],"x":{"a":1,"b":[2,1]}}"#,
    );
    assert_eq!(third.await.cache(), "miss", "the order of a list is something");
}

#[tokio::test]
async fn every_field_but_the_framing_is_part_of_the_question() {
    let world = world().await;
    for speech in DIALECTS {
        let question = exact(speech, "what?", json!({}));
        expect(&world, speech, &question, "miss").await;
        for more in [
            json!({"max_tokens": 201}),
            json!({"top_p": 0.5}),
            json!({"seed": 1}),
            json!({"user": "somebody"}),
            json!({"messages": [{"role": "user", "content": "what? "}]}),
            json!({"messages": [{"role": "user", "content": "What?"}]}),
            json!({"unknown_to_us": null}),
        ] {
            expect(&world, speech, &merged(question.clone(), more), "miss").await;
        }
        let framed = json!({"stream": false});
        expect(&world, speech, &merged(question.clone(), framed), "hit").await;
    }
}

#[tokio::test]
async fn two_models_are_two_questions() {
    let world = world().await;
    for model in ["small", "big", "auto"] {
        let question = Speech::OpenAi.body_to(model, "what?", json!({"temperature": 0}));
        let reply = expect(&world, Speech::OpenAi, &question, "miss").await;
        assert_eq!(reply.json()["model"], if model == "auto" { "small" } else { model });
        expect(&world, Speech::OpenAi, &question, "hit").await;
    }
}

#[tokio::test]
async fn one_entry_serves_both_framings() {
    let world = world().await;
    for speech in DIALECTS {
        for first_streamed in [true, false] {
            let prompt = format!("what? {first_streamed}");
            let question = |stream: bool| exact(speech, &prompt, json!({"stream": stream}));
            let first = expect(&world, speech, &question(first_streamed), "miss").await;
            let calls = world.calls();
            let second = expect(&world, speech, &question(!first_streamed), "hit").await;
            assert_eq!(world.calls(), calls);
            let (streamed, plain) = if first_streamed { (&first, &second) } else { (&second, &first) };
            assert!(streamed.text().contains(speech.terminator()));
            assert!(streamed.header("content-type").starts_with("text/event-stream"));
            assert_eq!(plain.header("content-type"), "application/json");
            let text = speech.text(&plain.json());
            assert_eq!(speech.streamed_text(&streamed.body), text);
            assert!(text.starts_with("[small:"), "{text}");
            assert!(plain.json()["usage"].is_object(), "{}", plain.text());
        }
    }
}

#[tokio::test]
async fn a_stored_stream_has_its_usage_for_those_who_ask() {
    let world = world().await;
    let with = |more: Value| exact(Speech::OpenAi, "what?", merged(json!({"stream": true}), more));
    let unasked = expect(&world, Speech::OpenAi, &with(json!({})), "miss").await;
    let asked = with(json!({"stream_options": {"include_usage": true}}));
    let asked = expect(&world, Speech::OpenAi, &asked, "hit").await;
    assert!(!unasked.text().contains("\"choices\":[]"));
    assert!(asked.text().contains("\"choices\":[]"), "{}", asked.text());
    assert_eq!(world.calls(), 1);
}

#[tokio::test]
async fn the_caller_may_keep_out_of_it() {
    let world = world().await;
    let question = exact(Speech::OpenAi, "what?", json!({}));
    let ask = async |name: &str, value: &str| {
        world.client.ask_with(Speech::OpenAi, &[(name, value)], &question).await.cache().to_owned()
    };
    assert_eq!(ask("cache-control", "no-store").await, "bypass");
    assert_eq!(ask("x-router-cache-ttl", "0").await, "miss", "it may be read, not kept");
    assert_eq!(ask("cache-control", "no-cache").await, "bypass", "neither was stored");
    assert_eq!(world.calls(), 3);
    assert_eq!(ask("accept", "*/*").await, "hit", "no-cache is about reading");
    assert_eq!(ask("cache-control", "no-cache").await, "bypass");
    assert_eq!(ask("cache-control", "private, No-Store").await, "bypass");
    assert_eq!(world.calls(), 5);
    assert_eq!(ask("x-router-cache-ttl", "3600").await, "hit");
}

#[tokio::test]
async fn an_entry_gets_old() {
    let world = world_with(|base| base + "[cache]\nttl = \"30ms\"\n").await;
    let question = exact(Speech::OpenAi, "what?", json!({}));
    expect(&world, Speech::OpenAi, &question, "miss").await;
    until(|| async { world.client.ask(Speech::OpenAi, &question).await.cache() == "miss" }).await;
    assert!(world.calls() >= 2);
    // The policy's limit holds against a caller who wants more.
    let longer = [("x-router-cache-ttl", "3600")];
    let ask = async || world.client.ask_with(Speech::OpenAi, &longer, &question).await;
    until(|| async { ask().await.cache() == "miss" }).await;
    until(|| async { ask().await.cache() == "miss" }).await;
}

#[tokio::test]
async fn only_a_stated_zero_is_zero() {
    let world = world().await;
    for speech in DIALECTS {
        for more in
            [json!({}), json!({"temperature": null}), json!({"temperature": 0.1}), json!({"temperature": 1})]
        {
            let question = speech.body("what?", more);
            expect(&world, speech, &question, "bypass").await;
            expect(&world, speech, &question, "bypass").await;
        }
        for zero in ["0", "0.0", "-0", "0e5"] {
            let body = speech.body("zero?", json!({"temperature": 77})).to_string().replace("77", zero);
            let reply = world.client.post(speech.path(), speech.headers(), body).await;
            assert_ne!(reply.cache(), "bypass", "{zero}");
        }
    }
}

#[tokio::test]
async fn a_body_that_can_be_read_in_two_ways_is_not_kept() {
    let world = world().await;
    for body in [
        r#"{"model":"small","temperature":0,"temperature":0,"messages":[{"role":"user","content":"a"}]}"#,
        r#"{"model":"small","temperature":0,"messages":[{"role":"user","content":"a","content":"b"}]}"#,
        r#"{"model":"small","temperature":0,"t\u0065mperature":0,"messages":[{"role":"user","content":"a"}]}"#,
    ] {
        for _ in 0..2 {
            let reply = world.client.post("/v1/chat/completions", &[], body).await;
            assert_eq!((reply.status, reply.cache()), (StatusCode::OK, "bypass"), "{body}");
        }
    }
    assert_eq!(world.calls(), 6);
    assert_eq!(world.client.metric("cache_entries", &[]).await, 0.0);
}

#[tokio::test]
async fn several_choices_are_not_kept() {
    let world = world().await;
    let question = exact(Speech::OpenAi, "what?", json!({"n": 2}));
    expect(&world, Speech::OpenAi, &question, "bypass").await;
    expect(&world, Speech::OpenAi, &question, "bypass").await;
}

/// Whatever is not a whole answer is asked for again.
#[tokio::test]
async fn only_whole_answers_are_kept() {
    let world = world().await;
    for speech in DIALECTS {
        for stream in [false, true] {
            for name in [
                "status-400",
                "status-500",
                "status-429",
                "error-event=2",
                "length",
                "empty",
                "refusal-field",
                "garbage",
                "close=3",
                "end=3",
                "no-terminator",
            ] {
                if name == "no-terminator" && !stream {
                    continue;
                }
                let question = exact(speech, &format!("{name} {stream}"), json!({"stream": stream}));
                // Always: what fails before the caller has seen any of it is tried once more.
                world.inside.script(fault(name));
                let spoilt = world.client.ask(speech, &question).await;
                // A refusal of the router itself says nothing of the cache.
                assert!(["miss", ""].contains(&spoilt.cache()), "{name}: {:?}", spoilt.headers);
                world.inside.clear_script();
                expect(&world, speech, &question, "miss").await;
                expect(&world, speech, &question, "hit").await;
            }
        }
    }
}

#[tokio::test]
async fn an_answer_that_reached_its_limit_is_not_kept() {
    let world = world().await;
    for speech in DIALECTS {
        let question = exact(speech, "tell me", json!({"max_tokens": 3}));
        expect(&world, speech, &question, "miss").await;
        expect(&world, speech, &question, "miss").await;
    }
}

#[tokio::test]
async fn a_tool_call_is_not_kept() {
    let world = world().await;
    let parameters = json!({"type": "object", "properties": {"city": {"type": "string"}}});
    for (speech, tool) in [
        (
            Speech::OpenAi,
            json!({"type": "function", "function": {"name": "get_weather", "parameters": parameters}}),
        ),
        (Speech::Anthropic, json!({"name": "get_weather", "input_schema": parameters})),
    ] {
        for stream in [false, true] {
            let question = exact(speech, "the weather?", json!({"tools": [tool], "stream": stream}));
            let reply = expect(&world, speech, &question, "miss").await;
            assert!(reply.text().contains("get_weather"), "{}", reply.text());
            expect(&world, speech, &question, "miss").await;
        }
    }
}

#[tokio::test]
async fn a_caller_who_leaves_leaves_nothing_behind() {
    let world = world().await;
    world.inside.script(Rule::next(fault("stall=3"), 1));
    let question = exact(Speech::OpenAi, "what?", json!({"stream": true}));
    let mut stream = world.client.stream(Speech::OpenAi, &question).await;
    stream.read(1).await;
    drop(stream);
    until(|| async { world.client.outcomes("cancelled").await == 1.0 }).await;
    expect(&world, Speech::OpenAi, &question, "miss").await;
}

#[tokio::test]
async fn a_rule_may_widen_or_close_it() {
    let world = world_with(|base| {
        base + "[[rules]]\nname = \"widened\"\nwhen = { tags = { kind = \"faq\" } }\nuse = { cache = { any_temperature = true } }\n\
            [[rules]]\nname = \"closed\"\nwhen = { tags = { kind = \"secret\" } }\nuse = { cache = false }\n"
    })
    .await;
    let warm = Speech::OpenAi.body("what?", json!({"temperature": 0.7}));
    let cold = exact(Speech::OpenAi, "what?", json!({}));
    let ask = async |tags: &str, question: &Value| {
        let reply = world.client.ask_with(Speech::OpenAi, &[("x-router-tags", tags)], question).await;
        (reply.cache().to_owned(), reply.header("x-router-rule").to_owned())
    };
    let is = |cache: &str, rule: &str| (cache.to_owned(), rule.to_owned());
    assert_eq!(ask("kind=faq", &warm).await, is("miss", "widened"));
    assert_eq!(ask("kind=faq", &warm).await, is("hit", "widened"));
    assert_eq!(ask("kind=other", &warm).await, is("bypass", ""));
    for _ in 0..2 {
        assert_eq!(ask("kind=secret", &cold).await, is("bypass", "closed"));
    }
    assert_eq!(ask("kind=faq", &cold).await, is("miss", "widened"), "what a rule decided is its own");
}

#[tokio::test]
async fn the_policy_may_do_without() {
    let world = world_with(|base| base + "[cache]\nenabled = false\n").await;
    let question = exact(Speech::OpenAi, "what?", json!({}));
    expect(&world, Speech::OpenAi, &question, "bypass").await;
    expect(&world, Speech::OpenAi, &question, "bypass").await;
}

#[tokio::test]
async fn a_demanded_placement_is_part_of_the_question() {
    let world = world().await;
    let big = Speech::OpenAi.body_to("big", "what?", json!({"temperature": 0}));
    expect(&world, Speech::OpenAi, &big, "miss").await;
    let inside = [("x-router-placement", "internal")];
    let reply = world.client.ask_with(Speech::OpenAi, &inside, &big).await;
    assert_eq!(reply.status, StatusCode::FORBIDDEN, "not even from the cache");
    let auto = Speech::OpenAi.body_to("auto", "what?", json!({"temperature": 0}));
    world.inside.script(Rule::next(fault("status-503"), 1));
    let outside = expect(&world, Speech::OpenAi, &auto, "miss").await;
    assert_eq!(outside.header("x-router-placement"), "external");
    let reply = world.client.ask_with(Speech::OpenAi, &inside, &auto).await;
    assert_eq!((reply.cache(), reply.header("x-router-placement")), ("miss", "internal"));
}

#[tokio::test]
async fn embeddings_are_kept() {
    let world = world().await;
    let body = json!({"model": "small", "input": ["a", "b"]}).to_string();
    for cache in ["miss", "hit"] {
        let reply = world.client.post("/v1/embeddings", &[], body.clone()).await;
        assert_eq!((reply.cache(), reply.json()["data"].as_array().unwrap().len()), (cache, 2));
    }
}

#[tokio::test]
async fn an_answer_too_large_for_the_cache_passes() {
    let world = world_with(|base| base + "[cache]\nmax_bytes = \"4KiB\"\n").await;
    for speech in DIALECTS {
        let question = exact(speech, "what?", json!({"stream": true}));
        for _ in 0..2 {
            let reply = expect(&world, speech, &question, "miss").await;
            assert!(reply.text().contains(speech.terminator()));
        }
    }
}

#[tokio::test]
async fn a_stale_answer_is_served_while_a_fresh_one_is_fetched() {
    let policy = |base| {
        format!("{base}\n[cache]\nttl = \"1ms\"\nmax_ttl = \"1ms\"\nstale_while_revalidate = \"1h\"\n")
    };
    let world = world_with(policy).await;
    let question = exact(Speech::OpenAi, "what?", json!({}));
    expect(&world, Speech::OpenAi, &question, "miss").await;
    // It is stale a millisecond after it was stored; every hit from then on lets one fresh one be fetched.
    until(|| async {
        expect(&world, Speech::OpenAi, &question, "hit").await;
        world.client.metric("errands_total", &["purpose=\"refresh\"", "result=\"made\""]).await >= 2.0
    })
    .await;
    assert!(world.calls() >= 2);
    assert_eq!(world.client.metric("cache_entries", &["tier=\"exact\""]).await, 1.0);
    let misses = world.client.metric("cache_lookups_total", &["tier=\"exact\"", "result=\"miss\""]).await;
    assert_eq!(misses, 1.0, "no caller waited for a refresh");
}

async fn purge(world: &World, what: Value) -> u64 {
    let reply = world.client.admin(http::Method::POST, "/cache/purge", &what.to_string()).await;
    assert_eq!(reply.status, StatusCode::OK, "{}", reply.text());
    reply.json()["removed"].as_u64().unwrap()
}

#[tokio::test]
async fn what_is_purged_is_asked_anew() {
    let policy = |base| format!("{base}\n[cache]\nsemantic = true\nshadow = 0.0\n");
    let world = world_with(policy).await;
    let client = &world.client;
    let fill = async || {
        for (model, tag) in [("small", "job=a"), ("small", "job=b"), ("big", "kind=x")] {
            let body = exact(Speech::OpenAi, "How do I reset my password?", json!({"model": model}));
            client.post("/v1/chat/completions", &[("x-router-tags", tag)], body.to_string()).await;
        }
    };
    // Tags are no part of the question: two tags, one entry, under the tags of who asked first.
    for (what, expected) in [
        (json!({"tag": "job=b"}), 0),
        (json!({"tag": "job=a"}), 1),
        (json!({"tag": "kind"}), 1),
        (json!({"model": "small"}), 1),
        (json!({"model": "big", "tag": "job"}), 0),
        (json!({"older_than": "1h"}), 0),
        (json!({"older_than": "0s"}), 2),
        (json!({}), 2),
    ] {
        fill().await;
        let before = client.metric("cache_entries", &["tier=\"semantic\""]).await;
        assert_eq!(before, 2.0);
        assert_eq!(purge(&world, what.clone()).await, expected, "{what}");
        let near = client.metric("cache_entries", &["tier=\"semantic\""]).await;
        assert_eq!(near, 2.0 - expected as f64, "{what}: near hits go, too");
    }
    for (wrong, field) in [
        (json!({"tenant": "nobody"}), "no tenant 'nobody'"),
        (json!({"model": "none"}), "no model 'none'"),
        (json!({"older_than": "soon"}), "duration"),
        (json!({"tenants": "x"}), "older_than"),
    ] {
        let reply = client.admin(http::Method::POST, "/cache/purge", &wrong.to_string()).await;
        assert_eq!(reply.status, StatusCode::BAD_REQUEST);
        assert!(reply.text().contains(field), "{}", reply.text());
    }
}

#[tokio::test]
async fn a_warm_cache_answers_at_once() {
    let world = world_with(|base| format!("{base}\n[cache]\nsemantic = true\nshadow = 0.0\n")).await;
    let answer = json!({"id": "c", "object": "chat.completion", "created": 1, "model": "small", "usage": {"prompt_tokens": 3, "completion_tokens": 1, "total_tokens": 4},
        "choices": [{"index": 0, "message": {"role": "assistant", "content": "Paris."}, "finish_reason": "stop"}]});
    let question = exact(Speech::OpenAi, "What is the capital of France?", json!({}));
    let unfinished = {
        let mut answer = answer.clone();
        answer["choices"][0]["finish_reason"] = json!("length");
        answer
    };
    let lines = [
        json!({"request": question, "response": answer}).to_string(),
        "no JSON".to_owned(),
        String::new(),
        json!({"request": question, "response": unfinished}).to_string(),
        json!({"request": Speech::OpenAi.body("hot", json!({})), "response": answer}).to_string(),
        json!({"request": question}).to_string(),
        json!({"request": question, "response": answer, "tenant": "x"}).to_string(),
    ]
    .join("\n");
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("pairs.jsonl");
    std::fs::write(&file, &lines).unwrap();
    let url = format!("http://{}", world.sidecar.admin());
    let path = file.to_str().unwrap().to_owned();
    let run = move || crate::support::run(&["cache", "warm", &path, "--url", &url, "--json"], "");
    let run = tokio::task::spawn_blocking(run).await.unwrap();
    assert_eq!(run.code, 1, "{}", run.stderr);
    assert_eq!(run.stdout.trim(), r#"{"errors":5,"stored":1}"#);
    for (line, complaint) in [
        (2, "expected"),
        (4, "not a complete answer: finished by Length"),
        (5, "must state temperature 0"),
        (6, "missing field `response`"),
        (7, "no tenant 'x'"),
    ] {
        let place = format!("pairs.jsonl:{line}: error: ");
        let found = run.stderr.lines().find(|said| said.contains(&place)).unwrap_or_default();
        assert!(found.contains(complaint), "{line}: {}", run.stderr);
    }
    let reply = expect(&world, Speech::OpenAi, &question, "hit").await;
    assert!(reply.text().contains("Paris."));
    let other = exact(Speech::OpenAi, "what is France's capital", json!({"stream": true}));
    expect(&world, Speech::OpenAi, &other, "near").await;
    assert_eq!(world.calls(), 0);
}
