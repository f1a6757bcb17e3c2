//! `explain`: a decision on the body on stdin.

use std::io::Read;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Instant;

use anyhow::{Context, bail};
use http::header::{HeaderMap, HeaderName, HeaderValue};
use router_core::{Digest, Endpoint, State, decide};
use router_policies::{Live, Setup};

use super::serve::{origin, print_diagnostics, runtime};
use crate::args;
use crate::auth;
use crate::explain::Explanation;
use crate::judge::weights_loader;
use crate::sidecar::secret;
use crate::wishes::Wishes;

/// Decides and prints.
///
/// # Errors
/// A body, header or policy that cannot be read.
pub fn explain(options: &args::Explain) -> anyhow::Result<ExitCode> {
    let Some(endpoint) = Endpoint::from_name(&options.endpoint) else {
        let known: Vec<_> = Endpoint::ALL.iter().map(|endpoint| endpoint.path()).collect();
        bail!("--endpoint must be one of {}", known.join(", "));
    };
    let headers = headers(&options.headers)?;
    let mut body = Vec::new();
    std::io::stdin().read_to_end(&mut body).context("the request body on stdin cannot be read")?;
    let state = Arc::new(State::new(Instant::now(), secret()?));
    // Ollama's list is not asked for here: explain calls no provider.
    let origin = match runtime()?.block_on(origin(options.policy.as_deref(), false))? {
        Ok(origin) => origin,
        Err(errors) => return Ok(print_diagnostics(&errors)),
    };
    let setup = Setup::new(Arc::clone(&state), super::scorer(), Vec::new());
    let live = match Live::open(origin, Setup { loader: Some(weights_loader()), ..setup }) {
        Ok((live, _)) => live,
        Err(errors) => return Ok(print_diagnostics(&errors)),
    };
    let snapshot = live.snapshot();
    let digest = Digest::read(endpoint, &body, &state.fingerprint_key)?;
    let wishes = Wishes::read(&headers)?;
    let caller = auth::authenticate(&snapshot, &headers, None, std::time::SystemTime::now())
        .unwrap_or(auth::Caller::NOBODY);
    let request = wishes.request(&digest, caller.tenant, caller.known);
    let explanation = Explanation::new(
        &snapshot,
        &decide(&snapshot, &state, &request, Instant::now(), &mut fastrand::Rng::new()),
    );
    if options.json {
        println!("{}", serde_json::to_string(&explanation)?);
    } else {
        print!("{explanation}");
    }
    Ok(ExitCode::SUCCESS)
}

fn headers(pairs: &[String]) -> anyhow::Result<HeaderMap> {
    let mut headers = HeaderMap::new();
    for pair in pairs {
        let (name, value) =
            pair.split_once(':').with_context(|| format!("--header '{pair}' must be NAME:VALUE"))?;
        let name: HeaderName = name.trim().parse().with_context(|| format!("'{name}' is no header name"))?;
        let value: HeaderValue =
            value.trim().parse().with_context(|| format!("'{value}' is no header value"))?;
        headers.append(name, value);
    }
    Ok(headers)
}
