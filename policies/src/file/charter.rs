//! `[[quotas]]`, `[[budgets]]`, `[cors]` and `unpriced`: how much may be used and spent, and by which web pages.

use jiff::tz::TimeZone;
use router_core::budget::Period;
use router_core::limit::Quota;
use router_core::origin::Origins;
use router_core::{TokenPrice, Usd};
use toml::de::DeValue;

use super::{check_tag, tag};
use crate::fault::Fault;
use crate::read;
use crate::source::{At, Span};
use crate::table::{Named, Table};
use crate::units;

/// Words for [`Period`].
const PERIODS: &[(&str, Period)] = &[("day", Period::Day), ("month", Period::Month)];

/// `unpriced`: what becomes of requests to models without a price.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum UnpricedEntry {
    /// They are answered and counted.
    Allow,
    /// They are refused.
    Refuse,
    /// They are answered, counted, and charged at this price for every token.
    Ceiling(TokenPrice),
}

impl UnpricedEntry {
    pub(super) fn read(root: &mut Table<'_, '_>) -> Option<At<Self>> {
        const WORDS: &[(&str, UnpricedEntry)] =
            &[("allow", UnpricedEntry::Allow), ("refuse", UnpricedEntry::Refuse)];
        let node = root.take("unpriced")?;
        if !matches!(node.get_ref(), DeValue::Table(_)) {
            return root.read("unpriced", node, read::one_of(WORDS));
        }
        let found = root.child("unpriced", node, |table| table.required("ceiling", read::price))?;
        found.value.map(|price| At { value: Self::Ceiling(price.value), span: found.span })
    }
}

/// `for = { … }`: what a quota or budget counts together. Nothing stated: everything.
#[derive(Clone, Debug, Default)]
pub struct ScopeEntry {
    /// A tenant's requests; `*`: each tenant's apart.
    pub tenant: Option<At<String>>,
    /// The requests made with a key, named by the first twelve digits of its hash; `*`: each key's apart.
    pub key: Option<At<String>>,
    /// The requests sent to a model; `*`: each model's apart.
    pub model: Option<At<String>>,
    /// The requests that match a rule; `*`: each rule's apart.
    pub rule: Option<At<String>>,
    /// The requests with a tag.
    pub tags: Vec<Named<At<String>>>,
}

impl ScopeEntry {
    fn read(table: &mut Table<'_, '_>) -> Self {
        let tags = table.pairs("tags", tag);
        for tag in &tags {
            if let Err(fault) = check_tag(&tag.name.value) {
                table.sink().error(tag.name.span, fault.message);
            }
        }
        let entry = Self {
            tenant: table.optional("tenant", read::text),
            key: table.optional("key", key),
            model: table.optional("model", read::text),
            rule: table.optional("rule", read::text),
            tags,
        };
        let named = [&entry.tenant, &entry.key, &entry.model, &entry.rule];
        if named.into_iter().flatten().count() + entry.tags.len() > 1 {
            let span = table.span();
            table.sink().error(span, "names one of tenant, key, model, rule or a tag, not several");
        }
        entry
    }
}

/// A key by the first twelve digits of its hash, with or without `sha256:`, or by all of them.
fn key(value: &DeValue<'_>) -> Result<String, Fault> {
    let text = read::text(value)?;
    let digits = text.trim().strip_prefix("sha256:").unwrap_or(text.trim()).to_ascii_lowercase();
    if text == "*" {
        return Ok(text);
    }
    match digits.get(..12) {
        Some(name)
            if matches!(digits.len(), 12 | 64) && digits.bytes().all(|byte| byte.is_ascii_hexdigit()) =>
        {
            Ok(name.to_owned())
        }
        _ => Err(Fault::new("must be the first twelve hex digits of the key's hash, or \"*\"")),
    }
}

/// How much per window, as typed.
pub type RateEntry = Quota;

/// One quota, as typed.
#[derive(Clone, Debug, Default)]
pub struct QuotaEntry {
    /// Its name, in errors.
    pub name: Option<At<String>>,
    /// What it counts together.
    pub scope: Option<At<ScopeEntry>>,
    /// Requests per window.
    pub requests: Option<At<RateEntry>>,
    /// Tokens per window.
    pub tokens: Option<At<RateEntry>>,
    /// Requests at once.
    pub concurrency: Option<At<u64>>,
}

