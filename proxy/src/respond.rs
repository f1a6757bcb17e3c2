//! Writes the router's headers onto an answer.

use std::time::Duration;

use http::header::{HeaderMap, HeaderName, HeaderValue};
use router_core::cache::bound::Standing as BoundStanding;
use router_core::cache::guard::{Guard, Vetoes};
use router_core::limit::Standing;
use router_core::{Domain, ModelId, Receipt, Snapshot, Usd};

use crate::account::Standings;
use crate::headers::{lossy_value, name};

/// Why the answer came from where it came from.
pub fn explain(headers: &mut HeaderMap, snapshot: &Snapshot, receipt: &Receipt) {
    let complexity = format_complexity(receipt.assessment.complexity());
    headers.insert(name::COMPLEXITY, complexity);
    headers.insert(name::BAND, HeaderValue::from_static(receipt.band.as_str()));
    if receipt.assessment.domain == Domain::Outside {
        headers.insert(name::DOMAIN, HeaderValue::from_static("outside"));
    }
    if let Some(rule) = receipt.rule.and_then(|rule| snapshot.rule(rule)) {
        headers.insert(name::RULE, lossy_value(&rule.name));
    }
}

/// That the stored question was another one, how alike the two are, and what is known of the share of such answers that are wrong.
pub fn near(headers: &mut HeaderMap, score: f32, standing: BoundStanding) {
    headers.insert(name::SIMILARITY, format_complexity(score));
    headers.insert(name::BOUND, HeaderValue::from_static(standing.name()));
}

/// Which guards refused the nearest stored answer.
pub fn vetoes(headers: &mut HeaderMap, vetoes: Vetoes) {
    if vetoes.is_empty() {
        return;
    }
    let names: Vec<&str> = vetoes.iter().map(Guard::name).collect();
    headers.insert(name::VETOES, lossy_value(&names.join(",")));
}

/// `0.123` without the formatting machinery: this stands in every response.
fn format_complexity(complexity: f32) -> HeaderValue {
    let thousandths = (complexity * 1000.0).round() as u32;
    let digits = [
        b'0' + (thousandths / 1000) as u8,
        b'.',
        b'0' + (thousandths / 100 % 10) as u8,
        b'0' + (thousandths / 10 % 10) as u8,
        b'0' + (thousandths % 10) as u8,
    ];
    HeaderValue::from_bytes(&digits).unwrap_or_else(|_| HeaderValue::from_static("0.500"))
}

/// Which model answered.
pub fn target(headers: &mut HeaderMap, snapshot: &Snapshot, model: ModelId, requested: &str) {
    let Some((model, provider)) = snapshot.target(model) else { return };
    let named = match model.upstream_model {
        router_core::UpstreamModel::Named(_) => &*model.name,
        router_core::UpstreamModel::AsRequested => requested,
    };
    headers.insert(name::MODEL, lossy_value(named));
    headers.insert(name::PROVIDER, lossy_value(&provider.name));
    headers.insert(name::PLACEMENT, HeaderValue::from_static(provider.placement.as_str()));
}

/// What it took: cache, attempts, money, the router's own time.
pub fn effort(headers: &mut HeaderMap, cache: &'static str, attempts: u32, cost: Option<Usd>, own: Duration) {
    headers.insert(name::CACHE, HeaderValue::from_static(cache));
    headers.insert(name::ATTEMPTS, HeaderValue::from(attempts));
    headers.insert(name::OVERHEAD, HeaderValue::from(own.as_micros() as u64));
    if let Some(cost) = cost {
        headers.insert(name::COST, lossy_value(&cost.to_string()));
    }
}

/// Where the caller's quotas stand.
pub fn standings(headers: &mut HeaderMap, (requests, tokens): Standings) {
    let mut write = |standing: Option<Standing>, names: [HeaderName; 3]| {
        let Some(Standing { limit, remaining, reset }) = standing else { return };
        // As OpenAI writes it, to the millisecond.
        let reset = lossy_value(&format!("{}ms", reset.as_nanos().div_ceil(1_000_000)));
        for (name, value) in
            names.into_iter().zip([HeaderValue::from(limit), HeaderValue::from(remaining), reset])
        {
            headers.insert(name, value);
        }
    };
    write(requests, name::RATE_LIMIT_REQUESTS);
    write(tokens, name::RATE_LIMIT_TOKENS);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn complexity_has_three_decimals() {
        for (complexity, text) in [(0.0, "0.000"), (0.4126, "0.413"), (0.9996, "1.000"), (1.0, "1.000")] {
            assert_eq!(format_complexity(complexity), text);
        }
    }
}
