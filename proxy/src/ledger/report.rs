//! Sums over a ledger: what was spent, what it would have cost, and what made the difference.
//!
//! For every request that has a baseline and a known cost, `baseline − cost` is what was saved. It is
//! divided without remainder: what an answer cost less than the baseline counts for the *cache* when it came from
//! there, for *coalescing* when it was shared with a request under way, for *routing* otherwise (which is negative
//! where the router chose a dearer model); what attempts without an answer cost counts against *retries* and
//! *hedges*. Requests without a price are counted and belong to no saving.

mod render;

use std::collections::BTreeMap;
use std::str::FromStr;

use jiff::tz::TimeZone;

use super::{CacheResult, CostState, Entry, Part};
use router_core::Usd;

/// What to group by.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Dimension {
    /// The caller's organisation.
    Tenant,
    /// The caller's key.
    Key,
    /// The end user that the caller named.
    User,
    /// The model that answered.
    Model,
    /// Who serves it.
    Provider,
    /// The day, in UTC.
    Day,
    /// The month, in UTC.
    Month,
    /// How requests ended.
    Outcome,
    /// What the cache had.
    Cache,
    /// The value of a tag: `tag:NAME`.
    Tag(Box<str>),
}

/// A name that is none of the dimensions.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "cannot group by {0:?}: use tenant, key, user, model, provider, day, month, outcome, cache or tag:NAME"
)]
pub struct UnknownDimension(pub Box<str>);

impl FromStr for Dimension {
    type Err = UnknownDimension;

    fn from_str(name: &str) -> Result<Self, UnknownDimension> {
        Ok(match name {
            "tenant" => Self::Tenant,
            "key" => Self::Key,
            "user" => Self::User,
            "model" => Self::Model,
            "provider" => Self::Provider,
            "day" => Self::Day,
            "month" => Self::Month,
            "outcome" => Self::Outcome,
            "cache" => Self::Cache,
            _ => match name.strip_prefix("tag:") {
                Some(tag) if !tag.is_empty() => Self::Tag(tag.into()),
                _ => return Err(UnknownDimension(name.into())),
            },
        })
    }
}

impl Dimension {
    /// The name it is asked for by, and the heading of its column.
    #[must_use]
    pub fn name(&self) -> String {
        match self {
            Self::Tenant => "tenant".into(),
            Self::Key => "key".into(),
            Self::User => "user".into(),
            Self::Model => "model".into(),
            Self::Provider => "provider".into(),
            Self::Day => "day".into(),
            Self::Month => "month".into(),
            Self::Outcome => "outcome".into(),
            Self::Cache => "cache".into(),
            Self::Tag(name) => format!("tag:{name}"),
        }
    }

    fn value(&self, entry: &Entry) -> String {
        let day = || entry.time.to_zoned(TimeZone::UTC).date();
        match self {
            Self::Tenant => entry.tenant.to_string(),
            Self::Key => entry.key.to_string(),
            Self::User => entry.user.as_deref().unwrap_or_default().to_owned(),
            Self::Model => entry.model.to_string(),
            Self::Provider => entry.provider.to_string(),
            Self::Day => day().to_string(),
            Self::Month => day().strftime("%Y-%m").to_string(),
            Self::Outcome => entry.outcome.to_string(),
            Self::Cache => entry.cache.name().to_owned(),
            Self::Tag(name) => entry.tags.get(name).map(ToString::to_string).unwrap_or_default(),
        }
    }
}

impl CacheResult {
    /// As in headers and metrics.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Hit => "hit",
            Self::Near => "near",
            Self::Shared => "shared",
            Self::Miss => "miss",
            Self::Bypass => "bypass",
            Self::Shadow => "shadow",
            Self::Refresh => "refresh",
            Self::Judge => "judge",
        }
    }
}

/// Sums over requests. Amounts are nano-dollars, signed and wide enough for any ledger.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Sums {
    /// Requests.
    pub requests: u64,
    /// Of these, those whose model has no price.
    pub unpriced: u64,
    /// Of these, those whose tokens were counted here instead of by the provider.
    pub estimated: u64,
    /// Prompt tokens of all classes.
    pub prompt_tokens: u64,
    /// Answer tokens of all classes.
    pub completion_tokens: u64,
    /// What was spent.
    pub spent: i128,
    /// What the baseline would have cost, where there is one.
    pub baseline: i128,
    /// What the requests with a baseline cost less than it.
    pub saved: i128,
    /// Of this, by stored answers.
    pub saved_by_cache: i128,
    /// Of this, by the choice of model.
    pub saved_by_routing: i128,
    /// Of this, by sharing requests under way.
    pub saved_by_coalescing: i128,
    /// What attempts cost that were followed by another.
    pub lost_to_retries: i128,
    /// What attempts cost that another one overtook.
    pub lost_to_hedges: i128,
}

