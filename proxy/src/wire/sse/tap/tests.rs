use bytes::Bytes;
use proptest::prelude::*;

use super::{Ending, FrameKind, Tap};
use crate::wire::finish::Finish;
use crate::wire::reading::Reading;
use crate::wire::sse::{Frame, Leftover, Splitter};
use crate::wire::usage::UsageFault;

const CHAT: &str = r#"data: {"id":"c1","object":"chat.completion.chunk","created":7,"model":"m","choices":[{"index":0,"delta":{"role":"assistant","content":"","refusal":null},"logprobs":null,"finish_reason":null}],"usage":null}

data: {"id":"c1","object":"chat.completion.chunk","created":7,"model":"m","choices":[{"index":0,"delta":{"content":"Gr\u00fc\u00dfe, \"usage\":{}"},"logprobs":null,"finish_reason":null}],"usage":null}

data: {"id":"c1","object":"chat.completion.chunk","created":7,"model":"m","choices":[{"index":0,"delta":{},"logprobs":null,"finish_reason":"stop"}],"usage":null}

data: {"id":"c1","object":"chat.completion.chunk","created":7,"model":"m","choices":[],"usage":{"prompt_tokens":20,"completion_tokens":9,"total_tokens":29,"prompt_tokens_details":{"cached_tokens":16},"completion_tokens_details":{"reasoning_tokens":4}}}

data: [DONE]

"#;

const MESSAGES: &str = r#"event: message_start
data: {"type":"message_start","message":{"id":"msg_1","type":"message","role":"assistant","model":"m","content":[],"stop_reason":null,"usage":{"input_tokens":25,"cache_creation_input_tokens":3,"cache_read_input_tokens":4,"output_tokens":1}}}

event: content_block_start
data: {"type":"content_block_start","index":0,"content_block":{"type":"text","text":""}}

event: ping
data: {"type": "ping"}

event: content_block_delta
data: {"type":"content_block_delta","index":0,"delta":{"type":"text_delta","text":"Hello"}}

event: content_block_stop
data: {"type":"content_block_stop","index":0}

event: message_delta
data: {"type":"message_delta","delta":{"stop_reason":"end_turn","stop_sequence":null},"usage":{"output_tokens":15}}

event: message_stop
data: {"type":"message_stop"}

"#;

const RESPONSES: &str = r#"event: response.created
data: {"type":"response.created","response":{"id":"r","object":"response","status":"in_progress","error":null,"usage":null},"sequence_number":0}

event: response.output_text.delta
data: {"type":"response.output_text.delta","item_id":"i","output_index":0,"content_index":0,"delta":"Hi","sequence_number":1}

event: response.completed
data: {"response":{"id":"r","object":"response","status":"completed","error":null,"incomplete_details":null,"output":[{"type":"message","content":[{"type":"output_text","text":"Hi"}]}],"usage":{"input_tokens":8,"input_tokens_details":{"cached_tokens":0},"output_tokens":2,"output_tokens_details":{"reasoning_tokens":0},"total_tokens":10}},"sequence_number":2,"type":"response.completed"}

"#;

/// Splits and observes `chunks`.
fn observe(chunks: impl IntoIterator<Item = Bytes>) -> (Vec<FrameKind>, Tap) {
    let mut splitter = Splitter::new(Splitter::DEFAULT_LIMIT);
    let (mut kinds, mut tap) = (Vec::new(), Tap::default());
    for chunk in chunks {
        splitter.push(chunk);
        while let Some(frame) = splitter.frame().unwrap() {
            kinds.push(tap.observe(&frame));
        }
    }
    match splitter.finish().unwrap() {
        Leftover::Nothing => {}
        Leftover::Frame(frame) => kinds.push(tap.observe(&frame)),
        Leftover::Partial(tail) => kinds.extend(tap.observe_tail(&tail).then_some(FrameKind::Terminator)),
    }
    (kinds, tap)
}

fn read(stream: &str) -> Reading {
    observe([Bytes::copy_from_slice(stream.as_bytes())]).1.reading()
}

/// One event after the other, each of one `data:` line.
fn events(payloads: &[&str]) -> String {
    payloads.iter().map(|payload| format!("data: {payload}\n\n")).collect()
}

fn counts(reading: &Reading) -> [u64; 5] {
    let tokens = reading.usage.as_ref().unwrap().tokens;
    [tokens.input, tokens.cached_input, tokens.cache_write, tokens.output, tokens.reasoning]
}

