//! Durations: `250ms`, `60s`, `1h30m`, `7d`.

use std::time::Duration;

use super::decimal::{NotDecimal, scaled, split_unit};
use crate::diagnostics::Quoted;
use crate::fault::Fault;

/// Units and their length in milliseconds.
const UNITS: [(&str, u64); 5] = [("ms", 1), ("s", 1_000), ("m", 60_000), ("h", 3_600_000), ("d", 86_400_000)];

/// What people write instead.
const SYNONYMS: [(&str, &str); 17] = [
    ("msec", "ms"),
    ("millis", "ms"),
    ("milliseconds", "ms"),
    ("sec", "s"),
    ("secs", "s"),
    ("second", "s"),
    ("seconds", "s"),
    ("min", "m"),
    ("mins", "m"),
    ("minute", "m"),
    ("minutes", "m"),
    ("hr", "h"),
    ("hrs", "h"),
    ("hour", "h"),
    ("hours", "h"),
    ("day", "d"),
    ("days", "d"),
];

/// Ten years: far beyond any timeout, and safe to add to any clock.
const MAX: Duration = Duration::from_secs(3_650 * 86_400);

/// Reads a duration: numbers each followed by `ms`, `s`, `m`, `h` or `d`, added up, at most ten years.
///
/// # Errors
/// A missing or unknown unit, no number, too long.
pub fn duration(text: &str) -> Result<Duration, Fault> {
    let mut rest = text.trim();
    if rest.is_empty() {
        return Err(Fault::new("a duration is a number and a unit (ms, s, m, h, d)").suggest("60s"));
    }
    let mut total = Duration::ZERO;
    while !rest.is_empty() {
        let (part, after) = next_part(text, rest)?;
        total = total.saturating_add(part);
        rest = after;
    }
    if total > MAX {
        return Err(Fault::new(format!("{} is longer than ten years", Quoted(text))));
    }
    Ok(total)
}

/// The first `NUMBER UNIT` of `rest`, and what follows it.
fn next_part<'a>(text: &str, rest: &'a str) -> Result<(Duration, &'a str), Fault> {
    let (number, _) = split_unit(rest);
    let after_number = &rest[number.len()..];
    let unit_len = after_number.find(|c: char| !c.is_alphabetic()).unwrap_or(after_number.len());
    let (unit, after) = after_number.split_at(unit_len);
    let known = UNITS.iter().find(|(name, _)| *name == unit);
    let Some((_, unit_ms)) = known else {
        return Err(no_such_unit(text, number, after_number));
    };
    let thousandths = scaled(number, 3).map_err(|error| match error {
        NotDecimal::Shape => {
            Fault::new(format!("{} is not a duration: write a number and a unit", Quoted(text)))
                .suggest("60s")
        }
        NotDecimal::TooFine => Fault::new(format!("{} has more than three decimal places", Quoted(text))),
        NotDecimal::TooLarge => Fault::new(format!("{} is longer than ten years", Quoted(text))),
    })?;
    let micros = u128::from(thousandths) * u128::from(*unit_ms);
    Ok((Duration::from_micros(u64::try_from(micros).unwrap_or(u64::MAX)), after))
}

fn no_such_unit(text: &str, number: &str, unit: &str) -> Fault {
    if number.is_empty() {
        let message =
            format!("{} is not a duration: write a number and a unit (ms, s, m, h, d)", Quoted(text));
        return Fault::new(message).suggest("60s");
    }
    if unit.is_empty() {
        return Fault::new(format!("{} has no unit: ms, s, m, h or d", Quoted(text)))
            .suggest(format_args!("{number}s"));
    }
    let typed = unit.trim().to_lowercase();
    let short = SYNONYMS.iter().find(|(long, _)| *long == typed).map(|(_, short)| *short);
    let mend = short.or_else(|| UNITS.iter().map(|(name, _)| *name).find(|name| *name == typed));
    Fault::new(format!("{} has an unknown unit: use ms, s, m, h or d", Quoted(text)))
        .suggest_any(mend.map(|unit| format!("{number}{unit}")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_are_read() {
        for (text, ms) in [
            ("250ms", 250),
            ("60s", 60_000),
            ("1.5s", 1_500),
            ("5m", 300_000),
            ("1h", 3_600_000),
            ("1h30m", 5_400_000),
            ("7d", 604_800_000),
            ("0s", 0),
        ] {
            assert_eq!(duration(text), Ok(Duration::from_millis(ms)), "{text}");
        }
    }

    #[test]
    fn each_refusal_names_the_mend() {
        for (text, mend) in [
            ("60", Some("60s")),
            ("5 s", Some("5s")),
            ("5sec", Some("5s")),
            ("10 Minutes", Some("10m")),
            ("2H", Some("2h")),
            ("", Some("60s")),
            ("soon", Some("60s")),
            ("-5s", Some("60s")),
            ("1.2.3s", Some("60s")),
            ("5parsecs", None),
            ("0.0001s", None),
            ("100000d", None),
        ] {
            let fault = duration(text).unwrap_err();
            assert_eq!(fault.suggestion.as_deref(), mend, "{text}: {fault}");
        }
    }
}
