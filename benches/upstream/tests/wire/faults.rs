//! Every fault, seen from outside.

use std::time::Duration;

use http_body_util::BodyExt;
use router_upstream::{Delay, Fault, Offset, Rule, Upstream};
use serde_json::{Value, json};
use tokio::net::TcpStream;
use tokio::time::Instant;

use crate::client::{Client, Received, joined};

const CHAT: &str = "/v1/chat/completions";
const MESSAGES: &str = "/v1/messages";
const CONTENT: &str = "/choices/0/message/content";

fn plain() -> Value {
    json!({"model": "small", "messages": [{"role": "user", "content": "The weather?"}], "max_tokens": 100})
}

fn stream() -> Value {
    let mut body = plain();
    body["stream"] = json!(true);
    body["stream_options"] = json!({"include_usage": true});
    body
}

/// What a chat request with this fault gets, asked for by header.
async fn chat(fault: &str, body: &Value) -> Received {
    let upstream = Upstream::start().await.unwrap();
    Client::of(&upstream).fault(fault).post(CHAT, body).await
}

async fn messages(fault: &str, body: &Value) -> Received {
    let upstream = Upstream::start().await.unwrap();
    Client::of(&upstream).fault(fault).post(MESSAGES, body).await
}

#[tokio::test]
async fn every_way_to_ask_for_a_fault_works() {
    let upstream = Upstream::start().await.unwrap();
    let client = Client::of(&upstream);
    let status = async |client: &Client, body: &Value| client.post(CHAT, body).await.status.as_u16();
    let mut suffixed = plain();
    suffixed["model"] = json!("small@status_503");
    assert_eq!(status(&client, &suffixed).await, 503);
    assert_eq!(status(&Client::of(&upstream).fault("status-500"), &plain()).await, 500);
    upstream.script(Rule::next(Fault::Status { code: 529, retry_after_seconds: None }, 1));
    assert_eq!(status(&client, &plain()).await, 529);
    let order = json!({"fault": "status-404", "times": 1, "path": CHAT});
    assert_eq!(client.post("/__script", &order).await.status, 200);
    assert_eq!(status(&client, &plain()).await, 404);
    assert_eq!(status(&client, &plain()).await, 200);
}

#[tokio::test]
async fn a_misspelt_fault_is_an_error_and_not_a_success() {
    let upstream = Upstream::start().await.unwrap();
    assert_eq!(Client::of(&upstream).fault("rts").post(CHAT, &plain()).await.status, 400);
    let mut suffixed = plain();
    suffixed["model"] = json!("small@rts");
    assert_eq!(Client::of(&upstream).post(CHAT, &suffixed).await.status, 400);
    let order = json!({"fault": "rts"});
    assert_eq!(Client::of(&upstream).post("/__script", &order).await.status, 400);
    let order = json!({"fualt": "rst"});
    assert_eq!(Client::of(&upstream).post("/__script", &order).await.status, 400);
}

#[tokio::test]
async fn the_model_is_named_without_its_fault() {
    let upstream = Upstream::start().await.unwrap();
    let mut body = plain();
    body["model"] = json!("small@crlf");
    assert_eq!(Client::of(&upstream).post(CHAT, &body).await.json()["model"], "small");
}

#[tokio::test]
async fn statuses_carry_the_dialects_error() {
    let openai = [
        (400, "invalid_request_error", Value::Null),
        (401, "invalid_request_error", json!("invalid_api_key")),
        (404, "invalid_request_error", json!("model_not_found")),
        (429, "requests", json!("rate_limit_exceeded")),
        (500, "server_error", Value::Null),
        (503, "service_unavailable_error", Value::Null),
    ];
    for (status, kind, code) in openai {
        let received = chat(&format!("status-{status}"), &plain()).await;
        let error = received.json()["error"].clone();
        assert_eq!((received.status.as_u16(), &error["type"], &error["code"]), (status, &json!(kind), &code));
    }
    let anthropic = [
        (401, "authentication_error"),
        (429, "rate_limit_error"),
        (500, "api_error"),
        (529, "overloaded_error"),
    ];
    for (status, kind) in anthropic {
        let received = messages(&format!("status-{status}"), &plain()).await;
        assert_eq!((received.status.as_u16(), &received.json()["error"]["type"]), (status, &json!(kind)));
    }
    assert_eq!(chat("status-429=20", &plain()).await.header("retry-after"), "20");
}

