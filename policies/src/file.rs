//! `policy.toml` as it was typed: every value with its place, nothing resolved.

mod attempts;
mod cache;
mod charter;
mod model;
mod outcomes;
mod profile;
mod provider;
mod rule;
mod scorer;
mod secret;
mod tenant;

pub use attempts::{AttemptsSection, HedgeEntry, HoldBackEntry, RetryEntry};
pub use cache::CacheSection;
pub use charter::{
    AlertEntry, BudgetEntry, CorsSection, QuotaEntry, RateEntry, ScopeEntry, ThenEntry, UnpricedEntry,
};
pub use model::{ModelEntry, PriceEntry, TierEntry};
pub use outcomes::OutcomesSection;
pub use profile::{BandsEntry, ProfileEntry};
pub(crate) use provider::parse_base_url;
pub use provider::{
    BreakerEntry, HeaderEntry, Http2, PoolEntry, ProbeEntry, ProviderEntry, ProviderTlsEntry, TimeoutsEntry,
};
pub use rule::{CacheUse, RuleEntry, UseEntry, WhenEntry};
pub use scorer::ScorerSection;
pub(crate) use secret::read_secret;
pub use tenant::{KeyEntry, TenantEntry};
use toml::de::DeValue;

use crate::check::too_large;
use crate::diagnostics::Diagnostic;
use crate::document::Prepared;
use crate::fault::Fault;
use crate::read;
use crate::sink::Sink;
use crate::source::{At, MAX_FILE_BYTES, Source};
use crate::table::{Named, Table};

/// What `policy.toml` says. Absent keys are `None`; defaults are added when it is compiled.
#[derive(Clone, Debug)]
pub struct PolicyFile {
    /// The text, for messages about it.
    pub source: Source,
    /// The model that savings are counted against.
    pub baseline: Option<At<String>>,
    /// Where prompts go that the scorer has never seen the like of.
    pub out_of_domain: Option<At<String>>,
    /// Whether OpenAI streams are asked for their usage.
    pub stream_usage: Option<At<bool>>,
    /// `[providers.NAME]`
    pub providers: Vec<Named<ProviderEntry>>,
    /// `[models.NAME]`
    pub models: Vec<Named<ModelEntry>>,
    /// `[aliases]`: other name → model, alias, `auto` or `auto:NAME`.
    pub aliases: Vec<Named<At<String>>>,
    /// `[profiles.NAME]`
    pub profiles: Vec<Named<ProfileEntry>>,
    /// `[[rules]]`
    pub rules: Vec<At<RuleEntry>>,
    /// `[scorer]`
    pub scorer: ScorerSection,
    /// `[cache]`
    pub cache: CacheSection,
    /// `[outcomes]`
    pub outcomes: OutcomesSection,
    /// `[attempts]`
    pub attempts: AttemptsSection,
    /// `[tenants.NAME]`
    pub tenants: Vec<Named<TenantEntry>>,
    /// What becomes of requests to models without a price.
    pub unpriced: Option<At<UnpricedEntry>>,
    /// Answer tokens for which money is set aside where a request states no limit.
    pub reserve_output_tokens: Option<At<u64>>,
    /// `[[quotas]]`
    pub quotas: Vec<At<QuotaEntry>>,
    /// `[[budgets]]`
    pub budgets: Vec<At<BudgetEntry>>,
    /// `[cors]`
    pub cors: CorsSection,
    /// Model name prefixes that pass unlisted, each with the model entry that serves them. Never written in a
    /// file: only a policy made from the environment has them.
    pub unlisted: Vec<(String, String)>,
}

impl PolicyFile {
    /// The keys at the top level, by which the file is told from `proxy.toml`.
    pub(crate) const KEYS: [&'static str; 18] = [
        "baseline",
        "out_of_domain",
        "stream_usage",
        "providers",
        "models",
        "aliases",
        "profiles",
        "rules",
        "scorer",
        "cache",
        "outcomes",
        "attempts",
        "tenants",
        "unpriced",
        "reserve_output_tokens",
        "quotas",
        "budgets",
        "cors",
    ];

