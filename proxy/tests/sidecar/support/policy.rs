//! Policies over scripted providers, in files.

use std::net::SocketAddr;
use std::path::PathBuf;

/// The policy's file; gone when dropped.
pub struct Policy {
    folder: tempfile::TempDir,
    /// Holds a second name of the same file.
    aside: tempfile::TempDir,
}

impl Policy {
    pub fn write(text: &str) -> Self {
        let policy = Self { folder: tempfile::tempdir().unwrap(), aside: tempfile::tempdir().unwrap() };
        policy.replace(text);
        std::fs::hard_link(policy.path(), policy.other_name()).unwrap();
        policy
    }

    fn other_name(&self) -> PathBuf {
        self.aside.path().join("other-name.toml")
    }

    /// Writes it under its other name, in a folder that nobody watches: it is seen when somebody asks for a
    /// reload, and not before.
    pub fn slip(&self, text: &str) {
        std::fs::write(self.other_name(), text).unwrap();
    }

    /// Truncates the file and writes it anew.
    pub fn replace(&self, text: &str) {
        std::fs::write(self.path(), text).unwrap();
    }

    /// Writes a second file and renames it over the first, as most editors do.
    pub fn rename_over(&self, text: &str) {
        let new = self.folder.path().join(".policy.toml.new");
        std::fs::write(&new, text).unwrap();
        std::fs::rename(new, self.path()).unwrap();
    }

    pub fn path(&self) -> PathBuf {
        self.folder.path().join("policy.toml")
    }
}

/// Two servers, four entries: each speaks both dialects.
pub fn base_policy(inside: SocketAddr, outside: SocketAddr) -> String {
    [
        "baseline = \"big\"\n".to_owned(),
        provider("local", inside, "openai", "internal"),
        provider("local-a", inside, "anthropic", "internal"),
        provider("cloud", outside, "openai", "external"),
        provider("cloud-a", outside, "anthropic", "external"),
        model("small", "local", "$0.05/M", "$0.08/M", 1),
        model("small-a", "local-a", "$0.05/M", "$0.08/M", 1),
        model("big", "cloud", "$2.50/M", "$10/M", 3),
        model("big-a", "cloud-a", "$2.50/M", "$10/M", 3),
        "[profiles.default]\ncandidates = [\"small\", \"small-a\", \"big\", \"big-a\"]\n".to_owned(),
    ]
    .concat()
}

/// The timeouts are long: a slow machine must not fail a test that is about something else.
fn provider(name: &str, address: SocketAddr, dialect: &str, placement: &str) -> String {
    let suffix = if dialect == "openai" { "/v1" } else { "" };
    format!(
        "[providers.{name}]\ndialect = \"{dialect}\"\nbase_url = \"http://{address}{suffix}\"\n\
         placement = \"{placement}\"\n\
         timeouts = {{ connect = \"30s\", first_byte = \"30s\", idle = \"30s\", total = \"120s\" }}\n"
    )
}

fn model(name: &str, provider: &str, input: &str, output: &str, tier: u8) -> String {
    let upstream = name.trim_end_matches("-a");
    format!(
        "[models.{name}]\nprovider = \"{provider}\"\nupstream_model = \"{upstream}\"\n\
         price = {{ input = \"{input}\", output = \"{output}\" }}\ncontext = \"128k\"\ntier = {tier}\n"
    )
}
