//! Values back into the form in which they are written.

use std::time::Duration;

use router_core::{Operator, TokenPrice, Usd};

/// `5s`, `1h`, `250ms`: the largest unit that leaves no remainder.
pub(crate) fn duration(value: Duration) -> String {
    let ms = value.as_millis();
    let units = [("d", 86_400_000), ("h", 3_600_000), ("m", 60_000), ("s", 1_000)];
    let fits = units.iter().find(|(_, unit_ms)| ms > 0 && ms.is_multiple_of(*unit_ms));
    fits.map_or_else(|| format!("{ms}ms"), |(unit, unit_ms)| format!("{}{unit}", ms / unit_ms))
}

/// `64MiB`, `10000000B`: the largest binary unit that leaves no remainder.
pub(crate) fn size(bytes: u64) -> String {
    let units = [("GiB", 1_u64 << 30), ("MiB", 1 << 20), ("KiB", 1 << 10)];
    let fits = units.iter().find(|(_, unit)| bytes > 0 && bytes.is_multiple_of(*unit));
    fits.map_or_else(|| format!("{bytes}B"), |(name, unit)| format!("{}{name}", bytes / unit))
}

/// `$0.15/M`
pub(crate) fn price(value: TokenPrice) -> String {
    // One pico-dollar a token is a millionth of a dollar per million tokens.
    format!("${}/M", Usd::from_nanos(value.picos().saturating_mul(1_000)))
}

/// `$0.02`
pub(crate) fn amount(value: Usd) -> String {
    format!("${value}")
}

/// `>`
pub(crate) fn operator(operator: Operator) -> &'static str {
    match operator {
        Operator::Greater => ">",
        Operator::AtLeast => ">=",
        Operator::Less => "<",
        Operator::AtMost => "<=",
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super as units;
    use super::*;

    proptest! {
        #[test]
        fn what_is_shown_reads_back(ms in 0_u64..300_000_000_000, bytes: u64, picos in 0_u64..1 << 50) {
            let value = Duration::from_millis(ms);
            prop_assert_eq!(units::duration(&duration(value)), Ok(value));
            prop_assert_eq!(units::size(&size(bytes >> 16)), Ok(bytes >> 16));
            let value = TokenPrice::from_picos(picos);
            prop_assert_eq!(units::price(&price(value)), Ok(value));
            let value = Usd::from_nanos(picos);
            prop_assert_eq!(units::amount(&amount(value)), Ok(value));
        }
    }

    #[test]
    fn the_largest_whole_unit_is_shown() {
        assert_eq!(duration(Duration::from_secs(7_200)), "2h");
        assert_eq!(duration(Duration::from_millis(1_500)), "1500ms");
        assert_eq!(duration(Duration::ZERO), "0ms");
        assert_eq!(size(64 << 20), "64MiB");
        assert_eq!(price(TokenPrice::from_picos(2_500_000)), "$2.5/M");
    }
}
