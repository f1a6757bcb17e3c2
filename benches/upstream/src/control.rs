//! The server's own paths, for suites in other languages: `POST /__script`, `GET /__stats`,
//! `GET /__requests`. They are neither counted nor recorded, and no fault hits them.

use bytes::Bytes;
use http::request::Parts;
use http::{Method, StatusCode};
use serde::Deserialize;

use crate::fault::Fault;
use crate::json::{Json, object};
use crate::prompt::Invalid;
use crate::provider::Provider;
use crate::record::RecordedRequest;
use crate::reply::Reply;
use crate::route::Dialect;
use crate::script::{Rule, When};

/// As many rules as a script may have over HTTP.
const MAX_RULES: usize = 1_024;

/// What `POST /__script` takes. `clear` comes first, then `fault` is added: for `times` requests (default
/// 1), or with `probability` and `seed`, or `always`.
#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct Order {
    clear: bool,
    fault: Option<String>,
    times: Option<u32>,
    probability: Option<f64>,
    seed: u64,
    always: bool,
    model: Option<String>,
    path: Option<String>,
}

/// Whether a path is the server's own.
pub(crate) fn owns(path: &str) -> bool {
    path.starts_with("/__")
}

pub(crate) fn answer(provider: &Provider, head: &Parts, body: &Bytes) -> Reply {
    let get = head.method == Method::GET;
    match head.uri.path() {
        "/__script" if head.method == Method::POST => match obey(provider, body) {
            Ok(()) => Reply::json(StatusCode::OK, &rules(provider)),
            Err(message) => Reply::error(Dialect::OpenAi, 400, &Invalid::new(message, None)),
        },
        "/__script" if get => Reply::json(StatusCode::OK, &rules(provider)),
        "/__stats" if get => {
            let stats = serde_json::to_value(provider.recorder.stats()).unwrap_or_default();
            Reply::json(StatusCode::OK, &stats.into())
        }
        "/__requests" if get => {
            let requests = provider.recorder.requests();
            Reply::json(StatusCode::OK, &requests.iter().map(request).collect::<Vec<_>>().into())
        }
        "/__requests" if head.method == Method::DELETE => {
            provider.recorder.forget_requests();
            Reply::json(StatusCode::OK, &object! {})
        }
        _ => Reply::error(Dialect::OpenAi, 404, &Invalid::new("no such path or method", None)),
    }
}

fn obey(provider: &Provider, body: &Bytes) -> Result<(), String> {
    let order: Order = serde_json::from_slice(body).map_err(|error| error.to_string())?;
    if order.clear {
        provider.script.clear();
    }
    let Some(fault) = &order.fault else { return Ok(()) };
    if provider.script.len() >= MAX_RULES {
        return Err(format!("the script is full: {MAX_RULES} rules"));
    }
    let fault: Fault = fault.parse().map_err(|error| format!("{error}"))?;
    let rule = match (order.always, order.probability) {
        (true, _) => Rule::always(fault),
        (false, Some(share)) if (0.0..=1.0).contains(&share) => Rule::sometimes(fault, share, order.seed),
        (false, Some(share)) => return Err(format!("probability {share} is not between 0 and 1")),
        (false, None) => Rule::next(fault, order.times.unwrap_or(1)),
    };
    provider.script.add(Rule { model: order.model, path: order.path, ..rule });
    Ok(())
}

fn rules(provider: &Provider) -> Json {
    let rules = provider.script.rules().into_iter().map(|rule| {
        let shown = object! {"fault": rule.fault.to_string()};
        let shown = match rule.when {
            When::Next(times) => shown.with("times", times),
            When::Sometimes { share, seed } => shown.with("probability", share).with("seed", seed),
            When::Always => shown.with("always", true),
        };
        shown.with("model", rule.model).with("path", rule.path)
    });
    object! {"rules": rules.collect::<Vec<_>>()}
}

fn request(request: &RecordedRequest) -> Json {
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    let headers = request.headers.iter();
    object! {
        "ordinal": request.ordinal,
        "connection": request.connection,
        "method": request.method.as_str(),
        "path": request.uri.path(),
        "version": format!("{:?}", request.version),
        "headers": headers
            .map(|(name, value)| Json::from(vec![name.as_str().to_owned(), text(value.as_bytes())]))
            .collect::<Vec<_>>(),
        "body": text(&request.body),
        "faults": request.faults.iter().map(Fault::to_string).collect::<Vec<_>>(),
    }
}
