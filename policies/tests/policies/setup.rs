//! What every test needs: a scorer, a state, secrets that are not the machine's.

use std::path::Path;
use std::sync::Arc;
use std::time::Instant;

use router_core::{Assessment, Prompt, Scorer, Secret, Snapshot, State};
use router_policies::{Context, DEFAULT_LISTENERS, Diagnostic, ScorerLoader, SecretFault, SecretRef, Setup};
use router_policies::{Live, Origin, compile};

/// Finds everything half hard.
#[derive(Debug)]
pub(crate) struct Undecided;

impl Scorer for Undecided {
    fn score(&self, _: &Prompt<'_>) -> Assessment {
        Assessment::new(0.5, 0.5)
    }

    fn name(&self) -> &str {
        "undecided"
    }
}

/// Every secret is its own name.
pub(crate) fn named(secret: &SecretRef) -> Result<Secret, SecretFault> {
    Ok(Secret::new(match secret {
        SecretRef::Env(name) => format!("value of {name}"),
        SecretRef::File(path) | SecretRef::Pem(path) => format!("contents of {}", path.display()),
    }))
}

pub(crate) fn state() -> Arc<State> {
    Arc::new(State::new(Instant::now(), (1, 2)))
}

pub(crate) fn setup() -> Setup {
    let secrets: Box<dyn router_policies::SecretSource + Send + Sync> = Box::new(named);
    Setup {
        secrets: Some(secrets),
        loader: Some(loader()),
        ..Setup::new(state(), Arc::new(Undecided), DEFAULT_LISTENERS.to_vec())
    }
}

/// A scorer that was trained: its weights say what it is called.
#[derive(Debug)]
struct Trained(String);

impl Scorer for Trained {
    fn score(&self, _: &Prompt<'_>) -> Assessment {
        Assessment::new(0.5, 0.5)
    }

    fn name(&self) -> &str {
        &self.0
    }
}

/// Takes weights that read `weights NAME`.
pub(crate) fn loader() -> ScorerLoader {
    Arc::new(|bytes| {
        let text = std::str::from_utf8(bytes).map_err(|_| "these are no weights".to_owned())?;
        let name = text.trim_end().strip_prefix("weights ").ok_or("these are no weights")?;
        Ok(Arc::new(Trained(name.to_owned())))
    })
}

/// What policies are compiled for: the files that they name are beside the accepted ones.
pub(crate) fn context(state: &State) -> Context<'_> {
    Context {
        state,
        scorer: Arc::new(Undecided),
        loader: None,
        folder: Path::new("tests/accept"),
        secrets: &named,
        listeners: &DEFAULT_LISTENERS,
        generation: 1,
    }
}

/// The policy in a text.
pub(crate) fn snapshot_of(text: &str) -> Arc<Snapshot> {
    snapshot_in(&state(), text)
}

/// As [`snapshot_of`], as a later policy of the same process.
pub(crate) fn snapshot_in(state: &State, text: &str) -> Arc<Snapshot> {
    let file = router_policies::PolicyFile::parse("policy.toml", text)
        .unwrap_or_else(|found| panic!("{}", shown(&found)));
    match compile(&file, &Context { loader: Some(&loader()), ..context(state) }) {
        Ok(compiled) => Arc::new(compiled.snapshot),
        Err(found) => panic!("{}", shown(&found)),
    }
}

/// A live policy from a file.
pub(crate) fn open(path: &std::path::Path) -> Arc<Live> {
    let (live, _) = Live::open(Origin::File(path.to_path_buf()), setup())
        .unwrap_or_else(|found| panic!("{}", shown(&found)));
    Arc::new(live)
}

/// One line each.
pub(crate) fn shown(diagnostics: &[Diagnostic]) -> String {
    diagnostics.iter().map(|diagnostic| format!("{diagnostic}\n")).collect()
}

/// A small policy whose cache keeps answers for `ttl`.
pub(crate) fn small_policy(ttl: &str) -> String {
    format!(
        "[providers.local]\ndialect = \"openai\"\nbase_url = \"http://127.0.0.1:9000/v1\"\n\
         [models.small]\nprovider = \"local\"\n[cache]\nttl = \"{ttl}\"\n"
    )
}
