//! `[cache]`

use std::time::Duration;

use crate::read;
use crate::source::At;
use crate::table::Table;

/// The cache's settings, as typed.
#[derive(Clone, Debug, Default)]
pub struct CacheSection {
    /// Whether answers are cached where no rule says otherwise.
    pub enabled: Option<At<bool>>,
    /// Whether a differently worded question may be answered from the cache.
    pub semantic: Option<At<bool>>,
    /// How long an answer stays fresh.
    pub ttl: Option<At<Duration>>,
    /// Bytes that all entries may hold together.
    pub max_bytes: Option<At<u64>>,
    /// Changing this number forgets every answer.
    pub epoch: Option<At<u32>>,
}

impl CacheSection {
    pub(super) fn read(table: &mut Table<'_, '_>) -> Self {
        Self {
            enabled: table.optional("enabled", read::boolean),
            semantic: table.optional("semantic", read::boolean),
            ttl: table.optional("ttl", read::duration),
            max_bytes: table.optional("max_bytes", read::size),
            epoch: table.optional("epoch", read::integer(0..=u32::MAX)),
        }
    }
}
