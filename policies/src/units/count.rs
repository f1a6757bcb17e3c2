//! Counts: `8k`, `128Ki`, `1M`, `200000`.

use super::decimal::{NotDecimal, scaled, split_unit};
use crate::diagnostics::Quoted;
use crate::fault::Fault;

/// Units and their value: k = 1,000, Ki = 1,024.
const UNITS: [(&str, u64); 5] = [("", 1), ("k", 1_000), ("M", 1_000_000), ("Ki", 1 << 10), ("Mi", 1 << 20)];

/// Reads a count: a number, alone or followed by `k`, `M`, `Ki` or `Mi`.
///
/// # Errors
/// An unknown unit, no number, a part of one, too large.
pub fn count(text: &str) -> Result<u64, Fault> {
    let (number, unit) = split_unit(text.trim());
    if number.is_empty() {
        return Err(Fault::new(format!("{} is not a count", Quoted(text))).suggest("128k"));
    }
    let Some((_, scale)) = UNITS.iter().find(|(name, _)| *name == unit) else {
        let mend = match unit {
            "K" => Some("k"),
            "m" => Some("M"),
            "ki" | "KI" | "kI" | "KiB" => Some("Ki"),
            "mi" | "MI" => Some("Mi"),
            _ => None,
        };
        return Err(Fault::new(format!(
            "{} has an unknown unit: use k (1,000), Ki (1,024), M or Mi",
            Quoted(text)
        ))
        .suggest_any(mend.map(|unit| format!("{number}{unit}"))));
    };
    let thousandths = scaled(number, 3).map_err(|error| match error {
        NotDecimal::Shape => Fault::new(format!("{} is not a count", Quoted(text))).suggest("128k"),
        NotDecimal::TooFine => Fault::new(format!("{} has more than three decimal places", Quoted(text))),
        NotDecimal::TooLarge => Fault::new(format!("{} is too large", Quoted(text))),
    })?;
    let total = u128::from(thousandths) * u128::from(*scale);
    if total % 1_000 != 0 {
        return Err(Fault::new(format!("{} is not a whole number", Quoted(text))));
    }
    u64::try_from(total / 1_000).map_err(|_| Fault::new(format!("{} is too large", Quoted(text))))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_are_read() {
        for (text, value) in [
            ("128k", 128_000),
            ("128Ki", 131_072),
            ("1M", 1_000_000),
            ("2Mi", 2_097_152),
            ("1.5k", 1_500),
            ("200000", 200_000),
        ] {
            assert_eq!(count(text), Ok(value), "{text}");
        }
    }

    #[test]
    fn each_refusal_names_the_mend() {
        for (text, mend) in [
            ("128K", Some("128k")),
            ("1m", Some("1M")),
            ("many", Some("128k")),
            ("1.0001k", None),
            ("1.5", None),
            ("3G", None),
            ("99999999999999999999k", None),
        ] {
            let fault = count(text).unwrap_err();
            assert_eq!(fault.suggestion.as_deref(), mend, "{text}: {fault}");
        }
    }
}
