//! What a provider says about its own limits.
//!
//! OpenAI: `x-ratelimit-{limit,remaining,reset}-{requests,tokens}`, reset as a duration (`6m0s`, `1s`, `120ms`). Anthropic:
//! `anthropic-ratelimit-{requests,tokens}-{limit,remaining,reset}`, reset as a time of day; there only how much is left is used.

use std::time::Duration;

use http::header::{self, HeaderMap};
use router_core::health::Allowance;

use crate::headers::name;

/// Longer than any provider asks to wait; more is taken for a mistake.
const MAX_RETRY_AFTER: Duration = Duration::from_secs(3600);

/// Where a reset is not told, the limits of the providers are by the minute.
const USUAL_WINDOW: Duration = Duration::from_secs(60);

fn text<'h>(headers: &'h HeaderMap, name: &str) -> Option<&'h str> {
    headers.get(name)?.to_str().ok().map(str::trim)
}

fn count(headers: &HeaderMap, name: &str) -> Option<u64> {
    text(headers, name)?.parse().ok()
}

/// `Retry-After` in seconds (or `retry-after-ms`); dates are not used by AI providers and are passed over.
#[must_use]
pub fn retry_after(headers: &HeaderMap) -> Option<Duration> {
    let millis =
        headers.get(&name::RETRY_AFTER_MS).and_then(|value| value.to_str().ok()?.trim().parse().ok());
    let seconds =
        || text(headers, header::RETRY_AFTER.as_str())?.parse::<f64>().ok().map(|seconds| seconds * 1e3);
    let millis: f64 = millis.or_else(seconds)?;
    Duration::try_from_secs_f64(millis / 1e3).ok().map(|wait| wait.min(MAX_RETRY_AFTER))
}

/// The headers of one limit, by dialect.
struct Names {
    openai: [&'static str; 3],
    anthropic: [&'static str; 2],
}

const REQUESTS: Names = Names {
    openai: ["x-ratelimit-limit-requests", "x-ratelimit-remaining-requests", "x-ratelimit-reset-requests"],
    anthropic: ["anthropic-ratelimit-requests-limit", "anthropic-ratelimit-requests-remaining"],
};

const TOKENS: Names = Names {
    openai: ["x-ratelimit-limit-tokens", "x-ratelimit-remaining-tokens", "x-ratelimit-reset-tokens"],
    anthropic: ["anthropic-ratelimit-tokens-limit", "anthropic-ratelimit-tokens-remaining"],
};

/// What is left of the provider's limits on requests and on tokens.
#[must_use]
pub fn allowances(headers: &HeaderMap) -> (Option<Allowance>, Option<Allowance>) {
    (allowance(headers, &REQUESTS), allowance(headers, &TOKENS))
}

fn allowance(headers: &HeaderMap, names: &Names) -> Option<Allowance> {
    let [limit, remaining, reset] = names.openai;
    if let (Some(limit), Some(remaining)) = (count(headers, limit), count(headers, remaining)) {
        let resets_in = text(headers, reset).and_then(duration).unwrap_or(USUAL_WINDOW);
        return Some(Allowance { limit: Some(limit), remaining, resets_in });
    }
    let [limit, remaining] = names.anthropic;
    let (limit, remaining) = (count(headers, limit)?, count(headers, remaining)?);
    Some(Allowance { limit: Some(limit), remaining, resets_in: USUAL_WINDOW })
}

/// `6m0s`, `1.5s`, `120ms`; a bare number is seconds.
fn duration(text: &str) -> Option<Duration> {
    let mut total = 0.0;
    let mut rest = text;
    while !rest.is_empty() {
        let digits = rest.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(rest.len());
        let number: f64 = rest.get(..digits)?.parse().ok()?;
        rest = &rest[digits..];
        let unit = rest.find(|c: char| c.is_ascii_digit()).unwrap_or(rest.len());
        total += number
            * match &rest[..unit] {
                "h" => 3600.0,
                "m" => 60.0,
                "s" | "" => 1.0,
                "ms" => 1e-3,
                _ => return None,
            };
        rest = &rest[unit..];
    }
    Duration::try_from_secs_f64(total).ok().filter(|_| !text.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(pairs: &[(&'static str, &'static str)]) -> HeaderMap {
        pairs.iter().map(|(name, value)| (name.parse().unwrap(), value.parse().unwrap())).collect()
    }

    #[test]
    fn both_notations_are_read() {
        let openai = headers(&[
            ("x-ratelimit-limit-requests", "60"),
            ("x-ratelimit-remaining-requests", "3"),
            ("x-ratelimit-reset-requests", "6m0s"),
        ]);
        let left = allowance(&openai, &REQUESTS).unwrap();
        assert_eq!((left.limit, left.remaining, left.resets_in), (Some(60), 3, Duration::from_secs(360)));
        let anthropic = headers(&[
            ("anthropic-ratelimit-tokens-limit", "80000"),
            ("anthropic-ratelimit-tokens-remaining", "0"),
            ("anthropic-ratelimit-tokens-reset", "2026-01-01T00:00:00Z"),
        ]);
        assert_eq!(allowance(&anthropic, &TOKENS).unwrap().remaining, 0);
        assert!(allowance(&anthropic, &REQUESTS).is_none());
    }

    #[test]
    fn durations_in_all_spellings() {
        for (text, millis) in [
            ("120ms", Some(120)),
            ("1s", Some(1000)),
            ("1m30.5s", Some(90_500)),
            ("7", Some(7000)),
            ("", None),
            ("1x", None),
            ("..s", None),
        ] {
            assert_eq!(duration(text), millis.map(Duration::from_millis), "{text}");
        }
    }

    #[test]
    fn an_absurd_wait_is_cut() {
        assert_eq!(retry_after(&headers(&[("retry-after", "20")])), Some(Duration::from_secs(20)));
        assert_eq!(
            retry_after(&headers(&[("retry-after-ms", "250"), ("retry-after", "9")])),
            Some(Duration::from_millis(250))
        );
        assert_eq!(retry_after(&headers(&[("retry-after", "1e300")])), None);
        assert_eq!(retry_after(&headers(&[("retry-after", "999999999")])), Some(MAX_RETRY_AFTER));
        assert_eq!(retry_after(&headers(&[("retry-after", "-1")])), None);
    }
}
