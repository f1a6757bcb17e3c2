//! Money: prices per million tokens (`$0.15/M`) and amounts (`$0.02`).

use router_core::{TokenPrice, Usd};

use super::decimal::{NotDecimal, scaled};
use crate::diagnostics::Quoted;
use crate::fault::Fault;

/// Reads a price of tokens: `$0.15/M` is 15 cents per million tokens, `$0.15/k` per thousand. Exact to a
/// pico-dollar a token, which is six decimal places per million.
///
/// # Errors
/// No dollar sign, no `/M`, negative, too fine or too large.
pub fn price(text: &str) -> Result<TokenPrice, Fault> {
    let trimmed = text.trim();
    let (money, per) = trimmed.split_once('/').unwrap_or((trimmed, ""));
    let number = dollars(text, money, "/M")?;
    let places = match per.trim() {
        "M" => 6,
        "k" => 9,
        _ => {
            let message = format!("{} is not a price per million tokens: it ends in /M", Quoted(text));
            return Err(Fault::new(message).suggest(format_args!("${number}/M")));
        }
    };
    let picos = scaled(number, places).map_err(|error| refused(text, error, "/M"))?;
    Ok(TokenPrice::from_picos(picos))
}

/// Reads an amount of money: `$0.02`. Exact to a nano-dollar, which is nine decimal places.
///
/// # Errors
/// No dollar sign, a `/`, negative, too fine or too large.
pub fn amount(text: &str) -> Result<Usd, Fault> {
    let trimmed = text.trim();
    let (money, per) = trimmed.split_once('/').unwrap_or((trimmed, ""));
    let number = dollars(text, money, "")?;
    if trimmed.contains('/') {
        let message = format!("{} is a price per {}, an amount is meant", Quoted(text), per.trim());
        return Err(Fault::new(message).suggest(format_args!("${number}")));
    }
    let nanos = scaled(number, 9).map_err(|error| refused(text, error, ""))?;
    Ok(Usd::from_nanos(nanos))
}

/// The digits after the dollar sign.
fn dollars<'a>(text: &str, money: &'a str, per: &str) -> Result<&'a str, Fault> {
    let money = money.trim();
    if money.starts_with('-') || money.starts_with("$-") {
        return Err(Fault::new(format!("{} is negative: money is zero or more", Quoted(text))));
    }
    if let Some(number) = money.strip_prefix('$') {
        return Ok(number.trim_start());
    }
    let fault = Fault::new(format!("{} has no currency: money is written in dollars", Quoted(text)));
    let number = money.trim_end_matches(|c: char| !c.is_ascii_digit());
    let is_number = scaled(number, 12).is_ok();
    Err(fault.suggest_any(is_number.then(|| format!("${number}{per}"))))
}

fn refused(text: &str, error: NotDecimal, per: &str) -> Fault {
    match error {
        NotDecimal::Shape => Fault::new(format!("{} is not money: write dollars as a decimal", Quoted(text)))
            .suggest(format_args!("$0.15{per}")),
        NotDecimal::TooFine => Fault::new(format!("{} has too many decimal places", Quoted(text))),
        NotDecimal::TooLarge => Fault::new(format!("{} is too much money", Quoted(text))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn prices_are_exact() {
        assert_eq!(price("$0.15/M"), Ok(TokenPrice::from_picos(150_000)));
        assert_eq!(price("$10/M"), Ok(TokenPrice::from_picos(10_000_000)));
        assert_eq!(price("$0.0025/M"), Ok(TokenPrice::from_picos(2_500)));
        assert_eq!(price("$0.01/k"), Ok(TokenPrice::from_picos(10_000_000)));
        assert_eq!(price("$0/M"), Ok(TokenPrice::from_picos(0)));
    }

    #[test]
    fn amounts_are_exact() {
        assert_eq!(amount("$0.02"), Ok(Usd::from_nanos(20_000_000)));
        assert_eq!(amount("$1000"), Ok(Usd::from_nanos(1_000_000_000_000)));
    }

    #[test]
    fn each_refusal_names_the_mend() {
        for (text, mend) in [
            ("0.15", Some("$0.15/M")),
            ("0.15/M", Some("$0.15/M")),
            ("$0.15", Some("$0.15/M")),
            ("$0.15/m", Some("$0.15/M")),
            ("$0.15/1M", Some("$0.15/M")),
            ("0.15€/M", Some("$0.15/M")),
            ("$x/M", Some("$0.15/M")),
            ("cheap", None),
            ("-$1/M", None),
            ("$-1/M", None),
            ("$0.0000001/M", None),
            ("$99999999999999999999/M", None),
        ] {
            let fault = price(text).unwrap_err();
            assert_eq!(fault.suggestion.as_deref(), mend, "{text}: {fault}");
        }
        assert_eq!(amount("$0.02/M").unwrap_err().suggestion.as_deref(), Some("$0.02"));
        assert_eq!(amount("0.02").unwrap_err().suggestion.as_deref(), Some("$0.02"));
        assert!(price("-$1/M").unwrap_err().message.contains("negative"));
    }
}
