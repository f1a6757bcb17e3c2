//! `forget`: removes what the records hold about a tenant or a user.

use std::process::ExitCode;

use anyhow::{Context, bail};
use serde_json::{Value, json};

use super::admin::Admin;
use super::report::records;
use crate::args;
use crate::audit;
use crate::ledger::{self, Checkpoint, OpenError, Whose};

/// Removes, and prints how much there was.
///
/// # Errors
/// Nobody or two are named, or a file that cannot be read or written.
pub fn forget(options: &args::Forget) -> anyhow::Result<ExitCode> {
    if let Some(url) = &options.url {
        return forget_running(options, url);
    }
    let records = match records(options.config.as_deref(), options.records.as_deref())? {
        Ok(records) => records,
        Err(code) => return Ok(code),
    };
    let whose = match (&options.tenant, &options.user) {
        (tenant, Some(user)) => {
            Whose::User { user: user.as_str().into(), tenant: tenant.as_deref().map(Into::into) }
        }
        (Some(tenant), None) => Whose::Tenant(tenant.as_str().into()),
        (None, None) => bail!("say who is to be forgotten: --tenant T, --user U or both"),
    };
    let forgotten = ledger::forget(&records.ledger(), &whose).context("the ledger cannot be changed")?;
    let (mut events, mut spending) = (0, true);
    if let Whose::Tenant(tenant) = &whose {
        events = audit::forget(&records.audit(), tenant).context("the audit cannot be changed")?;
        spending = forget_spending(&records.spending(), tenant)?;
    }
    let summary = json!({
        "ledger_entries": forgotten.entries,
        "unreadable_lines": forgotten.unreadable,
        "audit_events": events,
        "spending": spending,
    });
    if options.json {
        println!("{summary}");
    } else {
        println!("removed {} entries of the ledger and {events} of the audit", forgotten.entries);
        if forgotten.unreadable > 0 {
            println!(
                "removed {} lines that could not be read: they might have been about them",
                forgotten.unreadable
            );
        }
    }
    if !spending {
        eprintln!("a running router holds the record of spending and the cache: repeat with --url ADMIN");
    }
    Ok(ExitCode::SUCCESS)
}

/// Has a running router remove everything, cache included, and prints how much there was.
fn forget_running(options: &args::Forget, url: &str) -> anyhow::Result<ExitCode> {
    let admin = Admin::try_new(url, options.token_env.as_deref())?;
    let whose = json!({"tenant": options.tenant, "user": options.user});
    let answer = admin.post("/-/forget", "application/json", whose.to_string().into_bytes())?;
    let report: Value = serde_json::from_slice(&answer).context("the answer is not one of a router")?;
    if options.json {
        println!("{report}");
    } else {
        println!(
            "removed {} entries of the ledger, {} of the audit, {} outcomes and {} cached answers",
            report["ledger_entries"], report["audit_events"], report["outcomes"], report["cached_answers"]
        );
    }
    Ok(ExitCode::SUCCESS)
}

/// Takes the name off what a tenant has spent; whether it could be done. Not while a router is writing to it.
fn forget_spending(folder: &std::path::Path, tenant: &str) -> anyhow::Result<bool> {
    if !folder.exists() {
        return Ok(true);
    }
    match Checkpoint::open(folder, &[]) {
        Ok((spending, _)) => {
            spending.forget(tenant, &[]).context("the record of spending cannot be changed")?;
            Ok(true)
        }
        Err(OpenError::InUse(_)) => Ok(false),
        Err(error) => Err(error).context("the record of spending cannot be read"),
    }
}
