//! What published models cost, how much they take and what they can do: the prices of a policy that states none.
//!
//! The figures are a committed file, `data/catalogue.json`, written by `scripts/make-catalogue` from two public
//! collections, with their names and the date in it. It is parsed at the first use, in about a millisecond; a
//! look-up then takes well under a microsecond. A price in a policy always wins over one from here.
//!
//! A name is looked for in this order; everything after the first step is marked as not [`Match::exact`]:
//!
//! 1. as the provider spells it, in any case: `gpt-4o-2024-08-06`;
//! 2. with the provider in front: `openai/gpt-4o`, `gemini/gemini-2.5-pro` (this counts as exact);
//! 3. the last part of a path: `glm-5p3` for `accounts/fireworks/models/glm-5p3`;
//! 4. without a date or `latest` at its end;
//! 5. without a region in front (`eu.anthropic.…`): a region that costs more has an entry of its own;
//! 6. the other way round, the newest dated form of a plain name.

mod entry;
mod name;

use std::collections::{BTreeMap, HashMap};
use std::sync::LazyLock;

use serde::Deserialize;

pub use entry::{Entry, Kind};
use name::{Provider, plain, unregioned};

/// The figures that come with this release.
static BUILT_IN: LazyLock<Catalogue> = LazyLock::new(|| {
    // A file that does not parse fails the tests; should one be released all the same, every model is unpriced,
    // which is a state that refuses or counts, and not a price.
    Catalogue::parse(include_str!("../data/catalogue.json")).unwrap_or_default()
});

/// Published models by name.
#[derive(Debug, Default)]
pub struct Catalogue {
    as_of: Box<str>,
    sources: Vec<Box<str>>,
    providers: Vec<Provider>,
    entries: Vec<Entry>,
    /// Entries by lower-case name, by last part of a path, and by undated name.
    by_name: Index,
    by_part: Index,
    by_plain: Index,
}

/// Positions of entries by a name.
type Index = HashMap<Box<str>, Vec<usize>>;

/// An entry that was found for a name.
#[derive(Clone, Copy, Debug)]
pub struct Match<'a> {
    /// The entry.
    pub entry: &'a Entry,
    /// Whether the entry is the model of that name, and not its undated, latest or regional relative, whose price
    /// is a good guess.
    pub exact: bool,
}

#[derive(Deserialize)]
struct File {
    as_of: Box<str>,
    sources: Vec<Box<str>>,
    providers: BTreeMap<Box<str>, name::Addresses>,
    models: Vec<Entry>,
}

