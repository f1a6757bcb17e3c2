//! `key new`: a router key for a tenant.

use std::process::ExitCode;

use anyhow::{Context, bail};
use jiff::{SignedDuration, Timestamp};

use crate::args::NewKey;
use crate::keys;

/// Prints the key once on stdout, and on stderr what to paste into the policy, which knows it by its hash alone.
///
/// # Errors
/// A time that is none, or a system without randomness.
pub fn new(options: &NewKey) -> anyhow::Result<ExitCode> {
    let expires = options.expires_in.as_deref().map(expiry).transpose()?;
    let key = keys::NewKey::generate()?;
    println!("{}", key.expose());
    eprintln!("The key is on stdout and kept nowhere. In the policy, among the keys of the tenant:\n");
    eprintln!("[tenants.{}]\nkeys = [{}]", quoted(&options.tenant), key.policy_item(expires));
    Ok(ExitCode::SUCCESS)
}

fn expiry(text: &str) -> anyhow::Result<Timestamp> {
    let Ok(time) = router_policies::units::duration(text) else {
        bail!("--expires-in must be a duration like 90d, not '{text}'");
    };
    let time = SignedDuration::try_from(time).context("--expires-in is too long")?;
    Timestamp::now().checked_add(time).context("--expires-in is too long")
}

/// A name as a key of TOML.
fn quoted(name: &str) -> String {
    let is_bare = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_');
    if !name.is_empty() && name.bytes().all(is_bare) { name.to_owned() } else { format!("{name:?}") }
}
