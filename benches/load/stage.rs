//! The processes of one scenario: upstream, bare proxy, sidecar.

use std::fs;

use tempfile::TempDir;

use crate::cores::Cores;
use crate::process::{Process, Speaks};
use crate::programs::Programs;
use crate::scenario::Scenario;

/// The policy of the sidecar, with `UPSTREAM` where the upstream's address belongs.
const POLICY: &str = include_str!("policy.toml");

/// Who is measured.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Target {
    /// The bare pass-through.
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
        fs::write(
            folder.path().join("policy.toml"),
            POLICY.replace("UPSTREAM", &upstream.address.to_string()),
        )?;
        fs::write(folder.path().join("proxy.toml"), format!("[log]\nrequests = {}\n", scenario.logs()))?;
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
            Target::Bare => {
                command.extend([self.programs.path("bare"), self.upstream.address.to_string()]);
                Speaks::Stdout
            }
            Target::Sidecar => {
                command.extend([self.programs.path("xynergy-router"), "serve".to_owned()]);
                for (option, value) in [
                    ("--policy", self.file("policy.toml")),
                    ("--config", self.file("proxy.toml")),
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
