//! Everything that can be said about a file without running it.

use std::net::{Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};

use crate::compile::{verify, verify_secrets, verify_weights};
use crate::diagnostics::{Diagnostic, Quoted};
use crate::file::PolicyFile;
use crate::live::read_text;
use crate::secret::{ProcessSecrets, SecretSource};
use crate::settings::{ProxyFile, fetch_token};
use crate::sink::Sink;
use crate::source::{MAX_FILE_BYTES, Source};
use crate::weights::ScorerLoader;

/// The addresses that the router listens on where nothing else is said: data plane, admin plane.
pub const DEFAULT_LISTENERS: [SocketAddr; 2] = [
    SocketAddr::new(std::net::IpAddr::V4(Ipv4Addr::LOCALHOST), 8080),
    SocketAddr::new(std::net::IpAddr::V4(Ipv4Addr::LOCALHOST), 8081),
];

/// What a file is checked against.
#[derive(Clone, Copy)]
pub struct Surroundings<'a> {
    /// The router's own addresses.
    pub listeners: &'a [SocketAddr],
    /// Where secrets come from; `None`: their values are not looked at.
    pub secrets: Option<&'a dyn SecretSource>,
    /// Where relative paths start; `None`: no file that the policy names is looked at.
    pub folder: Option<&'a Path>,
    /// Tries the weights that the policy names; `None`: they need only be readable.
    pub loader: Option<&'a ScorerLoader>,
}

impl Default for Surroundings<'_> {
    /// The default listeners, no secrets, no files.
    fn default() -> Self {
        Self { listeners: &DEFAULT_LISTENERS, secrets: None, folder: None, loader: None }
    }
}

/// Which of the two files a text is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FileKind {
    /// `policy.toml`: what can change while running.
    Policy,
    /// `proxy.toml`: what cannot.
    Proxy,
}

impl FileKind {
    /// A file called `proxy.toml` or `policy.toml` is what its name says. Any other is a proxy file if it has
    /// top-level keys of one and none of a policy.
    #[must_use]
    pub fn of(path: &str, text: &str) -> Self {
        match Path::new(path).file_name().and_then(|name| name.to_str()) {
            Some("proxy.toml") => return Self::Proxy,
            Some("policy.toml") => return Self::Policy,
            _ => {}
        }
        let (root, _) = toml::de::DeTable::parse_recoverable(text);
        let is_proxy_key = |key: &str| ProxyFile::KEYS.contains(&key);
        let mut proxy = 0;
        let mut policy = 0;
        for key in root.get_ref().keys().map(|key| key.get_ref()) {
            proxy += usize::from(is_proxy_key(key));
            policy += usize::from(PolicyFile::KEYS.contains(&key.as_ref()));
        }
        if proxy > 0 && policy == 0 { Self::Proxy } else { Self::Policy }
    }
}

/// Checks the text of a policy or proxy file against the default surroundings. Pure: reads nothing, never panics.
#[must_use]
pub fn check(path: &str, text: &str) -> Vec<Diagnostic> {
    check_with(path, text, &Surroundings::default())
}

/// Checks the text of a policy or proxy file (see [`FileKind::of`]): all errors and warnings, in the order of the
/// file.
#[must_use]
pub fn check_with(path: &str, text: &str, surroundings: &Surroundings<'_>) -> Vec<Diagnostic> {
    if text.len() > MAX_FILE_BYTES {
        return vec![too_large(path)];
    }
    let source = Source::new(path, text);
    match FileKind::of(path, text) {
        FileKind::Policy => check_policy(PolicyFile::read(&source), surroundings),
        FileKind::Proxy => check_proxy(ProxyFile::read(&source), surroundings),
    }
}

fn check_policy((file, mut sink): (PolicyFile, Sink), surroundings: &Surroundings<'_>) -> Vec<Diagnostic> {
    verify(&file, surroundings.listeners, &mut sink);
    if let Some(secrets) = surroundings.secrets {
        verify_secrets(&file, secrets, &mut sink);
    }
    if let Some(folder) = surroundings.folder {
        verify_weights(&file, folder, surroundings.loader, &mut sink);
    }
    sink.into_sorted()
}

fn check_proxy((file, mut sink): (ProxyFile, Sink), surroundings: &Surroundings<'_>) -> Vec<Diagnostic> {
    if let Some(secrets) = surroundings.secrets {
        fetch_token(&file, secrets, &mut sink);
    }
    sink.into_sorted()
}

/// Checks files together, as the command does: policies against the listeners of the proxy file among them, secrets
/// against the process's environment and the files beside each, weights by `loader` where there is one. All errors and
/// warnings, file by file.
#[must_use]
pub fn check_files(paths: &[PathBuf], loader: Option<&ScorerLoader>) -> Vec<Diagnostic> {
    let texts: Vec<_> = paths.iter().map(|path| (path, path.to_string_lossy(), read_text(path))).collect();
    let readable = texts.iter().filter_map(|(_, name, text)| Some((&**name, text.as_deref().ok()?)));
    let of_kind = |kind| readable.clone().filter(move |(name, text)| FileKind::of(name, text) == kind);
    let proxy = of_kind(FileKind::Proxy).next().map(|(name, text)| ProxyFile::read(&Source::new(name, text)));
    let listeners = proxy.as_ref().map_or(DEFAULT_LISTENERS, |(file, _)| file.listeners());
    let mut found = Vec::new();
    for (path, name, text) in &texts {
        let secrets = ProcessSecrets::beside(path);
        let folder = Some(path.parent().unwrap_or(Path::new("")));
        let surroundings = Surroundings { listeners: &listeners, secrets: Some(&secrets), folder, loader };
        match text {
            Ok(text) => found.extend(check_with(name, text, &surroundings)),
            Err(unreadable) => found.push(unreadable.clone()),
        }
    }
    if let Some((proxy, mut sink)) = proxy {
        let before = sink.len();
        for (name, text) in of_kind(FileKind::Policy) {
            let (policy, _) = PolicyFile::read(&Source::new(name, text));
            verify_guarded(&proxy, &policy, &mut sink);
        }
        found.extend(sink.into_new(before));
    }
    found
}

/// Reports a data listener that anybody can reach under a policy that asks nobody for a key.
fn verify_guarded(proxy: &ProxyFile, policy: &PolicyFile, sink: &mut Sink) {
    let Some(listen) = &proxy.listen else { return };
    if policy.tenants.is_empty() && !listen.value.ip().to_canonical().is_loopback() {
        let policy = Quoted(policy.source.path()).to_string();
        let message =
            format!("{} is not loopback, and {policy} has no tenants to ask for a key", listen.value);
        sink.error(listen.span, message);
    }
}

pub(crate) fn too_large(path: &str) -> Diagnostic {
    Diagnostic::of_file(path, format!("the file is larger than {} MiB", MAX_FILE_BYTES >> 20))
}
