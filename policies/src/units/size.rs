//! Sizes in bytes: `10MiB`, `64KiB`, `10MB`.

use super::decimal::{NotDecimal, scaled, split_unit};
use crate::diagnostics::Quoted;
use crate::fault::Fault;

/// Units and their size in bytes; IEC 80000-13 for the binary ones.
const UNITS: [(&str, u64); 7] = [
    ("B", 1),
    ("kB", 1_000),
    ("MB", 1_000_000),
    ("GB", 1_000_000_000),
    ("KiB", 1 << 10),
    ("MiB", 1 << 20),
    ("GiB", 1 << 30),
];

/// Reads a size in bytes: `512B`, `10MiB` (2²⁰), `10MB` (10⁶).
///
/// # Errors
/// A missing or unknown unit, no number, a part of a byte, too large.
pub fn size(text: &str) -> Result<u64, Fault> {
    let (number, unit) = split_unit(text.trim());
    if number.is_empty() {
        return Err(
            Fault::new(format!("{} is not a size: write a number and a unit", Quoted(text))).suggest("10MiB")
        );
    }
    let Some((_, unit_bytes)) = UNITS.iter().find(|(name, _)| *name == unit) else {
        return Err(no_such_unit(text, number, unit));
    };
    let thousandths = scaled(number, 3).map_err(|error| match error {
        NotDecimal::Shape => {
            Fault::new(format!("{} is not a size: write a number and a unit", Quoted(text))).suggest("10MiB")
        }
        NotDecimal::TooFine => Fault::new(format!("{} has more than three decimal places", Quoted(text))),
        NotDecimal::TooLarge => Fault::new(format!("{} is too large", Quoted(text))),
    })?;
    let bytes = u128::from(thousandths) * u128::from(*unit_bytes);
    if bytes % 1_000 != 0 {
        return Err(Fault::new(format!("{} is not a whole number of bytes", Quoted(text))));
    }
    u64::try_from(bytes / 1_000).map_err(|_| Fault::new(format!("{} is too large", Quoted(text))))
}

fn no_such_unit(text: &str, number: &str, unit: &str) -> Fault {
    if unit.is_empty() {
        return Fault::new(format!("{} has no unit: B, KiB, MiB or GiB", Quoted(text)))
            .suggest(format_args!("{number}B"));
    }
    let mend = match unit.to_lowercase().as_str() {
        "b" | "byte" | "bytes" => Some("B"),
        "k" | "ki" | "kib" => Some("KiB"),
        "m" | "mi" | "mib" => Some("MiB"),
        "g" | "gi" | "gib" => Some("GiB"),
        "kb" => Some("kB"),
        "mb" => Some("MB"),
        "gb" => Some("GB"),
        _ => None,
    };
    Fault::new(format!("{} has an unknown unit: use B, KiB, MiB, GiB, kB, MB or GB", Quoted(text)))
        .suggest_any(mend.map(|unit| format!("{number}{unit}")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_are_read() {
        for (text, bytes) in [
            ("10MiB", 10 << 20),
            ("64KiB", 64 << 10),
            ("10MB", 10_000_000),
            ("512B", 512),
            ("1.5GiB", 3 << 29),
        ] {
            assert_eq!(size(text), Ok(bytes), "{text}");
        }
    }

    #[test]
    fn each_refusal_names_the_mend() {
        for (text, mend) in [
            ("1024", Some("1024B")),
            ("10M", Some("10MiB")),
            ("10mb", Some("10MB")),
            ("10mib", Some("10MiB")),
            ("big", Some("10MiB")),
            ("-1MiB", Some("10MiB")),
            ("1.5B", None),
            ("10TB", None),
            ("99999999999999999GiB", None),
        ] {
            let fault = size(text).unwrap_err();
            assert_eq!(fault.suggestion.as_deref(), mend, "{text}: {fault}");
        }
    }
}
