//! Who takes part: scripted providers in this process, the sidecar in its own.

use std::fmt::Write as _;
use std::fs;

use router_upstream::{Builder, Upstream};
use tempfile::TempDir;

use super::caller::Caller;
use crate::cores::Cores;
use crate::process::{Process, Speaks};
use crate::programs::Programs;

/// Where sidecars are started.
pub(super) struct Stage<'p> {
    programs: &'p Programs,
    cores: Cores,
}

/// A provider and its place in the order of preference.
pub(super) struct Provider {
    pub(super) upstream: Upstream,
    pub(super) group: u8,
}

impl Provider {
    /// Requests that it has got.
    pub(super) fn calls(&self) -> u64 {
        self.upstream.stats().calls
    }
}

/// A running sidecar over these providers.
pub(super) struct Cast {
    pub(super) providers: Vec<Provider>,
    pub(super) sidecar: Process,
    pub(super) caller: Caller,
    _folder: TempDir,
}

/// Providers by name `p0`, `p1`, …, with a model `m0`, `m1`, … each, all of the same price.
pub(super) async fn providers(
    groups: &[u8],
    set_up: impl Fn(usize, Builder) -> Builder,
) -> anyhow::Result<Vec<Provider>> {
    let mut providers = Vec::new();
    for (number, group) in groups.iter().enumerate() {
        let builder =
            Upstream::builder().name(format!("p{number}")).models([format!("m{number}")]).record_limit(0);
        providers.push(Provider { upstream: set_up(number, builder).start().await?, group: *group });
    }
    Ok(providers)
}

impl<'p> Stage<'p> {
    pub(super) fn new(programs: &'p Programs, cores: Cores) -> Self {
        Self { programs, cores }
    }

    /// Starts a sidecar over these providers. `settings`: lines for each provider; `more`: the rest of the policy.
    pub(super) fn start(&self, providers: Vec<Provider>, settings: &str, more: &str) -> anyhow::Result<Cast> {
        let folder = TempDir::new()?;
        let policy = folder.path().join("policy.toml");
        fs::write(&policy, policy_text(&providers, settings, more))?;
        let policy = policy.display().to_string();
        let program = self.programs.path("xynergy-router");
        let any_port = "127.0.0.1:0";
        let command = [&program, "serve", "--policy", &policy, "--listen", any_port, "--admin", any_port];
        let sidecar = Process::start(self.cores.target, &command.map(str::to_owned), Speaks::Stderr)?;
        let caller = Caller::new(sidecar.address);
        Ok(Cast { providers, sidecar, caller, _folder: folder })
    }
}

fn policy_text(providers: &[Provider], settings: &str, more: &str) -> String {
    let names: Vec<String> = (0..providers.len()).map(|number| format!("\"m{number}\"")).collect();
    let mut text = format!("[profiles.default]\ncandidates = [{}]\n", names.join(", "));
    for (number, provider) in providers.iter().enumerate() {
        // Writing to a string does not fail.
        let _ = write!(
            text,
            "\n[providers.p{number}]\ndialect = \"openai\"\nbase_url = \"{}\"\nplacement = \"internal\"\n\
             group = {}\npool = {{ max_connections = 2000 }}\n{settings}\n\
             [models.m{number}]\nprovider = \"p{number}\"\n\
             price = {{ input = \"$0.05/M\", output = \"$0.08/M\" }}\ncontext = \"128k\"\n",
            provider.upstream.base_url_openai(),
            provider.group,
        );
    }
    text + more
}

impl Cast {
    /// Requests that all providers have got.
    pub(super) fn calls(&self) -> u64 {
        self.providers.iter().map(Provider::calls).sum()
    }

    /// A metric's sum over all lines whose labels contain `label`.
    pub(super) async fn metric(&self, name: &str, label: &str) -> anyhow::Result<f64> {
        let page = self.sidecar.metrics().await?;
        let value = |line: &str| {
            let (found, value) = line.strip_prefix("xynergy_router_")?.rsplit_once(' ')?;
            (found.starts_with(name) && found.contains(label))
                .then(|| value.parse::<f64>().unwrap_or_default())
        };
        Ok(page.lines().filter_map(value).sum())
    }
}
