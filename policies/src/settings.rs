//! `proxy.toml`: what cannot change while the sidecar runs.
//!
//! [`ProxyFile`] is what was typed, [`Settings`] what runs, with the defaults filled in.

mod listen;
mod records;

pub use records::{Records, RecordsSection, WhenFull};

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

pub(crate) use listen::listener;
use router_core::Secret;

use crate::check::DEFAULT_LISTENERS;
use crate::diagnostics::Diagnostic;
use crate::document::Prepared;
use crate::file::read_secret;
use crate::live::read_text;
use crate::read;
use crate::secret::{ProcessSecrets, SecretRef, SecretSource};
use crate::sink::Sink;
use crate::source::{At, Source};
use crate::table::Table;

const LEVELS: &[(&str, LogLevel)] = &[
    ("error", LogLevel::Error),
    ("warn", LogLevel::Warn),
    ("info", LogLevel::Info),
    ("debug", LogLevel::Debug),
    ("trace", LogLevel::Trace),
];

/// The least that the HTTP/1.1 server can hold; a smaller limit would not be one.
const MIN_HEADER_BYTES: u64 = 8 << 10;

/// How much is logged.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum LogLevel {
    /// What needs somebody.
    Error,
    /// What may soon.
    Warn,
    /// What happens.
    #[default]
    Info,
    /// Why it happens.
    Debug,
    /// Everything.
    Trace,
}

impl LogLevel {
    /// The name used in files and by `tracing`.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Error => "error",
            Self::Warn => "warn",
            Self::Info => "info",
            Self::Debug => "debug",
            Self::Trace => "trace",
        }
    }
}

/// `[tls]`
#[derive(Clone, Debug, Default)]
pub struct TlsSection {
    /// Certificate chain, PEM.
    pub cert: Option<At<String>>,
    /// Private key, PEM.
    pub key: Option<At<String>>,
    /// Roots of trust for certificates that callers show, PEM.
    pub client_ca: Option<At<String>>,
}

/// `[limits]`
#[derive(Clone, Debug, Default)]
pub struct LimitsSection {
    /// Bytes of a request's body.
    pub max_body: Option<At<u64>>,
    /// Bytes of a request's head, 8 KiB at least.
    pub max_headers: Option<At<u64>>,
    /// Connections at a time.
    pub max_connections: Option<At<u64>>,
    /// Until a request's head is there.
    pub header_timeout: Option<At<Duration>>,
    /// Between two pieces of a request's body.
    pub body_idle: Option<At<Duration>>,
    /// Until a caller who does not read takes the next piece of an answer.
    pub write_stall: Option<At<Duration>>,
    /// Requests at providers at a time.
    pub max_in_flight: Option<At<u64>>,
    /// Requests that wait for a place among those.
    pub max_queue: Option<At<u64>>,
}

/// `[log]`
#[derive(Clone, Debug, Default)]
pub struct LogSection {
    /// How much.
    pub level: Option<At<LogLevel>>,
    /// Whether every request gets a line.
    pub requests: Option<At<bool>>,
}

/// What `proxy.toml` says.
#[derive(Clone, Debug, Default)]
pub struct ProxyFile {
    /// Address of the data plane.
    pub listen: Option<At<SocketAddr>>,
    /// Address of the admin plane.
    pub admin_listen: Option<At<SocketAddr>>,
    /// What callers from elsewhere show to the admin plane.
    pub admin_token: Option<At<SecretRef>>,
    /// `[tls]`
    pub tls: Option<At<TlsSection>>,
    /// `[limits]`
    pub limits: LimitsSection,
    /// `[drain] deadline`: how long requests in flight may take at the end.
    pub drain_deadline: Option<At<Duration>>,
    /// `[log]`
    pub log: LogSection,
    /// `[records]`
    pub records: Option<At<RecordsSection>>,
}

