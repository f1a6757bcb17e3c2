//! The policy of a router that was given none: providers from the environment.
//!
//! | variable | gives |
//! |---|---|
//! | `OPENAI_API_KEY` (+ `OPENAI_BASE_URL`) | provider `openai`, external |
//! | `ANTHROPIC_API_KEY` (+ `ANTHROPIC_BASE_URL`) | provider `anthropic`, external |
//! | `OLLAMA_HOST` | provider `ollama`, internal |
//!
//! Any model name passes: `claude-*` goes to Anthropic, the names that Ollama lists to Ollama, the rest to OpenAI.
//! `auto` chooses between the first model that Ollama lists, [`OPENAI_DEFAULT`] and [`ANTHROPIC_DEFAULT`].

use std::net::IpAddr;

use router_core::{Dialect, Placement, TokenPrice};

use crate::compile::DEFAULT_PROFILE;
use crate::diagnostics::Diagnostic;
use crate::fault::Fault;
use crate::file::{ModelEntry, PolicyFile, PriceEntry, ProfileEntry, ProviderEntry, parse_base_url};
use crate::secret::SecretRef;
use crate::source::{At, Source};
use crate::table::Named;

/// What messages call the place.
const PLACE: &str = "environment";

/// What `auto` uses at OpenAI: able, priced in the middle, and it takes every parameter of the chat API
/// (reasoning models refuse `temperature` and `max_tokens`).
pub const OPENAI_DEFAULT: &str = "gpt-4.1";

/// What `auto` uses at Anthropic: the middle of the family.
pub const ANTHROPIC_DEFAULT: &str = "claude-sonnet-4-6";

/// The providers that the environment names.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Environment {
    openai: Option<String>,
    anthropic: Option<String>,
    ollama: Option<String>,
}

impl Environment {
    /// Reads the variables through `variable`; empty ones count as unset.
    ///
    /// # Errors
    /// Addresses that are none, each with the variable's name.
    pub fn read(variable: impl Fn(&str) -> Option<String>) -> Result<Self, Vec<Diagnostic>> {
        let mut faults = Vec::new();
        let set = |name: &str| {
            variable(name).map(|value| value.trim().to_owned()).filter(|value| !value.is_empty())
        };
        let mut address = |key: &str, name: &str, default: &str| {
            set(key)?;
            let stated = set(name).unwrap_or_else(|| default.to_owned());
            parse_base_url(&stated).map_err(|fault| faults.push(about(name, fault))).ok()
        };
        let openai = address("OPENAI_API_KEY", "OPENAI_BASE_URL", "https://api.openai.com/v1");
        let anthropic = address("ANTHROPIC_API_KEY", "ANTHROPIC_BASE_URL", "https://api.anthropic.com");
        // Some SDKs want this address with /v1, the official ones without.
        let anthropic = anthropic.map(|url| url.trim_end_matches("/v1").to_owned());
        let ollama = set("OLLAMA_HOST").and_then(|host| {
            parse_base_url(&ollama_address(&host))
                .map_err(|fault| faults.push(about("OLLAMA_HOST", fault)))
                .ok()
        });
        if faults.is_empty() { Ok(Self { openai, anthropic, ollama }) } else { Err(faults) }
    }

    /// Reads the process's own variables.
    ///
    /// # Errors
    /// As [`read`](Self::read).
    pub fn of_process() -> Result<Self, Vec<Diagnostic>> {
        Self::read(|name| std::env::var(name).ok())
    }

    /// Whether no provider is named, so that there is nothing to serve.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }

