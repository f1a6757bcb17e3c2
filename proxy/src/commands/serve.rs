//! `serve`: the sidecar until a signal ends it.

use std::path::Path;
use std::process::ExitCode;
use std::sync::Arc;

use anyhow::{Context, bail};
use router_policies::{Diagnostic, Environment, Origin};
use tokio::signal::unix::{Signal, SignalKind, signal};

use crate::app::App;
use crate::args::{Listeners, Serve};
use crate::sidecar::{Settings, Sidecar, StartError};
use crate::{log, ollama, reload};

/// Runs the sidecar.
///
/// # Errors
/// Where it does not start.
pub fn serve(options: &Serve) -> anyhow::Result<ExitCode> {
    let (file, warnings) = match &options.config {
        None => (router_policies::Settings::default(), Vec::new()),
        Some(path) => match router_policies::Settings::load(path) {
            Ok(loaded) => loaded,
            Err(errors) => return Ok(print_diagnostics(&errors)),
        },
    };
    log::init(file.log_level.as_str());
    for warning in &warnings {
        tracing::warn!(event = "config_warning", warning = %warning);
    }
    let settings = listen(file.into(), &options.listeners);
    runtime()?.block_on(async {
        let signals = Signals::take()?;
        let origin = match origin(options.policy.as_deref(), true).await? {
            Ok(origin) => origin,
            Err(errors) => return Ok(print_diagnostics(&errors)),
        };
        match Sidecar::start(settings, origin, super::scorer()).await {
            Ok(sidecar) => Ok(run(sidecar, signals).await),
            Err(StartError::Policy(errors)) => Ok(print_diagnostics(&errors)),
            Err(error) => Err(error.into()),
        }
    })
}

/// Where the policy comes from: the file, else the environment. With `ask`, Ollama is asked for its models and an empty
/// environment is an error.
///
/// # Errors
/// No provider at all. What is wrong with the environment is in the inner result.
pub(super) async fn origin(
    policy: Option<&Path>,
    ask: bool,
) -> anyhow::Result<Result<Origin, Vec<Diagnostic>>> {
    if let Some(path) = policy {
        return Ok(Ok(Origin::File(path.to_path_buf())));
    }
    let environment = match Environment::of_process() {
        Ok(environment) => environment,
        Err(errors) => return Ok(Err(errors)),
    };
    if ask && environment.is_empty() {
        bail!(Environment::hint());
    }
    let models = match environment.ollama_url().filter(|_| ask) {
        Some(url) => ollama::models(url).await,
        None => Vec::new(),
    };
    Ok(Ok(Origin::Made(Box::new(environment.policy(&models)))))
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
pub(super) fn print_diagnostics(diagnostics: &[Diagnostic]) -> ExitCode {
    for diagnostic in diagnostics {
        eprintln!("{diagnostic}");
    }
    ExitCode::FAILURE
}

/// The signals that a sidecar answers. They are taken before it says that it listens: one that nobody has taken kills.
pub struct Signals {
    hangup: Signal,
    terminate: Signal,
    interrupt: Signal,
}

impl Signals {
    /// Takes them for the rest of the process's life.
    ///
    /// # Errors
    /// Where signals cannot be received.
    pub fn take() -> anyhow::Result<Self> {
        Ok(Self {
            hangup: signal(SignalKind::hangup())?,
            terminate: signal(SignalKind::terminate())?,
            interrupt: signal(SignalKind::interrupt())?,
        })
    }
}

/// Serves until SIGTERM or SIGINT, then drains; SIGHUP reloads.
pub async fn run(sidecar: Sidecar, mut signals: Signals) -> ExitCode {
    loop {
        tokio::select! {
            _ = signals.hangup.recv() => reload_aside(sidecar.app()),
            _ = signals.terminate.recv() => break,
            _ = signals.interrupt.recv() => break,
        }
    }
    sidecar.drain().await;
    ExitCode::SUCCESS
}

/// Compiling a policy reads files, which must not hold up requests.
fn reload_aside(app: &Arc<App>) {
    let app = Arc::clone(app);
    tokio::task::spawn_blocking(move || reload::reload(&app, "sighup").is_ok());
}
