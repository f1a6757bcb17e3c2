use router_core::TokenUsage;

use super::{Aside, CountFault, Counts, Usage, UsageFault};

fn usage(json: &str) -> Usage {
    Counts::read(json.as_bytes()).unwrap().usage().unwrap().expect(json)
}

/// input, cached input, cache write, output, reasoning
fn tokens(json: &str) -> [u64; 5] {
    flat(&usage(json).tokens)
}

const fn flat(tokens: &TokenUsage) -> [u64; 5] {
    [tokens.input, tokens.cached_input, tokens.cache_write, tokens.output, tokens.reasoning]
}

#[test]
fn classes_are_disjoint_in_every_shape() {
    for (shape, json, expected) in [
        ("chat", r#"{"prompt_tokens":20,"completion_tokens":7,"total_tokens":27}"#, [20, 0, 0, 7, 0]),
        (
            "chat with details",
            r#"{"prompt_tokens":2006,"completion_tokens":300,"total_tokens":2306,
            "prompt_tokens_details":{"cached_tokens":1920,"audio_tokens":0},
            "completion_tokens_details":{"reasoning_tokens":256,"audio_tokens":0}}"#,
            [86, 1920, 0, 44, 256],
        ),
        (
            "reasoning beside the completion",
            r#"{"prompt_tokens":12,"completion_tokens":2,"total_tokens":354,
            "prompt_tokens_details":{"cached_tokens":11},"completion_tokens_details":{"reasoning_tokens":340}}"#,
            [1, 11, 0, 2, 340],
        ),
        (
            "reasoning beside the completion, smaller than it",
            r#"{"prompt_tokens":10,"completion_tokens":100,"total_tokens":140,
            "completion_tokens_details":{"reasoning_tokens":30}}"#,
            [10, 0, 0, 100, 30],
        ),
        (
            "reasoning in the total only",
            r#"{"prompt_tokens":10,"completion_tokens":5,"total_tokens":115}"#,
            [10, 0, 0, 5, 100],
        ),
        (
            "larger than the completion and no total",
            r#"{"prompt_tokens":33,"completion_tokens":7,"reasoning_tokens":90}"#,
            [33, 0, 0, 7, 90],
        ),
        (
            "cached tokens counted twice in the total",
            r#"{"prompt_tokens":100,"completion_tokens":5,"total_tokens":185,
            "prompt_tokens_details":{"cached_tokens":80}}"#,
            [20, 80, 0, 5, 0],
        ),
        (
            "cache hits under another name",
            r#"{"prompt_tokens":30,"completion_tokens":4,"total_tokens":34,
            "prompt_cache_hit_tokens":24,"prompt_cache_miss_tokens":6}"#,
            [6, 24, 0, 4, 0],
        ),
        ("a third name", r#"{"prompt_tokens":30,"completion_tokens":4,"cached_tokens":8}"#, [22, 8, 0, 4, 0]),
        (
            "cached tokens beside the prompt",
            r#"{"prompt_tokens":3,"completion_tokens":4,"total_tokens":107,
            "prompt_tokens_details":{"cached_tokens":90,"cache_write_tokens":10}}"#,
            [3, 90, 10, 4, 0],
        ),
        ("embeddings", r#"{"prompt_tokens":12,"total_tokens":12}"#, [12, 0, 0, 0, 0]),
        (
            "responses",
            r#"{"input_tokens":3700,"input_tokens_details":{"cached_tokens":2560,"cache_write_tokens":100},
            "output_tokens":741,"output_tokens_details":{"reasoning_tokens":640},"total_tokens":4441}"#,
            [1040, 2560, 100, 101, 640],
        ),
        (
            "messages",
            r#"{"input_tokens":6,"cache_creation_input_tokens":3337,"cache_read_input_tokens":6289,
            "output_tokens":198,"output_tokens_details":{"thinking_tokens":139}}"#,
            [6, 6289, 3337, 59, 139],
        ),
        (
            "gemini",
            r#"{"promptTokenCount":90,"cachedContentTokenCount":40,"candidatesTokenCount":23,
            "toolUsePromptTokenCount":5,"thoughtsTokenCount":302,"totalTokenCount":420}"#,
            [55, 40, 0, 23, 302],
        ),
        (
            "interactions",
            r#"{"total_tokens":1983,"total_input_tokens":22,"total_cached_tokens":2,"total_output_tokens":590,
            "total_tool_use_tokens":198,"total_thought_tokens":1173}"#,
            [218, 2, 0, 590, 1173],
        ),
    ] {
        assert_eq!(tokens(json), expected, "{shape}");
    }
}

#[test]
fn a_class_is_never_larger_than_what_contains_it() {
    let json = r#"{"prompt_tokens":10,"completion_tokens":2,"total_tokens":12,
        "prompt_tokens_details":{"cached_tokens":500,"cache_write_tokens":3}}"#;
    assert_eq!(tokens(json), [0, 10, 0, 2, 0]);
}

