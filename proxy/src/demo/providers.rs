//! Providers on loopback: cheap ones inside, dear ones outside.

use std::path::{Path, PathBuf};
use std::time::Duration;

use router_policies::Origin;
use router_upstream::{Delay, Jitter, Upstream};

/// The policy over them, with places for the addresses.
const POLICY: &str = include_str!("policy.toml");

/// What all providers of rough weather have in common.
const CHAOS: &str = include_str!("chaos.toml");

/// The simulated providers, and the file with the policy over them. Dropped, all are gone.
pub(super) struct Providers {
    servers: Vec<Upstream>,
    policy: PathBuf,
}

/// A part that servers play.
struct Part {
    name: &'static str,
    model: &'static str,
    placement: &'static str,
    first_token_ms: u64,
    per_output_token: Duration,
    price: &'static str,
    tier: u8,
}

/// A small model on own hardware: near, but not faster at the single token than a large service is.
const INSIDE: Part = Part {
    name: "inside",
    model: "cheap",
    placement: "internal",
    first_token_ms: 15,
    per_output_token: Duration::from_micros(600),
    price: "{ input = \"$0.05/M\", output = \"$0.08/M\" }",
    tier: 1,
};

/// A large service: further away, with a longer queue.
const OUTSIDE: Part = Part {
    name: "outside",
    model: "dear",
    placement: "external",
    first_token_ms: 60,
    per_output_token: Duration::from_micros(1200),
    price: "{ input = \"$2.50/M\", cached_input = \"$1.25/M\", output = \"$10/M\" }",
    tier: 3,
};

impl Providers {
    /// One server for each part, and the policy over them.
    pub(super) async fn start() -> std::io::Result<Self> {
        let inside = start(&INSIDE, "inside", "cheap", 1).await?;
        let outside = start(&OUTSIDE, "outside", "dear", 2).await?;
        let text = POLICY
            .replace("{inside}", &inside.addr().to_string())
            .replace("{outside}", &outside.addr().to_string());
        Self::over(vec![inside, outside], &text)
    }

    /// Two servers for each part, so that one can stand in for the other.
    pub(super) async fn start_pairs() -> std::io::Result<Self> {
        let (mut servers, mut text) = (Vec::new(), CHAOS.to_owned());
        for (part, number) in [(&INSIDE, 1), (&INSIDE, 2), (&OUTSIDE, 1), (&OUTSIDE, 2)] {
            let (name, model) = (format!("{}-{number}", part.name), format!("{}-{number}", part.model));
            let server = start(part, &name, &model, servers.len() as u64).await?;
            for (suffix, dialect, base) in [
                ("", "openai", server.base_url_openai()),
                ("-messages", "anthropic", server.base_url_anthropic()),
            ] {
                text += &entry(part, &format!("{name}{suffix}"), &format!("{model}{suffix}"), dialect, &base);
            }
            servers.push(server);
        }
        Self::over(servers, &text)
    }

    fn over(servers: Vec<Upstream>, policy_text: &str) -> std::io::Result<Self> {
        let folder = std::env::temp_dir().join(format!("xynergy-router-demo-{}", std::process::id()));
        std::fs::create_dir_all(&folder)?;
        let policy = folder.join("policy.toml");
        std::fs::write(&policy, policy_text)?;
        Ok(Self { servers, policy })
    }

    /// The server of this name.
    pub(super) fn named(&self, name: &str) -> Option<&Upstream> {
        self.servers.iter().find(|server| server.name() == name)
    }

    /// All of them.
    pub(super) fn servers(&self) -> &[Upstream] {
        &self.servers
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

/// A provider and its model. Breakers forgive soon and limits are short: the storm is over in seconds.
fn entry(part: &Part, provider: &str, model: &str, dialect: &str, base_url: &str) -> String {
    let Part { placement, price, tier, .. } = part;
    let upstream_model = model.trim_end_matches("-messages");
    format!(
        "\n[providers.{provider}]\ndialect = \"{dialect}\"\nbase_url = \"{base_url}\"\nplacement = \"{placement}\"\n\
         timeouts = {{ connect = \"500ms\", first_byte = \"3s\", idle = \"1s\", total = \"10s\" }}\n\
         breaker = {{ failures = 3, recovery = \"300ms\", slow_start = \"300ms\" }}\n\
         \n[models.{model}]\nprovider = \"{provider}\"\nupstream_model = \"{upstream_model}\"\nprice = {price}\n\
         context = \"128k\"\ntier = {tier}\n"
    )
}

async fn start(part: &Part, name: &str, model: &str, seed: u64) -> std::io::Result<Upstream> {
    let delay = Delay {
        first_token: Duration::from_millis(part.first_token_ms),
        per_prompt_token: Duration::from_micros(20),
        per_output_token: part.per_output_token,
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
