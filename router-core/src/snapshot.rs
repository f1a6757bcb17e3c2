//! All that a policy can change, immutable.
//!
//! A policy is compiled into a [`Snapshot`] aside and swapped in as one pointer. A request takes the snapshot once
//! and keeps it to its last byte, so no request ever sees half of one policy and half of another.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use crate::charter::Charter;
use crate::hedge::HedgeSettings;
use crate::ids::{ModelId, ProfileIndex, ProviderId, RuleIndex, TenantId};
use crate::origin::Origins;
use crate::profile::Profile;
use crate::registry::{Model, Provider};
use crate::retry::RetrySettings;
use crate::rule::{Facts, Rule};
use crate::score::Scorer;
use crate::settings::{CachePolicy, OutcomePolicy, Sharing};
use crate::tenant::Tenants;

/// How attempts follow and accompany each other. Everything that costs extra calls or waiting is off by default.
#[derive(Clone, Debug, PartialEq)]
pub struct AttemptPolicy {
    /// How often and how soon a failed attempt is followed by another.
    pub retry: RetrySettings,
    /// When a second attempt is sent beside a late first one; `None`: never.
    pub hedge: Option<HedgeSettings>,
    /// No first token after so long: the next candidate is asked. The last candidate is never cut. `None`: only the
    /// provider's own limits hold.
    pub first_token: Option<Duration>,
    /// How much of a stream is held back, so that a bad beginning can still be replaced.
    pub hold_back: HoldBack,
    /// Whether a hybrid answer is checked, and another model asked where it fails.
    pub escalate: bool,
    /// A comment is sent on a stream whose provider is silent for so long, so that nothing on the way takes it for dead.
    pub keep_alive: Duration,
    /// Whether equal requests in flight share one upstream call, where they may be cached.
    pub coalesce: bool,
}

impl Default for AttemptPolicy {
    /// The platform's retries; no hedging, no deadline and no hold-back of its own; escalation and coalescing on; a comment every 15 s,
    /// half of the 30 s after which the most impatient of common load balancers cut.
    fn default() -> Self {
        Self {
            retry: RetrySettings::default(),
            hedge: None,
            first_token: None,
            hold_back: HoldBack::default(),
            escalate: true,
            keep_alive: Duration::from_secs(15),
            coalesce: true,
        }
    }
}

/// How much of a stream is held back before the caller sees any of it: until one of the two is reached; a zero is never reached. Both
/// zero: nothing is held back.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct HoldBack {
    /// Until so many bytes have come,
    pub bytes: usize,
    /// or so much time has passed since the first of them.
    pub time: Duration,
}

/// What a requested model name stands for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Requested {
    /// `auto` or `auto:NAME`: the router chooses.
    Auto(ProfileIndex),
    /// A model of the policy, by name or alias.
    Model(ModelId),
}

/// The parts a policy compiles to. [`Snapshot::new`] builds the look-up tables from them.
#[derive(Clone, Debug)]
pub struct Parts {
    /// Providers, any order.
    pub providers: Vec<Provider>,
    /// Models, any order; each names a provider of the list.
    pub models: Vec<Model>,
    /// Alias → model name, `auto` or `auto:NAME`; already resolved.
    pub aliases: Vec<(Box<str>, Requested)>,
    /// Profiles. The first one is what `auto` means.
    pub profiles: Vec<Profile>,
    /// Rules in the order of the policy.
    pub rules: Vec<Rule>,
    /// The model that savings are counted against.
    pub baseline: Option<ModelId>,
    /// Prefix of a model name → the wildcard model that serves unlisted names with it. Longest prefix wins.
    pub unlisted: Vec<(Box<str>, ModelId)>,
    /// Cache settings.
    pub cache: CachePolicy,
    /// Callers and their keys.
    pub tenants: Tenants,
    /// Judge of prompts.
    pub scorer: Arc<dyn Scorer>,
    /// Where prompts go that the scorer has never seen the like of.
    pub out_of_domain: OutOfDomain,
    /// What is kept of how good answers were.
    pub outcomes: OutcomePolicy,
    /// How failed attempts are followed by others.
    pub attempts: AttemptPolicy,
    /// How much may be used and spent.
    pub charter: Charter,
    /// Which web pages may ask.
    pub origins: Origins,
}

