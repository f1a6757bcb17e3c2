//! Whatever the text, reading it ends with findings, never with a panic, and always with the same ones.

use proptest::prelude::*;
use router_policies::{Diagnostic, check};

/// A policy that uses every section, to be damaged.
const WHOLE: &str = include_str!("../accept/every_key.toml");

fn check_twice(path: &str, text: &str) -> Vec<Diagnostic> {
    let found = check(path, text);
    assert_eq!(found, check(path, text));
    let lines = text.split('\n').count();
    for diagnostic in &found {
        let line = diagnostic.line as usize;
        assert!((1..=lines).contains(&line), "{diagnostic} of {lines} lines");
        assert!(diagnostic.column >= 1);
        assert_eq!(diagnostic.to_string().lines().count(), 1, "{diagnostic:?}");
    }
    found
}

/// Pieces that TOML gives a meaning to.
fn piece() -> impl Strategy<Value = String> {
    prop_oneof![
        Just("\n".to_owned()),
        Just(" = ".to_owned()),
        Just("\"".to_owned()),
        Just("\"\"\"".to_owned()),
        Just("[".to_owned()),
        Just("]".to_owned()),
        Just("[[rules]]\n".to_owned()),
        Just("[models.a]\n".to_owned()),
        Just("{".to_owned()),
        Just("}".to_owned()),
        Just(",".to_owned()),
        Just("#".to_owned()),
        Just("\u{feff}".to_owned()),
        Just("1979-05-27T07:32:00Z".to_owned()),
        Just("0x7fffffffffffffffffff".to_owned()),
        Just("-inf".to_owned()),
        "[a-z_.]{1,12}",
        "\\PC{0,6}",
        "[\\x00-\\x1f]{1,2}",
    ]
}

proptest! {
    #[test]
    fn arbitrary_text(text in "\\PC{0,200}") {
        check_twice("policy.toml", &text);
        check_twice("proxy.toml", &text);
    }

    #[test]
    fn pieces_of_toml(pieces in prop::collection::vec(piece(), 0..40)) {
        check_twice("any.toml", &pieces.concat());
    }

    #[test]
    fn a_damaged_policy(start in 0_usize..WHOLE.len(), len in 0_usize..40, insert in piece()) {
        let start = (0..=start).rev().find(|at| WHOLE.is_char_boundary(*at)).unwrap_or(0);
        let end = (start + len..=WHOLE.len()).find(|at| WHOLE.is_char_boundary(*at)).unwrap_or(WHOLE.len());
        let text = format!("{}{insert}{}", &WHOLE[..start], &WHOLE[end..]);
        check_twice("policy.toml", &text);
    }

    #[test]
    fn any_value_anywhere(value in prop_oneof![piece(), Just("{}".to_owned()), Just("[]".to_owned()), Just("[[]]".to_owned()), Just("nan".to_owned()), Just("true".to_owned()), Just("''".to_owned()), Just("\"\\u0000\"".to_owned())], line in 0_usize..WHOLE.lines().count()) {
        let swap = |(at, text): (usize, &str)| match text.split_once('=') {
            Some((key, _)) if at == line => format!("{key}= {value}\n"),
            _ => format!("{text}\n"),
        };
        let text: String = WHOLE.lines().enumerate().map(swap).collect();
        check_twice("policy.toml", &text);
    }
}

#[test]
fn deep_nesting_is_refused_not_followed() {
    for text in [
        format!("{} = 1", vec!["a"; 50_000].join(".")),
        format!("[{}]", vec!["rules"; 50_000].join(".")),
        format!("rules = {}", "[".repeat(100_000)),
        format!("models = {}", "{a=".repeat(100_000)),
        "[[rules]]\nwhen = {tags={a=[[[[[[[[[]]]]]]]]]}}\n".repeat(1_000),
    ] {
        assert!(check("policy.toml", &text).iter().any(Diagnostic::is_error));
    }
}

#[test]
fn a_flood_of_errors_is_cut() {
    let text: String = (0..20_000).map(|n| format!("unknown_key_{n} = {n}\n")).collect();
    let found = check("policy.toml", &text);
    assert!(found.len() <= 1_001, "{}", found.len());
    assert!(found.last().is_some_and(|last| last.message == "19000 more findings are not shown"));
}

#[test]
fn a_file_beyond_the_limit_is_not_parsed() {
    let found = check("policy.toml", &"#".repeat(2 * 1024 * 1024));
    assert_eq!(found.len(), 1);
    assert!(found[0].message.contains("larger than 1 MiB"), "{}", found[0]);
}
