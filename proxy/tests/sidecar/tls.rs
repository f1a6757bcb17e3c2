//! TLS on both sides: certificates that are exchanged, shown, and trusted.

use std::path::Path;

use bytes::Bytes;
use http::{Request, StatusCode, Version};
use http_body_util::{BodyExt, Full};
use hyper_util::client::legacy::Client;
use hyper_util::rt::TokioExecutor;
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};
use router_policies::TlsFiles;
use router_proxy::sidecar::Settings;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use sha2::{Digest as _, Sha256};

use crate::support::{Plan, World, chat, until, within};

/// An authority, and the folder with what it has signed.
struct Authority {
    issuer: CertifiedIssuer<'static, KeyPair>,
    folder: tempfile::TempDir,
}

/// A certificate and its key.
struct Identity {
    cert: String,
    key: String,
    der: Vec<u8>,
}

impl Authority {
    fn new() -> Self {
        let mut params = CertificateParams::new(Vec::<String>::new()).unwrap();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let issuer = CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap();
        let authority = Self { issuer, folder: tempfile::tempdir().unwrap() };
        std::fs::write(authority.path("ca.pem"), authority.issuer.pem()).unwrap();
        authority
    }

    fn path(&self, name: &str) -> std::path::PathBuf {
        self.folder.path().join(name)
    }

    fn sign(&self) -> Identity {
        let key = KeyPair::generate().unwrap();
        let params = CertificateParams::new(vec!["localhost".to_owned(), "127.0.0.1".to_owned()]).unwrap();
        let cert = params.signed_by(&key, &self.issuer).unwrap();
        Identity { cert: cert.pem(), key: key.serialize_pem(), der: cert.der().to_vec() }
    }

    /// Signs and writes NAME.crt and NAME.key.
    fn write(&self, name: &str) -> Identity {
        let identity = self.sign();
        std::fs::write(self.path(&format!("{name}.crt")), &identity.cert).unwrap();
        std::fs::write(self.path(&format!("{name}.key")), &identity.key).unwrap();
        identity
    }

    fn files(&self, client_ca: bool) -> TlsFiles {
        let client_ca = client_ca.then(|| self.path("ca.pem"));
        TlsFiles { cert: self.path("server.crt"), key: self.path("server.key"), client_ca }
    }

    /// A sidecar that speaks TLS.
    async fn world(&self, policy: fn(String) -> String, client_ca: bool) -> World {
        self.write("server");
        let settings = Settings { tls: Some(self.files(client_ca)), ..Settings::default() };
        Plan { policy, settings, ..Plan::default() }.start().await
    }

    /// One request over a connection of its own, with a certificate perhaps; and the certificate of the server.
    async fn ask(&self, world: &World, identity: Option<&Identity>) -> Result<(StatusCode, Version), String> {
        let mut roots = rustls::RootCertStore::empty();
        roots.add(CertificateDer::from_pem_slice(self.issuer.pem().as_bytes()).unwrap()).unwrap();
        let provider = std::sync::Arc::new(rustls::crypto::ring::default_provider());
        let config = rustls::ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_root_certificates(roots);
        let config = match identity {
            None => config.with_no_client_auth(),
            Some(Identity { key, der, .. }) => {
                let key = PrivateKeyDer::from_pem_slice(key.as_bytes()).unwrap();
                config.with_client_auth_cert(vec![CertificateDer::from(der.clone())], key).unwrap()
            }
        };
        let connector = hyper_rustls::HttpsConnectorBuilder::new()
            .with_tls_config(config)
            .https_only()
            .enable_all_versions()
            .build();
        let client: Client<_, Full<Bytes>> = Client::builder(TokioExecutor::new()).build(connector);
        let url = format!("https://127.0.0.1:{}/v1/chat/completions", world.client.data.port());
        let body = Full::new(Bytes::from(chat("small", "hi").to_string()));
        let request = Request::post(url).header("content-type", "application/json").body(body).unwrap();
        let response = within(client.request(request)).await.map_err(|error| format!("{error:?}"))?;
        let found = (response.status(), response.version());
        within(response.into_body().collect()).await.map_err(|error| format!("{error:?}"))?;
        Ok(found)
    }
}

fn hash(identity: &Identity) -> String {
    Sha256::digest(&identity.der).iter().map(|byte| format!("{byte:02x}")).collect()
}

