//! Which model holds a conversation.
//!
//! Moving a conversation to another model throws away the provider's prefix cache, and in the middle of a tool loop it breaks things: the
//! next model has not seen the calls it is to continue. So a conversation keeps its model: always while a tool loop is open, and at other
//! boundaries unless what is gained outweighs the prefix that is lost, which [`select`](crate::decide) prices into the choice.

use std::time::{Duration, Instant};

use crate::digest::{Fingerprint, FingerprintKey};
use crate::ids::{ModelId, TenantId};
use crate::request::RouteRequest;
use crate::slots::Slots;

/// Conversations remembered at most; an entry takes 64 bytes, so all of them 4 MiB.
const MAX_SESSIONS: usize = 1 << 16;

/// How long a conversation holds its model after its last answer. Providers keep a prefix for 5 to 60 minutes; beyond that there is
/// nothing left to lose.
const SESSION_TTL: Duration = Duration::from_secs(3600);

/// Names one conversation of one tenant.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct SessionKey(Fingerprint);

impl SessionKey {
    /// The conversation of a request: by the caller's `x-router-session`, else by the turns it began with.
    #[must_use]
    pub fn of(key: &FingerprintKey, request: &RouteRequest<'_>) -> Self {
        Self::new(key, request.tenant, request.session, request.digest.conversation)
    }

    fn new(key: &FingerprintKey, tenant: TenantId, named: Option<&str>, opening: Fingerprint) -> Self {
        let mut hasher = key.hasher(b'S');
        hasher.number(tenant.index() as u64);
        match named {
            Some(name) => hasher.number(1).bytes(name.as_bytes()),
            None => hasher.number(2).part(opening),
        };
        Self(hasher.finish())
    }
}

#[derive(Clone, Copy, Debug)]
struct Held {
    model: ModelId,
    until: Instant,
}

/// The conversations that are being held. Bounded; a new one may take the place of an old one.
#[derive(Debug)]
pub struct Sessions {
    held: Slots<Held>,
}

impl Default for Sessions {
    fn default() -> Self {
        Self { held: Slots::new(MAX_SESSIONS) }
    }
}

impl Sessions {
    /// The model that holds the conversation.
    #[must_use]
    pub fn holder(&self, key: &SessionKey, now: Instant) -> Option<ModelId> {
        self.held.recall(key.0.0).filter(|held| now < held.until).map(|held| held.model)
    }

    /// The conversation was answered by `model`.
    pub fn hold(&self, key: SessionKey, model: ModelId, now: Instant) {
        self.held.remember(key.0.0, Held { model, until: now + SESSION_TTL });
    }
}
