//! What was typed → what runs: verified as a whole, resolved, indexed.
//!
//! [`verify`] finds what no single value shows: names that nothing has, bands out of order, rules that can
//! never match. Only a file without errors is built, so a [`Snapshot`] is never half valid.

mod build;
mod models;
mod names;
mod profiles;
mod providers;
mod rules;
mod secrets;
mod tenants;

use std::net::SocketAddr;
use std::sync::Arc;

use router_core::{Capabilities, Capability, Placement, Scorer, Snapshot, State};

pub(crate) use self::names::DEFAULT_PROFILE;
use self::names::Names;
use crate::diagnostics::Diagnostic;
use crate::file::{ModelEntry, PolicyFile, ProviderEntry};
use crate::secret::SecretSource;
use crate::sink::Sink;

/// The value of `out_of_domain` that names no model.
pub(crate) const STRUCTURE: &str = "structure";

/// What a policy is compiled for.
pub struct Context<'a> {
    /// Hands out the ids that outlive a reload.
    pub state: &'a State,
    /// Judge of prompts.
    pub scorer: Arc<dyn Scorer>,
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
    if sink.has_errors() {
        return Err(sink.into_sorted());
    }
    let secrets = secrets::fetch(file, context.secrets, &mut sink);
    match build::build(file, &Names::new(file), &secrets, context) {
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
    tenants::verify(file, sink);
}

/// Warns of secrets that cannot be had.
pub(crate) fn verify_secrets(file: &PolicyFile, source: &dyn SecretSource, sink: &mut Sink) {
    secrets::fetch(file, source, sink);
}

/// Where a provider runs: elsewhere, unless it is said to be on own ground.
fn placement(provider: &ProviderEntry) -> Placement {
    provider.placement.as_ref().map_or(Placement::External, |at| at.value)
}

/// What a model can do: everything, unless its entry lists it.
fn capabilities(model: &ModelEntry) -> Capabilities {
    let listed = model.capabilities.as_ref().map(|list| list.value.iter().map(|at| at.value).collect());
    let capabilities: Capabilities = listed.unwrap_or(Capabilities::ALL);
    if model.streaming.as_ref().is_none_or(|at| at.value) {
        capabilities.with(Capability::Streaming)
    } else {
        capabilities.without(Capability::Streaming)
    }
}