/// What happens to a prompt unlike the scorer's training data.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum OutOfDomain {
    /// The structural heuristic's score chooses the band.
    #[default]
    Structure,
    /// This model answers, where it can; the profile's candidates stand by.
    Model(ModelId),
}

/// An immutable, compiled policy.
#[derive(Debug)]
pub struct Snapshot {
    generation: u64,
    providers: Vec<Option<Provider>>,
    models: Vec<Option<Model>>,
    names: HashMap<Box<str>, Requested>,
    profiles: Vec<Profile>,
    rules: Vec<Rule>,
    unlisted: Vec<(Box<str>, ModelId)>,
    /// By tenant: in whose name its cache entries are kept.
    scopes: Vec<TenantId>,
    /// The model that savings are counted against.
    pub baseline: Option<ModelId>,
    /// Cache settings.
    pub cache: CachePolicy,
    /// Callers and their keys.
    pub tenants: Tenants,
    /// Judge of prompts.
    pub scorer: Arc<dyn Scorer>,
    /// Where prompts go that the scorer has never seen the like of.
    pub out_of_domain: OutOfDomain,
    /// What is kept of how good answers were.
    pub outcomes: OutcomePolicy,
    /// How failed attempts are followed by others.
    pub attempts: AttemptPolicy,
    /// How much may be used and spent.
    pub charter: Charter,
    /// Which web pages may ask.
    pub origins: Origins,
}

impl Snapshot {
    /// Builds the look-up tables. `generation` counts the snapshots of a process, from 1.
    #[must_use]
    pub fn new(generation: u64, parts: Parts) -> Self {
        let mut names = HashMap::new();
        for (position, profile) in parts.profiles.iter().enumerate() {
            let requested = Requested::Auto(ProfileIndex::new(position as u16));
            if position == 0 {
                names.insert("auto".into(), requested);
            }
            names.insert(format!("auto:{}", profile.name).into(), requested);
        }
        names.extend(parts.aliases);
        names.extend(parts.models.iter().map(|model| (model.name.clone(), Requested::Model(model.id))));
        let mut unlisted = parts.unlisted;
        unlisted.sort_by_key(|(prefix, _)| std::cmp::Reverse(prefix.len()));
        Self {
            generation,
            providers: by_index(parts.providers, |provider| provider.id.index()),
            models: by_index(parts.models, |model| model.id.index()),
            names,
            profiles: parts.profiles,
            rules: parts.rules,
            unlisted,
            scopes: scopes(&parts.cache.share),
            baseline: parts.baseline,
            cache: parts.cache,
            tenants: parts.tenants,
            scorer: parts.scorer,
            out_of_domain: parts.out_of_domain,
            outcomes: parts.outcomes,
            attempts: parts.attempts,
            charter: parts.charter,
            origins: parts.origins,
        }
    }

    /// Which policy of this process this is, from 1.
    #[must_use]
    pub fn generation(&self) -> u64 {
        self.generation
    }

    /// A provider of this policy.
    #[must_use]
    pub fn provider(&self, id: ProviderId) -> Option<&Provider> {
        self.providers.get(id.index())?.as_ref()
    }

    /// A model of this policy.
    #[must_use]
    pub fn model(&self, id: ModelId) -> Option<&Model> {
        self.models.get(id.index())?.as_ref()
    }

    /// A model and the provider that serves it.
    #[must_use]
    pub fn target(&self, id: ModelId) -> Option<(&Model, &Provider)> {
        let model = self.model(id)?;
        Some((model, self.provider(model.provider)?))
    }

    /// Every provider.
    pub fn providers(&self) -> impl Iterator<Item = &Provider> {
        self.providers.iter().flatten()
    }

    /// Every model.
    pub fn models(&self) -> impl Iterator<Item = &Model> {
        self.models.iter().flatten()
    }

