//! Comparisons in a rule's conditions: `> 0.8`, `>= 8k`.

use router_core::{Comparison, Operator};

use crate::diagnostics::Quoted;
use crate::fault::Fault;

/// Reads `OPERATOR VALUE`, the value with `read`.
///
/// # Errors
/// No operator, an unknown one, or what `read` refuses.
pub fn comparison<T>(text: &str, read: impl Fn(&str) -> Result<T, Fault>) -> Result<Comparison<T>, Fault> {
    let trimmed = text.trim();
    let end = trimmed.find(|c| !matches!(c, '<' | '>' | '=' | '!' | '~')).unwrap_or(trimmed.len());
    let (symbol, value) = (&trimmed[..end], trimmed[end..].trim());
    let Some(operator) = operator(symbol) else {
        return Err(no_operator(text, symbol, value));
    };
    let bound = read(value).map_err(|fault| {
        let mend = fault.suggestion.map(|mend| format!("{symbol} {mend}"));
        Fault::new(fault.message).suggest_any(mend)
    })?;
    Ok(Comparison { operator, bound })
}

fn operator(symbol: &str) -> Option<Operator> {
    match symbol {
        ">" => Some(Operator::Greater),
        ">=" => Some(Operator::AtLeast),
        "<" => Some(Operator::Less),
        "<=" => Some(Operator::AtMost),
        _ => None,
    }
}

fn no_operator(text: &str, symbol: &str, value: &str) -> Fault {
    let meant = match symbol {
        "=>" => ">=",
        "=<" => "<=",
        _ => ">",
    };
    let value = if value.is_empty() { "0.8" } else { value };
    Fault::new(format!("{} is not a comparison: write >, >=, < or <= and a value", Quoted(text)))
        .suggest(format_args!("{meant} {value}"))
}

#[cfg(test)]
mod tests {
    use super::super::count;
    use super::*;

    #[test]
    fn comparisons_are_read() {
        for (text, operator, bound) in [
            ("> 8k", Operator::Greater, 8_000),
            (">=8k", Operator::AtLeast, 8_000),
            (" < 1M ", Operator::Less, 1_000_000),
            ("<= 5", Operator::AtMost, 5),
        ] {
            let read = comparison(text, count).unwrap();
            assert_eq!(read, Comparison { operator, bound }, "{text}");
            let shown = format!("{} {bound}", super::super::show::operator(operator));
            assert_eq!(comparison(&shown, count).unwrap(), read);
        }
    }

    #[test]
    fn each_refusal_names_the_mend() {
        for (text, mend) in [
            ("8k", Some("> 8k")),
            ("=> 8k", Some(">= 8k")),
            ("= 8k", Some("> 8k")),
            ("", Some("> 0.8")),
            ("> 8K", Some("> 8k")),
            (">", Some("> 128k")),
            ("> 3G", None),
        ] {
            let fault = comparison(text, count).unwrap_err();
            assert_eq!(fault.suggestion.as_deref(), mend, "{text}: {fault}");
        }
    }
}