#[tokio::test]
async fn breaks_in_the_middle_are_seen_as_breaks() {
    let whole = chat("", &stream()).await;
    for fault in ["rst", "close"] {
        let received = chat(&format!("{fault}=3"), &stream()).await;
        assert!(received.broken, "{fault}");
        assert_eq!(received.events(), whole.events()[..3], "{fault}");
        let received = chat(&format!("{fault}=100B"), &stream()).await;
        assert!(received.broken);
        assert_eq!(received.bytes(), whole.bytes()[..100], "{fault}");
        let received = chat(&format!("{fault}=2"), &plain()).await;
        assert!(received.broken && received.header("content-length").parse::<usize>().unwrap() > 0);
    }
}

#[tokio::test]
async fn every_offset_of_a_stream_can_be_cut() {
    let upstream = Upstream::builder().answer_tokens(8).start().await.unwrap();
    let whole = Client::of(&upstream).post(CHAT, &stream()).await.bytes();
    for offset in (0..whole.len()).step_by(97) {
        let client = Client::of(&upstream).fault(&format!("rst={offset}B"));
        let received = client.post(CHAT, &stream()).await;
        assert!(received.broken && received.bytes() == whole[..offset], "offset {offset}");
    }
}

#[tokio::test]
async fn a_reset_is_a_reset_and_a_close_is_not() {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    let upstream = Upstream::start().await.unwrap();
    for (fault, reset) in [("rst", true), ("close", false), ("hang-up", false), ("rst-on-accept", true)] {
        let body = stream().to_string();
        let mut socket = TcpStream::connect(upstream.addr()).await.unwrap();
        let head = format!("POST {CHAT} HTTP/1.1\r\nhost: a\r\nx-upstream-fault: {fault}\r\n");
        let request = format!("{head}content-length: {}\r\n\r\n{body}", body.len());
        socket.write_all(request.as_bytes()).await.unwrap();
        let mut received = Vec::new();
        let end = socket.read_to_end(&mut received).await;
        assert_eq!(end.is_err(), reset, "{fault}: {end:?}");
        assert!(!received.ends_with(b"0\r\n\r\n"), "{fault}");
    }
}

#[tokio::test]
async fn an_early_end_looks_orderly() {
    let received = chat("end=3", &stream()).await;
    assert!(!received.broken);
    assert_eq!(received.data().len(), 3);
    let received = chat("end", &plain()).await;
    assert!(!received.broken && serde_json::from_slice::<Value>(&received.bytes()).is_err());
}

#[tokio::test]
async fn a_missing_terminator_is_all_that_is_missing() {
    let received = chat("no-terminator", &stream()).await;
    assert!(!received.broken && !received.text().contains("[DONE]"));
    assert!(received.events().last().unwrap()["usage"].is_object());
    let received = messages("no-terminator", &stream()).await;
    assert_eq!(received.events().last().unwrap()["type"], "message_delta");
}

#[tokio::test]
async fn a_stall_lasts_until_the_client_leaves() {
    let upstream = Upstream::start().await.unwrap();
    let response = Client::of(&upstream).fault("stall=2").open(CHAT, &stream()).await.unwrap();
    let mut body = response.into_body();
    for _ in 0..2 {
        assert!(body.frame().await.unwrap().is_ok());
    }
    assert_eq!(upstream.stats().in_flight, 1);
    drop(body);
    assert_eq!(upstream.wait_for(|stats| stats.in_flight == 0).await.cancelled, 1);
}

