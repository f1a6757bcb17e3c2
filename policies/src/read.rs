//! Readers: one TOML value into one typed value, or what is wrong with it.

use std::time::{Duration, SystemTime};

use router_core::limit::Quota;
use router_core::{Comparison, TokenPrice, Usd};
use toml::de::DeValue;

use crate::diagnostics::Quoted;
use crate::fault::Fault;
use crate::nearest::nearest;
use crate::table::kind;
use crate::units;

/// Longest name of a provider, model, rule and the like: they become metric labels and header values.
pub(crate) const MAX_NAME_CHARS: usize = 128;

fn expected(what: &str, found: &DeValue<'_>) -> Fault {
    Fault::new(format!("must be {what}, not {}", kind(found)))
}

/// A string that is not empty.
pub(crate) fn text(value: &DeValue<'_>) -> Result<String, Fault> {
    match value {
        DeValue::String(text) if text.trim().is_empty() => Err(Fault::new("must not be empty")),
        DeValue::String(text) => Ok(text.clone().into_owned()),
        DeValue::Integer(_) | DeValue::Float(_) | DeValue::Boolean(_) => {
            Err(expected("a string", value).suggest(plain(value)))
        }
        _ => Err(expected("a string", value)),
    }
}

/// A name: what providers, models, rules and tenants may be called.
pub(crate) fn name(value: &DeValue<'_>) -> Result<String, Fault> {
    let name = text(value)?;
    check_name(&name)?;
    Ok(name)
}

/// Whether a name can stand in a header and a metric label as it is.
pub(crate) fn check_name(name: &str) -> Result<(), Fault> {
    if name.is_empty() {
        return Err(Fault::new("a name must not be empty"));
    }
    if name.chars().count() > MAX_NAME_CHARS {
        return Err(Fault::new(format!("a name has at most {MAX_NAME_CHARS} characters")));
    }
    let printable =
        name.bytes().all(|byte| matches!(byte, b' '..=b'~') && !matches!(byte, b'"' | b'\\' | b','));
    if !printable || name.trim() != name {
        let message =
            format!("{} is no name: use ASCII letters, digits, spaces and any of -_.:/@+", Quoted(name));
        let mend: String =
            name.trim().chars().map(|c| if c.is_ascii_alphanumeric() { c } else { '-' }).collect();
        return Err(Fault::new(message).suggest(mend));
    }
    Ok(())
}

/// `true` or `false`.
pub(crate) fn boolean(value: &DeValue<'_>) -> Result<bool, Fault> {
    match value {
        DeValue::Boolean(value) => Ok(*value),
        DeValue::String(text) => {
            let mend = match text.to_lowercase().as_str() {
                "true" | "yes" | "on" => Some("true"),
                "false" | "no" | "off" => Some("false"),
                _ => None,
            };
            Err(expected("true or false", value).suggest_any(mend))
        }
        _ => Err(expected("true or false", value)),
    }
}

/// A number between 0 and 1, both included.
pub(crate) fn fraction(value: &DeValue<'_>) -> Result<f32, Fault> {
    let number: f32 = match value {
        DeValue::Float(_) | DeValue::Integer(_) => plain(value).parse().unwrap_or(f32::NAN),
        _ => return Err(expected("a number between 0 and 1", value)),
    };
    within_unit(number, &plain(value))
}

fn within_unit(number: f32, text: &str) -> Result<f32, Fault> {
    if (0.0..=1.0).contains(&number) {
        return Ok(number + 0.0);
    }
    let mend = (1.0..=100.0).contains(&number).then(|| format!("{}", number / 100.0));
    Err(Fault::new(format!("{} is outside 0..1", text.escape_debug())).suggest_any(mend))
}

/// A whole number in a range, given as an integer.
pub(crate) fn integer(range: std::ops::RangeInclusive<u32>) -> impl Fn(&DeValue<'_>) -> Result<u32, Fault> {
    move |value| {
        let DeValue::Integer(_) = value else { return Err(expected("an integer", value)) };
        let text = plain(value);
        let number = text.parse().ok().filter(|number| range.contains(number));
        number.ok_or_else(|| Fault::new(format!("{text} is outside {}..{}", range.start(), range.end())))
    }
}