#[test]
fn a_chat_stream_is_read() {
    let (kinds, tap) = observe([Bytes::from(CHAT)]);
    let reading = tap.reading();
    use FrameKind::{Content, Other, Terminator, UsageOnly};
    assert_eq!(kinds, [Other, Content, Other, UsageOnly, Terminator]);
    assert_eq!(counts(&reading), [4, 16, 0, 5, 4]);
    assert_eq!((reading.finish, reading.ended), (Some(Finish::Stop), true));
    assert_eq!(reading.text_bytes, 21, "an escaped letter counts as three bytes");
    assert!(!reading.tool_calls && !reading.refusal && reading.error.is_none() && reading.fault.is_none());
}

#[test]
fn a_messages_stream_is_read() {
    let (kinds, tap) = observe([Bytes::from(MESSAGES)]);
    let reading = tap.reading();
    use FrameKind::{Content, Other, Silent, Terminator};
    assert_eq!(kinds, [Other, Other, Silent, Content, Other, Other, Terminator]);
    assert_eq!(counts(&reading), [25, 4, 3, 15, 0]);
    assert_eq!((reading.finish, reading.ended, reading.text_bytes), (Some(Finish::Stop), true, 5));
}

#[test]
fn a_responses_stream_is_read() {
    let (kinds, tap) = observe([Bytes::from(RESPONSES)]);
    let reading = tap.reading();
    assert_eq!(kinds, [FrameKind::Other, FrameKind::Content, FrameKind::Terminator]);
    assert_eq!(counts(&reading), [8, 0, 0, 2, 0]);
    assert_eq!((reading.finish, reading.ended, reading.text_bytes), (Some(Finish::Stop), true, 2));
}

#[test]
fn usage_beside_choices_is_read_and_not_withheld() {
    let stream = events(&[
        r#"{"choices":[{"delta":{"content":"a"}}],"usage":{"prompt_tokens":5,"completion_tokens":1,"total_tokens":6}}"#,
        r#"{"choices":[{"delta":{"content":"b"},"finish_reason":"stop"}],"usage":{"prompt_tokens":5,"completion_tokens":2,"total_tokens":7}}"#,
    ]);
    let (kinds, tap) = observe([stream.into()]);
    assert_eq!(kinds, [FrameKind::Content; 2]);
    assert_eq!(counts(&tap.reading()), [5, 0, 0, 2, 0], "running totals do not add up");
    assert_eq!(tap.ending(), Ending::Open);
}

#[test]
fn usage_inside_a_choice_is_read() {
    let stream = events(&[
        r#"{"choices":[{"delta":{},"finish_reason":"stop","usage":{"prompt_tokens":5,"completion_tokens":2}}]}"#,
    ]);
    assert_eq!(counts(&read(&stream)), [5, 0, 0, 2, 0]);
}

