//! The documentation's examples are policies.

use router_policies::{Diagnostic, check};

use crate::setup::shown;

const DOCUMENT: &str = include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/policy-format.md"));

/// Every ```toml block with the line it begins on and the words after `toml`.
fn blocks() -> Vec<(usize, String, String)> {
    let mut blocks = Vec::new();
    let mut open: Option<(usize, String, String)> = None;
    for (index, line) in DOCUMENT.lines().enumerate() {
        match &mut open {
            None if line.starts_with("```toml") => {
                open = Some((index + 1, line["```toml".len()..].trim().to_owned(), String::new()));
            }
            Some((_, _, text)) if line != "```" => {
                text.push_str(line);
                text.push('\n');
            }
            Some(_) => blocks.extend(open.take()),
            None => {}
        }
    }
    blocks
}

/// What the fragments of the document stand on: the names that they use.
const GROUND: &str = include_str!("../document.toml");

#[test]
fn every_example_compiles() {
    let blocks = blocks();
    assert!(blocks.len() >= 10, "only {} examples", blocks.len());
    for (line, words, text) in blocks {
        let (name, text) = match words.as_str() {
            // A whole file.
            "policy" => ("policy.toml", text),
            "proxy" => ("proxy.toml", text),
            // A part of one, that takes the place of the same sections of the ground.
            "" => ("policy.toml", on_the_ground(&text)),
            other => panic!("line {line}: unknown kind of example {other:?}"),
        };
        let found: Vec<Diagnostic> = check(name, &text);
        assert!(found.is_empty(), "the example on line {line}:\n{text}\n{}", shown(&found));
    }
}

/// The fragment, and every section of the ground that it does not itself state.
fn on_the_ground(fragment: &str) -> String {
    let is_header = |line: &&str| line.starts_with('[');
    let stated: Vec<&str> = fragment.lines().filter(is_header).collect();
    let mut text = fragment.to_owned();
    let mut keep = false;
    for line in GROUND.lines() {
        if line.starts_with('[') {
            keep = !stated.contains(&line);
        }
        if keep {
            text.push_str(line);
            text.push('\n');
        }
    }
    text
}

/// The sections and keys that the loader knows, as its own messages list them.
fn known_keys() -> Vec<String> {
    let probe = |name: &str, header: &str| -> Vec<String> {
        let text = format!("{header}\nzzzzzzzz = 1\n");
        let listed = check(name, &text).into_iter().find_map(|diagnostic| {
            diagnostic.message.split_once("known are ").map(|(_, keys)| keys.to_owned())
        });
        let listed = listed.unwrap_or_else(|| panic!("nothing is listed for {header}"));
        listed.split(", ").map(str::to_owned).collect()
    };
    let policy = [
        "",
        "[providers.x]",
        "[providers.x.timeouts]",
        "[providers.x.breaker]",
        "[providers.x.pool]",
        "[providers.x.tls]",
        "[providers.x.api_key]",
        "[models.x]",
        "[models.x.price]",
        "[profiles.x]",
        "[profiles.x.bands]",
        "[[rules]]",
        "[[rules]]\n[rules.when]",
        "[[rules]]\n[rules.use]",
        "[[rules]]\n[rules.use.cache]",
        "[scorer]",
        "[cache]",
        "[outcomes]",
        "[tenants.x]",
        "[[tenants.x.keys]]",
        "[unpriced]",
        "[[quotas]]",
        "[[quotas]]\n[quotas.for]",
        "[[budgets]]",
        "[[budgets]]\n[budgets.then]",
        "[cors]",
    ];
    let proxy = ["", "[tls]", "[limits]", "[drain]", "[log]", "[records]", "[admin_token]"];
    let policy = policy.iter().flat_map(|header| probe("policy.toml", header));
    policy.chain(proxy.iter().flat_map(|header| probe("proxy.toml", header))).collect()
}

#[test]
fn every_key_is_documented() {
    let keys = known_keys();
    assert!(keys.len() > 100, "{keys:?}");
    let missing: Vec<_> = keys.iter().filter(|key| !DOCUMENT.contains(&format!("`{key}`"))).collect();
    assert!(missing.is_empty(), "not in docs/policy-format.md: {missing:?}");
}
