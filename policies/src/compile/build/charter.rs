//! Typed quotas and budgets → one limit or budget for everybody whom they count apart.

use std::num::NonZeroU32;
use std::sync::Arc;
use std::time::SystemTime;

use jiff::tz::TimeZone;
use router_core::Usd;
use router_core::budget::{Levels, Period, Terms};
use router_core::charter::{BudgetEntry, Charter, LimitEntry, Scope, WhenExhausted};
use router_core::limit::Limit;
use router_core::origin::Origins;
use router_core::{RuleIndex, State};

use super::{Ids, profile_index};
use crate::compile::Context;
use crate::compile::charter::EACH;
use crate::compile::names::Names;
use crate::file::{AlertEntry, PolicyFile, QuotaEntry, ScopeEntry, ThenEntry, UnpricedEntry};
use crate::source::At;

/// Compiles all quotas and budgets.
pub(super) fn charter(file: &PolicyFile, names: &Names<'_>, ids: &Ids, context: &Context<'_>) -> Charter {
    let scopes = Scopes { file, names, ids, state: context.state };
    let limits = file.quotas.iter().flat_map(|quota| limits(&quota.value, &scopes));
    let now = SystemTime::now();
    let budgets = file.budgets.iter().flat_map(|budget| budgets(&budget.value, &scopes, now));
    let mut charter = Charter::new(limits.collect(), budgets.collect());
    charter.refuse_unpriced = file.unpriced.as_ref().is_some_and(|at| at.value == UnpricedEntry::Refuse);
    charter.reserve_output_tokens = file.reserve_output_tokens.as_ref().map(|at| at.value);
    charter
}

/// The web pages that may ask.
pub(super) fn origins(file: &PolicyFile) -> Origins {
    let origins = file.cors.origins.iter().flat_map(|list| &list.value).map(|at| at.value.as_str());
    // That each of them is one was verified.
    Origins::try_new(origins).unwrap_or_default()
}

/// Resolves what an entry counts.
struct Scopes<'a> {
    file: &'a PolicyFile,
    names: &'a Names<'a>,
    ids: &'a Ids,
    state: &'a State,
}

impl Scopes<'_> {
    /// What an entry counts, each with a name that no other has.
    fn of(&self, entry: Option<&At<ScopeEntry>>) -> Vec<(String, Scope)> {
        let Some(ScopeEntry { tenant, key, model, rule, tags }) = entry.map(|at| &at.value) else {
            return vec![(String::new(), Scope::Router)];
        };
        let fits = |wanted: &Option<At<String>>, name: &str| {
            wanted.as_ref().is_some_and(|wanted| wanted.value == EACH || wanted.value == name)
        };
        let mut found = Vec::new();
        for (entry, id) in self.file.tenants.iter().zip(&self.ids.tenants) {
            if fits(tenant, &entry.name.value) {
                found.push((format!("tenant {}", entry.name.value), Scope::Tenant(*id)));
            }
            for at in &entry.value.keys {
                let name = at.value.hash.id().to_string();
                if fits(key, &name)
                    && let Ok(spender) = self.state.spender(&at.value.hash)
                {
                    found.push((format!("key {name}"), Scope::Key(spender)));
                }
            }
        }
        let named = model.as_ref().and_then(|model| self.names.model(&model.value)).map(|(at, _)| at);
        let each = model.as_ref().is_some_and(|model| model.value == EACH);
        for (at, (entry, id)) in self.file.models.iter().zip(&self.ids.models).enumerate() {
            if each || named == Some(at) {
                found.push((format!("model {}", entry.name.value), Scope::Model(*id)));
            }
        }
        for (at, entry) in self.file.rules.iter().enumerate() {
            let name = entry.value.name.as_ref().map_or("", |name| &name.value);
            if fits(rule, name) {
                let index = RuleIndex::new(u16::try_from(at).unwrap_or(u16::MAX));
                found.push((format!("rule {name}"), Scope::Rule(index)));
            }
        }
        for tag in tags {
            let (key, value) = (&tag.name.value, &tag.value.value);
            found
                .push((format!("tag {key}={value}"), Scope::Tag(key.as_str().into(), value.as_str().into())));
        }
        let is_empty = [tenant, key, model, rule].into_iter().all(Option::is_none) && tags.is_empty();
        if is_empty {
            found.push((String::new(), Scope::Router));
        }
        found
    }
}

