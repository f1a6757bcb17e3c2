//! Who runs on which core.

use std::process::{Command, Stdio};
use std::thread::available_parallelism;

use anyhow::{Context as _, ensure};
use serde::Serialize;

/// A core for each of the three processes. The target never shares its core with the other two.
#[derive(Clone, Copy, Debug, Serialize)]
pub(crate) struct Cores {
    /// The proxy that is measured.
    pub(crate) target: usize,
    /// The scripted provider.
    pub(crate) upstream: usize,
    /// This process.
    pub(crate) generator: usize,
}

impl Cores {
    /// The machine's first cores. Of two, upstream and generator share the second.
    ///
    /// # Errors
    /// A machine with a single core: whatever is measured there is mostly the other two.
    pub(crate) fn choose() -> anyhow::Result<Self> {
        let cores = available_parallelism()?.get();
        ensure!(cores >= 2, "the target needs a core of its own, and this machine has only one");
        Ok(Self { target: 0, upstream: 1, generator: if cores > 2 { 2 } else { 1 } })
    }
}

/// Binds this process to a core. Threads that it starts later inherit that.
///
/// # Errors
/// `taskset` (util-linux) is missing or may not.
pub(crate) fn bind_self(core: usize) -> anyhow::Result<()> {
    let own = std::process::id().to_string();
    let status = Command::new("taskset")
        .args(["--cpu-list", "--pid", &core.to_string(), &own])
        .stdout(Stdio::null())
        .status()
        .context("cannot run taskset, which is part of util-linux")?;
    ensure!(status.success(), "taskset could not bind this process to core {core}");
    Ok(())
}
