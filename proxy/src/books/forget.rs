//! What a running router's records hold about somebody, removed.

use std::io;

use router_core::Snapshot;
use serde::{Deserialize, Serialize};

use super::rebuild::FLUSH;
use super::{Books, starts};
use crate::audit::{self, What};
use crate::ledger::{self, Whose};

/// What was removed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Forgotten {
    /// Entries of the ledger.
    pub ledger_entries: u64,
    /// Lines of the ledger that could not be read, and might have been about them.
    pub unreadable_lines: u64,
    /// Events of the audit.
    pub audit_events: u64,
    /// Whether spending carries their name no more.
    pub spending: bool,
}

impl Books {
    /// Removes what the books hold about somebody, what is still to be written included. Waits for the disk: not for a request's path.
    ///
    /// # Errors
    /// A file that cannot be read or written. What was removed stays so; a second call goes on.
    pub fn forget(&self, whose: &Whose, snapshot: &Snapshot) -> io::Result<Forgotten> {
        let forgotten = self.with(|open| {
            open.ledger.flush(FLUSH);
            open.audit.flush(FLUSH);
            let entries = ledger::forget(&open.records.ledger(), whose)?;
            let mut audit_events = 0;
            if let Whose::Tenant(tenant) = whose {
                audit_events = audit::forget(&open.records.audit(), tenant)?;
                open.spending.forget(tenant, &starts(snapshot))?;
            }
            Ok::<_, io::Error>(Forgotten {
                ledger_entries: entries.entries,
                unreadable_lines: entries.unreadable,
                audit_events,
                spending: true,
            })
        });
        let forgotten = forgotten.unwrap_or(Ok(Forgotten { spending: true, ..Forgotten::default() }))?;
        self.note("admin", What::Forgot { entries: forgotten.ledger_entries });
        Ok(forgotten)
    }
}