impl ProxyFile {
    /// The keys at the top level, by which the file is told from a policy.
    pub(crate) const KEYS: [&'static str; 8] =
        ["listen", "admin_listen", "admin_token", "tls", "limits", "drain", "log", "records"];

    /// Reads a file; what is wrong with it is in the sink.
    pub(crate) fn read(source: &Source) -> (Self, Sink) {
        let prepared = Prepared::new(source);
        let (document, mut sink) = prepared.parse(source);
        let mut root = Table::root(document.root.get_ref(), &mut sink);
        let file = Self {
            listen: root.optional("listen", listener),
            admin_listen: root.optional("admin_listen", listener),
            admin_token: root
                .take("admin_token")
                .and_then(|node| read_secret(&mut root, "admin_token", node)),
            tls: root.section("tls", |table| TlsSection {
                cert: table.required("cert", read::text),
                key: table.required("key", read::text),
                client_ca: table.optional("client_ca", read::text),
            }),
            limits: root.section("limits", LimitsSection::read).map(|at| at.value).unwrap_or_default(),
            drain_deadline: root
                .section("drain", |table| table.optional("deadline", read::duration))
                .and_then(|at| at.value),
            log: root.section("log", LogSection::read).map(|at| at.value).unwrap_or_default(),
            records: root.section("records", RecordsSection::read),
        };
        root.finish();
        file.verify(&mut sink);
        (file, sink)
    }

    fn verify(&self, sink: &mut Sink) {
        let [data, admin] = self.listeners();
        if data == admin && data.port() != 0 {
            let at = self.admin_listen.as_ref().or(self.listen.as_ref()).map(|at| at.span);
            sink.error(at.unwrap_or_default(), format!("data and admin plane cannot both listen on {data}"));
        }
    }

    /// Addresses of the data and the admin plane.
    #[must_use]
    pub fn listeners(&self) -> [SocketAddr; 2] {
        let [data, admin] = DEFAULT_LISTENERS;
        [
            self.listen.as_ref().map_or(data, |at| at.value),
            self.admin_listen.as_ref().map_or(admin, |at| at.value),
        ]
    }
}

impl LimitsSection {
    fn read(table: &mut Table<'_, '_>) -> Self {
        Self {
            max_body: table.optional("max_body", read::size),
            max_headers: table.optional("max_headers", read::size_from(MIN_HEADER_BYTES)),
            max_connections: table.optional("max_connections", read::count),
            header_timeout: table.optional("header_timeout", read::duration),
            body_idle: table.optional("body_idle", read::duration),
            write_stall: table.optional("write_stall", read::duration),
            max_in_flight: table.optional("max_in_flight", read::count),
            max_queue: table.optional("max_queue", read::count),
        }
    }
}

impl LogSection {
    fn read(table: &mut Table<'_, '_>) -> Self {
        Self {
            level: table.optional("level", read::one_of(LEVELS)),
            requests: table.optional("requests", read::boolean),
        }
    }
}

/// Certificate and key of the data plane.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TlsFiles {
    /// Certificate chain, PEM.
    pub cert: PathBuf,
    /// Private key, PEM.
    pub key: PathBuf,
    /// Roots of trust for certificates that callers may show, PEM; `None`: they are not asked for any.
    pub client_ca: Option<PathBuf>,
}

/// What the sidecar runs with.
#[derive(Clone, Debug)]
pub struct Settings {
    /// Address of the data plane.
    pub listen: SocketAddr,
    /// Address of the admin plane.
    pub admin_listen: SocketAddr,
    /// What callers from elsewhere show to the admin plane.
    pub admin_token: Option<Secret>,
    /// Certificate and key, where the data plane speaks TLS.
    pub tls: Option<TlsFiles>,
    /// Bytes of a request's body.
    pub max_body_bytes: usize,
    /// Bytes of a request's head, 8 KiB at least.
    pub max_header_bytes: usize,
    /// Connections at a time, on each plane.
    pub max_connections: usize,
    /// Until a request's head is there.
    pub header_timeout: Duration,
    /// Between two pieces of a request's body.
    pub body_idle: Duration,
    /// Until a caller who does not read takes the next piece of an answer.
    pub write_stall: Duration,
    /// How long requests in flight may take at the end.
    pub drain_deadline: Duration,
    /// How much is logged.
    pub log_level: LogLevel,
    /// Whether every request gets a line.
    pub log_requests: bool,
    /// Requests at providers at a time.
    pub max_in_flight: usize,
    /// Requests that wait for a place among those.
    pub max_queue: usize,
    /// Ledger, audit and the spending of budgets; `None`: nothing is written down.
    pub records: Option<Records>,
}

