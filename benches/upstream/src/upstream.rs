//! The handle of a running upstream.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;
use tokio::task::JoinHandle;

use crate::builder::{Builder, Settings};
use crate::provider::Provider;
use crate::record::{RecordedRequest, Stats};
use crate::script::Rule;
use crate::server::{self, Phase};

/// A scripted provider that is listening.
///
/// Dropped, it stops listening and gives answers in flight five seconds to finish, in the background.
#[derive(Debug)]
pub struct Upstream {
    addr: SocketAddr,
    provider: Arc<Provider>,
    listening: watch::Receiver<bool>,
    server: Option<JoinHandle<io::Result<()>>>,
}

impl Upstream {
    /// An upstream to be set up.
    pub fn builder() -> Builder {
        Builder::default()
    }

    /// Starts with all defaults.
    ///
    /// # Errors
    ///
    /// No port of 127.0.0.1 can be listened on.
    pub async fn start() -> io::Result<Self> {
        Self::builder().start().await
    }

    pub(crate) fn launch(addr: SocketAddr, settings: Settings, rules: Vec<Rule>) -> io::Result<Self> {
        let listener = server::listen(addr)?;
        let addr = listener.local_addr()?;
        let (phase, _) = watch::channel(Phase::Serving);
        let provider = Arc::new(Provider::new(settings, phase));
        rules.into_iter().for_each(|rule| provider.script.add(rule));
        let (listens, listening) = watch::channel(true);
        let server = Some(tokio::spawn(server::run(listener, provider.clone(), listens)));
        Ok(Self { addr, provider, listening, server })
    }

    /// Where it listens.
    pub fn addr(&self) -> SocketAddr {
        self.addr
    }

    /// What it calls itself.
    pub fn name(&self) -> &str {
        &self.provider.settings.name
    }

    /// The base URL for OpenAI clients, with `/v1`.
    pub fn base_url_openai(&self) -> String {
        format!("http://{}/v1", self.addr)
    }

    /// The base URL for Anthropic clients, without `/v1`.
    pub fn base_url_anthropic(&self) -> String {
        format!("http://{}", self.addr)
    }

    /// Adds a rule to the script; a bare [`Fault`](crate::Fault) stands for always.
    pub fn script(&self, rule: impl Into<Rule>) {
        self.provider.script.add(rule.into());
    }

    /// The rules in force, with what is left of their counts.
    pub fn rules(&self) -> Vec<Rule> {
        self.provider.script.rules()
    }

    /// Forgets all rules.
    pub fn clear_script(&self) {
        self.provider.script.clear();
    }

    /// Closes every connection and stops listening until [`Upstream::accept`]: a host that refuses
    /// connections. The port stays taken. Returns when it is so.
    pub async fn refuse(&self) {
        self.provider.refuse(Duration::ZERO);
        self.until_listening(false).await;
    }

    /// Listens again. Returns when it is so.
    pub async fn accept(&self) {
        self.turn(Phase::Serving);
        self.until_listening(true).await;
    }

    /// The counters.
    pub fn stats(&self) -> Stats {
        self.provider.recorder.stats()
    }

    /// Waits, without polling, until the counters are as wished. Waits forever if they never are.
    pub async fn wait_for(&self, wished: impl Fn(&Stats) -> bool) -> Stats {
        self.provider.recorder.wait_for(wished).await
    }

    /// The last requests, oldest first.
    pub fn requests(&self) -> Vec<RecordedRequest> {
        self.provider.recorder.requests()
    }

    /// Forgets the requests, not the counters.
    pub fn forget_requests(&self) {
        self.provider.recorder.forget_requests();
    }

    /// Stops listening and returns when all answers in flight are finished, or after five seconds.
    pub async fn shutdown(mut self) {
        self.turn(Phase::Draining);
        self.stopped().await;
    }

    /// Closes listener and connections at once, in the middle of whatever they do, as `kill -9` would.
    pub async fn kill(mut self) {
        self.turn(Phase::Killed);
        self.stopped().await;
    }

    /// Returns when the server has ended, which it does by itself only if it lost its port.
    ///
    /// # Errors
    ///
    /// Why it ended.
    pub async fn join(mut self) -> io::Result<()> {
        match self.server.take() {
            Some(server) => server.await.unwrap_or_else(|error| Err(io::Error::other(error))),
            None => Ok(()),
        }
    }

    async fn stopped(&mut self) {
        if let Some(server) = self.server.take() {
            // A server that failed has stopped as well.
            let _ = server.await;
        }
    }

    async fn until_listening(&self, wished: bool) {
        // An error means that the server has ended, and there is nothing more to wait for.
        let _ = self.listening.clone().wait_for(|listening| *listening == wished).await;
    }

    fn turn(&self, next: Phase) {
        self.provider.phase.send_if_modified(|phase| phase.turn(next));
    }
}

impl Drop for Upstream {
    fn drop(&mut self) {
        self.turn(Phase::Draining);
    }
}
