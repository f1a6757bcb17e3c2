//! `serve`: the sidecar until a signal ends it.

use std::process::ExitCode;
use std::sync::Arc;

use anyhow::Context;
use router_policies::{Diagnostic, Origin, PolicyFile};
use tokio::signal::unix::{SignalKind, signal};

use crate::app::App;
use crate::args::{Listeners, Serve};
use crate::reload;
use crate::sidecar::{Settings, Sidecar, StartError};

/// Runs the sidecar.
///
/// # Errors
/// Where it does not start.
pub fn serve(options: &Serve) -> anyhow::Result<ExitCode> {
    let settings = listen(Settings::default(), &options.listeners);
    runtime()?.block_on(async {
        let origin = match &options.policy {
            Some(path) => Origin::File(path.clone()),
            None => environment_origin(Vec::new()),
        };
        match Sidecar::start(settings, origin, super::scorer()).await {
            Ok(sidecar) => run(sidecar).await,
            Err(StartError::Policy(errors)) => Ok(print_diagnostics(&errors)),
            Err(error) => Err(error.into()),
        }
    })
}

/// The runtime of the sidecar: a thread a core.
///
/// # Errors
/// Where the system gives no threads.
pub fn runtime() -> anyhow::Result<tokio::runtime::Runtime> {
    tokio::runtime::Builder::new_multi_thread().enable_all().build().context("no threads to run on")
}

/// `settings` with the addresses of the command line.
#[must_use]
pub fn listen(mut settings: Settings, listeners: &Listeners) -> Settings {
    settings.listen = listeners.listen.unwrap_or(settings.listen);
    settings.admin = listeners.admin.unwrap_or(settings.admin);
    settings
}

/// Prints errors and warnings, one a line; the exit status of bad input.
#[must_use]
pub fn print_diagnostics(diagnostics: &[Diagnostic]) -> ExitCode {
    for diagnostic in diagnostics {
        eprintln!("{diagnostic}");
    }
    ExitCode::FAILURE
}

/// The policy that the environment makes, with Ollama's models where they are known.
#[must_use]
pub fn environment_origin(ollama_models: Vec<String>) -> Origin {
    let _ = ollama_models;
    Origin::Made(Box::new(PolicyFile::empty(router_policies::Source::new("environment", ""))))
}

/// Serves until SIGTERM or SIGINT, then drains; SIGHUP reloads.
///
/// # Errors
/// Where signals cannot be received.
pub async fn run(sidecar: Sidecar) -> anyhow::Result<ExitCode> {
    let mut hangup = signal(SignalKind::hangup())?;
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    loop {
        tokio::select! {
            _ = hangup.recv() => reload_aside(sidecar.app()),
            _ = terminate.recv() => break,
            _ = interrupt.recv() => break,
        }
    }
    sidecar.drain().await;
    Ok(ExitCode::SUCCESS)
}

/// Compiling a policy reads files, which must not hold up requests.
fn reload_aside(app: &Arc<App>) {
    let app = Arc::clone(app);
    tokio::task::spawn_blocking(move || reload::reload(&app, "sighup").is_ok());
}
