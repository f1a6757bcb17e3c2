//! A verified file → a [`Snapshot`]. Names become ids, absent keys become defaults.

use std::sync::Arc;
use std::time::Duration;

use router_core::keyring::Key;
use router_core::{
    Bands, BreakerSettings, Dialect, HealthSettings, IdsExhausted, Model, ModelId, OutOfDomain, Parts,
    PoolSettings, PriceSource, Prices, Pricing, Probe, Profile, ProfileIndex, Provider, ProviderId,
    ProviderTls, Requested, Scorer, Secret, Snapshot, Tariff, Tenant, TenantId, Tenants, Tier, Timeouts,
    UpstreamModel,
};

use super::names::{DEFAULT_PROFILE, Names, Target};
use super::profiles::bands;
use super::secrets::Secrets;
use super::{Context, STRUCTURE, capabilities, catalogued, placement, price_list};
use crate::catalogue::Entry;
use crate::file::{
    BreakerEntry, HeaderEntry, Http2, KeyEntry, ModelEntry, PolicyFile, PoolEntry, PriceEntry, ProbeEntry,
    ProfileEntry, ProviderEntry, ProviderTlsEntry, TenantEntry, TierEntry, TimeoutsEntry, UnpricedEntry,
};
use crate::secret::SecretRef;
use crate::source::At;
use crate::table::Named;

mod attempts;
mod cache;
mod charter;
mod rules;

/// The ids of everything the file defines, by position.
pub(super) struct Ids {
    providers: Vec<ProviderId>,
    models: Vec<ModelId>,
    tenants: Vec<TenantId>,
}

/// Builds the snapshot of a file that was verified.
pub(super) fn build(
    file: &PolicyFile,
    names: &Names<'_>,
    secrets: &Secrets,
    scorer: Arc<dyn Scorer>,
    context: &Context<'_>,
) -> Result<Snapshot, IdsExhausted> {
    let ids = Ids::new(file, names, context)?;
    let share = cache::share(&file.cache, names, &ids.tenants, context.state)?;
    // Before the charter: its budgets count by the numbers that keys get here.
    let tenants = tenants(file, names, &ids, context)?;
    let parts = Parts {
        charter: charter::charter(file, names, &ids, context),
        origins: charter::origins(file),
        providers: each(&file.providers, &ids.providers, |name, entry, id| {
            provider(file, name, entry, id, secrets)
        }),
        models: each(&file.models, &ids.models, |name, entry, id| model(file, name, entry, id, names, &ids)),
        aliases: aliases(file, names, &ids),
        profiles: (0..names.profiles.len()).map(|at| profile(at, names, &ids)).collect(),
        rules: file.rules.iter().map(|rule| rules::rule(&rule.value, names, &ids)).collect(),
        baseline: file.baseline.as_ref().and_then(|name| ids.model(&name.value, names)),
        unlisted: unlisted(file, names, &ids),
        cache: cache::cache(&file.cache, names, &ids, share, context.folder),
        tenants,
        scorer,
        out_of_domain: out_of_domain(file, names, &ids),
        outcomes: cache::outcomes(&file.outcomes, context.folder),
        attempts: attempts::attempts(&file.attempts),
    };
    Ok(Snapshot::new(context.generation, parts))
}

/// Builds one thing of each entry and its id.
fn each<E, I: Copy, T>(entries: &[Named<E>], ids: &[I], build: impl Fn(&str, &E, I) -> T) -> Vec<T> {
    entries.iter().zip(ids).map(|(entry, id)| build(&entry.name.value, &entry.value, *id)).collect()
}

impl Ids {
    fn new(file: &PolicyFile, names: &Names<'_>, context: &Context<'_>) -> Result<Self, IdsExhausted> {
        let state = context.state;
        let address =
            |entry: &ProviderEntry| entry.base_url.as_ref().map_or(String::new(), |at| at.value.clone());
        let providers = file.providers.iter();
        let providers = providers.map(|p| state.provider_id(&p.name.value, &address(&p.value)));
        let providers: Vec<ProviderId> = providers.collect::<Result<_, _>>()?;
        let models = file.models.iter().map(|model| {
            let provider = model.value.provider.as_ref().and_then(|name| names.provider(&name.value));
            let provider = provider.and_then(|(at, _)| providers.get(at).copied());
            let upstream = model.value.upstream_model.as_ref().map_or(&model.name.value, |at| &at.value);
            state.model_id(&model.name.value, provider.unwrap_or(ProviderId::new(0)), upstream)
        });
        let models = models.collect::<Result<_, _>>()?;
        let tenants = file.tenants.iter().map(|tenant| state.tenant_id(&tenant.name.value));
        let tenants = tenants.collect::<Result<_, _>>()?;
        Ok(Self { providers, models, tenants })
    }

