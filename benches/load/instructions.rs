//! Instructions per request, counted by callgrind: the figure that a busy machine does not change.
//!
//! Only user space is counted; what the kernel does for a request (most of a pass-through's time) is not in it. So the ratio
//! is larger than that of CPU time, and better at showing a small change.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context as _, ensure};
use serde_json::{Value, json};

use crate::process::Process;
use crate::round::Drive;
use crate::scenario::Scenario;
use crate::stage::{Stage, Target};

/// Instructions per request at both targets.
pub(crate) struct Instructions {
    scenario: Scenario,
    requests: u64,
    errors: u64,
    bare: u64,
    sidecar: u64,
}

impl Instructions {
    /// Runs both targets under callgrind, one after the other. The profiles go to `folder`.
    ///
    /// # Errors
    /// valgrind is missing, or a target does not come to an end.
    pub(crate) async fn count(stage: &Stage<'_>, drive: &Drive, folder: &Path) -> anyhow::Result<Self> {
        fs::create_dir_all(folder)?;
        let mut counted =
            Self { scenario: drive.scenario, requests: drive.requests, errors: 0, bare: 0, sidecar: 0 };
        for target in Target::ALL {
            let profile = folder.join(format!("{}.{}.callgrind", drive.scenario.name(), target.name()));
            eprintln!("{}: {}", drive.scenario.name(), profile.display());
            let (total, errors) = profile_target(stage, drive, target, &profile).await?;
            counted.errors += errors;
            match target {
                Target::Bare => counted.bare = total / drive.requests,
                Target::Sidecar => counted.sidecar = total / drive.requests,
            }
        }
        Ok(counted)
    }

    fn ratio(&self) -> f64 {
        self.sidecar as f64 / self.bare as f64
    }

    /// Requests that did not get the answer that was due.
    pub(crate) fn errors(&self) -> u64 {
        self.errors
    }

    /// As JSON.
    pub(crate) fn json(&self) -> Value {
        json!({
            "scenario": self.scenario, "requests": self.requests, "errors": self.errors,
            "bare": {"instructions": self.bare}, "sidecar": {"instructions": self.sidecar},
            "ratio": {"instructions": self.ratio()},
        })
    }

    /// As a table.
    pub(crate) fn table(&self) -> String {
        let Self { scenario, requests, errors, bare, sidecar } = self;
        format!(
            "\n{}\n{requests} requests; errors: {errors}\n\n{:<28}{:>11}{:>11}{:>8}\n{:<28}{bare:>11}{sidecar:>11}{:>8.2}\n",
            scenario.summary(),
            "",
            scenario.yardstick(),
            "sidecar",
            "ratio",
            "instructions per request",
            self.ratio()
        )
    }
}

/// All instructions of the counted requests, and how many of these went wrong.
async fn profile_target(
    stage: &Stage<'_>,
    drive: &Drive,
    target: Target,
    profile: &Path,
) -> anyhow::Result<(u64, u64)> {
    let out = format!("--callgrind-out-file={}", profile.display());
    let under = ["valgrind", "--quiet", "--tool=callgrind", &out].map(str::to_owned);
    let process = stage.start(target, &under)?;
    drive.warm_up(target, &process, drive.warm_up).await?;
    control("--zero", &process)?;
    let tally = drive.send(target, &process).await?;
    control("--dump", &process)?;
    drop(process);
    // The first dump has the suffix 1; what is written at the end of the process is of no interest.
    let dump = PathBuf::from(format!("{}.1", profile.display()));
    fs::rename(&dump, profile).context("callgrind left no profile")?;
    if let Some(error) = tally.first_error {
        eprintln!("first error: {error}");
    }
    Ok((total(&fs::read_to_string(profile)?)?, tally.errors))
}

/// Tells callgrind to forget what it has counted or to write it down. Returns when that is done.
fn control(what: &str, process: &Process) -> anyhow::Result<()> {
    let status = Command::new("callgrind_control")
        .args([what, &process.id().to_string()])
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status()
        .context("cannot run callgrind_control, which is part of valgrind")?;
    ensure!(status.success(), "callgrind_control {what} failed");
    Ok(())
}

fn total(profile: &str) -> anyhow::Result<u64> {
    let line = profile.lines().rev().find_map(|line| line.strip_prefix("totals: "));
    Ok(line.context("the profile has no total")?.trim().parse()?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_total_stands_at_the_end_of_a_profile() {
        assert_eq!(total("version: 1\nsummary: 12\nfn=(1) f\n80 3\ntotals: 345\n").unwrap(), 345);
        assert!(total("version: 1\n").is_err());
    }
}