    /// Every name a caller may ask for: models, aliases, `auto` and `auto:NAME`. No order.
    pub fn names(&self) -> impl Iterator<Item = (&str, Requested)> {
        self.names.iter().map(|(name, requested)| (&**name, *requested))
    }

    /// The profiles; the first is what `auto` means.
    #[must_use]
    pub fn profiles(&self) -> &[Profile] {
        &self.profiles
    }

    /// A profile.
    #[must_use]
    pub fn profile(&self, index: ProfileIndex) -> Option<&Profile> {
        self.profiles.get(index.index())
    }

    /// The rules, in order.
    #[must_use]
    pub fn rules(&self) -> &[Rule] {
        &self.rules
    }

    /// A rule.
    #[must_use]
    pub fn rule(&self, index: RuleIndex) -> Option<&Rule> {
        self.rules.get(index.index())
    }

    /// The first rule that matches.
    #[must_use]
    pub fn first_match(&self, facts: &Facts<'_>) -> Option<(RuleIndex, &Rule)> {
        let position = self.rules.iter().position(|rule| rule.matches(facts))?;
        Some((RuleIndex::new(position as u16), &self.rules[position]))
    }

    /// What a requested name stands for; unlisted names only where the policy lets them pass.
    #[must_use]
    pub fn resolve(&self, name: &str) -> Option<Requested> {
        self.names.get(name).copied().or_else(|| {
            let (_, model) = self.unlisted.iter().find(|(prefix, _)| name.starts_with(&**prefix))?;
            // Without such a profile there is nothing to choose by, and no provider knows the name.
            let asks_router = name == "auto" || name.starts_with("auto:");
            (!asks_router).then_some(Requested::Model(*model))
        })
    }

    /// Up to three known names that look like `name`, most alike first.
    #[must_use]
    pub fn near_names(&self, name: &str) -> Vec<&str> {
        let mut near: Vec<(f64, &str)> = self
            .names
            .keys()
            .map(|known| (strsim::jaro_winkler(known, name), &**known))
            .filter(|(similarity, _)| *similarity > 0.75)
            .collect();
        near.sort_by(|a, b| b.0.total_cmp(&a.0).then(a.1.cmp(b.1)));
        near.into_iter().take(3).map(|(_, known)| known).collect()
    }

    /// In whose name a tenant's cache entries are kept and looked up: its own, or that of the group it shares with.
    /// Of use for the cache alone: the group's id is no tenant's.
    #[must_use]
    pub fn cache_scope(&self, tenant: TenantId) -> TenantId {
        self.scopes.get(tenant.index()).copied().unwrap_or(tenant)
    }

    /// Whether prompts of this tenant may be kept.
    #[must_use]
    pub fn keeps_prompts(&self, tenant: TenantId) -> bool {
        let own = self.tenants.tenant(tenant).and_then(|tenant| tenant.keep_prompts);
        own.unwrap_or(self.outcomes.keep_prompts)
    }

    /// The tenant that a wildcard-free policy serves without keys.
    #[must_use]
    pub fn anonymous(&self) -> Option<TenantId> {
        self.tenants.is_empty().then_some(TenantId::ANONYMOUS)
    }
}

/// The table behind [`Snapshot::cache_scope`], as long as the highest id that shares.
fn scopes(share: &[Sharing]) -> Vec<TenantId> {
    let members = || share.iter().flat_map(|group| group.members.iter().map(|id| (id.index(), group.scope)));
    let len = members().map(|(at, _)| at + 1).max().unwrap_or(0);
    let mut table: Vec<TenantId> = (0..len).map(|at| TenantId::new(at as u16)).collect();
    for (at, scope) in members() {
        table[at] = scope;
    }
    table
}

/// Spreads `items` over a table so that each stands at its own index.
fn by_index<T>(items: Vec<T>, index: impl Fn(&T) -> usize) -> Vec<Option<T>> {
    let mut table = Vec::new();
    for item in items {
        let at = index(&item);
        if table.len() <= at {
            table.resize_with(at + 1, || None);
        }
        table[at] = Some(item);
    }
    table
}