/// `daily` for everybody together, `daily (tenant a)` for one of those that are counted apart.
fn full_name(name: Option<&At<String>>, apart: bool, of: &str) -> String {
    let name = name.map_or("", |name| &name.value);
    if apart { format!("{name} ({of})") } else { name.to_owned() }
}

fn limits(entry: &QuotaEntry, scopes: &Scopes<'_>) -> Vec<LimitEntry> {
    let found = scopes.of(entry.scope.as_ref());
    let apart = found.len() > 1 || is_each(entry.scope.as_ref());
    let limit = Limit {
        requests: entry.requests.as_ref().map(|at| at.value),
        tokens: entry.tokens.as_ref().map(|at| at.value),
        concurrency: entry
            .concurrency
            .as_ref()
            .and_then(|at| NonZeroU32::new(u32::try_from(at.value).unwrap_or(u32::MAX))),
    };
    found
        .into_iter()
        .map(|(of, scope)| {
            let name = full_name(entry.name.as_ref(), apart, &of);
            // Its state goes by what it counts as well, so that a quota which now counts somebody else starts anew.
            let limiter = scopes.state.limiter(&format!("{name}\0{of}"));
            LimitEntry { name: name.into(), scope, limit, limiter }
        })
        .collect()
}

fn is_each(scope: Option<&At<ScopeEntry>>) -> bool {
    let Some(ScopeEntry { tenant, key, model, rule, .. }) = scope.map(|at| &at.value) else { return false };
    [tenant, key, model, rule].into_iter().flatten().any(|name| name.value == EACH)
}

fn budgets(entry: &crate::file::BudgetEntry, scopes: &Scopes<'_>, now: SystemTime) -> Vec<BudgetEntry> {
    let found = scopes.of(entry.scope.as_ref());
    let apart = found.len() > 1 || is_each(entry.scope.as_ref());
    let limit = entry.limit.as_ref().map(|at| at.value);
    let period = entry.per.as_ref().map_or(Period::Day, |at| at.value);
    let when_exhausted = match entry.then.as_ref().map(|then| &then.value) {
        None | Some(ThenEntry::Deny) => WhenExhausted::Deny,
        Some(ThenEntry::Internal) => WhenExhausted::Internal,
        Some(ThenEntry::Profile(name)) => scopes
            .names
            .profile(&name.value)
            .map_or(WhenExhausted::Deny, |at| WhenExhausted::Profile(profile_index(at))),
    };
    let build = |(of, scope): (String, Scope)| {
        let name = full_name(entry.name.as_ref(), apart, &of);
        let terms = Terms {
            name: name.as_str().into(),
            limit: limit.unwrap_or(Usd::MAX),
            alerts: levels(entry, limit),
            zone: entry.zone.as_ref().map_or(TimeZone::UTC, |at| at.value.clone()),
            spenders: match entry.guard.as_ref().is_some_and(|at| at.value) {
                true => scopes.state.spenders(),
                false => 0,
            },
        };
        let budget = scopes.state.budget(&format!("{name}\0{of}"), period, &terms, now)?;
        Some(BudgetEntry { scope, terms: Arc::new(terms), budget, when_exhausted })
    };
    found.into_iter().filter_map(build).collect()
}

fn levels(entry: &crate::file::BudgetEntry, limit: Option<Usd>) -> Levels {
    let level = |alert: &At<AlertEntry>| match alert.value {
        AlertEntry::Amount(amount) => amount,
        AlertEntry::Percent(percent) => {
            let limit = u128::from(limit.unwrap_or(Usd::MAX).nanos());
            Usd::from_nanos(u64::try_from(limit * u128::from(percent) / 100).unwrap_or(u64::MAX))
        }
    };
    let levels = entry.alerts.iter().flat_map(|list| &list.value).map(level).collect();
    // That there are not too many was verified.
    Levels::try_new(levels).unwrap_or_default()
}