#[tokio::test]
async fn a_new_certificate_is_taken_and_a_bad_one_is_not() {
    let old = Authority::new();
    let world = old.world(|base| base, false).await;
    assert_eq!(old.ask(&world, None).await, Ok((StatusCode::OK, Version::HTTP_2)), "by ALPN");
    std::fs::write(old.path("server.crt"), "no certificate").unwrap();
    tokio::time::sleep(std::time::Duration::from_millis(1_200)).await;
    assert_eq!(old.ask(&world, None).await, Ok((StatusCode::OK, Version::HTTP_2)), "the last good one stays");

    let new = Authority::new();
    let identity = new.sign();
    std::fs::write(old.path("server.key"), &identity.key).unwrap();
    std::fs::write(old.path("server.crt"), &identity.cert).unwrap();
    until(|| async { new.ask(&world, None).await.is_ok() }).await;
    assert!(old.ask(&world, None).await.is_err(), "new connections get the new certificate alone");
}

#[tokio::test]
async fn a_certificate_stands_for_its_tenant() {
    let authority = Authority::new();
    let (blue, nobody, foreign) = (authority.sign(), authority.sign(), Authority::new().sign());
    let world = authority.world(|base| base + &crate::records::tenants(), true).await;
    assert_eq!(authority.ask(&world, Some(&blue)).await.unwrap().0, StatusCode::UNAUTHORIZED);
    let tenant = format!("[tenants.by-certificate]\ncertificates = [\"sha256:{}\"]\n", hash(&blue));
    world.policy.replace(&(world.base_policy() + &tenant));
    until(|| async { authority.ask(&world, Some(&blue)).await.unwrap().0 == StatusCode::OK }).await;
    let label = ["tenant=\"by-certificate\"", "outcome=\"ok\""];
    assert_eq!(world.client.metric("requests_total", &label).await, 1.0);
    for identity in [None, Some(&nobody)] {
        assert_eq!(authority.ask(&world, identity).await.unwrap().0, StatusCode::UNAUTHORIZED);
    }
    assert!(authority.ask(&world, Some(&foreign)).await.is_err(), "nobody vouches for it");
}

/// One sidecar is the provider of another, which trusts its authority alone and shows the certificate that it wants.
#[tokio::test]
async fn a_provider_has_its_own_roots_and_sees_our_certificate() {
    let authority = Authority::new();
    let identity = authority.write("client");
    Authority::new().write("unused");
    let far = authority.world(|base| base + &crate::records::tenants(), true).await;
    let tenant = format!("[tenants.near]\ncertificates = [\"sha256:{}\"]\n", hash(&identity));
    far.policy.replace(&(far.base_policy() + &tenant));
    until(|| async { authority.ask(&far, Some(&identity)).await.unwrap().0 == StatusCode::OK }).await;

    let near = Plan::default().start().await;
    let policy = |tls: &str| {
        format!(
            "[providers.far]\ndialect = \"openai\"\nbase_url = \"https://localhost:{}/v1\"\n{tls}\n[models.small]\nprovider = \"far\"\n",
            far.client.data.port()
        )
    };
    let path = |name: &str| authority.path(name).display().to_string();
    let with = |roots: &Path| {
        let (cert, key) = (path("client.crt"), path("client.key"));
        policy(&format!("tls = {{ roots = \"{}\", cert = \"{cert}\", key = \"{key}\" }}", roots.display()))
    };
    let status = async || near.client.chat(chat("small", "hi")).await.status;
    near.policy.replace(&with(&authority.path("ca.pem")));
    until(|| async { status().await == StatusCode::OK }).await;
    near.policy.replace(&policy(&format!("tls = {{ roots = \"{}\" }}", path("ca.pem"))));
    until(|| async { status().await != StatusCode::OK }).await;
    // A file that is not there trusts nobody, rather than everybody whom the system trusts.
    near.policy.replace(&with(Path::new("/nowhere/ca.pem")));
    until(|| async { status().await == StatusCode::BAD_GATEWAY }).await;
    near.policy.replace(&with(&authority.path("ca.pem")));
    until(|| async { status().await == StatusCode::OK }).await;
    let shown = near.client.admin(http::Method::GET, "/policy", "").await.text();
    assert!(shown.contains("[redacted]") && !shown.contains("BEGIN"), "{shown}");
}
