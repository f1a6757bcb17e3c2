//! `cache warm`: fills the cache of a running router from a file.

use std::process::ExitCode;

use anyhow::Context;
use serde::Deserialize;
use serde_json::json;

use super::admin::Admin;
use crate::args;

/// Bytes sent at a time, unless one line alone is longer. The admin plane reads up to 16 MiB.
const BATCH_BYTES: usize = 1 << 20;

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
    let admin = Admin::try_new(&options.url, options.token_env.as_deref())?;
    let (mut stored, mut mistakes) = (0, 0_usize);
    for batch in batches(&text) {
        let before = batch.before;
        let answer = admin.post("/cache/warm", "application/jsonl", batch.lines)?;
        let warmed: Warmed = serde_json::from_slice(&answer)
            .with_context(|| format!("{} is not the admin plane of a router", options.url))?;
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