    /// The id of the model that a name or alias stands for.
    fn model(&self, name: &str, names: &Names<'_>) -> Option<ModelId> {
        names.model(name).and_then(|(at, _)| self.models.get(at).copied())
    }

    fn candidates(&self, list: &[At<String>], names: &Names<'_>) -> Box<[ModelId]> {
        list.iter().filter_map(|name| self.model(&name.value, names)).collect()
    }

    fn requested(&self, target: Target) -> Option<Requested> {
        match target {
            Target::Model(at) => self.models.get(at).copied().map(Requested::Model),
            Target::Profile(at) => Some(Requested::Auto(profile_index(at))),
        }
    }
}

/// The file's size limit keeps positions far below 65,536; beyond it, the first profile is the safe answer.
fn profile_index(position: usize) -> ProfileIndex {
    ProfileIndex::new(u16::try_from(position).unwrap_or(0))
}

fn or<T: Copy>(stated: Option<&At<T>>, otherwise: T) -> T {
    stated.map_or(otherwise, |at| at.value)
}

fn provider(
    file: &PolicyFile,
    name: &str,
    entry: &ProviderEntry,
    id: ProviderId,
    secrets: &Secrets,
) -> Provider {
    let stream_usage = entry.stream_usage.as_ref().or(file.stream_usage.as_ref());
    let dialect = or(entry.dialect.as_ref(), Dialect::OpenAi);
    Provider {
        id,
        name: name.into(),
        dialect,
        placement: placement(entry),
        base_url: entry.base_url.as_ref().map_or("", |at| &at.value).into(),
        api_key: entry.api_key.as_ref().and_then(|key| secrets.get(&key.value)).cloned(),
        headers: headers(entry, secrets),
        timeouts: timeouts(&entry.timeouts),
        health: Arc::new(HealthSettings { breaker: breaker(&entry.breaker), ..HealthSettings::default() }),
        weight: entry.weight.as_ref().map_or(1.0, |at| at.value as f32),
        group: entry.group.as_ref().map_or(0, |at| u8::try_from(at.value).unwrap_or(u8::MAX)),
        probe: entry.probe.as_ref().map(|probe| self::probe(probe, dialect)),
        pool: pool(&entry.pool, or(entry.http2.as_ref(), Http2::Auto)),
        tls: tls(&entry.tls, secrets),
        stream_usage: or(stream_usage, true),
    }
}

/// A file that cannot be read is an empty one, with which no connection stands: better none than one that trusts others than were meant.
fn tls(entry: &ProviderTlsEntry, secrets: &Secrets) -> ProviderTls {
    let file = |stated: &Option<At<SecretRef>>| {
        let stated = stated.as_ref()?;
        Some(secrets.get(&stated.value).cloned().unwrap_or_else(|| Secret::new("")))
    };
    ProviderTls { roots: file(&entry.roots), identity: file(&entry.cert).zip(file(&entry.key)) }
}

/// Headers whose secret cannot be had are left out; the warning says so.
fn headers(entry: &ProviderEntry, secrets: &Secrets) -> Vec<(Box<str>, Secret)> {
    let value = |header: &HeaderEntry| match header {
        HeaderEntry::Plain(text) => Some(Secret::new(text.clone())),
        HeaderEntry::Secret(reference) => secrets.get(reference).cloned(),
    };
    let header = |header: &Named<At<HeaderEntry>>| {
        Some((header.name.value.to_ascii_lowercase().into(), value(&header.value.value)?))
    };
    entry.headers.iter().filter_map(header).collect()
}

fn timeouts(entry: &TimeoutsEntry) -> Timeouts {
    let default = Timeouts::default();
    Timeouts {
        connect: or(entry.connect.as_ref(), default.connect),
        first_byte: or(entry.first_byte.as_ref(), default.first_byte),
        idle: or(entry.idle.as_ref(), default.idle),
        total: or(entry.total.as_ref(), default.total),
    }
}

