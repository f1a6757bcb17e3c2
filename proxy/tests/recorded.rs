//! Usage in recorded provider answers is read exactly.
//!
//! The recordings are not part of this repository: `XYNERGY_ROUTER_WIRE_DATA` names a directory with plain bodies
//! (`*.json`), streams with one payload a line (`*.chunks.txt`) and raw streams (`*.sse`, `*.txt`), in any
//! subdirectories. What is expected comes from a reader of its own, which looks up the documented places
//! of each shape in the parsed JSON and checks that the classes add up to the provider's own total.

#![expect(clippy::unwrap_used, reason = "a test may fail")]

use std::fs;
use std::io::Write as _;
use std::path::{Path, PathBuf};

use bytes::Bytes;
use router_proxy::wire::reading::{Reading, read_body};
use router_proxy::wire::sse::{Leftover, Splitter, Tap};
use serde_json::Value;

const VARIABLE: &str = "XYNERGY_ROUTER_WIRE_DATA";

/// Prompt without cache, cache read, cache written, answer without reasoning, reasoning.
type Classes = [u64; 5];

#[derive(Default)]
struct Score {
    bodies: usize,
    streams: usize,
    without_usage: usize,
    wrong: Vec<String>,
}

#[test]
fn recorded_usage_is_read_exactly() {
    let Some(directory) = std::env::var_os(VARIABLE) else {
        // Written past the test harness, which would keep it to itself.
        let _ = writeln!(
            std::io::stderr(),
            "SKIPPED recorded usage: set {VARIABLE} to a directory of recordings"
        );
        return;
    };
    let mut files = Vec::new();
    list(Path::new(&directory), &mut files);
    let mut score = Score::default();
    for file in &files {
        check(file, &mut score);
    }
    let Score { bodies, streams, without_usage, wrong } = score;
    let _ = writeln!(
        std::io::stderr(),
        "recorded usage: {bodies} bodies and {streams} streams exact, {} wrong, {without_usage} without usage",
        wrong.len()
    );
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    assert!(bodies + streams > 0, "no recording with usage in {}", Path::new(&directory).display());
}

fn list(directory: &Path, files: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(directory).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            list(&path, files);
        } else {
            files.push(path);
        }
    }
    files.sort();
}

fn check(path: &Path, score: &mut Score) {
    let text = fs::read_to_string(path).unwrap();
    let name = path.file_name().unwrap().to_string_lossy();
    if name.ends_with(".json") {
        let expected = one_report(&json(&text));
        score.bodies += usize::from(expected.is_some());
        score.compare(path, expected, &read_body(text.as_bytes()));
        return;
    }
    let raw = text.starts_with("event:") || text.starts_with("data:");
    let stream =
        if raw { text.clone() } else { text.lines().map(|line| format!("data: {line}\n\n")).collect() };
    let payloads: Vec<&str> = if raw {
        text.lines().filter_map(|line| line.strip_prefix("data: ")).collect()
    } else {
        text.lines().collect()
    };
    let payloads: Vec<Value> = payloads.into_iter().map(json).collect();
    if payloads.iter().any(|payload| payload.get("serverContent").is_some()) {
        // A transcript of a socket, not of a response: every message reports its own share.
        for (line, payload) in text.lines().zip(&payloads) {
            score.compare(path, one_report(payload), &read_body(line.as_bytes()));
        }
        score.streams += 1;
        return;
    }
    let expected = stream_reports(&payloads);
    score.streams += usize::from(expected.is_some());
    let reading = observe(stream.as_bytes(), usize::MAX);
    for size in [1, 7, 1_000] {
        assert_eq!(observe(stream.as_bytes(), size), reading, "{} in chunks of {size}", path.display());
    }
    score.compare(path, expected, &reading);
}

impl Score {
    fn compare(&mut self, path: &Path, expected: Option<Classes>, reading: &Reading) {
        self.without_usage += usize::from(expected.is_none());
        let tokens = reading.usage.as_ref().map(|usage| usage.tokens);
        let read = tokens.map(|t| [t.input, t.cached_input, t.cache_write, t.output, t.reasoning]);
        if read != expected || reading.fault.is_some() {
            self.wrong.push(format!(
                "{}: expected {expected:?}, read {read:?} {:?}",
                path.display(),
                reading.fault
            ));
        }
    }
}

fn observe(stream: &[u8], chunk_size: usize) -> Reading {
    let mut splitter = Splitter::new(Splitter::DEFAULT_LIMIT);
    let mut tap = Tap::default();
    let mut passed = Vec::new();
    for chunk in stream.chunks(chunk_size.min(stream.len().max(1))) {
        splitter.push(Bytes::copy_from_slice(chunk));
        while let Some(frame) = splitter.frame().unwrap() {
            tap.observe(&frame);
            passed.extend_from_slice(frame.bytes());
        }
    }
    match splitter.finish().unwrap() {
        Leftover::Nothing => {}
        Leftover::Frame(frame) | Leftover::Partial(frame) => {
            let _ = tap.observe_tail(&frame);
            passed.extend_from_slice(frame.bytes());
        }
    }
    assert_eq!(passed, stream, "bytes pass unchanged");
    tap.reading()
}