impl Default for Settings {
    /// Loopback only, 10 MiB bodies (the platform's limit), 64 KiB heads (what common servers take at most), 10,000
    /// connections, 10 s for a head, 30 s between pieces of a body, 60 s for a reader that stalls, 30 s to drain
    /// (what Kubernetes waits), no line per request, 4,096 requests at providers, another 1,024 waiting, and no records.
    fn default() -> Self {
        let [listen, admin_listen] = DEFAULT_LISTENERS;
        Self {
            listen,
            admin_listen,
            admin_token: None,
            tls: None,
            max_body_bytes: 10 << 20,
            max_header_bytes: 64 << 10,
            max_connections: 10_000,
            header_timeout: Duration::from_secs(10),
            body_idle: Duration::from_secs(30),
            write_stall: Duration::from_secs(60),
            drain_deadline: Duration::from_secs(30),
            log_level: LogLevel::Info,
            log_requests: false,
            max_in_flight: 4_096,
            max_queue: 1_024,
            records: None,
        }
    }
}

impl Settings {
    /// Reads a file, with the process's own secrets. Also says what is probably not meant.
    ///
    /// # Errors
    /// All errors and warnings, in the order of the file.
    pub fn load(path: &Path) -> Result<(Self, Vec<Diagnostic>), Vec<Diagnostic>> {
        let text = read_text(path).map_err(|diagnostic| vec![diagnostic])?;
        Self::parse(&path.to_string_lossy(), &text, &ProcessSecrets::beside(path))
    }

    /// As [`load`](Self::load), from text at hand.
    ///
    /// # Errors
    /// All errors and warnings, in the order of the file.
    pub fn parse(
        path: &str,
        text: &str,
        secrets: &dyn SecretSource,
    ) -> Result<(Self, Vec<Diagnostic>), Vec<Diagnostic>> {
        let (file, mut sink) = ProxyFile::read(&Source::new(path, text));
        let admin_token = fetch_token(&file, secrets, &mut sink);
        if sink.has_errors() {
            return Err(sink.into_sorted());
        }
        let folder = Path::new(path).parent().unwrap_or(Path::new(""));
        Ok((Self { admin_token, ..Self::of(&file, folder) }, sink.into_sorted()))
    }

    fn of(file: &ProxyFile, folder: &Path) -> Self {
        let default = Self::default();
        let [listen, admin_listen] = file.listeners();
        let limits = &file.limits;
        let whole = |stated: &Option<At<u64>>, otherwise: usize| {
            stated.as_ref().map_or(otherwise, |at| usize::try_from(at.value).unwrap_or(usize::MAX))
        };
        let time =
            |stated: &Option<At<Duration>>, otherwise| stated.as_ref().map_or(otherwise, |at| at.value);
        Self {
            listen,
            admin_listen,
            admin_token: None,
            tls: file.tls.as_ref().and_then(|tls| tls_files(&tls.value, folder)),
            max_body_bytes: whole(&limits.max_body, default.max_body_bytes),
            max_header_bytes: whole(&limits.max_headers, default.max_header_bytes),
            max_connections: whole(&limits.max_connections, default.max_connections),
            header_timeout: time(&limits.header_timeout, default.header_timeout),
            body_idle: time(&limits.body_idle, default.body_idle),
            write_stall: time(&limits.write_stall, default.write_stall),
            drain_deadline: time(&file.drain_deadline, default.drain_deadline),
            log_level: file.log.level.as_ref().map_or(default.log_level, |at| at.value),
            log_requests: file.log.requests.as_ref().map_or(default.log_requests, |at| at.value),
            max_in_flight: whole(&limits.max_in_flight, default.max_in_flight),
            max_queue: whole(&limits.max_queue, default.max_queue),
            records: file.records.as_ref().and_then(|records| records.value.settings(folder)),
        }
    }
}

fn tls_files(section: &TlsSection, folder: &Path) -> Option<TlsFiles> {
    let file = |at: &At<String>| folder.join(&at.value);
    let client_ca = section.client_ca.as_ref().map(file);
    Some(TlsFiles { cert: file(section.cert.as_ref()?), key: file(section.key.as_ref()?), client_ca })
}

/// The admin token, or a warning that it cannot be had; then callers from elsewhere are simply not let in.
pub(crate) fn fetch_token(file: &ProxyFile, secrets: &dyn SecretSource, sink: &mut Sink) -> Option<Secret> {
    let reference = file.admin_token.as_ref()?;
    match secrets.fetch(&reference.value) {
        Ok(token) => Some(token),
        Err(fault) => {
            sink.warn(reference.span, format!("{} {fault}", reference.value));
            None
        }
    }
}