fn breaker(entry: &BreakerEntry) -> BreakerSettings {
    let default = BreakerSettings::default();
    BreakerSettings {
        failures: or(entry.failures.as_ref(), default.failures),
        recovery: or(entry.recovery.as_ref(), default.recovery),
        success_rate: entry.success_rate.as_ref().map_or(default.success_rate, |at| at.value as f32),
        least_answers: or(entry.least_answers.as_ref(), default.least_answers),
        window: or(entry.window.as_ref(), default.window),
        slow_first_token: entry.slow_first_token.as_ref().map(|at| at.value),
        slow_start: or(entry.slow_start.as_ref(), default.slow_start),
        ..default
    }
}

/// Once in 30 s notices a return within the default wait of a breaker; the list of models costs nothing at any provider. OpenAI's
/// addresses include `/v1`, Anthropic's do not.
fn probe(entry: &ProbeEntry, dialect: Dialect) -> Probe {
    let list = match dialect {
        Dialect::OpenAi => "/models",
        Dialect::Anthropic => "/v1/models",
    };
    Probe {
        interval: or(entry.interval.as_ref(), Duration::from_secs(30)),
        path: entry.path.as_ref().map_or(list, |at| &at.value).into(),
    }
}

fn pool(entry: &PoolEntry, http2: Http2) -> PoolSettings {
    let default = PoolSettings::default();
    let max_connections =
        entry.max_connections.as_ref().map_or(default.max_connections, |at| at.value as usize);
    let max_idle = entry.max_idle.as_ref().map_or(default.max_idle, |at| at.value as usize);
    PoolSettings {
        max_idle: max_idle.min(max_connections),
        max_connections,
        http2_prior_knowledge: http2 == Http2::PriorKnowledge,
    }
}

fn model(
    file: &PolicyFile,
    name: &str,
    entry: &ModelEntry,
    id: ModelId,
    names: &Names<'_>,
    ids: &Ids,
) -> Model {
    let provider = entry.provider.as_ref().and_then(|provider| names.provider(&provider.value));
    let provider = provider.and_then(|(at, _)| ids.providers.get(at).copied());
    let upstream = entry.upstream_model.as_ref().map_or(name, |at| &at.value);
    let known = catalogued(name, entry, names.provider_of(entry));
    let (pricing, price_source) = pricing(file, entry, known);
    let stated = |at: &Option<At<u64>>| at.as_ref().map(|at| at.value);
    Model {
        id,
        name: name.into(),
        provider: provider.unwrap_or(ProviderId::new(0)),
        upstream_model: match entry.as_requested {
            true => UpstreamModel::AsRequested,
            false => UpstreamModel::Named(upstream.into()),
        },
        pricing,
        price_source,
        price_list: price_list(entry, names.provider_of(entry)),
        context_tokens: stated(&entry.context).or(known.and_then(Entry::context_tokens)),
        max_output_tokens: stated(&entry.max_output).or(known.and_then(|known| known.max_output)),
        tier: entry.tier.as_ref().and_then(|at| u8::try_from(at.value).ok()).unwrap_or(1),
        capabilities: capabilities(entry, known),
    }
}

/// What a model costs: what its entry states, else what the catalogue knows, else the policy's ceiling for models
/// without a price.
fn pricing(file: &PolicyFile, entry: &ModelEntry, known: Option<&Entry>) -> (Pricing, PriceSource) {
    let stated = entry.price.as_ref().and_then(|price| tariff(&price.value));
    let ceiling = match file.unpriced.as_ref().map(|at| at.value) {
        Some(UnpricedEntry::Ceiling(price)) => Some(Tariff::from(Prices::flat(price, price))),
        _ => None,
    };
    match (stated, known, ceiling) {
        (Some(tariff), _, _) => (Pricing::Priced(tariff), PriceSource::Policy),
        (None, Some(known), _) => (Pricing::Priced(known.tariff.clone()), PriceSource::Catalogue),
        (None, None, Some(tariff)) => (Pricing::Priced(tariff), PriceSource::Ceiling),
        (None, None, None) => (Pricing::Unpriced, PriceSource::Nobody),
    }
}

fn tariff(entry: &PriceEntry) -> Option<Tariff> {
    let tier = |tier: &TierEntry| Some(Tier { above: tier.above.value, prices: prices(&tier.price)? });
    Some(Tariff::new(prices(entry)?, entry.tiers.iter().filter_map(tier).collect()))
}

