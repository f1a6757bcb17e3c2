//! `cache warm`: fills the cache of a running router from a file.

use std::process::ExitCode;
use std::time::Duration;

use anyhow::{Context, bail, ensure};
use bytes::Bytes;
use http::{Request, Uri, header};
use http_body_util::{BodyExt, Full, Limited};
use hyper_util::client::legacy::Client;
use hyper_util::rt::TokioExecutor;
use serde::Deserialize;
use serde_json::json;

use crate::args;

/// Bytes sent at a time, unless one line alone is longer. The admin plane reads up to 16 MiB.
const BATCH_BYTES: usize = 1 << 20;
/// Storing a batch takes well under a second; embedding the questions of a thousand lines, a few.
const PATIENCE: Duration = Duration::from_secs(300);

#[derive(Deserialize)]
struct Warmed {
    stored: u64,
    errors: Vec<Mistake>,
}

#[derive(Deserialize)]
struct Mistake {
    line: usize,
    message: String,
}

/// Lines of the file and where they begin.
struct Batch {
    /// Lines before it.
    before: usize,
    lines: Vec<u8>,
}

/// Sends the file's pairs to the router at `--url`; prints how many were stored and what was wrong with the others.
///
/// # Errors
/// A file that cannot be read, a router that does not answer.
pub fn warm(options: &args::Warm) -> anyhow::Result<ExitCode> {
    let path = options.file.display();
    let text = std::fs::read(&options.file).with_context(|| format!("cannot read {path}"))?;
    let token = match &options.token_env {
        Some(name) => Some(std::env::var(name).with_context(|| format!("the environment has no {name}"))?),
        None => None,
    };
    let base = options.url.trim_end_matches('/');
    let uri: Uri = format!("{base}/cache/warm").parse().context("--url is no address")?;
    ensure!(uri.scheme_str() == Some("http"), "--url must begin with http://, as in http://127.0.0.1:8081");
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let (mut stored, mut mistakes) = (0, 0_usize);
    for batch in batches(&text) {
        let before = batch.before;
        let warmed = runtime.block_on(send(&uri, token.as_deref(), batch.lines))?;
        stored += warmed.stored;
        mistakes += warmed.errors.len();
        for Mistake { line, message } in warmed.errors {
            eprintln!("{path}:{}: error: {message}", before + line);
        }
    }
    if options.json {
        println!("{}", json!({"stored": stored, "errors": mistakes}));
    } else {
        println!("stored {stored} answers, {mistakes} lines were not usable");
    }
    Ok(if mistakes == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

fn batches(text: &[u8]) -> Vec<Batch> {
    let mut batches: Vec<Batch> = Vec::new();
    for (at, line) in text.split_inclusive(|byte| *byte == b'\n').enumerate() {
        match batches.last_mut().filter(|batch| batch.lines.len() + line.len() <= BATCH_BYTES) {
            Some(batch) => batch.lines.extend_from_slice(line),
            None => batches.push(Batch { before: at, lines: line.to_vec() }),
        }
    }
    batches
}

async fn send(uri: &Uri, token: Option<&str>, lines: Vec<u8>) -> anyhow::Result<Warmed> {
    let client: Client<_, Full<Bytes>> = Client::builder(TokioExecutor::new()).build_http();
    let mut request = Request::post(uri.clone()).header(header::CONTENT_TYPE, "application/jsonl");
    if let Some(token) = token {
        request = request.header(header::AUTHORIZATION, format!("Bearer {token}"));
    }
    let request = request.body(Full::from(lines))?;
    let response = tokio::time::timeout(PATIENCE, client.request(request))
        .await
        .context("the router did not answer in time")?
        .with_context(|| format!("no router at {uri}"))?;
    let status = response.status();
    let body =
        Limited::new(response.into_body(), 16 << 20).collect().await.map_err(anyhow::Error::from_boxed)?;
    let body = body.to_bytes();
    if !status.is_success() {
        bail!("{uri} answered {status}: {}", String::from_utf8_lossy(&body));
    }
    serde_json::from_slice(&body).with_context(|| format!("{uri} is not the admin plane of a router"))
}