/// One recording has payloads without their closing bracket.
fn json(text: &str) -> Value {
    serde_json::from_str(text)
        .or_else(|_| serde_json::from_str(&format!("{text}}}")))
        .unwrap_or_else(|_| Value::String(text.to_owned()))
}

fn number(value: &Value) -> u64 {
    value.as_u64().unwrap_or(0)
}

/// The report of a body or payload that stands alone.
fn one_report(body: &Value) -> Option<Classes> {
    [&body["usage"], &body["usageMetadata"], &body["response"]["usage"], &body["interaction"]["usage"]]
        .into_iter()
        .find(|report| report.is_object())
        .and_then(classes)
}

/// The last report of each message, added up. Anthropic's are merged first.
fn stream_reports(payloads: &[Value]) -> Option<Classes> {
    if payloads.iter().any(|payload| payload["type"] == "message_start") {
        return messages(payloads);
    }
    let responses = payloads.iter().filter(|payload| payload["response"]["usage"].is_object());
    let reports: Vec<Classes> = responses.filter_map(one_report).collect();
    if reports.is_empty() {
        return payloads.iter().rev().find_map(one_report);
    }
    reports.into_iter().reduce(add)
}

fn messages(payloads: &[Value]) -> Option<Classes> {
    let (mut sum, mut open, mut stopped) = (None::<Classes>, Value::Null, true);
    for payload in payloads {
        match payload["type"].as_str() {
            Some("message_start") if stopped => {
                open = payload["message"]["usage"].clone();
                stopped = false;
            }
            Some("message_delta") => {
                for (field, value) in payload["usage"].as_object().unwrap() {
                    open[field] = value.clone();
                }
            }
            Some("message_stop") => {
                sum = classes(&open).map(|report| sum.map_or(report, |sum| add(sum, report)));
                stopped = true;
            }
            _ => {}
        }
    }
    if stopped { sum } else { classes(&open) }
}

fn add(sum: Classes, more: Classes) -> Classes {
    std::array::from_fn(|class| sum[class] + more[class])
}

fn classes(report: &Value) -> Option<Classes> {
    let classes = if report.get("prompt_tokens").is_some() {
        let cached = number(&report["prompt_tokens_details"]["cached_tokens"]);
        let reasoning = number(&report["completion_tokens_details"]["reasoning_tokens"]);
        let total = number(&report["total_tokens"]);
        let prompt = number(&report["prompt_tokens"]);
        [prompt - cached, cached, 0, total - prompt - reasoning, reasoning]
    } else if report.get("promptTokenCount").is_some() {
        let spoken = number(&report["responseTokenCount"]);
        let thoughts = number(&report["thoughtsTokenCount"]);
        let prompt = number(&report["promptTokenCount"]);
        let output = number(&report["candidatesTokenCount"]) + spoken;
        assert_eq!(prompt + output + thoughts, number(&report["totalTokenCount"]), "{report}");
        [prompt, 0, 0, output, thoughts]
    } else if report.get("total_input_tokens").is_some() {
        let prompt = number(&report["total_input_tokens"]) + number(&report["total_tool_use_tokens"]);
        let (output, thoughts) =
            (number(&report["total_output_tokens"]), number(&report["total_thought_tokens"]));
        assert_eq!(prompt + output + thoughts, number(&report["total_tokens"]), "{report}");
        [prompt, 0, 0, output, thoughts]
    } else if report.get("total_tokens").is_some() {
        let cached = number(&report["input_tokens_details"]["cached_tokens"]);
        let reasoning = number(&report["output_tokens_details"]["reasoning_tokens"]);
        let (input, output) = (number(&report["input_tokens"]), number(&report["output_tokens"]));
        assert_eq!(input + output, number(&report["total_tokens"]), "{report}");
        [input - cached, cached, 0, output - reasoning, reasoning]
    } else if report.get("input_tokens").is_some() {
        anthropic(report)
    } else {
        return None;
    };
    Some(classes)
}

/// Top-level figures and what compactions took besides.
fn anthropic(report: &Value) -> Classes {
    let thinking = number(&report["output_tokens_details"]["thinking_tokens"]);
    let of = |pass: &Value| {
        let [input, read, write, output] =
            ["input_tokens", "cache_read_input_tokens", "cache_creation_input_tokens", "output_tokens"]
                .map(|field| number(&pass[field]));
        [input, read, write, output, 0]
    };
    let passes = report["iterations"].as_array().cloned().unwrap_or_default();
    let compactions = passes.iter().filter(|pass| pass["type"] == "compaction").map(of);
    let mut classes = compactions.fold(of(report), add);
    classes[3] -= thinking;
    classes[4] += thinking;
    classes
}