fn prices(entry: &PriceEntry) -> Option<Prices> {
    let flat = Prices::flat(entry.input.as_ref()?.value, entry.output.as_ref()?.value);
    Some(Prices {
        cached_input: or(entry.cached_input.as_ref(), flat.cached_input),
        cache_write: or(entry.cache_write.as_ref(), flat.cache_write),
        reasoning: or(entry.reasoning.as_ref(), flat.reasoning),
        ..flat
    })
}

fn aliases(file: &PolicyFile, names: &Names<'_>, ids: &Ids) -> Vec<(Box<str>, Requested)> {
    let alias = |alias: &Named<At<String>>| {
        let target = ids.requested(names.target(&alias.name.value)?)?;
        Some((alias.name.value.as_str().into(), target))
    };
    file.aliases.iter().filter_map(alias).collect()
}

fn profile(position: usize, names: &Names<'_>, ids: &Ids) -> Profile {
    let Some(Some(stated)) = names.profiles.get(position) else {
        return Profile {
            name: DEFAULT_PROFILE.into(),
            candidates: ids.models.clone().into(),
            objective: router_core::Objective::default(),
            bands: Bands::default(),
            fallback: true,
        };
    };
    let entry: &ProfileEntry = &stated.value;
    let candidates = entry.candidates.as_ref().map(|list| ids.candidates(&list.value, names));
    Profile {
        name: stated.name.value.as_str().into(),
        candidates: candidates.unwrap_or_default(),
        objective: or(entry.objective.as_ref(), router_core::Objective::default()),
        bands: bands(entry.bands.as_ref(), Bands::default()),
        fallback: or(entry.fallback.as_ref(), true),
    }
}

fn unlisted(file: &PolicyFile, names: &Names<'_>, ids: &Ids) -> Vec<(Box<str>, ModelId)> {
    let entry = |(prefix, model): &(String, String)| Some((prefix.as_str().into(), ids.model(model, names)?));
    file.unlisted.iter().filter_map(entry).collect()
}

fn tenants(
    file: &PolicyFile,
    names: &Names<'_>,
    ids: &Ids,
    context: &Context<'_>,
) -> Result<Tenants, IdsExhausted> {
    let mut tenants = Vec::with_capacity(file.tenants.len());
    for (entry, id) in file.tenants.iter().zip(&ids.tenants) {
        tenants.push(tenant(entry, *id, names, ids, context)?);
    }
    // That no key is there twice was verified.
    Ok(Tenants::try_new(tenants).unwrap_or_default())
}

fn tenant(
    Named { name, value: entry }: &Named<TenantEntry>,
    id: TenantId,
    names: &Names<'_>,
    ids: &Ids,
    context: &Context<'_>,
) -> Result<Tenant, IdsExhausted> {
    let tag = |tag: &Named<At<String>>| (tag.name.value.as_str().into(), tag.value.value.as_str().into());
    let key = |key: &At<KeyEntry>| {
        Ok(Key {
            hash: key.value.hash,
            tenant: id,
            spender: context.state.spender(&key.value.hash)?,
            not_before: key.value.not_before.as_ref().map(|at| at.value),
            expires: key.value.expires.as_ref().map(|at| at.value),
        })
    };
    let profile = |name: &At<String>| names.profile(&name.value).map(profile_index);
    Ok(Tenant {
        keep_prompts: entry.keep_prompts.as_ref().map(|at| at.value),
        id,
        name: name.value.as_str().into(),
        tags: entry.tags.iter().map(tag).collect(),
        keys: entry.keys.iter().map(key).collect::<Result<_, _>>()?,
        certificates: entry.certificates.iter().map(key).collect::<Result<_, _>>()?,
        tier: entry.tier.as_ref().and_then(|at| u8::try_from(at.value).ok()).unwrap_or(1),
        models: entry.models.as_ref().map(|list| ids.candidates(&list.value, names)),
        profiles: entry.profiles.as_ref().map(|list| list.value.iter().filter_map(profile).collect()),
        placement: entry.placement.as_ref().map(|at| at.value),
    })
}

fn out_of_domain(file: &PolicyFile, names: &Names<'_>, ids: &Ids) -> OutOfDomain {
    let named = file.out_of_domain.as_ref().filter(|name| name.value != STRUCTURE);
    let model = named.and_then(|name| ids.model(&name.value, names));
    model.map_or(OutOfDomain::Structure, OutOfDomain::Model)
}
