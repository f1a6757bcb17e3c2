//! Who is asking.

use std::time::SystemTime;

use http::header::{self, HeaderMap};
use router_core::budget::Spender;
use router_core::keyring::{Found, Key, KeyId};
use router_core::{Snapshot, Tenant, TenantId};

use crate::headers::name;
use crate::keys;
use crate::refusal::Refusal;
use crate::server::Certificate;

/// The label of callers where no tenants are configured.
pub const ANONYMOUS: &str = "anonymous";

/// Who sent a request.
#[derive(Clone, Copy, Debug)]
pub struct Caller<'s> {
    /// The caller's organisation; the anonymous one where the policy has no tenants.
    pub tenant: TenantId,
    /// What the policy says about it, where it has tenants.
    pub known: Option<&'s Tenant>,
    /// The key that was shown, where one is needed.
    pub key: Option<&'s Key>,
}

impl Caller<'_> {
    /// Nobody in particular.
    pub const NOBODY: Self = Self { tenant: TenantId::ANONYMOUS, known: None, key: None };

    /// The tenant's name, as a label.
    #[must_use]
    pub fn name(&self) -> &str {
        self.known.map_or(ANONYMOUS, |tenant| &tenant.name)
    }

    /// The key's number where money is counted.
    #[must_use]
    pub fn spender(&self) -> Spender {
        self.key.map_or(Spender(0), |key| key.spender)
    }
}

/// Somebody without a valid key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Stranger {
    /// The name of the key that was shown, where it is one that is not valid any more or not yet. For the audit: the caller is not told.
    pub expired: Option<KeyId>,
}

impl From<Stranger> for Refusal {
    fn from(_: Stranger) -> Self {
        Self::InvalidKey
    }
}

/// Who sent these headers at `now`, over a connection on which this certificate was shown and verified.
///
/// # Errors
/// No key, two different ones, an unknown one, or one out of its time.
pub fn authenticate<'s>(
    snapshot: &'s Snapshot,
    headers: &HeaderMap,
    certificate: Option<&Certificate>,
    now: SystemTime,
) -> Result<Caller<'s>, Stranger> {
    if snapshot.anonymous().is_some() {
        return Ok(Caller::NOBODY);
    }
    let found = match (shows_key(headers), certificate) {
        (false, Some(Certificate(hash))) => snapshot.tenants.recognise(hash, now),
        _ => {
            let presented = key(headers).ok_or(Stranger { expired: None })?;
            snapshot.tenants.authenticate(&keys::hash(presented), now)
        }
    };
    let key = match found {
        Found::Valid(key) => key,
        Found::Expired(key) => return Err(Stranger { expired: Some(key.hash.id()) }),
        Found::Unknown => return Err(Stranger { expired: None }),
    };
    Ok(Caller { tenant: key.tenant, known: snapshot.tenants.tenant(key.tenant), key: Some(key) })
}

/// Whether the headers carry any key. One that does counts, whatever certificate stands behind it.
fn shows_key(headers: &HeaderMap) -> bool {
    headers.contains_key(header::AUTHORIZATION) || headers.contains_key(name::API_KEY)
}

/// The one key that the headers carry. Several that differ are none: it would be unclear who pays.
fn key(headers: &HeaderMap) -> Option<&[u8]> {
    let bearers = headers.get_all(header::AUTHORIZATION).iter().map(|value| bearer(value.as_bytes()));
    let plain = headers.get_all(name::API_KEY).iter().map(|value| Some(value.as_bytes()));
    let mut found = None;
    for key in bearers.chain(plain) {
        let key = key?;
        if found.is_some_and(|other| other != key) {
            return None;
        }
        found = Some(key);
    }
    found.filter(|key| !key.is_empty())
}

fn bearer(value: &[u8]) -> Option<&[u8]> {
    let (scheme, key) = value.split_at_checked(7)?;
    scheme.eq_ignore_ascii_case(b"bearer ").then(|| key.trim_ascii())
}