    /// A policy that says nothing.
    #[must_use]
    pub fn empty(source: Source) -> Self {
        Self {
            source,
            baseline: None,
            out_of_domain: None,
            stream_usage: None,
            providers: Vec::new(),
            models: Vec::new(),
            aliases: Vec::new(),
            profiles: Vec::new(),
            rules: Vec::new(),
            scorer: ScorerSection::default(),
            cache: CacheSection::default(),
            outcomes: OutcomesSection::default(),
            attempts: AttemptsSection::default(),
            tenants: Vec::new(),
            unpriced: None,
            reserve_output_tokens: None,
            quotas: Vec::new(),
            budgets: Vec::new(),
            cors: CorsSection::default(),
            unlisted: Vec::new(),
        }
    }

    /// Reads the text of a file as far as single values go; [`compile`](crate::compile) looks at the whole.
    ///
    /// # Errors
    /// All errors and warnings of single values, in the order of the file.
    pub fn parse(path: &str, text: &str) -> Result<Self, Vec<Diagnostic>> {
        if text.len() > MAX_FILE_BYTES {
            return Err(vec![too_large(path)]);
        }
        let (file, sink) = Self::read(&Source::new(path, text));
        if sink.has_errors() { Err(sink.into_sorted()) } else { Ok(file) }
    }

    /// Reads a file; what is wrong with it is in the sink.
    pub(crate) fn read(source: &Source) -> (Self, Sink) {
        let prepared = Prepared::new(source);
        let (document, mut sink) = prepared.parse(source);
        let mut root = Table::root(document.root.get_ref(), &mut sink);
        let file = Self {
            source: source.clone(),
            baseline: root.optional("baseline", read::text),
            out_of_domain: root.optional("out_of_domain", read::text),
            stream_usage: root.optional("stream_usage", read::boolean),
            providers: root.named("providers", ProviderEntry::read),
            models: root.named("models", ModelEntry::read),
            aliases: read_aliases(&mut root),
            profiles: root.named("profiles", ProfileEntry::read),
            rules: root.array("rules", RuleEntry::read),
            scorer: root.section("scorer", ScorerSection::read).map(|at| at.value).unwrap_or_default(),
            cache: root.section("cache", CacheSection::read).map(|at| at.value).unwrap_or_default(),
            outcomes: root.section("outcomes", OutcomesSection::read).map(|at| at.value).unwrap_or_default(),
            attempts: root.section("attempts", AttemptsSection::read).map(|at| at.value).unwrap_or_default(),
            tenants: root.named("tenants", TenantEntry::read),
            unpriced: UnpricedEntry::read(&mut root),
            reserve_output_tokens: root.optional("reserve_output_tokens", read::count),
            quotas: root.array("quotas", QuotaEntry::read),
            budgets: root.array("budgets", BudgetEntry::read),
            cors: root.section("cors", CorsSection::read).map(|at| at.value).unwrap_or_default(),
            unlisted: Vec::new(),
        };
        root.finish();
        (file, sink)
    }
}

fn read_aliases(root: &mut Table<'_, '_>) -> Vec<Named<At<String>>> {
    let aliases = root.pairs("aliases", read::text);
    for alias in &aliases {
        root.check_name(&alias.name);
    }
    aliases
}

/// A tag's key or value: it travels in `x-router-tags: k=v,…`.
pub(crate) fn tag(value: &DeValue<'_>) -> Result<String, Fault> {
    let text = read::text(value)?;
    check_tag(&text)?;
    Ok(text)
}

/// Whether a text can be a tag's key or value.
pub(crate) fn check_tag(text: &str) -> Result<(), Fault> {
    if text.is_empty()
        || text.trim() != text
        || text.contains([',', '='])
        || text.chars().any(char::is_control)
    {
        let message =
            "a tag has no comma, equals sign, control character or outer space: it travels as k=v,…";
        return Err(Fault::new(message));
    }
    Ok(())
}
