//! The programs of a run.

use std::path::PathBuf;
use std::process::Command;

use anyhow::{Context as _, ensure};

/// The programs that take part, side by side with this one.
pub(crate) struct Programs {
    folder: PathBuf,
}

impl Programs {
    /// Finds them. Under `cargo run` they are built first, so that what is measured is what is in the sources.
    ///
    /// # Errors
    /// A debug build, or a program that is missing.
    pub(crate) fn find() -> anyhow::Result<Self> {
        ensure!(!cfg!(debug_assertions), "a debug build says nothing about speed: use --release");
        if let Some(cargo) = std::env::var_os("CARGO") {
            let status = Command::new(cargo)
                .args(["build", "--release", "--quiet", "--bins"])
                .args(["-p", "router-benches", "-p", "router-proxy", "-p", "router-upstream"])
                .status()?;
            ensure!(status.success(), "the programs do not build");
        }
        let own = std::env::current_exe()?;
        let folder = own.parent().context("this program is in no folder")?.to_path_buf();
        for name in ["bare", "router-upstream", "xynergy-router"] {
            let exists = folder.join(name).exists();
            ensure!(exists, "`{name}` is missing: cargo build --release --workspace --bins");
        }
        Ok(Self { folder })
    }

    /// Where a program is.
    pub(crate) fn path(&self, name: &str) -> String {
        self.folder.join(name).display().to_string()
    }
}