#[test]
fn an_empty_chunk_without_usage_is_not_withheld() {
    let (kinds, _) =
        observe([events(&[r#"{"choices":[],"prompt_filter_results":[{"prompt_index":0}]}"#]).into()]);
    assert_eq!(kinds, [FrameKind::Other]);
}

#[test]
fn a_message_that_starts_twice_counts_once_and_a_second_message_counts_too() {
    let start = r#"{"type":"message_start","message":{"usage":{"input_tokens":17,"output_tokens":1}}}"#;
    let delta =
        r#"{"type":"message_delta","delta":{"stop_reason":"end_turn"},"usage":{"output_tokens":227}}"#;
    let stop = r#"{"type":"message_stop"}"#;
    assert_eq!(counts(&read(&events(&[start, start, delta, stop]))), [17, 0, 0, 227, 0]);
    assert_eq!(counts(&read(&events(&[start, delta, stop, start, delta, stop]))), [34, 0, 0, 454, 0]);
}

#[test]
fn errors_at_status_200_are_errors_in_every_dialect() {
    for (stream, kind) in [
        (
            "data: {\"error\":{\"message\":\"m\",\"type\":\"server_error\"}}\n\ndata: [DONE]\n\n",
            Some("server_error"),
        ),
        (
            "event: error\ndata: {\"type\":\"error\",\"error\":{\"type\":\"overloaded_error\",\"message\":\"m\"}}\n\n",
            Some("overloaded_error"),
        ),
        ("event: error\ndata: {\"message\":\"m\",\"type\":\"x\"}\n\n", Some("x")),
        (
            "data: {\"type\":\"response.failed\",\"response\":{\"error\":{\"code\":\"server_error\"}}}\n\n",
            None,
        ),
        ("data: {\"choices\":[{\"delta\":{},\"finish_reason\":\"error\"}]}\n\n", None),
        ("data: {\"object\":\"error\",\"type\":\"BadRequest\",\"code\":400}\n\n", Some("BadRequest")),
    ] {
        let (kinds, tap) = observe([Bytes::from(stream)]);
        assert_eq!((kinds[0], tap.ending()), (FrameKind::Error, Ending::Failed), "{stream}");
        let error = tap.reading().error.expect(stream);
        assert_eq!(error.kind.as_deref(), kind, "{stream}");
    }
}

#[test]
fn a_failed_response_still_costs() {
    let reading = read(&events(&[
        r#"{"type":"response.failed","response":{"error":{"code":"x"},"usage":{"input_tokens":5,"output_tokens":1,"total_tokens":6}}}"#,
    ]));
    assert_eq!(counts(&reading), [5, 0, 0, 1, 0]);
    assert!(!reading.ended);
}

#[test]
fn tools_and_refusals_are_seen() {
    for (payload, tool, refusal) in [
        (
            r#"{"choices":[{"delta":{"tool_calls":[{"index":0,"id":"t","function":{"name":"f","arguments":""}}]}}]}"#,
            true,
            false,
        ),
        (r#"{"choices":[{"delta":{"tool_calls":[],"refusal":null}}]}"#, false, false),
        (
            r#"{"type":"content_block_start","index":1,"content_block":{"type":"tool_use","id":"t","input":{}}}"#,
            true,
            false,
        ),
        (
            r#"{"type":"response.output_item.added","item":{"type":"function_call","arguments":""}}"#,
            true,
            false,
        ),
        (r#"{"choices":[{"delta":{"refusal":"I can't"}}]}"#, false, true),
        (
            r#"{"type":"message_delta","delta":{"stop_reason":"refusal"},"usage":{"input_tokens":1,"output_tokens":0}}"#,
            false,
            true,
        ),
        (r#"{"type":"response.refusal.delta","delta":"I"}"#, false, true),
    ] {
        let reading = read(&events(&[payload]));
        assert_eq!((reading.tool_calls, reading.refusal), (tool, refusal), "{payload}");
    }
}

#[test]
fn reasoning_and_arguments_count_as_content() {
    for payload in [
        r#"{"choices":[{"delta":{"reasoning_content":"abc"}}]}"#,
        r#"{"choices":[{"delta":{"tool_calls":[{"index":0,"function":{"arguments":"abc"}}]}}]}"#,
        r#"{"choices":[{"text":"abc","index":0,"logprobs":null,"finish_reason":null}]}"#,
        r#"{"type":"content_block_delta","index":0,"delta":{"type":"thinking_delta","thinking":"abc"}}"#,
        r#"{"type":"content_block_delta","index":0,"delta":{"type":"input_json_delta","partial_json":"abc"}}"#,
        r#"{"type":"response.function_call_arguments.delta","delta":"abc"}"#,
    ] {
        let (kinds, tap) = observe([events(&[payload]).into()]);
        assert_eq!((kinds[0], tap.text_bytes()), (FrameKind::Content, 3), "{payload}");
    }
}

#[test]
fn a_terminator_without_its_blank_line_counts_and_a_cut_one_does_not() {
    for (tail, ending) in [
        ("data: [DONE]\n", Ending::Complete),
        ("data: [DONE]", Ending::Complete),
        ("data: [DONE", Ending::Open),
        ("event: message_stop\ndata: {\"type\":\"message_stop\"}\n", Ending::Complete),
        ("event: message_stop\ndata: {\"type\":\"message_stop\"", Ending::Open),
        ("event: message_stop\n", Ending::Open),
        ("data: {\"error\":{\"message\":\"m\"}}\n", Ending::Open),
        (": keep-alive", Ending::Open),
    ] {
        assert_eq!(observe([Bytes::from(tail)]).1.ending(), ending, "{tail:?}");
    }
}

#[test]
fn a_tail_that_is_not_passed_on_still_counts() {
    let usage = "data: {\"choices\":[],\"usage\":{\"prompt_tokens\":3,\"completion_tokens\":1}}\n";
    let (kinds, tap) = observe([Bytes::from(usage)]);
    assert!(kinds.is_empty());
    assert_eq!(counts(&tap.reading()), [3, 0, 0, 1, 0]);
    let (_, tap) = observe([Bytes::from("data: {\"error\":{\"type\":\"server_error\"}}")]);
    assert_eq!(tap.reading().error.unwrap().kind.as_deref(), Some("server_error"));
}

#[test]
fn an_aborted_stream_keeps_what_was_seen() {
    let half = &MESSAGES[..MESSAGES.find("event: content_block_stop").unwrap()];
    let reading = read(half);
    assert_eq!(counts(&reading), [25, 4, 3, 1, 0]);
    assert_eq!((reading.ended, reading.finish, reading.text_bytes), (false, None, 5));
}

#[test]
fn an_incredible_report_is_a_fault() {
    let reading =
        read(&events(&[r#"{"choices":[],"usage":{"prompt_tokens":-3,"completion_tokens":1}}"#, "[DONE]"]));
    assert_eq!(reading.usage, None);
    assert!(matches!(reading.fault, Some(UsageFault::Count { field: "prompt_tokens", .. })));
}

#[test]
fn data_in_several_lines_is_one_payload() {
    let stream =
        "data: {\"choices\":[],\ndata: \"usage\":{\"prompt_tokens\":3,\ndata: \"completion_tokens\":1}}\n\n";
    assert_eq!(counts(&read(stream)), [3, 0, 0, 1, 0]);
}

#[test]
fn broken_json_is_passed_over() {
    let (kinds, tap) =
        observe([events(&["{\"choices\":[{\"delta\":{\"content\":\"a", "no json", "[DONE]"]).into()]);
    assert_eq!(kinds, [FrameKind::Other, FrameKind::Other, FrameKind::Terminator]);
    assert_eq!(tap.ending(), Ending::Complete);
}

#[test]
fn a_chunk_with_an_event_name_is_read_like_one_without() {
    let stream = "event: message\ndata: {\"choices\":[{\"delta\":{\"content\":\"a\"}}],\"usage\":{\"prompt_tokens\":3,\"completion_tokens\":1}}\n\n";
    let (kinds, tap) = observe([Bytes::from(stream)]);
    assert_eq!(kinds, [FrameKind::Content]);
    assert_eq!(counts(&tap.reading()), [3, 0, 0, 1, 0]);
}

#[test]
fn a_comment_is_silent() {
    assert_eq!(Tap::default().observe(&Frame::new(": keep-alive\n\n".into(), false)), FrameKind::Silent);
}

#[test]
fn every_two_way_split_reads_the_same() {
    for stream in [CHAT, MESSAGES, RESPONSES] {
        for line_end in ["\n", "\r\n", "\r"] {
            let stream = stream.replace('\n', line_end);
            let (kinds, tap) = observe([Bytes::from(stream.clone())]);
            for at in 0..stream.len() {
                let (front, back) = stream.as_bytes().split_at(at);
                let halves = [front, back].map(Bytes::copy_from_slice);
                let (cut_kinds, cut_tap) = observe(halves);
                assert_eq!((&cut_kinds, cut_tap.reading()), (&kinds, tap.reading()), "cut at {at}");
            }
        }
    }
}

proptest! {
    #[test]
    fn any_split_reads_the_same(cuts in prop::collection::vec(0_usize..1_600, 0..20), which in 0_usize..3) {
        let stream = [CHAT, MESSAGES, RESPONSES][which].as_bytes();
        let mut cuts: Vec<usize> = cuts.into_iter().map(|cut| cut.min(stream.len())).collect();
        cuts.extend([0, stream.len()]);
        cuts.sort_unstable();
        let chunks = cuts.windows(2).map(|pair| Bytes::copy_from_slice(&stream[pair[0]..pair[1]]));
        let (expected_kinds, expected) = observe([Bytes::from_static(stream)]);
        let (kinds, tap) = observe(chunks);
        prop_assert_eq!(kinds, expected_kinds);
        prop_assert_eq!(tap.reading(), expected.reading());
    }

    #[test]
    fn any_payload_is_observed_without_panic(payload in "\\PC{0,200}") {
        let mut tap = Tap::default();
        tap.observe(&Frame::new(format!("data: {payload}\n\n").into(), true));
        prop_assert!(tap.reading().text_bytes <= payload.len() as u64);
    }

    #[test]
    fn text_can_never_forge_a_fact(text in "[ -~]{0,80}") {
        let payload = serde_json::json!({"choices": [{"index": 0, "delta": {"content": text}, "finish_reason": null}]});
        let mut tap = Tap::default();
        let kind = tap.observe(&Frame::new(format!("data: {payload}\n\n").into(), false));
        prop_assert!(matches!(kind, FrameKind::Content | FrameKind::Other));
        let said = tap.reading().said;
        prop_assert_eq!(said.text(), text.as_str());
        let expected = Reading { text_bytes: text.len() as u64, said, ..Reading::default() };
        prop_assert_eq!(tap.reading(), expected);
    }
}