#[tokio::test]
async fn connections_break_before_an_answer() {
    let upstream = Upstream::start().await.unwrap();
    for fault in ["hang-up", "rst-on-accept"] {
        assert!(Client::of(&upstream).fault(fault).open(CHAT, &plain()).await.is_err(), "{fault}");
    }
    assert_eq!(upstream.stats().cut, 2);
    upstream.script(Rule::next(Fault::ResetOnAccept, 2));
    for _ in 0..2 {
        assert!(Client::of(&upstream).open(CHAT, &plain()).await.is_err());
    }
    assert_eq!(Client::of(&upstream).post(CHAT, &plain()).await.status, 200);
    assert_eq!(upstream.stats().calls, 3);
}

#[tokio::test]
async fn connections_are_refused_and_then_taken_again() {
    let upstream = Upstream::start().await.unwrap();
    let held = Client::of(&upstream).fault("stall").open(CHAT, &stream()).await.unwrap();
    upstream.refuse().await;
    assert_eq!(upstream.stats().connections_open, 0);
    assert!(Received::whole(held).await.broken);
    let refused = TcpStream::connect(upstream.addr()).await.unwrap_err();
    assert_eq!(refused.kind(), std::io::ErrorKind::ConnectionRefused);
    upstream.accept().await;
    assert_eq!(Client::of(&upstream).post(CHAT, &plain()).await.status, 200);
}

#[tokio::test]
async fn a_refusal_by_name_ends_by_itself() {
    let upstream = Upstream::start().await.unwrap();
    assert!(Client::of(&upstream).fault("refuse=20").open(CHAT, &plain()).await.is_err());
    // Refused until it listens again by itself; there is nothing to wait on but the port.
    while TcpStream::connect(upstream.addr()).await.is_err() {
        tokio::task::yield_now().await;
    }
    assert_eq!(Client::of(&upstream).post(CHAT, &plain()).await.status, 200);
}

#[tokio::test]
async fn an_error_event_replaces_the_rest() {
    let received = chat("error-event=3", &stream()).await;
    assert_eq!(received.status, 200);
    let events = received.events();
    assert_eq!((events.len(), &events[3]["error"]["type"]), (4, &json!("server_error")));
    let events = messages("error-event=3", &stream()).await.events();
    assert_eq!((events.len(), &events[3]["error"]["type"]), (4, &json!("overloaded_error")));
    let upstream = Upstream::start().await.unwrap();
    let body = json!({"model": "small", "input": "Why?", "stream": true});
    let events = Client::of(&upstream).fault("error-event=4").post("/v1/responses", &body).await.events();
    assert_eq!((&events[4]["type"], &events[4]["sequence_number"]), (&json!("error"), &json!(4)));
    assert!(events[4]["error"]["message"].is_string());
    assert!(chat("error-event", &plain()).await.json()["error"].is_object());
}

#[tokio::test]
async fn bytes_that_are_not_text_arrive() {
    for body in [plain(), stream()] {
        let received = chat("invalid-utf8", &body).await;
        assert!(String::from_utf8(received.bytes()).is_err() && !received.broken);
        let received = messages("invalid-utf8", &body).await;
        assert!(String::from_utf8(received.bytes()).is_err() && !received.broken);
    }
}

#[tokio::test]
async fn an_event_can_be_of_any_size() {
    let received = chat("oversize-event=100000", &stream()).await;
    let largest = received.data().iter().map(String::len).max().unwrap();
    assert!((100_000..101_000).contains(&largest));
    assert!(chat("oversize-event=100000", &plain()).await.bytes().len() > 100_000);
}

#[tokio::test]
async fn a_body_falls_short_of_its_length() {
    let received = chat("short-body=7", &plain()).await;
    assert!(received.broken);
    assert_eq!(received.header("content-length").parse::<usize>().unwrap(), received.bytes().len() + 7);
}

