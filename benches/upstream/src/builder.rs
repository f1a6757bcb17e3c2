//! Settings of an upstream.

use std::io;
use std::net::{Ipv4Addr, SocketAddr};

use http::HeaderValue;

use crate::delay::Delay;
use crate::script::Rule;
use crate::upstream::Upstream;

/// What an upstream is like; see [`Builder`] for the meaning of each.
#[derive(Clone, Debug)]
pub(crate) struct Settings {
    pub(crate) name: String,
    pub(crate) name_header: HeaderValue,
    pub(crate) models: Vec<String>,
    pub(crate) delay: Delay,
    pub(crate) answer_tokens: u32,
    pub(crate) chunk_tokens: u32,
    pub(crate) cached_share: f64,
    pub(crate) embedding_dimensions: u32,
    pub(crate) api_key: Option<String>,
    pub(crate) strict: bool,
    pub(crate) early_headers: bool,
    pub(crate) flush_each_event: bool,
    pub(crate) record_limit: usize,
    /// What models say, whatever they are asked.
    pub(crate) says: Vec<(String, String)>,
}

impl Settings {
    /// OpenAI's `system_fingerprint`, from which the upstream can be told.
    pub(crate) fn fingerprint(&self) -> String {
        format!("fp_{}", self.name)
    }
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            name: "upstream".to_owned(),
            name_header: HeaderValue::from_static("upstream"),
            models: vec!["small".to_owned(), "big".to_owned()],
            delay: Delay::ZERO,
            answer_tokens: 48,
            chunk_tokens: 2,
            cached_share: 0.0,
            embedding_dimensions: 1_536,
            api_key: None,
            strict: false,
            early_headers: false,
            flush_each_event: true,
            record_limit: 1_024,
            says: Vec::new(),
        }
    }
}

/// Sets up an [`Upstream`]; every setting has a default that suits a test.
#[derive(Clone, Debug)]
pub struct Builder {
    addr: SocketAddr,
    settings: Settings,
    rules: Vec<Rule>,
}

impl Default for Builder {
    fn default() -> Self {
        let addr = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
        Self { addr, settings: Settings::default(), rules: Vec::new() }
    }
}

impl Builder {
    /// Where to listen. Default: a free port of 127.0.0.1.
    #[must_use]
    pub fn listen(mut self, addr: SocketAddr) -> Self {
        self.addr = addr;
        self
    }

    /// What the upstream calls itself, in the header `x-upstream-name`, in `system_fingerprint` and as the
    /// owner of its models. Default `upstream`.
    #[must_use]
    pub fn name(mut self, name: impl Into<String>) -> Self {
        self.settings.name = name.into();
        let header = HeaderValue::from_str(&self.settings.name);
        self.settings.name_header = header.unwrap_or(HeaderValue::from_static("unprintable"));
        self
    }

    /// The models listed. Default `small` and `big`. Others are answered too unless [`Builder::strict`].
    #[must_use]
    pub fn models<M: Into<String>>(mut self, models: impl IntoIterator<Item = M>) -> Self {
        self.settings.models = models.into_iter().map(Into::into).collect();
        self
    }

    /// How long answers take. Default [`Delay::ZERO`].
    #[must_use]
    pub fn delay(mut self, delay: Delay) -> Self {
        self.settings.delay = delay;
        self
    }

    /// The length of a text answer in tokens, where the request's limit allows it. Default 48.
    #[must_use]
    pub fn answer_tokens(mut self, tokens: u32) -> Self {
        self.settings.answer_tokens = tokens;
        self
    }

    /// The tokens in one event of a stream, at least 1. Default 2.
    #[must_use]
    pub fn chunk_tokens(mut self, tokens: u32) -> Self {
        self.settings.chunk_tokens = tokens;
        self
    }

    /// The share of a prompt that is reported as read from the provider's cache, 0 to 1; the rest is
    /// reported as written to it. Both in steps of 128 tokens and for prompts of 1,024 or more, Anthropic's
    /// only where they are marked with `cache_control`. Default 0: there is no cache.
    #[must_use]
    pub fn cached_share(mut self, share: f64) -> Self {
        self.settings.cached_share = share.clamp(0.0, 1.0);
        self
    }

    /// The length of embeddings where the request states none. Default 1,536.
    #[must_use]
    pub fn embedding_dimensions(mut self, dimensions: u32) -> Self {
        self.settings.embedding_dimensions = dimensions;
        self
    }

    /// The key without which requests are answered 401. Default: none is asked for.
    #[must_use]
    pub fn api_key(mut self, key: impl Into<String>) -> Self {
        self.settings.api_key = Some(key.into());
        self
    }

    /// Refuses what the providers refuse: models that are not listed (404) and Anthropic requests without
    /// `anthropic-version` (400). Default off.
    #[must_use]
    pub fn strict(mut self, strict: bool) -> Self {
        self.settings.strict = strict;
        self
    }

    /// Sends the headers of a stream at once and only then waits for the first token, as self-hosted servers
    /// do; hosted ones send both together. Default off.
    #[must_use]
    pub fn early_headers(mut self, early: bool) -> Self {
        self.settings.early_headers = early;
        self
    }

    /// Flushes each event of a stream by itself, one segment each, as providers do. Off, events that are due
    /// together leave together, which is cheaper. Default on.
    #[must_use]
    pub fn flush_each_event(mut self, flush: bool) -> Self {
        self.settings.flush_each_event = flush;
        self
    }

    /// How many of the last requests are kept (together at most 64 MiB of bodies); 0 for load runs.
    /// Default 1,024.
    #[must_use]
    pub fn record_limit(mut self, requests: usize) -> Self {
        self.settings.record_limit = requests;
        self
    }

    /// Lets one model say this whatever it is asked. Default: an answer that depends on the question.
    #[must_use]
    pub fn says(mut self, model: impl Into<String>, text: impl Into<String>) -> Self {
        self.settings.says.push((model.into(), text.into()));
        self
    }

    /// Adds a rule to the script; a bare [`Fault`](crate::Fault) stands for always.
    #[must_use]
    pub fn script(mut self, rule: impl Into<Rule>) -> Self {
        self.rules.push(rule.into());
        self
    }

    /// Starts the upstream on the current Tokio runtime.
    ///
    /// # Errors
    ///
    /// The address cannot be listened on.
    ///
    /// # Panics
    ///
    /// Outside of a Tokio runtime.
    pub async fn start(self) -> io::Result<Upstream> {
        Upstream::launch(self.addr, self.settings, self.rules)
    }
}