impl Sums {
    fn add(&mut self, entry: &Entry) {
        let tokens = entry.tokens;
        let sum = |counts: &[u64]| counts.iter().fold(0, |sum: u64, count| sum.saturating_add(*count));
        self.requests += u64::from(!entry.cache.is_errand());
        self.unpriced += u64::from(entry.cost_state == CostState::Unpriced);
        self.estimated += u64::from(entry.cost_state == CostState::Estimated);
        let prompt = sum(&[tokens.input, tokens.cached_input, tokens.cache_write]);
        let completion = sum(&[tokens.output, tokens.reasoning]);
        self.prompt_tokens = self.prompt_tokens.saturating_add(prompt);
        self.completion_tokens = self.completion_tokens.saturating_add(completion);
        self.add_money(entry);
    }

    fn add_money(&mut self, entry: &Entry) {
        let nanos = |amount: Usd| i128::from(amount.nanos());
        let spent_on = |part| {
            let of_part = entry.attempts.iter().filter(|attempt| attempt.part == part);
            of_part.map(|attempt| nanos(attempt.cost)).sum::<i128>()
        };
        let (cost, retries, hedges) = (nanos(entry.cost), spent_on(Part::Retried), spent_on(Part::Hedged));
        self.spent += cost;
        self.lost_to_retries += retries;
        self.lost_to_hedges += hedges;
        if entry.cache.is_errand() {
            // What the cache's own checks and renewals cost comes off what the cache saves.
            self.saved -= cost;
            self.saved_by_cache -= cost;
            return;
        }
        let Some(baseline) = entry.baseline.filter(|_| entry.cost_state != CostState::Unpriced) else {
            return;
        };
        self.baseline += nanos(baseline);
        self.saved += nanos(baseline) - cost;
        let saved = nanos(baseline) - (cost - retries - hedges);
        match entry.cache {
            CacheResult::Hit | CacheResult::Near => self.saved_by_cache += saved,
            CacheResult::Shared => self.saved_by_coalescing += saved,
            CacheResult::Miss | CacheResult::Bypass => self.saved_by_routing += saved,
            CacheResult::Shadow | CacheResult::Refresh | CacheResult::Judge => {}
        }
    }

    /// The part of the baseline that was saved; `None` without a baseline.
    #[must_use]
    pub fn saved_ratio(&self) -> Option<f64> {
        (self.baseline > 0).then(|| self.saved as f64 / self.baseline as f64)
    }
}

/// One group of a report.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Row {
    /// A value for each dimension; empty where a request has none.
    pub group: Vec<String>,
    /// Its sums.
    pub sums: Sums,
}

/// A ledger in sums.
#[derive(Clone, Debug)]
pub struct Report {
    by: Vec<Dimension>,
    groups: BTreeMap<Vec<String>, Sums>,
    total: Sums,
}

impl Report {
    /// An empty report, grouped by these dimensions.
    #[must_use]
    pub fn new(by: Vec<Dimension>) -> Self {
        Self { by, groups: BTreeMap::new(), total: Sums::default() }
    }

    /// Adds one request.
    pub fn add(&mut self, entry: &Entry) {
        let group = self.by.iter().map(|dimension| dimension.value(entry)).collect();
        self.groups.entry(group).or_default().add(entry);
        self.total.add(entry);
    }

    /// The groups, the most expensive first.
    #[must_use]
    pub fn rows(&self) -> Vec<Row> {
        let mut rows: Vec<Row> =
            self.groups.iter().map(|(group, sums)| Row { group: group.clone(), sums: *sums }).collect();
        rows.sort_by_key(|row| std::cmp::Reverse(row.sums.spent));
        rows
    }

    /// Over all groups.
    #[must_use]
    pub const fn total(&self) -> &Sums {
        &self.total
    }
}

#[cfg(test)]
mod tests;
