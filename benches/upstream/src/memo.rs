//! Replies to request bodies that were seen before.
//!
//! An answer is a pure function of the request, so a load run that repeats a few bodies pays for parsing
//! and rendering once.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use bytes::Bytes;

use crate::reply::Reply;
use crate::route::Endpoint;

/// More distinct bodies than a load run sends, and with [`MAX_BODY`] and replies of similar size at most
/// 128 MiB. When it is full it starts over.
const MAX_REPLIES: usize = 1_024;
/// Longer bodies are not worth hashing.
const MAX_BODY: usize = 64 << 10;

/// A reply and the model that gives it, for the script.
#[derive(Clone, Debug)]
pub(crate) struct Remembered {
    pub(crate) model: Arc<str>,
    pub(crate) reply: Arc<Reply>,
}

#[derive(Debug, Default)]
pub(crate) struct Memo {
    replies: Mutex<HashMap<(Endpoint, Bytes), Remembered>>,
}

impl Memo {
    pub(crate) fn recall(&self, endpoint: Endpoint, body: &Bytes) -> Option<Remembered> {
        if body.len() > MAX_BODY {
            return None;
        }
        self.lock().get(&(endpoint, body.clone())).cloned()
    }

    pub(crate) fn remember(&self, endpoint: Endpoint, body: &Bytes, model: &str, reply: &Arc<Reply>) {
        if body.len() > MAX_BODY || reply.len() > MAX_BODY as u64 {
            return;
        }
        let mut replies = self.lock();
        if replies.len() >= MAX_REPLIES {
            replies.clear();
        }
        // A copy, since `body` may be a slice of a larger buffer that this would keep alive.
        let key = (endpoint, Bytes::copy_from_slice(body));
        replies.insert(key, Remembered { model: model.into(), reply: reply.clone() });
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<(Endpoint, Bytes), Remembered>> {
        self.replies.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
