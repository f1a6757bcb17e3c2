use super::*;

fn fault(lines: &str) -> String {
    read_rows(lines.as_bytes()).unwrap_err().to_string()
}

const GOOD: &str = r#"{"id": "a", "prompt": "x", "weak_score": 0, "strong_score": 1, "source": 7}"#;

#[test]
fn reads_rows_and_ignores_other_keys() {
    let lines =
        format!("{GOOD}\n\n{}\n", GOOD.replace("\"a\"", "\"b\"").replace('7', "7, \"category\": \"law\""));
    let rows = read_rows(lines.as_bytes()).unwrap();
    assert_eq!(rows.len(), 2);
    assert_eq!(rows[0].gain(), Some(1.0));
    assert_eq!((rows[0].category.as_deref(), rows[1].category.as_deref()), (None, Some("law")));
    assert!(!rows[0].assumed);
}

#[test]
fn each_fault_is_named_with_its_line() {
    let with = |from: &str, to: &str| {
        fault(&format!("{GOOD}\n{}", GOOD.replace("\"a\"", "\"b\"").replace(from, to)))
    };
    assert_eq!(with(", \"strong_score\": 1", ""), "line 2: `strong_score` is missing");
    assert_eq!(with("\"weak_score\": 0, ", ""), "line 2: `weak_score` is missing");
    assert_eq!(with("\"prompt\": \"x\", ", ""), "line 2: `prompt` is missing");
    assert_eq!(with("\"x\"", "\"  \""), "line 2: `prompt` is empty");
    assert_eq!(with("\"x\"", "3"), "line 2: `prompt` must be a string");
    assert_eq!(
        with("\"strong_score\": 1", "\"strong_score\": 1.5"),
        "line 2: `strong_score` must be from 0 to 1, found 1.5"
    );
    assert_eq!(
        with("\"strong_score\": 1", "\"strong_score\": -1"),
        "line 2: `strong_score` must be from 0 to 1, found -1"
    );
    assert_eq!(
        with("\"strong_score\": 1", "\"strong_score\": \"1\""),
        "line 2: `strong_score` must be a number"
    );
    assert_eq!(with("\"b\"", "\"a\""), "line 2: the id \"a\" was already used in line 1");
    assert!(with("{", "").starts_with("line 2: not a JSON object"));
    assert_eq!(fault(" \n\n"), "the data is empty: no line holds a row");
}

#[test]
fn bytes_that_are_not_text_are_named_too() {
    let mut lines = format!("{GOOD}\n").into_bytes();
    lines.extend(b"{\"id\": \"b\", \"prompt\": \"\xff\xfe\"}\n");
    assert_eq!(read_rows(&lines[..]).unwrap_err().to_string(), "line 2: not valid UTF-8");
}

#[test]
fn outcomes_may_know_one_side_only() {
    let lines = "{\"id\": \"a\", \"prompt\": \"x\", \"weak_score\": 0.2}\n{\"id\": \"b\", \"prompt\": \"y\", \"strong_score\": 1}";
    let rows = read_outcomes(lines.as_bytes()).unwrap().rows;
    assert_eq!((rows[0].gain(), rows[1].gain()), (None, None));
    assert_eq!(fault(lines), "line 1: `strong_score` is missing");
    let neither = read_outcomes("{\"id\": \"a\", \"prompt\": \"x\"}".as_bytes()).unwrap_err();
    assert_eq!(neither.to_string(), "line 1: `weak_score` is missing");
}

#[test]
fn outcomes_of_one_request_are_joined_and_corrected() {
    let lines = "{\"id\": \"a\", \"prompt\": \"x\", \"weak_score\": 1}\n{\"id\": \"b\", \"weak_score\": 1}\n\
        {\"id\": \"a\", \"prompt\": \"x\", \"strong_score\": 0.9}\n{\"id\": \"a\", \"prompt\": \"x\", \"weak_score\": 0.5}";
    let outcomes = read_outcomes(lines.as_bytes()).unwrap();
    assert_eq!(outcomes.without_prompt, 1);
    assert_eq!(outcomes.rows.len(), 1);
    assert_eq!((outcomes.rows[0].weak_score, outcomes.rows[0].strong_score), (Some(0.5), Some(0.9)));
    assert!(matches!(read_outcomes(&b"\n"[..]), Err(DatasetError::Empty)));
}
