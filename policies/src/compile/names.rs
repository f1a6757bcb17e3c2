//! Which names a policy defines, and what each stands for.

use std::collections::HashMap;

use router_core::Placement;

use crate::diagnostics::Quoted;
use crate::file::{ModelEntry, PolicyFile, ProfileEntry, ProviderEntry};
use crate::nearest::nearest;
use crate::sink::Sink;
use crate::source::At;
use crate::table::Named;

/// The profile that `auto` means.
pub(crate) const DEFAULT_PROFILE: &str = "default";

/// Longest chain of aliases. Two are plenty; the limit keeps every look-up short.
const MAX_ALIAS_STEPS: usize = 8;

/// How many known names a message lists where none is near.
const LISTED: usize = 8;

/// What a name that a caller may ask for stands for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Target {
    /// The model at this position of the file.
    Model(usize),
    /// The profile at this position of [`Names::profiles`].
    Profile(usize),
}

/// An index over the names of a file.
pub(crate) struct Names<'f> {
    file: &'f PolicyFile,
    providers: HashMap<&'f str, usize>,
    models: HashMap<&'f str, usize>,
    aliases: HashMap<&'f str, &'f str>,
    tenants: HashMap<&'f str, usize>,
    profile_positions: HashMap<&'f str, usize>,
    /// The profiles, the default one first. `None`: the file has models but no default profile, so that
    /// `auto` chooses among all of them.
    pub(crate) profiles: Vec<Option<&'f Named<ProfileEntry>>>,
}

fn positions<T>(entries: &[Named<T>]) -> HashMap<&str, usize> {
    entries.iter().enumerate().map(|(at, entry)| (entry.name.value.as_str(), at)).collect()
}

