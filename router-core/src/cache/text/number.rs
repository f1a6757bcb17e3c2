//! Numbers in digits: sign, currency, grouping, ordinal endings and glued units.

use super::word::Word;

/// A number's value: whole numbers compare by value, anything with a fraction by its digits, so that version 3.1
/// is not version 3.10.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Amount(u64);

/// Set for amounts that are not whole numbers.
const BY_DIGITS: u64 = 1 << 63;

impl Amount {
    /// A unit without a number beside it ("how many miles").
    pub const NONE: Self = Self(u64::MAX);

    /// A whole number. Values from 2⁶³ on are told apart by their digits.
    #[must_use]
    pub fn whole(value: u64) -> Self {
        if value < BY_DIGITS { Self(value) } else { Self::of_digits(&value.to_string()) }
    }

    /// A number written like this, without grouping.
    #[must_use]
    pub fn of_digits(digits: &str) -> Self {
        match digits.parse::<u64>() {
            Ok(value) if value < BY_DIGITS => Self(value),
            _ => Self(Word::of(digits).bits() | BY_DIGITS),
        }
    }

    /// The value of a whole number.
    #[must_use]
    pub fn value(self) -> Option<u64> {
        (self.0 < BY_DIGITS).then_some(self.0)
    }

    /// This many times `scale`, where that is a whole number.
    #[must_use]
    pub fn scaled(self, scale: u64) -> Self {
        match self.value().and_then(|value| value.checked_mul(scale)) {
            Some(product) => Self::whole(product),
            None => Self(self.0 ^ Word::of("scale").bits().rotate_left(7) ^ scale | BY_DIGITS),
        }
    }

    /// The amount as bits, for hashing a whole text.
    #[must_use]
    pub const fn bits(self) -> u64 {
        self.0
    }
}

/// A number and what is glued to it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Piece<'t> {
    /// The value.
    pub amount: Amount,
    /// A currency sign before it.
    pub currency: Option<&'t str>,
    /// Letters after it that name a unit, or "th" for an ordinal; not the `k` of thousands, which is in the amount.
    pub suffix: Option<&'t str>,
}

/// Reads a number at the front of `text`, and how many bytes it takes. `fresh` tells that no word ends right before
/// it, so that a hyphen is a sign. Words that begin with digits ("3d", "4chan") are not numbers.
#[must_use]
pub fn read(text: &str, fresh: bool) -> Option<(Piece<'_>, usize)> {
    let mut at = 0;
    let negative = fresh && text.starts_with(['-', '−']);
    if negative {
        at += text.chars().next().map_or(0, char::len_utf8);
    }
    let currency_length =
        text[at..].chars().next().filter(|c| "$€£¥₹¢".contains(*c)).map_or(0, char::len_utf8);
    let currency = (currency_length > 0).then(|| &text[at..at + currency_length]);
    at += currency_length;
    let digits = digits_length(&text[at..]);
    if digits == 0 || (fresh && !negative && currency.is_none() && text.starts_with('.') && digits == 1) {
        return None;
    }
    let written = &text[at..at + digits];
    at += digits;
    let letters = text[at..].find(|c: char| !c.is_alphanumeric()).unwrap_or(text.len() - at);
    let suffix = &text[at..at + letters];
    let (scale, suffix) = match suffix {
        "" => (1, None),
        "k" | "K" => (1000, None),
        "st" | "nd" | "rd" | "th" | "ST" | "ND" | "RD" | "TH" => (1, Some("th")),
        _ if is_unit(suffix) => (1, Some(suffix)),
        _ => return None,
    };
    let mut amount = plain_amount(written, negative);
    if scale > 1 {
        amount = amount.scaled(scale);
    }
    Some((Piece { amount, currency, suffix }, at + letters))
}

/// How many bytes of digits, with `.`, `,` and `:` between digits, stand at the front.
fn digits_length(text: &str) -> usize {
    let bytes = text.as_bytes();
    let mut length = 0;
    for (at, byte) in bytes.iter().enumerate() {
        let inside = match byte {
            b'0'..=b'9' => true,
            b'.' | b',' | b':' => {
                bytes.get(at + 1).is_some_and(u8::is_ascii_digit) && (at > 0 || *byte == b'.')
            }
            _ => false,
        };
        if !inside {
            break;
        }
        length = at + 1;
    }
    length
}

