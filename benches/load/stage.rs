//! The processes of one scenario: upstream, bare proxy, sidecar.

use std::fs;

use tempfile::TempDir;

use crate::cores::Cores;
use crate::process::{Process, Speaks};
use crate::programs::Programs;
use crate::scenario::Scenario;

/// The policy of the sidecar, with `UPSTREAM` where the upstream's address belongs.
const POLICY: &str = include_str!("policy.toml");

/// What is added to it where money is counted.
const PAID: &str = include_str!("paid.toml");

/// Who is measured.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Target {
    /// The bare pass-through, or what else the scenario compares with.
    Bare,
    /// `xynergy-router serve`.
    Sidecar,
}

impl Target {
    /// Both.
    pub(crate) const ALL: [Self; 2] = [Self::Bare, Self::Sidecar];

    /// What it is called.
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Bare => "bare",
            Self::Sidecar => "sidecar",
        }
    }
}

/// Upstream and configuration of one scenario.
pub(crate) struct Stage<'p> {
    programs: &'p Programs,
    cores: Cores,
    scenario: Scenario,
    upstream: Process,
    folder: TempDir,
}

impl<'p> Stage<'p> {
    /// Starts the upstream and writes the sidecar's files.
    ///
    /// # Errors
    /// It does not start.
    pub(crate) fn set(programs: &'p Programs, cores: Cores, scenario: Scenario) -> anyhow::Result<Self> {
        let mut command = vec![programs.path("router-upstream")];
        command.extend(scenario.upstream().iter().map(|&argument| argument.to_owned()));
        let upstream = Process::start(cores.upstream, &command, Speaks::Stdout)?;
        let folder = TempDir::new()?;
        let write = |name: &str, text: String| fs::write(folder.path().join(name), text);
        let policy = POLICY.replace("UPSTREAM", &upstream.address.to_string());
        let proxy = format!("[log]\nrequests = {}\n", scenario.logs());
        write("paid-policy.toml", policy.clone() + PAID)?;
        write("paid-proxy.toml", proxy.clone() + "[records]\nfolder = \"records\"\n")?;
        write("policy.toml", policy)?;
        write("proxy.toml", proxy)?;
        Ok(Self { programs, cores, scenario, upstream, folder })
    }

    /// What is asked.
    pub(crate) fn scenario(&self) -> Scenario {
        self.scenario
    }

    /// Starts a target on its core, `under` another program where one is given.
    ///
    /// # Errors
    /// It does not start.
    pub(crate) fn start(&self, target: Target, under: &[String]) -> anyhow::Result<Process> {
        let mut command = under.to_vec();
        let speaks = match target {
            Target::Bare if !self.scenario.pays() => {
                command.extend([self.programs.path("bare"), self.upstream.address.to_string()]);
                Speaks::Stdout
            }
            Target::Bare | Target::Sidecar => {
                let paid = if self.scenario.pays() && target == Target::Sidecar { "paid-" } else { "" };
                command.extend([self.programs.path("xynergy-router"), "serve".to_owned()]);
                for (option, value) in [
                    ("--policy", self.file(&format!("{paid}policy.toml"))),
                    ("--config", self.file(&format!("{paid}proxy.toml"))),
                    ("--listen", "127.0.0.1:0".to_owned()),
                    ("--admin", "127.0.0.1:0".to_owned()),
                ] {
                    command.extend([option.to_owned(), value]);
                }
                Speaks::Stderr
            }
        };
        Process::start(self.cores.target, &command, speaks)
    }

    fn file(&self, name: &str) -> String {
        self.folder.path().join(name).display().to_string()
    }
}
