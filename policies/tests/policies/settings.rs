//! `proxy.toml`.

use std::path::Path;
use std::time::Duration;

use router_policies::{DEFAULT_LISTENERS, LogLevel, SecretFault, SecretRef, Settings, TlsFiles};

use crate::setup::{named, shown};

#[test]
fn what_is_not_said_is_the_default() {
    let (settings, warnings) = Settings::parse("proxy.toml", "# nothing\n", &named).unwrap();
    assert!(warnings.is_empty());
    assert_eq!([settings.listen, settings.admin_listen], DEFAULT_LISTENERS);
    assert_eq!(settings.max_body_bytes, 10 << 20);
    assert_eq!(settings.tls, None);
    assert_eq!(settings.admin_token, None);
    assert!(!settings.log_requests);
}

#[test]
fn what_is_said_counts() {
    let text = include_str!("../accept/proxy.toml").replace("\"info\"", "\"debug\"").replace("10k", "2");
    let (settings, _) = Settings::parse("etc/proxy.toml", &text, &named).unwrap();
    assert_eq!(settings.listen, "0.0.0.0:8080".parse().unwrap());
    let token = settings.admin_token.unwrap();
    assert_eq!(&token.expose()[..], b"value of XYNERGY_ROUTER_ADMIN_TOKEN");
    let beside = |name: &str| Path::new("etc/tls").join(name);
    assert_eq!(
        settings.tls,
        Some(TlsFiles { cert: beside("tls.crt"), key: beside("tls.key"), client_ca: None })
    );
    assert_eq!(settings.max_connections, 2);
    assert_eq!(settings.body_idle, Duration::from_secs(30));
    assert_eq!(settings.log_level, LogLevel::Debug);
}

#[test]
fn a_token_that_cannot_be_had_is_a_warning_and_lets_nobody_in() {
    let unset = |_: &SecretRef| Err(SecretFault::Unset);
    let text = "admin_token = { env = \"TOKEN\" }\n";
    let (settings, warnings) = Settings::parse("proxy.toml", text, &unset).unwrap();
    assert_eq!(settings.admin_token, None);
    assert_eq!(shown(&warnings), "proxy.toml:1:15: warning: environment variable TOKEN is not set\n");
}

#[test]
fn a_bad_file_gives_no_settings() {
    let refused = Settings::parse("proxy.toml", "listen = 8080\n", &named).unwrap_err();
    assert_eq!(
        shown(&refused),
        "proxy.toml:1:10: error: listen: \"8080\" is not an address: write IP:PORT (did you mean \"127.0.0.1:8080\"?)\n"
    );
}
