//! TLS towards callers.

use std::hash::{DefaultHasher, Hash, Hasher};
use std::io;
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};

use arc_swap::ArcSwap;
use router_core::KeyHash;
use router_policies::TlsFiles;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::server::WebPkiClientVerifier;
use rustls::{RootCertStore, ServerConfig};
use tokio_rustls::TlsAcceptor;
use tokio_rustls::server::TlsStream;

use crate::keys;

/// The hash of the certificate that a caller has shown and that the roots for callers vouch for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Certificate(pub KeyHash);

/// The certificate that the caller at the other end of `stream` has shown.
pub(super) fn certificate<S>(stream: &TlsStream<S>) -> Option<Certificate> {
    let chain = stream.get_ref().1.peer_certificates()?;
    Some(Certificate(keys::hash(chain.first()?)))
}

/// Certificate, key and roots, read again when their files change. Connections keep those that they began with.
#[derive(Debug)]
pub struct Tls {
    files: TlsFiles,
    current: ArcSwap<ServerConfig>,
    /// The files as they were looked at last, good or bad.
    seen: Mutex<u64>,
}

impl Tls {
    /// Reads the files.
    ///
    /// # Errors
    /// Files that cannot be read or do not fit together, by name.
    pub fn open(files: TlsFiles) -> io::Result<Self> {
        let seen = fingerprint(&files);
        let config = config(&files)?;
        Ok(Self { files, current: ArcSwap::from_pointee(config), seen: Mutex::new(seen) })
    }

    /// What the next connection is accepted with.
    #[must_use]
    pub fn acceptor(&self) -> TlsAcceptor {
        TlsAcceptor::from(self.current.load_full())
    }

    /// Reads the files again if they have changed. Bad ones change nothing, and are told of once.
    pub fn refresh(&self) {
        let now = fingerprint(&self.files);
        let mut seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        if std::mem::replace(&mut *seen, now) == now {
            return;
        }
        match config(&self.files) {
            Ok(config) => {
                self.current.store(Arc::new(config));
                tracing::info!(event = "certificate_reloaded");
            }
            Err(error) => tracing::error!(event = "certificate_refused", %error),
        }
    }
}

/// Tells the files from what they were. One that cannot be read is like none.
fn fingerprint(files: &TlsFiles) -> u64 {
    let mut hasher = DefaultHasher::new();
    for path in [Some(&files.cert), Some(&files.key), files.client_ca.as_ref()] {
        path.and_then(|path| std::fs::read(path).ok()).hash(&mut hasher);
    }
    hasher.finish()
}

fn unreadable(path: &Path, error: &dyn std::fmt::Display) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, format!("{}: {error}", path.display()))
}

fn certificates(path: &Path) -> io::Result<Vec<CertificateDer<'static>>> {
    let chain = CertificateDer::pem_file_iter(path).and_then(Iterator::collect);
    chain.map_err(|error| unreadable(path, &error))
}

/// For HTTP/2 and HTTP/1.1. Callers may show a certificate where there are roots for them; who shows none needs a key.
fn config(files: &TlsFiles) -> io::Result<ServerConfig> {
    let TlsFiles { cert, key, client_ca } = files;
    let chain = certificates(cert)?;
    let private = PrivateKeyDer::from_pem_file(key).map_err(|error| unreadable(key, &error))?;
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let builder = ServerConfig::builder_with_provider(Arc::clone(&provider))
        .with_safe_default_protocol_versions()
        .map_err(io::Error::other)?;
    let builder = match client_ca {
        None => builder.with_no_client_auth(),
        Some(path) => {
            let mut roots = RootCertStore::empty();
            for root in certificates(path)? {
                roots.add(root).map_err(|error| unreadable(path, &error))?;
            }
            let verifier = WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider)
                .allow_unauthenticated()
                .build()
                .map_err(|error| unreadable(path, &error))?;
            builder.with_client_cert_verifier(verifier)
        }
    };
    let mut config = builder.with_single_cert(chain, private).map_err(|error| unreadable(cert, &error))?;
    config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    Ok(config)
}
