//! Properties of the fingerprint: what it must not depend on, and that it depends on everything else.

use proptest::prelude::*;
use router_core::{Digest, Endpoint, FingerprintKey, TenantId};
use serde_json::{Map, Value, json};

use crate::ask::ask;
use crate::policy::{model, policy};
use crate::world::World;

const KEY: FingerprintKey = FingerprintKey::new(3, 5);

fn digest(body: &str) -> Digest {
    Digest::read(Endpoint::ChatCompletions, body.as_bytes(), &KEY)
        .unwrap_or_else(|fault| panic!("{body}: {fault}"))
}

/// Any JSON value whose numbers a reader cannot round.
fn value() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<u64>().prop_map(Value::from),
        (-1_000_000_i32..1_000_000).prop_map(|n| Value::from(f64::from(n) / 8.0)),
        "\\PC{0,12}".prop_map(Value::from),
    ];
    leaf.prop_recursive(4, 24, 5, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..5).prop_map(Value::from),
            prop::collection::btree_map("[a-z\\PC]{0,4}", inner, 0..5)
                .prop_map(|members| Value::Object(members.into_iter().collect())),
        ]
    })
}

/// A chat body with arbitrary members besides the required ones.
fn body() -> impl Strategy<Value = Value> {
    let extra = prop::collection::btree_map("x_[a-z]{0,3}", value(), 0..6);
    (extra, "\\PC{0,40}", prop::option::of(0_u64..100_000)).prop_map(|(extra, question, limit)| {
        let mut body = Map::from_iter(extra);
        body.insert("model".into(), "m".into());
        body.insert("messages".into(), json!([{"role": "user", "content": question}]));
        body.extend(limit.map(|limit| ("max_tokens".to_owned(), limit.into())));
        Value::Object(body)
    })
}

/// Writes a value in one of many ways that mean the same: order of members, blanks, escapes.
fn write(value: &Value, chance: &mut impl FnMut() -> u8, out: &mut String) {
    let blank = |chance: &mut dyn FnMut() -> u8| ["", "", " ", "\n\t"][usize::from(chance() % 4)];
    match value {
        Value::Object(members) => {
            let mut members: Vec<_> = members.iter().collect();
            let len = members.len();
            (1..len).for_each(|at| members.swap(at, usize::from(chance()) % (at + 1)));
            out.push('{');
            for (at, (name, value)) in members.into_iter().enumerate() {
                out.push_str(if at == 0 { "" } else { "," });
                out.push_str(blank(chance));
                write_string(name, chance, out);
                out.push_str(blank(chance));
                out.push(':');
                write(value, chance, out);
            }
            out.push('}');
        }
        Value::Array(elements) => {
            out.push('[');
            for (at, element) in elements.iter().enumerate() {
                out.push_str(if at == 0 { "" } else { "," });
                out.push_str(blank(chance));
                write(element, chance, out);
            }
            out.push_str(blank(chance));
            out.push(']');
        }
        Value::String(text) => write_string(text, chance, out),
        other => out.push_str(&other.to_string()),
    }
}

/// A string with some of its characters escaped.
fn write_string(text: &str, chance: &mut impl FnMut() -> u8, out: &mut String) {
    out.push('"');
    for character in text.chars() {
        if matches!(character, '"' | '\\') || character.is_control() || chance().is_multiple_of(3) {
            let mut units = [0; 2];
            for unit in character.encode_utf16(&mut units) {
                out.push_str(&format!("\\u{unit:04x}"));
            }
        } else {
            out.push(character);
        }
    }
    out.push('"');
}

fn rewritten(value: &Value, seed: &[u8]) -> String {
    let mut bytes = seed.iter().copied().cycle();
    let mut out = String::new();
    write(value, &mut || bytes.next().unwrap_or(0), &mut out);
    out
}

