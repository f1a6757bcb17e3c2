//! Which web pages may use the router from a browser.
//!
//! An origin is `scheme://host[:port]`, as browsers send it. A policy lists origins exactly, or with `*` for the first label of the host:
//! `https://*.xynergy.com` is met by `https://app.xynergy.com` and by neither `https://xynergy.com` nor `https://a.b.xynergy.com`.

/// The origins that a policy allows. Empty: none, and the router says nothing to browsers.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Origins(Vec<Pattern>);

/// One allowed origin, or one label's worth of them.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Pattern {
    /// Up to the host: `https://`.
    scheme: Box<str>,
    any_label: bool,
    /// What follows, with the dot where a label goes before: `.xynergy.com`.
    rest: Box<str>,
}

/// A text that is no origin.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "is no origin: write scheme://host or scheme://host:port, with * for the whole first label at most, and no path"
)]
pub struct NotAnOrigin;

impl Origins {
    /// Reads a list of origins.
    ///
    /// # Errors
    /// [`NotAnOrigin`] where one of them is none. `*` alone is none: it would allow every page.
    pub fn try_new<'a>(origins: impl IntoIterator<Item = &'a str>) -> Result<Self, NotAnOrigin> {
        origins.into_iter().map(Pattern::parse).collect::<Result<_, _>>().map(Self)
    }

    /// Whether no origin is allowed.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Whether a page of this origin may ask.
    #[must_use]
    pub fn allows(&self, origin: &[u8]) -> bool {
        self.0.iter().any(|pattern| pattern.matches(origin))
    }

    /// The list as written.
    pub fn iter(&self) -> impl Iterator<Item = String> {
        self.0.iter().map(|Pattern { scheme, any_label, rest }| {
            format!("{scheme}{}{rest}", if *any_label { "*" } else { "" })
        })
    }
}

impl Pattern {
    fn parse(text: &str) -> Result<Self, NotAnOrigin> {
        let text = text.to_ascii_lowercase();
        let (scheme, rest) = text.split_once("://").ok_or(NotAnOrigin)?;
        let (any_label, rest) = match rest.strip_prefix('*') {
            Some(rest) if rest.starts_with('.') => (true, rest),
            Some(_) => return Err(NotAnOrigin),
            None => (false, rest),
        };
        let (host, port) = match rest.rsplit_once(':') {
            Some((host, port)) if !port.ends_with(']') => (host, Some(port)),
            _ => (rest, None),
        };
        let is_host_byte = |byte: u8| byte.is_ascii_alphanumeric() || b"-._[]:".contains(&byte);
        let named = host.trim_start_matches('.');
        let good = !scheme.is_empty()
            && scheme.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"+-.".contains(&byte))
            && !named.is_empty()
            && !named.contains("..")
            && host.len() - named.len() == usize::from(any_label)
            && host.bytes().all(is_host_byte)
            && port.is_none_or(|port| port.parse::<u16>().is_ok_and(|port| port > 0))
            // One label in front of a whole registry is everybody.
            && (!any_label || named.contains('.'));
        if !good {
            return Err(NotAnOrigin);
        }
        Ok(Self { scheme: format!("{scheme}://").into(), any_label, rest: rest.into() })
    }

    fn matches(&self, origin: &[u8]) -> bool {
        let origin = origin.to_ascii_lowercase();
        let Some(host) = origin.strip_prefix(self.scheme.as_bytes()) else { return false };
        if !self.any_label {
            return *host == *self.rest.as_bytes();
        }
        host.strip_suffix(self.rest.as_bytes()).is_some_and(|label| {
            let is_label = |byte: &u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_');
            !label.is_empty() && label.iter().all(is_label)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_star_stands_for_one_label() {
        let origins =
            Origins::try_new(["https://*.xynergy.com", "http://localhost:3000", "https://Exact.example"])
                .unwrap();
        for (origin, allowed) in [
            ("https://app.xynergy.com", true),
            ("https://APP.Xynergy.com", true),
            ("https://xynergy.com", false),
            ("https://.xynergy.com", false),
            ("https://a.b.xynergy.com", false),
            ("http://app.xynergy.com", false),
            ("https://app.xynergy.com:8443", false),
            ("https://app.xynergy.com.evil.example", false),
            ("https://evil.example/.xynergy.com", false),
            ("https://evil.example#.xynergy.com", false),
            ("https://notxynergy.com", false),
            ("https://user@app.xynergy.com", false),
            ("http://localhost:3000", true),
            ("http://localhost", false),
            ("https://exact.example", true),
            ("https://exact.example:443", false),
            ("null", false),
            ("", false),
        ] {
            assert_eq!(origins.allows(origin.as_bytes()), allowed, "{origin}");
        }
    }

    #[test]
    fn what_is_no_origin_is_refused() {
        for text in [
            "*",
            "https://*",
            "https://*.com",
            "https://*xynergy.com",
            "https://a.*.com",
            "xynergy.com",
            "https://a/",
            "https://a/path",
            "https://a:0",
            "https://a:99999",
            "https://",
            "https://a b",
            "https://**.a.b",
        ] {
            assert_eq!(Origins::try_new([text]), Err(NotAnOrigin), "{text}");
        }
        let text = ["https://*.xynergy.com", "http://[::1]:3000"];
        assert_eq!(Origins::try_new(text).unwrap().iter().collect::<Vec<_>>(), text);
    }
}
