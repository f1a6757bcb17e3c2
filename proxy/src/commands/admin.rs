//! The admin plane of a running router, for the commands that talk to it.

use std::time::Duration;

use anyhow::{Context, bail, ensure};
use bytes::Bytes;
use http::{Request, Uri, header};
use http_body_util::{BodyExt, Full, Limited};
use hyper_util::client::legacy::Client;
use hyper_util::rt::TokioExecutor;
use tokio::runtime::Runtime;

/// Storing a batch or rewriting records takes well under a second; embedding the questions of a thousand lines, a few.
const PATIENCE: Duration = Duration::from_secs(300);

/// An admin plane.
pub(super) struct Admin {
    base: String,
    token: Option<String>,
    runtime: Runtime,
}

impl Admin {
    /// The one at `url`. `token_env` names the environment variable with its token.
    ///
    /// # Errors
    /// An address or variable that is none.
    pub(super) fn try_new(url: &str, token_env: Option<&str>) -> anyhow::Result<Self> {
        let token = match token_env {
            Some(name) => {
                Some(std::env::var(name).with_context(|| format!("the environment has no {name}"))?)
            }
            None => None,
        };
        let base = url.trim_end_matches('/').to_owned();
        let uri: Uri = base.parse().context("--url is no address")?;
        ensure!(
            uri.scheme_str() == Some("http"),
            "--url must begin with http://, as in http://127.0.0.1:8081"
        );
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        Ok(Self { base, token, runtime })
    }

    /// The answer to a POST.
    ///
    /// # Errors
    /// A router that does not answer, or refuses.
    pub(super) fn post(&self, path: &str, kind: &str, body: Vec<u8>) -> anyhow::Result<Bytes> {
        self.runtime.block_on(self.send(path, kind, body))
    }

    async fn send(&self, path: &str, kind: &str, body: Vec<u8>) -> anyhow::Result<Bytes> {
        let uri: Uri = format!("{}{path}", self.base).parse().context("--url is no address")?;
        let client: Client<_, Full<Bytes>> = Client::builder(TokioExecutor::new()).build_http();
        let mut request = Request::post(uri.clone()).header(header::CONTENT_TYPE, kind);
        if let Some(token) = &self.token {
            request = request.header(header::AUTHORIZATION, format!("Bearer {token}"));
        }
        let request = request.body(Full::from(body))?;
        let response = tokio::time::timeout(PATIENCE, client.request(request))
            .await
            .context("the router did not answer in time")?
            .with_context(|| format!("no router at {uri}"))?;
        let status = response.status();
        let body = Limited::new(response.into_body(), 16 << 20)
            .collect()
            .await
            .map_err(anyhow::Error::from_boxed)?;
        let body = body.to_bytes();
        if !status.is_success() {
            bail!("{uri} answered {status}: {}", String::from_utf8_lossy(&body));
        }
        Ok(body)
    }
}
