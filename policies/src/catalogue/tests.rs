use std::collections::HashSet;

use router_core::{Capability, TokenPrice, TokenUsage, Usd};

use super::*;

fn found(provider: Option<&str>, model: &str) -> (&'static str, bool) {
    let found = Catalogue::built_in().find(provider, model).unwrap_or_else(|| panic!("{provider:?} {model}"));
    (&found.entry.name, found.exact)
}

#[test]
fn the_file_is_whole() {
    let text = include_str!("../../data/catalogue.json");
    let catalogue = Catalogue::parse(text).unwrap();
    assert!(catalogue.entries().len() > 500);
    assert_eq!(catalogue.as_of().len(), "2026-11-20".len());
    assert_eq!(catalogue.sources().count(), 2);

    let mut seen = HashSet::new();
    for entry in catalogue.entries() {
        let name = format!("{} {}", entry.provider, entry.name);
        assert!(seen.insert(name.to_ascii_lowercase()), "twice: {name}");
        assert!(
            catalogue.price_page(&entry.provider).is_some_and(|page| page.starts_with("https://")),
            "{name}"
        );
        assert!(entry.tariff.base().input > TokenPrice::default(), "{name} has no price");
        assert!(
            entry.kind == Kind::Embedding || entry.tariff.base().output > TokenPrice::default(),
            "{name}"
        );
        // Nothing published costs more than a thousand dollars per million tokens.
        assert!(entry.tariff.worst_case(1_000_000, 1_000_000) < Usd::from_dollars(2_000.0), "{name}");
        assert!(entry.context_tokens().is_none_or(|tokens| tokens >= 128), "{name}");
        for tier in entry.tariff.tiers() {
            assert!(tier.prices.input >= entry.tariff.base().input, "{name}");
            assert!(tier.prices.output >= entry.tariff.base().output, "{name}");
        }
        assert!(entry.retires.as_ref().is_none_or(|day| day.len() == 10), "{name}");
    }
    for provider in
        ["openai", "anthropic", "google", "mistral", "cohere", "deepseek", "xai", "groq", "bedrock"]
    {
        assert!(catalogue.entries().iter().any(|entry| *entry.provider == *provider), "{provider}");
    }
}

#[test]
fn a_well_known_model_costs_what_its_provider_says() {
    let entry = Catalogue::built_in().find(None, "gpt-4o-2024-08-06").unwrap().entry;
    let usage =
        TokenUsage { input: 1_000_000, cached_input: 1_000_000, output: 1_000_000, ..TokenUsage::default() };
    assert_eq!(entry.tariff.cost(&usage), Usd::from_dollars(2.5 + 1.25 + 10.0));
    assert_eq!((entry.context_tokens(), entry.max_output), (Some(128_000), Some(16_384)));
    for capability in Capability::ALL {
        assert!(entry.capabilities.contains(capability), "{capability:?}");
    }
    let long = Catalogue::built_in().find(None, "gemini-2.5-pro").unwrap().entry;
    assert!(long.tariff.at(200_001).input > long.tariff.at(200_000).input);
}

#[test]
fn a_name_is_found_in_every_form() {
    for (provider, model, name, exact) in [
        (None, "gpt-4o", "gpt-4o", true),
        (None, "GPT-4o ", "gpt-4o", true),
        (Some("openai"), "openai/gpt-4o", "gpt-4o", true),
        (None, "openai/gpt-4o-2024-08-06", "gpt-4o-2024-08-06", true),
        (None, "gpt-4o-2031-01-01", "gpt-4o", false),
        (None, "gemini/gemini-2.5-pro", "gemini-2.5-pro", true),
        (None, "claude-opus-4-5@20251101", "claude-opus-4-5", false),
        (None, "mistral-large-latest", "mistral-large-latest", true),
        (Some("fireworks"), "glm-5p3", "accounts/fireworks/models/glm-5p3", false),
        (Some("bedrock"), "mx.anthropic.claude-opus-5", "anthropic.claude-opus-5", false),
        (Some("together_ai"), "openai/gpt-oss-120b", "openai/gpt-oss-120b", true),
    ] {
        assert_eq!(found(provider, model), (name, exact), "{provider:?} {model}");
    }
}

#[test]
fn a_provider_is_never_mixed_up_with_another() {
    let catalogue = Catalogue::built_in();
    assert!(catalogue.find(Some("anthropic"), "gpt-4o").is_none());
    assert!(catalogue.find(Some("anthropic"), "openai/gpt-4o").is_none());
    let price =
        |provider| catalogue.find(Some(provider), "openai/gpt-oss-120b").unwrap().entry.tariff.base().output;
    let dearest = catalogue.find(None, "openai/gpt-oss-120b").unwrap().entry.tariff.base().output;
    assert_eq!(dearest, price("groq").max(price("together")));
}

#[test]
fn hosts_name_their_provider() {
    let at = |host| Catalogue::built_in().provider_at(host);
    assert_eq!(at("api.openai.com"), Some("openai"));
    assert_eq!(at("bedrock-runtime.us-east-1.amazonaws.com"), Some("bedrock"));
    assert_eq!(at("127.0.0.1"), None);
    assert_eq!(at("api.openai.com.evil.example"), None);
}

/// A small generator, so that the hundred names are the same on every run.
fn random(state: &mut u64) -> usize {
    *state ^= *state << 13;
    *state ^= *state >> 7;
    *state ^= *state << 17;
    (*state >> 33) as usize
}

#[test]
fn a_hundred_names_drawn_at_random_are_found_in_every_form() {
    let (catalogue, mut state) = (Catalogue::built_in(), 7);
    for _ in 0..100 {
        let entry = &catalogue.entries()[random(&mut state) % catalogue.entries().len()];
        let provider = Some(&*entry.provider);
        for name in
            [entry.name.to_string(), entry.name.to_uppercase(), format!("{}/{}", entry.provider, entry.name)]
        {
            let found = catalogue.find(provider, &name).unwrap_or_else(|| panic!("{name}"));
            assert!(found.exact && std::ptr::eq(found.entry, entry), "{name}");
        }
        let dated = format!("{}-2030-12-31", entry.name);
        let relative = catalogue.find(provider, &dated).unwrap_or_else(|| panic!("{dated}"));
        assert!(!relative.exact && relative.entry.tariff == entry.tariff, "{dated}");

        let mut typo = entry.name.to_string();
        typo.insert(typo.len() / 2, '_');
        assert!(catalogue.near(&typo, 3).contains(&&*entry.name), "{typo}: {:?}", catalogue.near(&typo, 3));
    }
}

#[test]
fn a_hundred_random_words_are_unpriced_and_harmless() {
    let (catalogue, mut state) = (Catalogue::built_in(), 11);
    let letters: Vec<char> = "abcxyz0189-._/:@ é漢\u{0}".chars().collect();
    for _ in 0..100 {
        let word: String =
            (0..random(&mut state) % 40).map(|_| letters[random(&mut state) % letters.len()]).collect();
        assert!(catalogue.find(None, &word).is_none(), "{word:?}");
        let _names = catalogue.near(&word, 5);
    }
    assert!(catalogue.near("qqqq", 5).is_empty());
    assert_eq!(catalogue.near("gpt4o", 1), ["gpt-4o"]);
}

#[test]
fn a_damaged_file_is_an_error() {
    assert!(Catalogue::parse("{}").is_err());
    assert!(Catalogue::parse(r#"{"as_of":"","sources":[],"providers":{},"models":[{"id":"x"}]}"#).is_err());
}