/// A count above zero: an integer, or a string with a unit.
pub(crate) fn count(value: &DeValue<'_>) -> Result<u64, Fault> {
    let count = match value {
        DeValue::Integer(_) if plain(value).starts_with('-') => {
            return Err(Fault::new(format!("{} is negative", plain(value))));
        }
        DeValue::Integer(_) => units::count(&plain(value))?,
        DeValue::String(text) => units::count(text)?,
        _ => return Err(expected("a count like \"128k\"", value)),
    };
    if count == 0 { Err(Fault::new("must be above zero")) } else { Ok(count) }
}

/// A share of something, from 0 to `most`.
pub(crate) fn share(most: f64) -> impl Fn(&DeValue<'_>) -> Result<f64, Fault> {
    move |value| {
        let (DeValue::Float(_) | DeValue::Integer(_)) = value else {
            return Err(expected(&format!("a number between 0 and {most}"), value));
        };
        let text = plain(value);
        let number: f64 = text.parse().unwrap_or(f64::NAN);
        if (0.0..=most).contains(&number) {
            return Ok(number + 0.0);
        }
        // Somebody who writes 2 means percent.
        let mend = Some(number / 100.0).filter(|share| number >= 1.0 && *share <= most);
        Err(Fault::new(format!("{} is outside 0..{most}", text.escape_debug())).suggest_any(mend))
    }
}

/// A share of something above 0, up to `most`.
pub(crate) fn share_above_zero(most: f64) -> impl Fn(&DeValue<'_>) -> Result<f64, Fault> {
    move |value| match share(most)(value)? {
        0.0 => Err(Fault::new("must be above zero")),
        share => Ok(share),
    }
}

/// A duration above zero.
pub(crate) fn duration(value: &DeValue<'_>) -> Result<Duration, Fault> {
    let duration = duration_or_zero(value)?;
    if duration.is_zero() { Err(Fault::new("must be longer than zero")) } else { Ok(duration) }
}

/// A duration that may be zero.
pub(crate) fn duration_or_zero(value: &DeValue<'_>) -> Result<Duration, Fault> {
    unit(value, "a duration like \"60s\"", "s", units::duration)
}

/// A size above zero, in bytes.
pub(crate) fn size(value: &DeValue<'_>) -> Result<u64, Fault> {
    let bytes = unit(value, "a size like \"10MiB\"", "B", units::size)?;
    if bytes == 0 { Err(Fault::new("must be above zero")) } else { Ok(bytes) }
}

/// A size of at least so many bytes.
pub(crate) fn size_from(least: u64) -> impl Fn(&DeValue<'_>) -> Result<u64, Fault> {
    move |value| {
        let bytes = size(value)?;
        if bytes >= least {
            return Ok(bytes);
        }
        let (bytes, least) = (units::show::size(bytes), units::show::size(least));
        Err(Fault::new(format!("{bytes} is below {least}")).suggest(least))
    }
}

/// A price of tokens.
pub(crate) fn price(value: &DeValue<'_>) -> Result<TokenPrice, Fault> {
    money(value, "a price like \"$0.15/M\"", "/M", units::price)
}

/// An amount of money above zero.
pub(crate) fn amount(value: &DeValue<'_>) -> Result<Usd, Fault> {
    let amount = money(value, "an amount like \"$0.02\"", "", units::amount)?;
    if amount == Usd::ZERO { Err(Fault::new("must be above zero")) } else { Ok(amount) }
}

/// A moment: a date and time with its offset, or a day, which begins at midnight UTC. In quotes or as TOML writes it.
pub(crate) fn moment(value: &DeValue<'_>) -> Result<SystemTime, Fault> {
    let text = match value {
        DeValue::String(text) => text.trim().to_owned(),
        DeValue::Datetime(date) => date.to_string(),
        _ => return Err(expected("a date", value).suggest("2027-01-01T00:00:00Z")),
    };
    let day = |text: &str| {
        let day = text.parse::<jiff::civil::Date>().ok()?.to_zoned(jiff::tz::TimeZone::UTC).ok()?;
        (text.len() == "2027-01-01".len()).then(|| day.timestamp())
    };
    let moment = day(&text).or_else(|| text.parse::<jiff::Timestamp>().ok());
    moment.map(SystemTime::from).ok_or_else(|| {
        let message = format!("{} is no date: write it with its offset", Quoted(&text));
        Fault::new(message).suggest("2027-01-01T00:00:00Z")
    })
}