impl QuotaEntry {
    pub(super) fn read(table: &mut Table<'_, '_>) -> Self {
        let limits = ["requests", "tokens", "concurrency"];
        if !limits.into_iter().any(|key| table.contains(key)) {
            let span = table.span();
            table.sink().error(span, "the quota limits nothing: state requests, tokens or concurrency");
        }
        Self {
            name: table.required("name", read::name),
            scope: table.section("for", ScopeEntry::read),
            requests: table.optional("requests", read::rate),
            tokens: table.optional("tokens", read::rate),
            concurrency: table.optional("concurrency", read::count),
        }
    }
}

/// When a budget alerts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AlertEntry {
    /// At an amount.
    Amount(Usd),
    /// At hundredths of its limit.
    Percent(u64),
}

/// What happens to requests for which there is no money left.
#[derive(Clone, Debug, PartialEq)]
pub enum ThenEntry {
    /// They are refused.
    Deny,
    /// Internal models answer them.
    Internal,
    /// A profile's models answer them.
    Profile(At<String>),
}

/// One budget, as typed.
#[derive(Clone, Debug, Default)]
pub struct BudgetEntry {
    /// Its name, in errors and alerts.
    pub name: Option<At<String>>,
    /// What it counts together.
    pub scope: Option<At<ScopeEntry>>,
    /// How often it starts over.
    pub per: Option<At<Period>>,
    /// The most that may be spent; absent: it only alerts.
    pub limit: Option<At<Usd>>,
    /// Where to alert.
    pub alerts: Option<At<Vec<At<AlertEntry>>>>,
    /// Whose midnight counts; absent: UTC's.
    pub zone: Option<At<TimeZone>>,
    /// What happens when it is spent.
    pub then: Option<At<ThenEntry>>,
    /// Whether it names who spent the most when it is spent.
    pub guard: Option<At<bool>>,
    /// Where the entry begins.
    pub span: Span,
}

impl BudgetEntry {
    pub(super) fn read(table: &mut Table<'_, '_>) -> Self {
        if !table.contains("limit") && !table.contains("alerts") {
            let span = table.span();
            table.sink().error(span, "the budget does nothing: state a limit, alerts or both");
        }
        Self {
            name: table.required("name", read::name),
            scope: table.section("for", ScopeEntry::read),
            per: table.required("per", read::one_of(PERIODS)),
            limit: table.optional("limit", read::amount),
            alerts: table.list("alerts", alert),
            zone: table.optional("zone", zone),
            then: ThenEntry::read(table),
            guard: table.optional("guard", read::boolean),
            span: table.span(),
        }
    }
}

impl ThenEntry {
    fn read(table: &mut Table<'_, '_>) -> Option<At<Self>> {
        const WORDS: &[(&str, bool)] = &[("deny", false), ("internal", true)];
        let node = table.take("then")?;
        if !matches!(node.get_ref(), DeValue::Table(_)) {
            let word = table.read("then", node, read::one_of(WORDS))?;
            return Some(At { value: if word.value { Self::Internal } else { Self::Deny }, span: word.span });
        }
        let found = table.child("then", node, |table| table.required("profile", read::text))?;
        found.value.map(|profile| At { value: Self::Profile(profile), span: found.span })
    }
}

/// `"80%"` of the limit, or an amount.
fn alert(value: &DeValue<'_>) -> Result<AlertEntry, Fault> {
    let text = read::text(value)?;
    match text.trim().strip_suffix('%') {
        None => read::amount(value).map(AlertEntry::Amount),
        Some(share) => match units::count(share) {
            Ok(percent @ 1..=100) => Ok(AlertEntry::Percent(percent)),
            _ => Err(Fault::new("is outside 1%..100%")),
        },
    }
}

/// A time zone by its name in the IANA database.
fn zone(value: &DeValue<'_>) -> Result<TimeZone, Fault> {
    let name = read::text(value)?;
    TimeZone::get(&name)
        .map_err(|_| Fault::new("is no time zone: write it like \"Europe/Berlin\" or \"UTC\""))
}

/// `[cors]`
#[derive(Clone, Debug, Default)]
pub struct CorsSection {
    /// The web pages that may ask.
    pub origins: Option<At<Vec<At<String>>>>,
}

impl CorsSection {
    pub(super) fn read(table: &mut Table<'_, '_>) -> Self {
        Self { origins: table.list_or_none("origins", origin) }
    }
}

fn origin(value: &DeValue<'_>) -> Result<String, Fault> {
    let text = read::text(value)?;
    match Origins::try_new([text.as_str()]) {
        Ok(_) => Ok(text),
        Err(error) => Err(Fault::new(error.to_string())),
    }
}
