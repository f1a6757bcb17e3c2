//! Rates: `600/m`, `200k/m`, `100/10s`.

use router_core::limit::Quota;

use super::{count, duration};
use crate::diagnostics::Quoted;
use crate::fault::Fault;

/// Reads how much may be used per window: a count, a slash and a duration, whose number may be left out when it is one.
///
/// # Errors
/// No slash, a count of zero or that is none, a window that is none or outside 1 ms..=31 days.
pub fn rate(text: &str) -> Result<Quota, Fault> {
    let trimmed = text.trim();
    let Some((units, window)) = trimmed.split_once('/') else {
        let message = format!("{} says not per how long: write it like \"600/m\"", Quoted(text));
        return Err(Fault::new(message).suggest_any(count(trimmed).is_ok().then(|| format!("{trimmed}/m"))));
    };
    let window = window.trim();
    let one = if window.starts_with(|c: char| c.is_ascii_digit()) { "" } else { "1" };
    let window = duration(&format!("{one}{window}")).map_err(|fault| {
        let mend = fault.suggestion.map(|mend| format!("{}/{}", units.trim(), mend.trim_start_matches(one)));
        Fault::new(fault.message).suggest_any(mend)
    })?;
    Quota::try_new(count(units)?, window)
        .ok_or_else(|| Fault::new(format!("{} is nothing, or per more than 31 days", Quoted(text))))
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn rates_are_read_or_mended() {
        for (text, units, seconds) in
            [("600/m", 600, 60), ("200k/m", 200_000, 60), ("5/10s", 5, 10), ("1M / 1d", 1_000_000, 86_400)]
        {
            assert_eq!(
                rate(text),
                Ok(Quota::try_new(units, Duration::from_secs(seconds)).unwrap()),
                "{text}"
            );
        }
        for (text, mend) in [
            ("600", Some("600/m")),
            ("600/min", Some("600/m")),
            ("0/m", None),
            ("600/", Some("600/s")),
            ("many/m", Some("128k")),
            ("5/400d", None),
        ] {
            assert_eq!(rate(text).unwrap_err().suggestion.as_deref(), mend, "{text}");
        }
    }
}