    /// What to set where [`is_empty`](Self::is_empty).
    #[must_use]
    pub fn hint() -> &'static str {
        "no provider: give a policy with --policy FILE, or set OPENAI_API_KEY, ANTHROPIC_API_KEY or OLLAMA_HOST"
    }

    /// Where Ollama is, if it is named: its OpenAI-compatible base URL, which ends in `/v1`. Its models are listed at
    /// `GET {url}/models`.
    #[must_use]
    pub fn ollama_url(&self) -> Option<&str> {
        self.ollama.as_deref()
    }

    /// The policy. `ollama_models` is Ollama's list, in its order; empty where it is not known.
    #[must_use]
    pub fn policy(&self, ollama_models: &[String]) -> PolicyFile {
        let mut policy = PolicyFile::empty(Source::new(PLACE, ""));
        let mut candidates = Vec::new();
        if let Some(url) = &self.ollama {
            policy.providers.push(provider("ollama", Dialect::OpenAi, Placement::Internal, url, None));
            candidates.extend(add_ollama_models(&mut policy, ollama_models));
        }
        if let Some(url) = &self.openai {
            let key = Some("OPENAI_API_KEY");
            policy.providers.push(provider("openai", Dialect::OpenAi, Placement::External, url, key));
            candidates.push(add_external(&mut policy, "openai", "", OPENAI_DEFAULT, openai_default()));
        }
        if let Some(url) = &self.anthropic {
            let key = Some("ANTHROPIC_API_KEY");
            policy.providers.push(provider("anthropic", Dialect::Anthropic, Placement::External, url, key));
            let entry = anthropic_default();
            candidates.push(add_external(&mut policy, "anthropic", "claude-", ANTHROPIC_DEFAULT, entry));
        }
        let external = [OPENAI_DEFAULT, ANTHROPIC_DEFAULT].into_iter();
        let baseline = external.map(str::to_owned).find(|name| candidates.contains(name));
        policy.baseline = baseline.map(At::nowhere);
        let candidates = candidates.into_iter().map(At::nowhere).collect();
        let profile = ProfileEntry { candidates: Some(At::nowhere(candidates)), ..ProfileEntry::default() };
        policy.profiles.push(named(DEFAULT_PROFILE, profile));
        policy
    }
}

fn about(variable: &str, fault: Fault) -> Diagnostic {
    let suggestion = fault.suggestion;
    Diagnostic { suggestion, ..Diagnostic::of_file(PLACE, format!("{variable}: {}", fault.message)) }
}

fn named<T>(name: &str, value: T) -> Named<T> {
    Named { name: At::nowhere(name.to_owned()), value }
}

fn provider(
    name: &str,
    dialect: Dialect,
    placement: Placement,
    base_url: &str,
    key: Option<&str>,
) -> Named<ProviderEntry> {
    let entry = ProviderEntry {
        dialect: Some(At::nowhere(dialect)),
        placement: Some(At::nowhere(placement)),
        base_url: Some(At::nowhere(base_url.to_owned())),
        api_key: key.map(|variable| At::nowhere(SecretRef::Env(variable.to_owned()))),
        ..ProviderEntry::default()
    };
    named(name, entry)
}

/// Adds each listed model, and `NAME` for `NAME:latest` as Ollama itself understands it. Returns the first.
fn add_ollama_models(policy: &mut PolicyFile, listed: &[String]) -> Option<String> {
    for model in listed {
        let entry = ModelEntry { provider: Some(At::nowhere("ollama".to_owned())), ..ModelEntry::default() };
        policy.models.push(named(model, entry));
        let short = model.strip_suffix(":latest").filter(|short| !listed.iter().any(|other| other == short));
        policy.aliases.extend(short.map(|short| named(short, At::nowhere(model.clone()))));
    }
    listed.first().cloned()
}

/// Adds the model that `auto` uses, and an entry that stands for all others whose name begins with `prefix`.
fn add_external(
    policy: &mut PolicyFile,
    provider: &str,
    prefix: &str,
    name: &str,
    entry: ModelEntry,
) -> String {
    let provider = Some(At::nowhere(provider.to_owned()));
    let others = format!("{prefix}*@{}", provider.as_ref().map_or("", |at| &at.value));
    policy.models.push(named(name, ModelEntry { provider: provider.clone(), ..entry }));
    policy.models.push(named(&others, ModelEntry { provider, as_requested: true, ..ModelEntry::default() }));
    policy.unlisted.push((prefix.to_owned(), others));
    name.to_owned()
}

/// List prices and limits in dollars per million tokens, from the `genai-prices` and LiteLLM catalogues, November 2026.
fn openai_default() -> ModelEntry {
    priced([2.0, 0.5, 2.0, 8.0], 1_047_576, 32_768)
}

/// As [`openai_default`]; above 200,000 prompt tokens a higher price was charged at times, so the window ends there.
fn anthropic_default() -> ModelEntry {
    priced([3.0, 0.3, 3.75, 15.0], 200_000, 64_000)
}

