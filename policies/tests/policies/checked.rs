//! Files checked together, as the command does.

use std::fs;

use router_policies::{FileKind, check_files};

use crate::setup::{loader, shown};

const POLICY: &str = "[providers.near]\ndialect = \"openai\"\nbase_url = \"http://127.0.0.1:9000/v1\"\n\
                      [models.small]\nprovider = \"near\"\n";

#[track_caller]
fn expect(files: &[(&str, &str)], expected: &[&str]) {
    let folder = tempfile::tempdir().unwrap();
    let paths: Vec<_> = files.iter().map(|(name, _)| folder.path().join(name)).collect();
    for (path, (_, text)) in paths.iter().zip(files) {
        fs::write(path, text).unwrap();
    }
    let found = shown(&check_files(&paths, None)).replace(&format!("{}/", folder.path().display()), "");
    assert_eq!(found.lines().collect::<Vec<_>>(), expected);
}

#[test]
fn a_file_is_what_its_name_or_its_keys_say() {
    for (path, text, kind) in [
        ("etc/proxy.toml", "providers = {}", FileKind::Proxy),
        ("etc/policy.toml", "listen = \"x\"", FileKind::Policy),
        ("sidecar.toml", "listen = \"x\"", FileKind::Proxy),
        ("sidecar.toml", "[limits]\nmax_body = \"1MiB\"", FileKind::Proxy),
        ("sidecar.toml", "listen = \"x\"\n[models]", FileKind::Policy),
        ("sidecar.toml", "", FileKind::Policy),
        ("sidecar.toml", "= broken\n[log]", FileKind::Proxy),
    ] {
        assert_eq!(FileKind::of(path, text), kind, "{path}: {text}");
    }
}

#[test]
fn a_policy_is_checked_against_the_listeners_beside_it() {
    expect(&[("policy.toml", POLICY)], &[]);
    expect(
        &[("policy.toml", POLICY), ("proxy.toml", "listen = \"127.0.0.1:9000\"\n")],
        &[
            "policy.toml:3:12: error: \"http://127.0.0.1:9000/v1\" is the router itself, which listens on 127.0.0.1:9000",
        ],
    );
}

#[test]
fn an_open_door_without_keys_is_an_error() {
    let guarded = format!(
        "{POLICY}[tenants.a]\nkeys = [\"sha256:2bb80d537b1da3e38bd30361aa855686bde0eacd7162fef6a25fe97bf527a25b\"]\n"
    );
    let open = ("proxy.toml", "listen = \"0.0.0.0:8080\"\n");
    expect(&[("policy.toml", &guarded), open], &[]);
    let folder = tempfile::tempdir().unwrap();
    let paths = ["proxy.toml", "policy.toml"].map(|name| folder.path().join(name));
    fs::write(&paths[0], open.1).unwrap();
    fs::write(&paths[1], POLICY).unwrap();
    let found = check_files(&paths, None);
    assert_eq!(found.len(), 1, "{}", shown(&found));
    assert_eq!((found[0].line, found[0].column), (1, 10));
    assert!(found[0].message.contains("is not loopback"), "{}", found[0]);
}

#[test]
fn secrets_are_looked_for_beside_the_file() {
    let policy = POLICY.replace("[models", "api_key = { file = \"key\" }\n[models");
    expect(
        &[("policy.toml", &policy), ("key", "k = 1")],
        &[
            "key:1:1: error: unknown key \"k\"; known are baseline, out_of_domain, stream_usage, providers, models, aliases, profiles, rules, scorer, cache, outcomes, attempts, tenants, unpriced, reserve_output_tokens, quotas, budgets, cors",
        ],
    );
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("policy.toml");
    fs::write(&path, &policy).unwrap();
    let found = check_files(&[path], None);
    assert_eq!(found.len(), 1, "{}", shown(&found));
    assert!(!found[0].is_error() && found[0].message.starts_with("file key cannot be read"), "{}", found[0]);
}

#[test]
fn a_file_that_is_not_there_is_an_error() {
    let found = check_files(&["/nowhere/policy.toml".into()], None);
    assert!(found.len() == 1 && found[0].is_error());
    assert!(
        found[0].to_string().starts_with("/nowhere/policy.toml:1:1: error: cannot be read"),
        "{}",
        found[0]
    );
}

#[test]
fn weights_are_tried_where_somebody_can() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("policy.toml");
    fs::write(&path, format!("{POLICY}[scorer]\nweights = \"w.bin\"\n")).unwrap();
    let paths = [path];
    let found = |with: bool| {
        let loader = loader();
        let found = check_files(&paths, with.then_some(&loader));
        found.into_iter().map(|diagnostic| diagnostic.message).collect::<Vec<_>>()
    };
    assert!(found(false)[0].starts_with("weights: \"w.bin\" cannot be read: "));
    assert_eq!(found(true), found(false));
    fs::write(folder.path().join("w.bin"), "damaged").unwrap();
    assert_eq!(found(true), ["weights: \"w.bin\" is refused: these are no weights"]);
    assert!(found(false).is_empty());
    fs::write(folder.path().join("w.bin"), "weights good").unwrap();
    assert!(found(true).is_empty());
}
