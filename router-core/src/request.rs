//! A request as the core sees it: the digested body and what the headers say.

use std::time::Duration;

use crate::digest::Digest;
use crate::ids::{ProfileIndex, TenantId};
use crate::money::Usd;
use crate::registry::Placement;
use crate::rule::Tags;

/// What a caller says about the cache.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct CacheWish {
    /// `cache-control: no-cache`: don't answer from the cache.
    pub no_read: bool,
    /// `cache-control: no-store`: neither read nor write.
    pub no_store: bool,
    /// `x-router-cache-ttl`: how long the answer may be kept.
    pub ttl: Option<Duration>,
}

/// Everything a decision depends on besides policy, state, time and chance.
#[derive(Clone, Debug)]
pub struct RouteRequest<'a> {
    /// The body.
    pub digest: &'a Digest,
    /// Who asks.
    pub tenant: TenantId,
    /// `x-router-tags`, then the tenant's own tags.
    pub tags: Tags<'a>,
    /// `x-router-placement`.
    pub placement: Option<Placement>,
    /// `x-router-max-cost-usd`.
    pub max_cost: Option<Usd>,
    /// `x-router-session`.
    pub session: Option<&'a str>,
    /// `cache-control` and `x-router-cache-ttl`.
    pub cache: CacheWish,
    /// Chooses by this profile, whatever caller and rules say: where an exhausted budget sends its requests.
    pub profile: Option<ProfileIndex>,
}

impl<'a> RouteRequest<'a> {
    /// A request without headers.
    #[must_use]
    pub fn new(digest: &'a Digest, tenant: TenantId) -> Self {
        Self {
            digest,
            tenant,
            tags: Tags::new(),
            placement: None,
            max_cost: None,
            session: None,
            cache: CacheWish::default(),
            profile: None,
        }
    }
}
