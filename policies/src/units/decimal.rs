//! Exact decimals: `1.25` as 1,250,000 millionths.

/// Why a text is not a decimal.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum NotDecimal {
    /// No digits, or something other than digits and one point.
    Shape,
    /// More decimal places than the value can hold.
    TooFine,
    /// Does not fit.
    TooLarge,
}

/// `text` × 10^`places`, exactly. Accepts `12`, `1.5`, `0.25`; no sign, no exponent, no separators.
pub(crate) fn scaled(text: &str, places: u32) -> Result<u64, NotDecimal> {
    let (whole, fraction) = text.split_once('.').unwrap_or((text, "0"));
    let digits = |part: &str| !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_digit());
    if !digits(whole) || !digits(fraction) {
        return Err(NotDecimal::Shape);
    }
    let fraction = fraction.trim_end_matches('0');
    let Some(missing) = places.checked_sub(u32::try_from(fraction.len()).unwrap_or(u32::MAX)) else {
        return Err(NotDecimal::TooFine);
    };
    let whole: u64 = whole.parse().map_err(|_| NotDecimal::TooLarge)?;
    let fraction: u64 =
        if fraction.is_empty() { 0 } else { fraction.parse().map_err(|_| NotDecimal::TooFine)? };
    let fraction = fraction.checked_mul(10_u64.pow(missing));
    let whole = 10_u64.checked_pow(places).and_then(|scale| whole.checked_mul(scale));
    whole.zip(fraction).and_then(|(whole, fraction)| whole.checked_add(fraction)).ok_or(NotDecimal::TooLarge)
}

/// Splits `10MiB` into `10` and `MiB`: the longest start of digits and points, and the trimmed rest.
pub(crate) fn split_unit(text: &str) -> (&str, &str) {
    let end = text.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(text.len());
    let (number, unit) = text.split_at(end);
    (number, unit.trim())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn decimals_are_exact() {
        assert_eq!(scaled("0.15", 6), Ok(150_000));
        assert_eq!(scaled("2.50", 6), Ok(2_500_000));
        assert_eq!(scaled("10", 0), Ok(10));
        assert_eq!(scaled("1.0", 0), Ok(1));
        assert_eq!(scaled("0.1", 9), Ok(100_000_000));
    }

    #[test]
    fn everything_else_is_refused() {
        for text in ["", ".", "1.", ".5", "-1", "+1", "1e3", "1_000", "1.2.3", "١"] {
            assert_eq!(scaled(text, 3), Err(NotDecimal::Shape), "{text}");
        }
        assert_eq!(scaled("0.0001", 3), Err(NotDecimal::TooFine));
        assert_eq!(scaled("99999999999999999999", 0), Err(NotDecimal::TooLarge));
        assert_eq!(scaled("18446744073709551615", 1), Err(NotDecimal::TooLarge));
    }
}