impl<'f> Names<'f> {
    pub(crate) fn new(file: &'f PolicyFile) -> Self {
        let is_default = |profile: &&Named<ProfileEntry>| profile.name.value == DEFAULT_PROFILE;
        let stated = file.profiles.iter().find(is_default).map(Some);
        let default = stated.or((!file.models.is_empty()).then_some(None));
        let others = file.profiles.iter().filter(|profile| !is_default(profile)).map(Some);
        let profiles: Vec<_> = default.into_iter().chain(others).collect();
        let named = |profile: &Option<&'f Named<ProfileEntry>>| {
            profile.map_or(DEFAULT_PROFILE, |profile| profile.name.value.as_str())
        };
        let profile_positions =
            profiles.iter().enumerate().map(|(at, profile)| (named(profile), at)).collect();
        Self {
            file,
            providers: positions(&file.providers),
            models: positions(&file.models),
            aliases: file.aliases.iter().map(|a| (a.name.value.as_str(), a.value.value.as_str())).collect(),
            tenants: positions(&file.tenants),
            profile_positions,
            profiles,
        }
    }

    /// The provider with this name, and its position.
    pub(crate) fn provider(&self, name: &str) -> Option<(usize, &'f Named<ProviderEntry>)> {
        let at = *self.providers.get(name)?;
        Some((at, self.file.providers.get(at)?))
    }

    /// Who serves a model.
    pub(crate) fn provider_of(&self, model: &ModelEntry) -> Option<&'f ProviderEntry> {
        let (_, provider) = self.provider(&model.provider.as_ref()?.value)?;
        Some(&provider.value)
    }

    /// The model that a name or alias stands for, and its position.
    pub(crate) fn model(&self, name: &str) -> Option<(usize, &'f Named<ModelEntry>)> {
        match self.target(name)? {
            Target::Model(at) => Some((at, self.file.models.get(at)?)),
            Target::Profile(_) => None,
        }
    }

    /// The position of a profile.
    pub(crate) fn profile(&self, name: &str) -> Option<usize> {
        self.profile_positions.get(name).copied()
    }

    /// The position of a tenant.
    pub(crate) fn tenant(&self, name: &str) -> Option<usize> {
        self.tenants.get(name).copied()
    }

    /// What a requested name stands for; aliases are followed.
    pub(crate) fn target(&self, name: &str) -> Option<Target> {
        let mut name = name;
        for _ in 0..=MAX_ALIAS_STEPS {
            if let Some(profile) = profile_named(name) {
                return self.profile(profile).map(Target::Profile);
            }
            if let Some(at) = self.models.get(name) {
                return Some(Target::Model(*at));
            }
            name = self.aliases.get(name)?;
        }
        None
    }

    /// Whether a caller may ask for a name that begins so.
    pub(crate) fn any_starts_with(&self, prefix: &str) -> bool {
        self.requestable().any(|name| name.starts_with(prefix)) || "auto:".starts_with(prefix)
    }

    /// Every name that a caller may ask for, but for `auto:NAME`.
    pub(crate) fn requestable(&self) -> impl Iterator<Item = &'f str> {
        let models = self.file.models.iter().map(|model| model.name.value.as_str());
        let aliases = self.file.aliases.iter().map(|alias| alias.name.value.as_str());
        models.chain(aliases).chain((!self.profiles.is_empty()).then_some("auto"))
    }

    /// Whether any model runs there.
    pub(crate) fn any_placed(&self, placement: Placement) -> bool {
        let mut providers = self.file.models.iter().filter_map(|model| self.provider_of(&model.value));
        providers.any(|provider| super::placement(provider) == placement)
    }

    /// The candidates of a list that exist, in its order.
    pub(crate) fn models_of(&self, candidates: &[At<String>]) -> Vec<&'f Named<ModelEntry>> {
        candidates.iter().filter_map(|name| self.model(&name.value)).map(|(_, model)| model).collect()
    }

    /// The models that a profile chooses from.
    pub(crate) fn models_of_profile(&self, position: usize) -> Vec<&'f Named<ModelEntry>> {
        match self.profiles.get(position) {
            Some(Some(profile)) => {
                profile.value.candidates.as_ref().map(|list| self.models_of(&list.value)).unwrap_or_default()
            }
            Some(None) => self.file.models.iter().collect(),
            None => Vec::new(),
        }
    }

    /// Reports a provider that does not exist.
    pub(crate) fn require_provider(&self, name: &At<String>, sink: &mut Sink) {
        if !self.providers.contains_key(name.value.as_str()) {
            unknown("provider", name, self.file.providers.iter().map(|p| p.name.value.as_str()), sink);
        }
    }

    /// Reports a model or alias that does not exist, or that does not stand for one model.
    pub(crate) fn require_model(&self, name: &At<String>, sink: &mut Sink) {
        self.require_model_or("", name, sink);
    }

    /// As [`require_model`](Self::require_model), where `word` may stand as well.
    pub(crate) fn require_model_or(&self, word: &str, name: &At<String>, sink: &mut Sink) {
        match self.target(&name.value) {
            Some(Target::Model(_)) => {}
            Some(Target::Profile(_)) => {
                let message = format!("{} stands for a profile, a model is meant", Quoted(&name.value));
                sink.error(name.span, message);
            }
            // What an alias points at is reported where the alias stands.
            None if self.aliases.contains_key(name.value.as_str()) => {}
            None => {
                let models = self.requestable().filter(|name| *name != "auto");
                unknown("model", name, models.chain((!word.is_empty()).then_some(word)), sink);
            }
        }
    }

    /// Reports a profile that does not exist.
    pub(crate) fn require_profile(&self, name: &At<String>, sink: &mut Sink) {
        if self.profile(&name.value).is_none() {
            unknown("profile", name, self.profile_positions.keys().copied(), sink);
        }
    }

    /// Reports a tenant that does not exist.
    pub(crate) fn require_tenant(&self, name: &At<String>, sink: &mut Sink) {
        if self.tenant(&name.value).is_none() {
            unknown("tenant", name, self.file.tenants.iter().map(|t| t.name.value.as_str()), sink);
        }
    }
}

