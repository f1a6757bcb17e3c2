//! `prices`: what the built-in catalogue knows.

use std::io::Write;
use std::process::ExitCode;

use router_core::{Capability, Prices, TokenPrice, Usd};
use router_policies::catalogue::{Catalogue, Entry};
use serde_json::{Value, json};

use crate::args;

/// Prints the model of a name, or all that the catalogue has; status 1 where there is none of that name.
///
/// # Errors
/// Output that cannot be written as JSON.
pub fn prices(options: &args::Prices) -> anyhow::Result<ExitCode> {
    let catalogue = Catalogue::built_in();
    let Some(name) = &options.name else {
        print_all(catalogue, options.json);
        return Ok(ExitCode::SUCCESS);
    };
    let Some(found) = catalogue.find(options.provider.as_deref(), name) else {
        let near = catalogue.near(name, 5);
        let near = if near.is_empty() { String::new() } else { format!("; like it are {}", near.join(", ")) };
        eprintln!("xynergy-router: the catalogue of {} has no model '{name}'{near}", catalogue.as_of());
        return Ok(ExitCode::FAILURE);
    };
    if options.json {
        let mut entry = entry_json(found.entry);
        entry["exact"] = found.exact.into();
        entry["as_of"] = catalogue.as_of().into();
        entry["price_page"] = catalogue.price_page(&found.entry.provider).into();
        println!("{entry}");
    } else {
        print_entry(catalogue, found.entry, found.exact);
    }
    Ok(ExitCode::SUCCESS)
}

fn print_all(catalogue: &Catalogue, json: bool) {
    if json {
        let models: Vec<Value> = catalogue.entries().iter().map(entry_json).collect();
        let sources: Vec<&str> = catalogue.sources().collect();
        println!("{}", json!({ "as_of": catalogue.as_of(), "sources": sources, "models": models }));
        return;
    }
    let mut text = String::new();
    for entry in catalogue.entries() {
        let prices = entry.tariff.base();
        let (input, output) = (per_million(prices.input), per_million(prices.output));
        text += &format!("{:<12} {:<52} {input:>12} {output:>12}\n", entry.provider, entry.name);
    }
    let (count, as_of) = (catalogue.entries().len(), catalogue.as_of());
    text += &format!("{count} models, dollars per million tokens in and out, {as_of}\n");
    // Whoever reads only the beginning has seen enough.
    let _ = std::io::stdout().write_all(text.as_bytes());
}

fn print_entry(catalogue: &Catalogue, entry: &Entry, exact: bool) {
    println!("{} at {}, {}", entry.name, entry.provider, catalogue.as_of());
    if !exact {
        println!("(the nearest relative of that name)");
    }
    print_prices("", entry.tariff.base());
    for tier in entry.tariff.tiers() {
        print_prices(&format!(" above {} prompt tokens", tier.above), &tier.prices);
    }
    for (what, tokens) in [("context", entry.context_tokens()), ("longest answer", entry.max_output)] {
        if let Some(tokens) = tokens {
            println!("  {what:<24} {tokens} tokens");
        }
    }
    let can: Vec<&str> = entry.capabilities.iter().map(Capability::as_str).collect();
    println!("  {:<24} {}", "capabilities", can.join(", "));
    if let Some(retires) = &entry.retires {
        println!("  {:<24} {retires}", "retires");
    }
    if let Some(page) = catalogue.price_page(&entry.provider) {
        println!("  {:<24} {page}", "prices");
    }
}

fn print_prices(when: &str, prices: &Prices) {
    println!("  dollars per million tokens{when}:");
    for (what, price) in [
        ("input", prices.input),
        ("cached input", prices.cached_input),
        ("cache write", prices.cache_write),
        ("output", prices.output),
        ("reasoning", prices.reasoning),
    ] {
        println!("    {what:<22} {}", per_million(price));
    }
}

/// Dollars per million tokens: a pico-dollar a token is a millionth of a dollar per million.
fn per_million(price: TokenPrice) -> String {
    Usd::from_nanos(price.picos().saturating_mul(1_000)).to_string()
}

fn number(price: TokenPrice) -> f64 {
    Usd::from_nanos(price.picos().saturating_mul(1_000)).dollars()
}

fn prices_json(prices: &Prices) -> Value {
    json!({
        "input": number(prices.input),
        "cached_input": number(prices.cached_input),
        "cache_write": number(prices.cache_write),
        "output": number(prices.output),
        "reasoning": number(prices.reasoning),
    })
}

fn entry_json(entry: &Entry) -> Value {
    let tiers = entry.tariff.tiers().iter().map(|tier| {
        let mut prices = prices_json(&tier.prices);
        prices["above"] = tier.above.into();
        prices
    });
    json!({
        "name": entry.name,
        "provider": entry.provider,
        "usd_per_million": prices_json(entry.tariff.base()),
        "tiers": tiers.collect::<Vec<_>>(),
        "context": entry.context_tokens(),
        "max_output": entry.max_output,
        "capabilities": entry.capabilities.iter().map(Capability::as_str).collect::<Vec<_>>(),
        "retires": entry.retires,
        "disputed": entry.disputed,
    })
}