#[tokio::test]
async fn content_can_be_missing_declined_or_cut() {
    let text = |received: &Received| received.json().pointer(CONTENT).cloned().unwrap_or_default();
    assert_eq!(text(&chat("empty", &plain()).await), "");
    assert_eq!(messages("empty", &plain()).await.json()["content"], json!([]));
    assert!(text(&chat("refusal", &plain()).await).as_str().unwrap().starts_with("I'm sorry"));
    let declined = chat("refusal-field", &plain()).await.json();
    assert!(declined["choices"][0]["message"]["refusal"].is_string());
    assert_eq!(messages("refusal-field", &plain()).await.json()["stop_reason"], "refusal");
    assert_eq!(chat("length", &plain()).await.json()["choices"][0]["finish_reason"], "length");
    assert_eq!(messages("length", &plain()).await.json()["stop_reason"], "max_tokens");
}

#[tokio::test]
async fn json_and_arguments_break() {
    let mut asked = plain();
    asked["response_format"] = json!({"type": "json_object"});
    let whole = chat("", &asked).await.json();
    assert!(serde_json::from_str::<Value>(whole.pointer(CONTENT).unwrap().as_str().unwrap()).is_ok());
    let broken = chat("invalid-json", &asked).await.json();
    assert!(serde_json::from_str::<Value>(broken.pointer(CONTENT).unwrap().as_str().unwrap()).is_err());

    let schema = json!({"type": "object", "properties": {"city": {"type": "string"}}});
    let mut asked = plain();
    asked["tools"] = json!([{"type": "function", "function": {"name": "get_weather", "parameters": schema}}]);
    let call = "/choices/0/message/tool_calls/0/function/arguments";
    let broken = chat("invalid-arguments", &asked).await.json();
    assert!(serde_json::from_str::<Value>(broken.pointer(call).unwrap().as_str().unwrap()).is_err());
    asked["tools"] = json!([{"name": "get_weather", "input_schema": schema}]);
    let broken = messages("invalid-arguments", &asked).await.json();
    assert_eq!(broken["content"][0]["input"], json!({"unexpected": true}));
    asked["stream"] = json!(true);
    let events = messages("invalid-arguments", &asked).await.events();
    assert!(serde_json::from_str::<Value>(&joined(&events, "/delta/partial_json")).is_err());
}

#[tokio::test]
async fn something_else_entirely_is_answered() {
    let page = chat("garbage", &stream()).await;
    assert_eq!((page.status.as_u16(), page.header("content-type")), (200, "text/html"));
    let away = chat("redirect", &plain()).await;
    assert_eq!((away.status.as_u16(), away.header("location")), (302, "http://127.0.0.1:9/elsewhere"));
    let away = chat("redirect=http://127.0.0.1:1/there", &plain()).await;
    assert_eq!(away.header("location"), "http://127.0.0.1:1/there");
}

#[tokio::test]
async fn framing_varies_without_changing_the_content() {
    let whole = chat("", &stream()).await;
    let crlf = chat("crlf", &stream()).await;
    assert!(!crlf.text().replace("\r\n", "").contains('\n'));
    assert_eq!(crlf.data(), whole.data());
    let split = chat("split", &stream()).await;
    assert!(split.chunks.iter().all(|chunk| chunk.len() == 1));
    assert_eq!(split.bytes(), whole.bytes());
    let both = chat("crlf,split=7", &stream()).await;
    assert!(both.data() == whole.data() && both.chunks.len() > 100);
}

#[tokio::test]
async fn counts_are_missing_or_absurd() {
    let counted = |received: Received| received.json()["usage"]["prompt_tokens"].clone();
    assert!(chat("no-usage", &plain()).await.json().get("usage").is_none());
    assert!(chat("no-usage", &stream()).await.events().iter().all(|event| !event["usage"].is_object()));
    assert!(messages("no-usage", &stream()).await.events().iter().all(|event| event.get("usage").is_none()));
    assert_eq!(counted(chat("negative-usage", &plain()).await), -7);
    assert_eq!(counted(chat("huge-usage", &plain()).await), i64::MAX);
    let huge = messages("huge-usage", &plain()).await.json();
    assert_eq!(huge["usage"]["output_tokens"], i64::MAX);
}

