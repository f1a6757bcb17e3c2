//! How a connection comes to stand: DNS, TCP, a proxy's tunnel where the environment names one, TLS.

use std::future::Future;
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use http::Uri;
use hyper_rustls::{HttpsConnector, HttpsConnectorBuilder};
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::client::legacy::connect::proxy::Tunnel;
use hyper_util::client::proxy::matcher::Matcher;
use hyper_util::rt::TokioIo;
use router_core::ProviderTls;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::sign::{CertifiedKey, SingleCertAndKey};
use rustls::{ClientConfig, RootCertStore};
use thiserror::Error;
use tokio::net::TcpStream;
use tower_service::Service;

type BoxError = Box<dyn std::error::Error + Send + Sync>;
type Dialing<T> = Pin<Box<dyn Future<Output = Result<T, BoxError>> + Send>>;

/// A connection did not stand in time.
#[derive(Clone, Copy, Debug, Error)]
#[error("connect timeout")]
pub(super) struct ConnectTimeout;

/// The roots of trust: the system's, or those of `SSL_CERT_FILE` and `SSL_CERT_DIR`.
///
/// # Errors
/// Where TLS cannot be set up at all. Single unreadable certificates are logged and left out.
pub(super) fn tls_config() -> io::Result<ClientConfig> {
    let mut roots = RootCertStore::empty();
    let found = rustls_native_certs::load_native_certs();
    for error in &found.errors {
        tracing::warn!(error = %error, "a root certificate could not be read");
    }
    roots.add_parsable_certificates(found.certs);
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(io::Error::other)?
        .with_root_certificates(roots)
        .with_no_client_auth();
    Ok(config)
}

/// As `system`, with a provider's own roots and with the certificate that it wants to see.
///
/// # Errors
/// Files that are no PEM or do not fit together.
pub(super) fn provider_config(system: &ClientConfig, tls: &ProviderTls) -> io::Result<ClientConfig> {
    let Some(roots) = &tls.roots else { return with_identity(system.clone(), tls) };
    let mut trusted = RootCertStore::empty();
    for certificate in CertificateDer::pem_slice_iter(roots.expose()) {
        trusted.add(certificate.map_err(io::Error::other)?).map_err(io::Error::other)?;
    }
    let config = ClientConfig::builder_with_provider(Arc::clone(system.crypto_provider()))
        .with_safe_default_protocol_versions()
        .map_err(io::Error::other)?
        .with_root_certificates(trusted)
        .with_no_client_auth();
    with_identity(config, tls)
}

fn with_identity(mut config: ClientConfig, tls: &ProviderTls) -> io::Result<ClientConfig> {
    if let Some((chain, key)) = &tls.identity {
        let chain = CertificateDer::pem_slice_iter(chain.expose()).collect::<Result<_, _>>();
        let key = PrivateKeyDer::from_pem_slice(key.expose()).map_err(io::Error::other)?;
        let identity =
            CertifiedKey::from_der(chain.map_err(io::Error::other)?, key, config.crypto_provider());
        let identity = SingleCertAndKey::from(identity.map_err(io::Error::other)?);
        config.client_auth_cert_resolver = Arc::new(identity);
    }
    Ok(config)
}

/// TCP, straight or through the tunnel of `HTTPS_PROXY`. `NO_PROXY` and plain-text addresses go straight.
#[derive(Clone)]
pub(super) struct Dial {
    tcp: HttpConnector,
    proxies: Arc<Matcher>,
}

impl Dial {
    fn new(connect: Duration, proxies: Arc<Matcher>) -> Self {
        let mut tcp = HttpConnector::new();
        tcp.enforce_http(false);
        tcp.set_nodelay(true);
        tcp.set_connect_timeout(Some(connect));
        tcp.set_keepalive(Some(Duration::from_secs(60)));
        Self { tcp, proxies }
    }
}

impl Service<Uri> for Dial {
    type Response = TokioIo<TcpStream>;
    type Error = BoxError;
    type Future = Dialing<Self::Response>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), BoxError>> {
        self.tcp.poll_ready(context).map_err(Into::into)
    }

    fn call(&mut self, target: Uri) -> Self::Future {
        let proxy = if target.scheme_str() == Some("https") { self.proxies.intercept(&target) } else { None };
        match proxy {
            None => {
                let dialing = self.tcp.call(target);
                Box::pin(async move { Ok(dialing.await?) })
            }
            Some(proxy) => {
                let mut tunnel = Tunnel::new(proxy.uri().clone(), self.tcp.clone());
                if let Some(auth) = proxy.basic_auth() {
                    tunnel = tunnel.with_auth(auth.clone());
                }
                Box::pin(async move { tunnel.call(target).await.map_err(Into::into) })
            }
        }
    }
}

/// A connector that gives up after a time, TLS handshake included.
#[derive(Clone)]
pub(super) struct Connector {
    inner: HttpsConnector<Dial>,
    limit: Duration,
}

impl Connector {
    pub(super) fn new(tls: ClientConfig, connect: Duration, proxies: Arc<Matcher>) -> Self {
        let inner = HttpsConnectorBuilder::new()
            .with_tls_config(tls)
            .https_or_http()
            .enable_all_versions()
            .wrap_connector(Dial::new(connect, proxies));
        Self { inner, limit: connect }
    }
}

impl Service<Uri> for Connector {
    type Response = <HttpsConnector<Dial> as Service<Uri>>::Response;
    type Error = BoxError;
    type Future = Dialing<Self::Response>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), BoxError>> {
        self.inner.poll_ready(context)
    }

    fn call(&mut self, target: Uri) -> Self::Future {
        let dialing = self.inner.call(target);
        let limit = self.limit;
        Box::pin(async move { tokio::time::timeout(limit, dialing).await.map_err(|_| ConnectTimeout)? })
    }
}
