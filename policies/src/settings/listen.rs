//! Listener addresses.

use std::net::SocketAddr;

use toml::de::DeValue;

use crate::diagnostics::Quoted;
use crate::fault::Fault;
use crate::read;

/// `IP:PORT`; port 0 picks a free one.
pub(crate) fn listener(value: &DeValue<'_>) -> Result<SocketAddr, Fault> {
    let text = match value {
        DeValue::Integer(port) => port.to_string(),
        other => read::text(other)?,
    };
    let address = text.trim();
    address.parse().map_err(|_| {
        let guess = guess(address).filter(|guess| guess.parse::<SocketAddr>().is_ok());
        Fault::new(format!("{} is not an address: write IP:PORT", Quoted(&text))).suggest_any(guess)
    })
}

fn guess(address: &str) -> Option<String> {
    if address.parse::<u16>().is_ok() {
        return Some(format!("127.0.0.1:{address}"));
    }
    let (host, port) = address.rsplit_once(':')?;
    let ip = match host {
        "localhost" => "127.0.0.1",
        "" | "*" => "0.0.0.0",
        other => other.trim_start_matches("http://"),
    };
    Some(format!("{ip}:{port}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(text: &str) -> Result<SocketAddr, Fault> {
        listener(&DeValue::String(text.into()))
    }

    #[test]
    fn addresses_are_read_or_mended() {
        assert_eq!(of("[::1]:0"), Ok("[::1]:0".parse().unwrap()));
        for (text, mend) in [
            ("8080", Some("127.0.0.1:8080")),
            ("localhost:8080", Some("127.0.0.1:8080")),
            (":8080", Some("0.0.0.0:8080")),
            ("http://10.0.0.1:80", Some("10.0.0.1:80")),
            ("router:80", None),
            ("127.0.0.1:99999", None),
        ] {
            assert_eq!(of(text).unwrap_err().suggestion.as_deref(), mend, "{text}");
        }
    }
}
