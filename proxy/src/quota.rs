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

/// What is left of a limit: requests or tokens.
#[must_use]
pub fn allowance(headers: &HeaderMap, what: &str) -> Option<Allowance> {
    let openai = |part: &str| format!("x-ratelimit-{part}-{what}");
    let anthropic = |part: &str| format!("anthropic-ratelimit-{what}-{part}");
    if let (Some(limit), Some(remaining)) =
        (count(headers, &openai("limit")), count(headers, &openai("remaining")))
    {
        let resets_in = text(headers, &openai("reset")).and_then(duration).unwrap_or(USUAL_WINDOW);
        return Some(Allowance { limit: Some(limit), remaining, resets_in });
    }
    let (limit, remaining) = (count(headers, &anthropic("limit"))?, count(headers, &anthropic("remaining"))?);
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
        let left = allowance(&openai, "requests").unwrap();
        assert_eq!((left.limit, left.remaining, left.resets_in), (Some(60), 3, Duration::from_secs(360)));
        let anthropic = headers(&[
            ("anthropic-ratelimit-tokens-limit", "80000"),
            ("anthropic-ratelimit-tokens-remaining", "0"),
            ("anthropic-ratelimit-tokens-reset", "2026-01-01T00:00:00Z"),
        ]);
        assert_eq!(allowance(&anthropic, "tokens").unwrap().remaining, 0);
        assert!(allowance(&anthropic, "requests").is_none());
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
