//! Two providers on loopback: a cheap one inside, a dear one outside.

use std::path::{Path, PathBuf};
use std::time::Duration;

use router_policies::Origin;
use router_upstream::{Delay, Jitter, Upstream};

/// The policy over them, with places for the addresses.
const POLICY: &str = include_str!("policy.toml");

/// The simulated providers, and the file with the policy over them. Dropped, both are gone.
pub(super) struct Providers {
    _inside: Upstream,
    _outside: Upstream,
    policy: PathBuf,
}

impl Providers {
    /// Starts both and writes the policy.
    pub(super) async fn start() -> std::io::Result<Self> {
        // A small model on own hardware: near, but not faster at the single token than a large service is.
        let inside = start("inside", "cheap", 15, Duration::from_micros(600), 1).await?;
        // A large service: further away, with a longer queue.
        let outside = start("outside", "dear", 60, Duration::from_micros(1200), 2).await?;
        let text = POLICY
            .replace("{inside}", &inside.addr().to_string())
            .replace("{outside}", &outside.addr().to_string());
        let folder = std::env::temp_dir().join(format!("xynergy-router-demo-{}", std::process::id()));
        std::fs::create_dir_all(&folder)?;
        let policy = folder.join("policy.toml");
        std::fs::write(&policy, text)?;
        Ok(Self { _inside: inside, _outside: outside, policy })
    }

    /// Where the sidecar's policy comes from.
    pub(super) fn origin(&self) -> Origin {
        Origin::File(self.policy.clone())
    }

    /// The policy's file.
    pub(super) fn policy(&self) -> &Path {
        &self.policy
    }
}

impl Drop for Providers {
    fn drop(&mut self) {
        if let Some(folder) = self.policy.parent() {
            // What cannot be removed is left to whoever cleans the temporary folder.
            let _ = std::fs::remove_dir_all(folder);
        }
    }
}

async fn start(
    name: &str,
    model: &str,
    first_token_ms: u64,
    per_output_token: Duration,
    seed: u64,
) -> std::io::Result<Upstream> {
    let delay = Delay {
        first_token: Duration::from_millis(first_token_ms),
        per_prompt_token: Duration::from_micros(20),
        per_output_token,
        jitter: Jitter::Uniform(0.3),
        seed,
    };
    Upstream::builder()
        .name(name)
        .models([model])
        .delay(delay)
        .answer_tokens(80)
        .record_limit(0)
        .start()
        .await
}
