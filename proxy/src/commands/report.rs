//! `report`: what a ledger comes to.

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{Context, bail};
use jiff::civil::Date;
use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp};
use router_policies::{Records, Settings};

use super::serve::print_diagnostics;
use crate::args;
use crate::ledger::{Dimension, Report, Scope, read};

/// Prints sums over a ledger. What of it could not be read goes to stderr, and the status is 1 then.
///
/// # Errors
/// Options that make no sense, and files that cannot be read at all.
pub fn report(options: &args::Report) -> anyhow::Result<ExitCode> {
    let records = match records(options.config.as_deref(), options.records.as_deref())? {
        Ok(records) => records,
        Err(code) => return Ok(code),
    };
    let by = options.by.iter().map(|name| name.parse()).collect::<Result<Vec<Dimension>, _>>()?;
    let scope = Scope {
        since: options.since.as_deref().map(moment).transpose()?,
        until: options.until.as_deref().map(moment).transpose()?,
        tenant: options.tenant.as_deref().map(Into::into),
    };
    let mut report = Report::new(by);
    let ledger = records.ledger();
    let damage = read(&ledger, &scope, |entry| report.add(&entry))
        .with_context(|| format!("{} cannot be read", ledger.display()))?;
    match (options.json, options.csv) {
        (true, _) => println!("{}", serde_json::to_string(&report)?),
        (_, true) => print!("{}", report.to_csv()),
        _ => print!("{}", report.to_text()),
    }
    for place in &damage {
        eprintln!("{place}");
    }
    Ok(if damage.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// Where the records are: a folder, or what a proxy file says.
///
/// # Errors
/// Neither is given, or the file says nothing about records. What is wrong with the file has been printed then.
pub(super) fn records(
    config: Option<&Path>,
    folder: Option<&Path>,
) -> anyhow::Result<Result<Records, ExitCode>> {
    if let Some(folder) = folder {
        return Ok(Ok(Records::new(PathBuf::from(folder))));
    }
    let Some(config) = config else { bail!("say where the records are: --records DIR or --config FILE") };
    match Settings::load(config) {
        Err(errors) => Ok(Err(print_diagnostics(&errors))),
        Ok((settings, _)) => match settings.records {
            Some(records) => Ok(Ok(records)),
            None => bail!("{} keeps no records: it has no [records]", config.display()),
        },
    }
}

/// A moment: with its offset, a day (UTC), or how long ago.
fn moment(text: &str) -> anyhow::Result<Timestamp> {
    if let Ok(time) = router_policies::units::duration(text) {
        return Ok(Timestamp::now().checked_sub(SignedDuration::try_from(time)?)?);
    }
    if let Ok(day) = text.parse::<Date>()
        && text.len() == "2027-01-01".len()
    {
        return Ok(day.to_zoned(TimeZone::UTC)?.timestamp());
    }
    text.parse().with_context(|| format!("'{text}' is no time: write 2027-01-01, 2027-01-01T12:00:00Z or 7d"))
}
