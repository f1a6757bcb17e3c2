//! A defect that panics: what was being worked on is not printed, and the others are served on.
#![allow(missing_docs, clippy::unwrap_used, clippy::panic)]

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::Arc;

use router_core::{Assessment, Prompt, Scorer};
use router_policies::Origin;
use router_proxy::sidecar::{Settings, Sidecar};

/// Where the child finds its policy; its presence makes this test binary the child.
const POLICY: &str = "POLICY_OF_THE_PANICKING";
const PROMPT: &str = "canary-in-a-prompt-3c9e";
const KEY: &str = "canary-of-a-key-81d4";

/// Panics with the prompt in its message.
#[derive(Debug)]
struct Fragile;

impl Scorer for Fragile {
    fn score(&self, prompt: &Prompt<'_>) -> Assessment {
        panic!("cannot score {:?}", prompt.question)
    }

    fn name(&self) -> &str {
        "fragile"
    }
}

/// Serves with that scorer, asks itself twice on one connection, and prints the answers.
fn serve(policy: &Path) {
    router_proxy::log::init("trace");
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let any = SocketAddr::from(([127, 0, 0, 1], 0));
    let settings = Settings { listen: any, admin: any, ..Settings::default() };
    let start = Sidecar::start(settings, Origin::File(policy.to_owned()), Arc::new(Fragile));
    let sidecar = runtime.block_on(start).unwrap();
    let body = format!(
        r#"{{"model":"auto","user":"{PROMPT}","messages":[{{"role":"user","content":"{PROMPT}"}}]}}"#
    );
    let head = |connection| {
        format!(
            "POST /v1/chat/completions HTTP/1.1\r\nhost: a\r\nauthorization: Bearer {KEY}\r\nconnection: {connection}\r\n\
             content-length: {}\r\n\r\n{body}",
            body.len()
        )
    };
    let mut stream = TcpStream::connect(sidecar.data()).unwrap();
    stream.write_all((head("keep-alive") + &head("close")).as_bytes()).unwrap();
    let mut answers = String::new();
    stream.read_to_string(&mut answers).unwrap();
    println!("{answers}");
    println!("{}", String::from_utf8(sidecar.app().metrics.render().unwrap()).unwrap());
}

#[test]
fn a_panic_tells_where_and_not_what() {
    if let Some(policy) = std::env::var_os(POLICY) {
        return serve(Path::new(&policy));
    }
    let folder = tempfile::tempdir().unwrap();
    let policy = folder.path().join("policy.toml");
    let text = "[providers.p]\ndialect = \"openai\"\nbase_url = \"http://127.0.0.1:1/v1\"\n[models.m]\nprovider = \"p\"\n";
    std::fs::write(&policy, text).unwrap();
    let child = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "--nocapture", "a_panic_tells_where_and_not_what"])
        .env(POLICY, &policy)
        .env("RUST_BACKTRACE", "1")
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .output()
        .unwrap();
    let (out, log) = (String::from_utf8(child.stdout).unwrap(), String::from_utf8(child.stderr).unwrap());
    assert!(child.status.success(), "{out}{log}");
    assert_eq!(
        out.matches("HTTP/1.1 500 Internal Server Error").count(),
        2,
        "one connection serves both: {out}"
    );
    assert_eq!(out.matches("x-router-error: internal_error").count(), 2, "{out}");
    assert!(out.contains("outcome=\"error\",tenant=\"anonymous\"} 2"), "{out}");
    let places =
        log.lines().filter(|line| line.contains("\"event\":\"panic\"") && line.contains("panicking.rs:"));
    assert_eq!(places.count(), 2, "{log}");
    for canary in [PROMPT, KEY] {
        assert!(!out.contains(canary) && !log.contains(canary), "{canary} is in: {out}{log}");
    }
}