#[test]
fn hour_long_cache_writes_are_told_apart() {
    let read = usage(
        r#"{"input_tokens":1,"output_tokens":1,"cache_creation_input_tokens":50,
        "cache_creation":{"ephemeral_5m_input_tokens":20,"ephemeral_1h_input_tokens":30}}"#,
    );
    assert_eq!((read.tokens.cache_write, read.cache_write_1h), (50, 30));
    let more = r#"{"input_tokens":1,"cache_creation_input_tokens":5,
        "cache_creation":{"ephemeral_1h_input_tokens":30}}"#;
    assert_eq!(usage(more).cache_write_1h, 5, "a part is never more than the whole");
}

#[test]
fn audio_is_told_apart() {
    let read = usage(
        r#"{"prompt_tokens":90,"completion_tokens":40,"prompt_tokens_details":{"audio_tokens":70},
        "completion_tokens_details":{"audio_tokens":33}}"#,
    );
    assert_eq!((read.audio_input, read.audio_output), (70, 33));
}

#[test]
fn compaction_is_billed_and_an_advisor_is_billed_aside() {
    let read = usage(
        r#"{"input_tokens":612,"output_tokens":2819,"iterations":[
        {"type":"compaction","input_tokens":60385,"output_tokens":522},
        {"type":"message","input_tokens":612,"output_tokens":2819},
        {"type":"advisor_message","model":"wise","input_tokens":100,"output_tokens":9,"cache_read_input_tokens":4}]}"#,
    );
    assert_eq!(flat(&read.tokens), [60_997, 0, 0, 3_341, 0]);
    let advisor = TokenUsage { input: 100, cached_input: 4, output: 9, ..TokenUsage::default() };
    assert_eq!(read.aside, [Aside { model: Some("wise".into()), tokens: advisor }]);
}

#[test]
fn behind_a_fallback_the_model_that_declined_is_billed_if_it_had_begun() {
    let report = |spent: u64| {
        usage(&format!(
            r#"{{"input_tokens":412,"output_tokens":264,"iterations":[
            {{"type":"message","model":"first","input_tokens":408,"output_tokens":{spent}}},
            {{"type":"fallback_message","model":"second","input_tokens":412,"output_tokens":264}}]}}"#
        ))
    };
    assert_eq!(flat(&report(0).tokens), [412, 0, 0, 264, 0]);
    assert!(report(0).aside.is_empty());
    assert_eq!(report(7).aside[0].model.as_deref(), Some("first"));
}

#[test]
fn later_reports_of_a_message_lie_over_earlier_ones() {
    let mut counts = Counts::read(
        br#"{"input_tokens":2,"cache_creation_input_tokens":3068,"output_tokens":69,
        "cache_creation":{"ephemeral_1h_input_tokens":3068}}"#,
    )
    .unwrap();
    counts.overlay(Counts::read(br#"{"output_tokens":198,"cache_creation_input_tokens":3337}"#).unwrap());
    let read = counts.usage().unwrap().unwrap();
    assert_eq!((flat(&read.tokens), read.cache_write_1h), ([2, 0, 3337, 198, 0], 3068));
}

#[test]
fn an_impossible_figure_voids_the_report() {
    for (json, field, fault) in [
        (r#"{"prompt_tokens":-1,"completion_tokens":2}"#, "prompt_tokens", CountFault::Negative),
        (r#"{"prompt_tokens":1,"completion_tokens":2.5}"#, "completion_tokens", CountFault::Fractional),
        (r#"{"input_tokens":1e12,"output_tokens":2}"#, "input_tokens", CountFault::Absurd),
        (r#"{"input_tokens":1,"output_tokens":"9"}"#, "output_tokens", CountFault::NotANumber),
        (r#"{"promptTokenCount":1,"candidatesTokenCount":-9}"#, "candidatesTokenCount", CountFault::Negative),
    ] {
        let counts = Counts::read(json.as_bytes()).unwrap();
        assert_eq!(counts.usage(), Err(UsageFault::Count { field, fault }), "{json}");
    }
}

#[test]
fn an_impossible_part_is_ignored_and_named() {
    let read =
        usage(r#"{"prompt_tokens":9,"completion_tokens":2,"prompt_tokens_details":{"cached_tokens":-5}}"#);
    assert_eq!(flat(&read.tokens), [9, 0, 0, 2, 0]);
    let field = "prompt_tokens_details.cached_tokens";
    assert_eq!(read.ignored, Some(UsageFault::Count { field, fault: CountFault::Negative }));
}

#[test]
fn a_missing_prompt_is_what_the_total_leaves_or_a_fault() {
    assert_eq!(tokens(r#"{"completion_tokens":2,"total_tokens":9}"#), [7, 0, 0, 2, 0]);
    let counts = Counts::read(br#"{"completion_tokens":2}"#).unwrap();
    assert_eq!(counts.usage(), Err(UsageFault::NoPrompt));
}

#[test]
fn a_report_without_tokens_is_none() {
    for json in [r#"{"type":"duration","seconds":37}"#, "{}", r#"{"prompt_tokens":null}"#] {
        assert_eq!(Counts::read(json.as_bytes()).unwrap().usage(), Ok(None), "{json}");
    }
}

#[test]
fn what_is_no_report_is_malformed() {
    for json in ["12", "\"x\"", "{\"prompt_tokens\":1", "", r#"{"prompt_tokens":1,"prompt_tokens":2}"#] {
        assert_eq!(Counts::read(json.as_bytes()).err(), Some(UsageFault::Malformed), "{json}");
    }
}
