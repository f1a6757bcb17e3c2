//! Who is asking.

use http::header::{self, HeaderMap};
use router_core::{Snapshot, Tenant, TenantId};
use sha2::{Digest as _, Sha256};

use crate::headers::name;
use crate::refusal::Refusal;

/// The label of callers where no tenants are configured.
pub const ANONYMOUS: &str = "anonymous";

/// The tenant that sent these headers; `None` beside the anonymous id where the policy has no tenants.
///
/// # Errors
/// No key, two different ones, or an unknown one.
pub fn authenticate<'s>(
    snapshot: &'s Snapshot,
    headers: &HeaderMap,
) -> Result<(TenantId, Option<&'s Tenant>), Refusal> {
    if let Some(anonymous) = snapshot.anonymous() {
        return Ok((anonymous, None));
    }
    let key = key(headers).ok_or(Refusal::InvalidKey)?;
    let hash: [u8; 32] = Sha256::digest(key).into();
    let tenant = snapshot.tenants.authenticate(&hash).ok_or(Refusal::InvalidKey)?;
    Ok((tenant.id, Some(tenant)))
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