impl Catalogue {
    /// The figures that come with this release.
    #[must_use]
    pub fn built_in() -> &'static Self {
        &BUILT_IN
    }

    /// A catalogue from the text of a file.
    ///
    /// # Errors
    /// When the text is not JSON or lacks what a catalogue needs.
    pub fn parse(text: &str) -> Result<Self, serde_json::Error> {
        let File { as_of, sources, providers, models } = serde_json::from_str(text)?;
        let mut catalogue = Self { as_of, sources, ..Self::default() };
        catalogue.providers = providers.into_iter().map(|(name, of)| Provider::new(name, of)).collect();
        for (index, entry) in models.iter().enumerate() {
            let name = entry.name.to_ascii_lowercase();
            if let Some((_, part)) = name.rsplit_once('/') {
                catalogue.by_part.entry(part.into()).or_default().push(index);
            }
            catalogue.by_plain.entry(plain(&name).into()).or_default().push(index);
            catalogue.by_name.entry(name.into()).or_default().push(index);
        }
        catalogue.entries = models;
        Ok(catalogue)
    }

    /// The day the figures are of, `YYYY-MM-DD`.
    #[must_use]
    pub fn as_of(&self) -> &str {
        &self.as_of
    }

    /// Where the figures come from.
    pub fn sources(&self) -> impl Iterator<Item = &str> {
        self.sources.iter().map(AsRef::as_ref)
    }

    /// Every entry, by provider and name.
    #[must_use]
    pub fn entries(&self) -> &[Entry] {
        &self.entries
    }

    /// The catalogue's name for whoever answers at `host`, for [`Catalogue::find`].
    #[must_use]
    pub fn provider_at(&self, host: &str) -> Option<&str> {
        self.providers.iter().find(|provider| provider.answers_at(host)).map(|provider| &*provider.name)
    }

    /// The page on which a provider publishes its prices.
    #[must_use]
    pub fn price_page(&self, provider: &str) -> Option<&str> {
        self.providers.iter().find(|known| *known.name == *provider).map(|known| &*known.page)
    }

    /// What is known about `model` at `provider`, or wherever it is dearest when several have a model of that
    /// name and no provider is given: a reservation that is too large hurts less than one that is too small.
    #[must_use]
    pub fn find(&self, provider: Option<&str>, model: &str) -> Option<Match<'_>> {
        let name = model.trim().to_ascii_lowercase();
        let provider = provider.map(name::canonical);
        self.find_at(provider, &name).or_else(|| {
            let (prefix, rest) = name.split_once('/')?;
            let prefix = name::canonical(prefix);
            let consistent = provider.is_none_or(|provider| provider == prefix);
            let known = self.providers.iter().any(|known| *known.name == *prefix);
            (consistent && known).then(|| self.find_at(Some(prefix), rest)).flatten()
        })
    }

    fn find_at(&self, provider: Option<&str>, name: &str) -> Option<Match<'_>> {
        if let Some(entry) = self.dearest(&self.by_name, provider, name) {
            return Some(Match { entry, exact: true });
        }
        let forms = [plain(name), unregioned(name), plain(unregioned(name))];
        let relative = self
            .dearest(&self.by_part, provider, name)
            .or_else(|| forms.iter().find_map(|form| self.dearest(&self.by_name, provider, form)))
            .or_else(|| self.newest(provider, plain(unregioned(name))));
        relative.map(|entry| Match { entry, exact: false })
    }

    /// Of the entries that `index` has under `name`, the one that `rank` puts last.
    fn pick<K: Ord>(
        &self,
        index: &Index,
        provider: Option<&str>,
        name: &str,
        rank: impl Fn(&Entry) -> K,
    ) -> Option<&Entry> {
        let found = index.get(name).into_iter().flatten().filter_map(|at| self.entries.get(*at));
        let offered = found.filter(|entry| provider.is_none_or(|provider| *entry.provider == *provider));
        offered.max_by_key(|entry| rank(entry))
    }

    fn dearest(&self, index: &Index, provider: Option<&str>, name: &str) -> Option<&Entry> {
        self.pick(index, provider, name, |entry| (entry.tariff.base().output, entry.tariff.base().input))
    }

    /// The newest dated form of a plain name: dates at the end of a name sort as text.
    fn newest(&self, provider: Option<&str>, name: &str) -> Option<&Entry> {
        self.pick(&self.by_plain, provider, name, |entry| entry.name.clone())
    }

    /// Up to `count` names like `model`, the likest first, for "did you mean". Compares all names: not for the
    /// request path.
    #[must_use]
    pub fn near(&self, model: &str, count: usize) -> Vec<&str> {
        let wanted = model.to_ascii_lowercase();
        let mut ranked: Vec<(f64, &str)> = self
            .entries
            .iter()
            .map(|entry| (strsim::jaro_winkler(&wanted, &entry.name.to_ascii_lowercase()), &*entry.name))
            .filter(|(likeness, _)| *likeness > NEAR)
            .collect();
        ranked.sort_by(|a, b| b.0.total_cmp(&a.0).then(a.1.cmp(b.1)));
        ranked.dedup_by_key(|(_, name)| *name);
        ranked.into_iter().take(count).map(|(_, name)| name).collect()
    }
}

/// How like a name must be to be offered. At 0.75 a typing error or a missing part of a name of usual length
/// still counts, and a random word finds nothing.
const NEAR: f64 = 0.75;

#[cfg(test)]
mod tests;