/// Drops grouping commas, leading zeros and sign differences; keeps everything else as written.
fn plain_amount(written: &str, negative: bool) -> Amount {
    let grouped =
        written.split(',').skip(1).all(|group| group.split('.').next().is_some_and(|g| g.len() == 3));
    let mut digits = String::with_capacity(written.len() + 1);
    if negative {
        digits.push('-');
    }
    let trimmed = if written.starts_with('0') && written.len() > 1 && written.as_bytes()[1].is_ascii_digit() {
        written.trim_start_matches('0')
    } else {
        written
    };
    if trimmed.is_empty() || trimmed.starts_with('.') {
        digits.push('0');
    }
    digits.extend(trimmed.chars().filter(|c| !(grouped && *c == ',')));
    Amount::of_digits(&digits)
}

/// Letters that follow a number without a space and mean a unit. The list is short because "3d" is no unit.
fn is_unit(letters: &str) -> bool {
    const GLUED: &[&str] = &[
        "s", "m", "g", "l", "h", "b", "mm", "cm", "km", "nm", "mg", "kg", "mcg", "ug", "ml", "cl", "dl",
        "lb", "lbs", "oz", "ft", "in", "yd", "mi", "mph", "kmh", "kph", "min", "mins", "sec", "secs", "hr",
        "hrs", "ms", "ns", "am", "pm", "kb", "mb", "gb", "tb", "pb", "kib", "mib", "gib", "hz", "khz", "mhz",
        "ghz", "w", "kw", "mw", "kwh", "v", "mv", "a", "mah", "px", "pt", "pts", "bn", "mn", "yr", "yrs",
        "wk", "wks", "mo", "days", "day", "years", "year", "hours", "hour", "weeks", "week", "months",
        "month", "minutes", "minute", "seconds", "miles", "mile", "meters", "grams", "percent", "pct", "usd",
        "eur", "gbp", "inr", "rs", "c", "f", "kcal", "cal", "kj", "j", "n", "psi", "ppm", "iu", "cc", "mmhg",
        "bpm", "fps", "rpm", "kbps", "mbps", "gbps", "million", "billion",
    ];
    letters.len() <= 7 && GLUED.iter().any(|unit| unit.eq_ignore_ascii_case(letters))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn one(text: &str) -> Option<(Amount, Option<&str>, Option<&str>, usize)> {
        read(text, true).map(|(piece, length)| (piece.amount, piece.currency, piece.suffix, length))
    }

    #[test]
    fn numbers_are_read_with_what_is_glued_to_them() {
        let whole = |n| Amount::whole(n);
        assert_eq!(one("1,000"), Some((whole(1000), None, None, 5)));
        assert_eq!(one("$5"), Some((whole(5), Some("$"), None, 2)));
        assert_eq!(one("10mg"), Some((whole(10), None, Some("mg"), 4)));
        assert_eq!(one("5k"), Some((whole(5000), None, None, 2)));
        assert_eq!(one("2nd"), Some((whole(2), None, Some("th"), 3)));
        assert_eq!(one("007"), Some((whole(7), None, None, 3)));
        assert_eq!(one("0"), Some((whole(0), None, None, 1)));
        assert_eq!(one("3d"), None);
        assert_eq!(one("abc"), None);
        assert_eq!(one(""), None);
    }

    #[test]
    fn fractions_signs_and_versions_differ_by_their_digits() {
        let texts =
            ["1.5", "15", "1.50", "-15", "3.1", "3.10", "3:10", "1,5", "1.5k", "1500000000000000000000000"];
        for (i, a) in texts.iter().enumerate() {
            for b in &texts[i + 1..] {
                assert_ne!(one(a).unwrap().0, one(b).unwrap().0, "{a} {b}");
            }
        }
    }
}
