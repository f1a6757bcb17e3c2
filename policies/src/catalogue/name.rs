//! How the same model is called in different places.

use serde::Deserialize;

/// Where a provider answers and publishes its prices.
#[derive(Debug, Deserialize)]
pub(super) struct Addresses {
    hosts: Vec<Box<str>>,
    page: Box<str>,
}

/// A provider of the catalogue.
#[derive(Debug)]
pub(super) struct Provider {
    pub(super) name: Box<str>,
    pub(super) page: Box<str>,
    hosts: Vec<Box<str>>,
}

impl Provider {
    pub(super) fn new(name: Box<str>, addresses: Addresses) -> Self {
        Self { name, page: addresses.page, hosts: addresses.hosts }
    }

    /// Whether `host`, without a port, is one of this provider's. `*` stands for one label.
    pub(super) fn answers_at(&self, host: &str) -> bool {
        self.hosts.iter().any(|pattern| {
            let mut labels = host.split('.');
            let fits = |label: &str| {
                labels.next().is_some_and(|given| label == "*" || label.eq_ignore_ascii_case(given))
            };
            pattern.split('.').all(fits) && labels.next().is_none()
        })
    }
}

/// The catalogue's name for a provider that others call something else.
pub(super) fn canonical(provider: &str) -> &str {
    match provider {
        "aws" | "amazon" | "bedrock_converse" => "bedrock",
        "cohere_chat" => "cohere",
        "fireworks_ai" | "fireworks-ai" => "fireworks",
        "gemini" | "vertex" | "vertex_ai" => "google",
        "mistralai" => "mistral",
        "moonshotai" => "moonshot",
        "together_ai" | "togetherai" => "together",
        "voyageai" => "voyage",
        "x-ai" => "xai",
        other => other,
    }
}

/// Regions that Bedrock puts in front of a model's name.
const REGIONS: [&str; 15] =
    ["us-gov", "us", "eu", "apac", "au", "ca", "jp", "global", "sa", "in", "uk", "il", "me", "mx", "kr"];

/// `name` without a region in front.
pub(super) fn unregioned(name: &str) -> &str {
    match name.split_once('.') {
        Some((region, rest)) if REGIONS.contains(&region) && rest.contains('.') => rest,
        _ => name,
    }
}

/// `name` without a date, `latest` or `default` at its end: `-2024-08-06`, `-20240806`, `@20240806`, `-0806`,
/// `-latest`, `:latest`, `@default`. Lower case is expected.
pub(super) fn plain(name: &str) -> &str {
    for end in ["-latest", ":latest", "@default", "@latest"] {
        if let Some(rest) = name.strip_suffix(end).filter(|rest| !rest.is_empty()) {
            return rest;
        }
    }
    for shape in ["-####-##-##", "-########", "@########", "-####"] {
        if let Some(rest) = name.len().checked_sub(shape.len()).filter(|rest| *rest > 0)
            && name.as_bytes()[rest..].iter().zip(shape.bytes()).all(|(byte, kind)| match kind {
                b'#' => byte.is_ascii_digit(),
                literal => *byte == literal,
            })
        {
            // The shape is ASCII, so the cut is at a character.
            return &name[..rest];
        }
    }
    name
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dates_and_latest_are_cut_off() {
        for (name, base) in [
            ("gpt-4o-2024-08-06", "gpt-4o"),
            ("claude-haiku-4-5-20251001", "claude-haiku-4-5"),
            ("claude-haiku-4-5@20251001", "claude-haiku-4-5"),
            ("gpt-3.5-turbo-0125", "gpt-3.5-turbo"),
            ("mistral-large-latest", "mistral-large"),
            ("llama3:latest", "llama3"),
            ("gpt-4o", "gpt-4o"),
            ("gpt-4-32k", "gpt-4-32k"),
            ("-2024-08-06", "-2024-08-06"),
            ("ü-0125", "ü"),
            ("", ""),
        ] {
            assert_eq!(plain(name), base, "{name}");
        }
    }

    #[test]
    fn regions_are_cut_off() {
        assert_eq!(unregioned("us-gov.anthropic.claude-opus-5"), "anthropic.claude-opus-5");
        assert_eq!(unregioned("anthropic.claude-opus-5"), "anthropic.claude-opus-5");
        assert_eq!(unregioned("us.gpt"), "us.gpt");
    }

    #[test]
    fn a_star_in_a_host_is_one_label() {
        let hosts = vec!["bedrock-runtime.*.amazonaws.com".into()];
        let bedrock = Provider::new("bedrock".into(), Addresses { hosts, page: "".into() });
        assert!(bedrock.answers_at("bedrock-runtime.eu-central-1.AMAZONAWS.com"));
        for host in
            ["bedrock-runtime.amazonaws.com", "bedrock-runtime.a.b.amazonaws.com", "x.amazonaws.com", ""]
        {
            assert!(!bedrock.answers_at(host), "{host}");
        }
        assert!(!bedrock.answers_at("bedrock-runtime.a.amazonaws.com.evil.example"));
    }
}
