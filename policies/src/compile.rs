//! What was typed → what runs: verified as a whole, resolved, indexed.
//!
//! [`verify`] finds what no single value shows: names that nothing has, bands out of order, rules that can
//! never match. Only a file without errors is built, so a [`Snapshot`] is never half valid.

mod build;
mod cache;
mod charter;
mod models;
mod names;
mod outcomes;
mod profiles;
mod providers;
mod rules;
mod scorer;
mod secrets;
mod tenants;

use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;

use router_core::{Capabilities, Capability, Placement, PriceList, Scorer, Snapshot, State};

pub(crate) use self::names::DEFAULT_PROFILE;
use self::names::Names;
use crate::catalogue::{Catalogue, Entry};
use crate::diagnostics::Diagnostic;
use crate::file::{ModelEntry, PolicyFile, ProviderEntry};
use crate::secret::SecretSource;
use crate::sink::Sink;
use crate::weights::ScorerLoader;

/// The value of `out_of_domain` that names no model.
pub(crate) const STRUCTURE: &str = "structure";

/// What a policy is compiled for.
pub struct Context<'a> {
    /// Hands out the ids that outlive a reload.
    pub state: &'a State,
    /// Judge of prompts, where the policy names no weights.
    pub scorer: Arc<dyn Scorer>,
    /// Makes a scorer of the weights that the policy names; `None`: a policy that names some is refused.
    pub loader: Option<&'a ScorerLoader>,
    /// Where relative paths of the policy start.
    pub folder: &'a Path,
    /// Where the values of secrets come from.
    pub secrets: &'a dyn SecretSource,
    /// The router's own addresses, which no provider may have.
    pub listeners: &'a [SocketAddr],
    /// Which policy of this process it becomes, from 1.
    pub generation: u64,
}

/// A policy that may run.
#[derive(Debug)]
pub struct Compiled {
    /// The policy.
    pub snapshot: Snapshot,
    /// What is probably not meant, and secrets that are not set.
    pub warnings: Vec<Diagnostic>,
}

/// Compiles a file.
///
/// # Errors
/// All errors and warnings, in the order of the file.
pub fn compile(file: &PolicyFile, context: &Context<'_>) -> Result<Compiled, Vec<Diagnostic>> {
    compile_with(file, Sink::new(file.source.clone()), context)
}

/// As [`compile`], after what the reader found.
pub(crate) fn compile_with(
    file: &PolicyFile,
    mut sink: Sink,
    context: &Context<'_>,
) -> Result<Compiled, Vec<Diagnostic>> {
    verify(file, context.listeners, &mut sink);
    let scorer = scorer::scorer(file, context, &mut sink);
    if sink.has_errors() {
        return Err(sink.into_sorted());
    }
    let secrets = secrets::fetch(file, context.secrets, &mut sink);
    match build::build(file, &Names::new(file), &secrets, scorer, context) {
        Ok(snapshot) => Ok(Compiled { snapshot, warnings: sink.into_sorted() }),
        Err(exhausted) => Err(vec![Diagnostic::of_file(file.source.path(), exhausted.to_string())]),
    }
}

/// Finds what is wrong with the file as a whole. Says nothing where the syntax is broken: what seems to be
/// missing may only be unreadable.
pub(crate) fn verify(file: &PolicyFile, listeners: &[SocketAddr], sink: &mut Sink) {
    if sink.has_syntax_errors() {
        return;
    }
    let names = Names::new(file);
    names::verify(file, &names, sink);
    providers::verify(file, listeners, sink);
    models::verify(file, &names, sink);
    profiles::verify(file, &names, sink);
    rules::verify(file, &names, sink);
    cache::verify(file, &names, sink);
    outcomes::verify(file, sink);
    tenants::verify(file, &names, sink);
    charter::verify(file, &names, sink);
}

/// Warns of secrets that cannot be had.
pub(crate) fn verify_secrets(file: &PolicyFile, source: &dyn SecretSource, sink: &mut Sink) {
    secrets::fetch(file, source, sink);
}

/// Reports weights that cannot be read, or, where there is a loader, not be used.
pub(crate) fn verify_weights(
    file: &PolicyFile,
    folder: &Path,
    loader: Option<&ScorerLoader>,
    sink: &mut Sink,
) {
    scorer::verify(file, folder, loader, sink);
}

/// Where a provider runs: elsewhere, unless it is said to be on own ground.
fn placement(provider: &ProviderEntry) -> Placement {
    provider.placement.as_ref().map_or(Placement::External, |at| at.value)
}

/// What the catalogue knows of a model: by its upstream name at the provider that answers at its address; elsewhere by
/// the exact name alone, as a gateway in between may call anything by any name. What runs inside costs what it
/// costs there, whatever others sell it for.
fn catalogued(name: &str, model: &ModelEntry, provider: Option<&ProviderEntry>) -> Option<&'static Entry> {
    let provider = provider.filter(|provider| placement(provider) == Placement::External)?;
    if model.as_requested {
        return None;
    }
    let name = model.upstream_model.as_ref().map_or(name, |at| &at.value);
    entry_at(seller(provider), name)
}

/// The catalogue's name for a provider.
fn seller(provider: &ProviderEntry) -> Option<&'static str> {
    let address: http::Uri = provider.base_url.as_ref()?.value.parse().ok()?;
    address.host().and_then(|host| Catalogue::built_in().provider_at(host))
}

fn entry_at(seller: Option<&str>, name: &str) -> Option<&'static Entry> {
    let found = Catalogue::built_in().find(seller, name)?;
    (seller.is_some() || found.exact).then_some(found.entry)
}

/// The prices of the models that an entry for unlisted names stands for, as [`catalogued`] finds them.
fn price_list(model: &ModelEntry, provider: Option<&ProviderEntry>) -> Option<PriceList> {
    let provider = provider.filter(|provider| placement(provider) == Placement::External)?;
    let find = |seller: Option<&'static str>, name: &str| Some(&entry_at(seller, name)?.listed);
    model.as_requested.then(|| PriceList { seller: seller(provider), find })
}

/// What a model can do: what its entry lists, else what the catalogue knows of it, else everything.
fn capabilities(model: &ModelEntry, known: Option<&Entry>) -> Capabilities {
    let listed = model.capabilities.as_ref().map(|list| list.value.iter().map(|at| at.value).collect());
    let capabilities: Capabilities =
        listed.or(known.map(|entry| entry.capabilities)).unwrap_or(Capabilities::ALL);
    if model.streaming.as_ref().is_none_or(|at| at.value) {
        capabilities.with(Capability::Streaming)
    } else {
        capabilities.without(Capability::Streaming)
    }
}