/// How much per window: `600/m`, `100/10s`, `1M/d`.
pub(crate) fn rate(value: &DeValue<'_>) -> Result<Quota, Fault> {
    unit(value, "a rate like \"600/m\"", "/m", units::rate)
}

/// A string with a unit; a bare number is refused with its likeliest unit.
fn unit<T>(
    value: &DeValue<'_>,
    what: &str,
    likely: &str,
    read: impl Fn(&str) -> Result<T, Fault>,
) -> Result<T, Fault> {
    match value {
        DeValue::String(text) => read(text),
        DeValue::Integer(_) | DeValue::Float(_) if !plain(value).starts_with('-') => {
            Err(expected(what, value).suggest(format_args!("{}{likely}", plain(value))))
        }
        _ => Err(expected(what, value)),
    }
}

fn money<T>(
    value: &DeValue<'_>,
    what: &str,
    per: &str,
    read: impl Fn(&str) -> Result<T, Fault>,
) -> Result<T, Fault> {
    match value {
        DeValue::String(text) => read(text),
        DeValue::Integer(_) | DeValue::Float(_) if plain(value).starts_with('-') => {
            Err(Fault::new(format!("{} is negative: money is zero or more", plain(value))))
        }
        DeValue::Integer(_) | DeValue::Float(_) => {
            Err(expected(what, value).suggest(format_args!("${}{per}", plain(value))))
        }
        _ => Err(expected(what, value)),
    }
}

/// A comparison with a number between 0 and 1, like `> 0.8`.
pub(crate) fn complexity(value: &DeValue<'_>) -> Result<Comparison<f32>, Fault> {
    compared(value, "0.8", |text| {
        let number = text
            .parse::<f32>()
            .map_err(|_| Fault::new(format!("{} is no number", Quoted(text))).suggest("0.8"))?;
        within_unit(number, text)
    })
}

/// A comparison with a count, like `>= 8k`.
pub(crate) fn tokens(value: &DeValue<'_>) -> Result<Comparison<u64>, Fault> {
    compared(value, "8k", units::count)
}

fn compared<T>(
    value: &DeValue<'_>,
    example: &str,
    read: impl Fn(&str) -> Result<T, Fault>,
) -> Result<Comparison<T>, Fault> {
    match value {
        DeValue::String(text) => units::comparison(text, read),
        DeValue::Integer(_) | DeValue::Float(_) => {
            Err(expected("a comparison in a string", value).suggest(format_args!("> {}", plain(value))))
        }
        _ => Err(expected("a comparison in a string", value).suggest(format_args!("> {example}"))),
    }
}

/// One of a closed set of words.
pub(crate) fn one_of<T: Copy>(
    words: &'static [(&'static str, T)],
) -> impl Fn(&DeValue<'_>) -> Result<T, Fault> {
    move |value| {
        let known = || words.iter().map(|(word, _)| *word);
        let DeValue::String(text) = value else {
            return Err(expected(&format!("one of {}", listed(known())), value));
        };
        let found = words.iter().find(|(word, _)| *word == text.as_ref()).map(|(_, meaning)| *meaning);
        found.ok_or_else(|| {
            Fault::new(format!("{} is not one of {}", Quoted(text), listed(known())))
                .suggest_any(nearest(text, known()))
        })
    }
}

/// `a, b, c`.
pub(crate) fn listed<'a>(names: impl Iterator<Item = &'a str>) -> String {
    names.collect::<Vec<_>>().join(", ")
}

/// A number as it was typed, without `_`.
fn plain(value: &DeValue<'_>) -> String {
    match value {
        DeValue::Integer(number) if number.radix() != 10 => {
            let parsed = i128::from_str_radix(number.as_str(), number.radix());
            parsed.map_or_else(|_| number.to_string(), |number| number.to_string())
        }
        DeValue::Integer(number) => number.as_str().trim_start_matches('+').to_owned(),
        DeValue::Float(number) => number.as_str().trim_start_matches('+').to_owned(),
        DeValue::Boolean(value) => value.to_string(),
        _ => String::new(),
    }
}