#[tokio::test]
async fn headers_say_what_is_left_or_nothing_at_length() {
    let left = chat("rate-limit-headers=3", &plain()).await;
    assert_eq!(left.header("x-ratelimit-remaining-requests"), "3");
    assert_eq!(left.header("x-ratelimit-remaining-tokens"), "1200");
    let left = messages("rate-limit-headers", &plain()).await;
    assert_eq!(left.header("anthropic-ratelimit-requests-remaining"), "0");
    assert!(left.header("anthropic-ratelimit-requests-reset").ends_with('Z'));
    let padded = chat("huge-headers=40000", &plain()).await;
    assert_eq!(padded.header("x-padding-d").len(), 10_000);
}

/// How long the headers and the rest of an answer took, in a runtime whose clock jumps over waits.
async fn timed(upstream: &Upstream, fault: &str, body: &Value) -> (Duration, Duration) {
    let start = Instant::now();
    let response = Client::of(upstream).fault(fault).open(CHAT, body).await.unwrap();
    let headers = start.elapsed();
    Received::whole(response).await;
    (headers, start.elapsed() - headers)
}

fn rounded(wait: Duration) -> u128 {
    (wait.as_millis() + 5) / 10 * 10
}

#[tokio::test(start_paused = true)]
async fn answers_take_the_time_they_are_told_to() {
    let delay = Delay {
        first_token: Duration::from_millis(300),
        per_output_token: Duration::from_millis(10),
        ..Delay::ZERO
    };
    let upstream = Upstream::builder().delay(delay).answer_tokens(11).chunk_tokens(1).start().await.unwrap();
    let (headers, body) = timed(&upstream, "", &stream()).await;
    assert_eq!((rounded(headers), rounded(body)), (300, 100));
    let (headers, body) = timed(&upstream, "", &plain()).await;
    assert_eq!((rounded(headers), rounded(body)), (400, 0));
    let (headers, body) = timed(&upstream, "slow", &stream()).await;
    assert_eq!((rounded(headers), rounded(body)), (3_000, 1_000));
    let (headers, body) = timed(&upstream, "slow-headers=500", &stream()).await;
    assert_eq!((rounded(headers), rounded(body)), (800, 100));
    let (headers, body) = timed(&upstream, "slow-first-token=500", &stream()).await;
    assert_eq!((rounded(headers), rounded(body)), (300, 600));
    let (headers, _) = timed(&upstream, "status-500", &stream()).await;
    assert_eq!(rounded(headers), 0);

    let early = Upstream::builder().delay(delay).answer_tokens(11).chunk_tokens(1).early_headers(true);
    let (headers, body) = timed(&early.start().await.unwrap(), "", &stream()).await;
    assert_eq!((rounded(headers), rounded(body)), (0, 400));
}

#[tokio::test]
async fn faults_reach_http2_as_well() {
    let upstream = Upstream::start().await.unwrap();
    let client = |fault: &str| Client::of(&upstream).http2().fault(fault);
    let whole = client("").post(CHAT, &stream()).await;
    assert_eq!(whole.data().last().unwrap(), "[DONE]");
    for fault in ["rst=3", "close=3"] {
        let received = client(fault).post(CHAT, &stream()).await;
        assert!(received.broken && received.data().len() <= 3, "{fault}");
    }
    assert!(!client("end=3").post(CHAT, &stream()).await.broken);
    assert!(client("short-body").post(CHAT, &plain()).await.broken);
    assert!(client("hang-up").open(CHAT, &plain()).await.is_err());
    let response = client("stall=2").open(CHAT, &stream()).await.unwrap();
    drop(response);
    assert_eq!(upstream.wait_for(|stats| stats.in_flight == 0).await.cancelled, 1);
}

#[tokio::test]
async fn offsets_come_from_the_library_too() {
    let upstream = Upstream::builder().script(Fault::End(Offset::Frames(1))).start().await.unwrap();
    assert_eq!(Client::of(&upstream).post(CHAT, &stream()).await.data().len(), 1);
    upstream.clear_script();
    assert!(Client::of(&upstream).post(CHAT, &stream()).await.text().ends_with("[DONE]\n\n"));
}