proptest! {
    #[test]
    fn order_blanks_and_escapes_do_not_matter(body in body(), seed in prop::collection::vec(any::<u8>(), 1..64)) {
        let (plain, other) = (digest(&body.to_string()), digest(&rewritten(&body, &seed)));
        prop_assert_eq!(plain.fingerprint, other.fingerprint);
        prop_assert_eq!(plain.conversation, other.conversation);
        prop_assert_eq!(plain.prompt().question, other.prompt().question);
        prop_assert!(!plain.ambiguous && !other.ambiguous);
    }

    #[test]
    fn model_and_stream_do_not_matter(body in body(), stream: bool, usage: bool, name in "[a-z]{1,9}") {
        let before = digest(&body.to_string());
        let mut changed = body;
        changed["model"] = name.into();
        changed["stream"] = stream.into();
        changed["stream_options"] = json!({"include_usage": usage});
        prop_assert_eq!(digest(&changed.to_string()).fingerprint, before.fingerprint);
    }

    #[test]
    fn every_other_member_matters(body in body(), name in "x_[a-z]{0,3}|temperature|n|max_tokens|tools|top_p", new in value()) {
        let before = digest(&body.to_string());
        let mut changed = body.clone();
        changed[&name] = new;
        let Ok(after) = Digest::read(Endpoint::ChatCompletions, changed.to_string().as_bytes(), &KEY) else {
            // What the router reads must have its shape.
            prop_assert!(!name.starts_with("x_"));
            return Ok(());
        };
        prop_assert_eq!(after.fingerprint == before.fingerprint, changed == body);
    }

    #[test]
    fn every_change_of_the_question_matters(a in "\\PC{0,20}", b in "\\PC{0,20}") {
        let of = |text: &str| digest(&json!({"model": "m", "messages": [{"role": "user", "content": text}]}).to_string());
        prop_assert_eq!(of(&a).fingerprint == of(&b).fingerprint, a == b);
    }

    #[test]
    fn values_are_told_apart(a in value(), b in value()) {
        let of = |x: &Value| {
            digest(&json!({"model": "m", "messages": [{"role": "user", "content": "q"}], "x": x}).to_string())
        };
        prop_assert_eq!(of(&a).fingerprint == of(&b).fingerprint, a == b);
    }

    #[test]
    fn tenants_never_share_a_key(question in "\\PC{0,20}", a: u16, b: u16, stream: bool) {
        let world = World::of(&policy().internal("small", model()));
        let key = |tenant| {
            let ask = ask(&question).temperature(0.0).tenant(TenantId::new(tenant));
            world.cache_key(&if stream { ask.stream() } else { ask })
        };
        prop_assert_eq!(key(a) == key(b), a == b);
    }
}

#[test]
fn where_a_text_ends_matters() {
    let of = |messages: Value| digest(&json!({"model": "m", "messages": messages}).to_string()).fingerprint;
    let user = |text: &str| json!({"role": "user", "content": text});
    let parts = |parts: &[&str]| {
        let parts: Vec<Value> = parts.iter().map(|text| json!({"type": "text", "text": text})).collect();
        json!({"role": "user", "content": parts})
    };
    let fingerprints = [
        of(json!([user("ab")])),
        of(json!([user("a"), user("b")])),
        of(json!([user("b"), user("a")])),
        of(json!([user("a\nb")])),
        of(json!([parts(&["a", "b"])])),
        of(json!([parts(&["ab"])])),
        of(json!([parts(&["a"]), parts(&["b"])])),
        of(json!([{"role": "assistant", "content": "ab"}])),
        of(json!([{"role": "user", "content": "ab", "name": null}])),
    ];
    for (at, fingerprint) in fingerprints.iter().enumerate() {
        assert!(!fingerprints[at + 1..].contains(fingerprint), "body {at}");
    }
}

#[test]
fn names_and_values_do_not_run_into_each_other() {
    let of = |extra: &str| {
        digest(&format!(r#"{{"model":"m","messages":[{{"role":"user","content":"q"}}],{extra}}}"#))
            .fingerprint
    };
    let fingerprints = [
        of(r#""x":{"ab":"c"}"#),
        of(r#""x":{"a":"bc"}"#),
        of(r#""x":{"a":{"b":"c"}}"#),
        of(r#""x":["a","b","c"]"#),
        of(r#""x":["a",["b","c"]]"#),
        of(r#""x":[["a","b"],"c"]"#),
        of(r#""x":{"a":1,"b":2}"#),
        of(r#""x":{"a":2,"b":1}"#),
        of(r#""x":[{"a":1},{"b":2}]"#),
        of(r#""x":1"#),
        of(r#""x":1.0"#),
        of(r#""x":"1""#),
        of(r#""x":true"#),
        of(r#""x":null"#),
        of(r#""x":"""#),
        of(r#""x":[]"#),
        of(r#""x":{}"#),
        of(r#""x":[null]"#),
        of(r#""y":null"#),
        of(r#""x":-1"#),
        of(r#""x":18446744073709551615"#),
    ];
    for (at, fingerprint) in fingerprints.iter().enumerate() {
        assert!(!fingerprints[at + 1..].contains(fingerprint), "value {at}");
    }
}

#[test]
fn another_secret_gives_another_fingerprint() {
    let body = r#"{"model":"m","messages":[{"role":"user","content":"q"}]}"#;
    let other = Digest::read(Endpoint::ChatCompletions, body.as_bytes(), &FingerprintKey::new(3, 6));
    assert_ne!(other.expect("well formed").fingerprint, digest(body).fingerprint);
    assert_eq!(format!("{KEY:?}"), "FingerprintKey([redacted])");
}