/// `auto` and `auto:NAME` name a profile.
fn profile_named(name: &str) -> Option<&str> {
    if name == "auto" { Some(DEFAULT_PROFILE) } else { name.strip_prefix("auto:") }
}

/// Reports a name that nothing has, with the nearest one, or the first few where none is near.
fn unknown<'a>(kind: &str, name: &At<String>, known: impl Iterator<Item = &'a str>, sink: &mut Sink) {
    let mut message = format!("unknown {kind} {}", Quoted(&name.value));
    if !sink.may_compare() {
        return sink.error(name.span, message);
    }
    let mut known: Vec<&str> = known.collect();
    sink.count_compared(known.len());
    known.sort_unstable();
    known.dedup();
    let near = nearest(&name.value, known.iter().copied());
    if near.is_none() {
        let first = known.iter().take(LISTED).map(|name| name.escape_debug().to_string()).collect::<Vec<_>>();
        message.push_str(&match known.len() {
            0 => format!("; the policy defines no {kind}"),
            1..=LISTED => format!("; known are {}", first.join(", ")),
            _ => format!("; known are {}, …", first.join(", ")),
        });
    }
    sink.error_with(name.span, message, near);
}

/// Reports reserved, hidden and endless names.
pub(super) fn verify(file: &PolicyFile, names: &Names<'_>, sink: &mut Sink) {
    let models = file.models.iter().map(|model| &model.name);
    for name in models.chain(file.aliases.iter().map(|alias| &alias.name)) {
        if profile_named(&name.value).is_some() {
            let message = format!("{} is reserved: auto asks the router to choose", Quoted(&name.value));
            sink.error(name.span, message);
        }
    }
    for alias in &file.aliases {
        if names.models.contains_key(alias.name.value.as_str()) {
            let message = format!("alias {} is also the name of a model", Quoted(&alias.name.value));
            sink.error(alias.name.span, message);
        }
        verify_alias(names, alias, sink);
    }
}

fn verify_alias(names: &Names<'_>, alias: &Named<At<String>>, sink: &mut Sink) {
    let target = &alias.value;
    if names.target(&target.value).is_some() {
        return;
    }
    if let Some(profile) = profile_named(&target.value) {
        let profile = At { value: profile.to_owned(), span: target.span };
        return names.require_profile(&profile, sink);
    }
    if !names.aliases.contains_key(target.value.as_str()) {
        return unknown("model", target, names.requestable(), sink);
    }
    match Way::of(names, &alias.name.value) {
        // A cycle is reported once, where the first of its names by alphabet stands.
        Way::Cycle(way) if way.iter().min() == way.first() => {
            let way = way.join(" → ");
            sink.error(target.span, format!("the alias leads back to itself: {}", way.escape_debug()));
        }
        Way::TooLong => {
            sink.error(target.span, format!("the alias leads over more than {MAX_ALIAS_STEPS} others"));
        }
        Way::Cycle(_) | Way::Elsewhere => {}
    }
}

/// Where an alias leads that stands for nothing.
enum Way<'f> {
    /// Back to itself, over these names.
    Cycle(Vec<&'f str>),
    /// On and on.
    TooLong,
    /// Into somebody else's cycle, or to a name that nothing has; reported there.
    Elsewhere,
}

impl<'f> Way<'f> {
    fn of(names: &Names<'f>, start: &'f str) -> Self {
        let mut way = vec![start];
        let mut name = start;
        while let Some(next) = names.aliases.get(name).copied() {
            if next == start {
                way.push(next);
                return Self::Cycle(way);
            }
            if way.contains(&next) {
                return Self::Elsewhere;
            }
            if way.len() > MAX_ALIAS_STEPS {
                return Self::TooLong;
            }
            way.push(next);
            name = next;
        }
        Self::Elsewhere
    }
}