fn priced([input, cached_input, cache_write, output]: [f64; 4], context: u64, max_output: u64) -> ModelEntry {
    let price = |dollars| Some(At::nowhere(TokenPrice::per_million(dollars)));
    let price = PriceEntry {
        input: price(input),
        cached_input: price(cached_input),
        cache_write: price(cache_write),
        output: price(output),
        reasoning: None,
        tiers: Vec::new(),
    };
    ModelEntry {
        price: Some(At::nowhere(price)),
        context: Some(At::nowhere(context)),
        max_output: Some(At::nowhere(max_output)),
        tier: Some(At::nowhere(2)),
        ..ModelEntry::default()
    }
}

/// `OLLAMA_HOST` as Ollama's own client reads it: the scheme may be missing (then `http`, port 11434), the port too
/// (80 or 443 with a scheme), the host too (then the local machine, as for the unspecified address).
fn ollama_address(value: &str) -> String {
    let (scheme, rest, default_port) = match value.split_once("://") {
        None => ("http", value, 11_434),
        Some(("https", rest)) => ("https", rest, 443),
        Some(("http", rest)) => ("http", rest, 80),
        // Refused as an address.
        Some(_) => return value.to_owned(),
    };
    let (authority, path) = rest.split_once('/').unwrap_or((rest, ""));
    let is_bare_ip = authority.parse::<IpAddr>().is_ok();
    let (host, port) = match authority.rsplit_once(':') {
        Some((host, port)) if !is_bare_ip && !authority.ends_with(']') => (host, port.to_owned()),
        _ => (authority, default_port.to_string()),
    };
    let host = match host.trim_start_matches('[').trim_end_matches(']').parse::<IpAddr>() {
        Ok(ip) if ip.is_unspecified() => "127.0.0.1".to_owned(),
        Ok(IpAddr::V6(ip)) => format!("[{ip}]"),
        _ if host.is_empty() => "127.0.0.1".to_owned(),
        _ => host.to_owned(),
    };
    let path = path.trim_end_matches('/');
    let path = path.strip_suffix("v1").unwrap_or(path).trim_end_matches('/');
    let slash = if path.is_empty() { "" } else { "/" };
    format!("{scheme}://{host}:{port}{slash}{path}/v1")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn environment(variables: &[(&str, &str)]) -> Result<Environment, Vec<Diagnostic>> {
        let find =
            |name: &str| variables.iter().find(|(n, _)| *n == name).map(|(_, value)| (*value).to_owned());
        Environment::read(find)
    }

    #[test]
    fn ollama_hosts_are_read_as_ollama_reads_them() {
        for (value, url) in [
            ("127.0.0.1:11434", "http://127.0.0.1:11434/v1"),
            ("localhost", "http://localhost:11434/v1"),
            (":8000", "http://127.0.0.1:8000/v1"),
            ("0.0.0.0", "http://127.0.0.1:11434/v1"),
            ("0.0.0.0:9000", "http://127.0.0.1:9000/v1"),
            ("http://gpu", "http://gpu:80/v1"),
            ("https://gpu/", "https://gpu:443/v1"),
            ("https://gpu:444/ollama/", "https://gpu:444/ollama/v1"),
            ("http://gpu:1/v1", "http://gpu:1/v1"),
            ("::1", "http://[::1]:11434/v1"),
            ("[::1]:7", "http://[::1]:7/v1"),
            ("[::]", "http://127.0.0.1:11434/v1"),
        ] {
            let read = environment(&[("OLLAMA_HOST", value)]).unwrap();
            assert_eq!(read.ollama_url(), Some(url), "{value}");
        }
    }

    #[test]
    fn an_address_without_a_key_is_no_provider() {
        assert!(
            environment(&[("OPENAI_BASE_URL", "http://x/v1"), ("OPENAI_API_KEY", " ")]).unwrap().is_empty()
        );
    }

    #[test]
    fn bad_addresses_are_reported_by_variable() {
        let faults = environment(&[
            ("OPENAI_API_KEY", "k"),
            ("OPENAI_BASE_URL", "gateway:8000/v1"),
            ("OLLAMA_HOST", "ftp://x"),
        ]);
        let shown: Vec<String> = faults.unwrap_err().iter().map(Diagnostic::to_string).collect();
        assert_eq!(
            shown,
            [
                "environment:1:1: error: OPENAI_BASE_URL: an address starts with http:// or https:// \
                 (did you mean \"http://gateway:8000/v1\"?)",
                "environment:1:1: error: OLLAMA_HOST: scheme \"ftp\" is not http or https",
            ]
        );
    }
}
