//! One line of a checkpoint: a checksum, a space, and JSON.

use std::io;

use serde::{Deserialize, Serialize};
use smol_str::SmolStr;

/// Who spends: what is needed to find the budgets again, whatever the policy makes of them after a restart.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(default)]
pub struct Who {
    /// The tenant's name; empty where none are configured or it is not known any more.
    #[serde(skip_serializing_if = "SmolStr::is_empty")]
    pub tenant: SmolStr,
    /// The name of the key; empty where none is needed.
    #[serde(skip_serializing_if = "SmolStr::is_empty")]
    pub key: SmolStr,
    /// The rule that matched, where one with a budget did.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub rule: Option<SmolStr>,
    /// Those tags that have a budget.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub tags: Vec<(SmolStr, SmolStr)>,
}

/// Times are milliseconds since 1970, amounts nano-dollars.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Record {
    /// First line of a file that sums up all files before it.
    Base,
    /// What somebody has spent up to a time; of this, what was charged because nobody settled it.
    Total { who: Who, at: i64, spent: u64, unsettled: u64 },
    /// Money was set aside, and what it is for may be sent.
    Reserve { id: u64, at: i64, nanos: u64, who: Who },
    /// More was set aside for the same.
    Extend { id: u64, nanos: u64 },
    /// The answer cost this much, and the rest is free again.
    Settle { id: u64, at: i64, nanos: u64 },
}

/// A [`Record::Reserve`] about somebody who need not be copied.
#[derive(Serialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Reserving<'w> {
    /// Written as [`Record::Reserve`].
    Reserve { id: u64, at: i64, nanos: u64, who: &'w Who },
}

/// Adds a record to `lines`.
pub(super) fn push(record: &impl Serialize, lines: &mut Vec<u8>) -> io::Result<()> {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    let start = lines.len();
    // Room for the checksum, which is known only afterwards.
    lines.extend_from_slice(b"00000000 ");
    let json = lines.len();
    serde_json::to_writer(&mut *lines, record)?;
    let sum = crc32fast::hash(&lines[json..]);
    for (at, digit) in lines[start..start + 8].iter_mut().enumerate() {
        *digit = DIGITS[(sum >> (28 - 4 * at)) as usize & 15];
    }
    lines.push(b'\n');
    Ok(())
}

impl Record {
    /// Adds the record to `lines`.
    pub(super) fn push(&self, lines: &mut Vec<u8>) -> io::Result<()> {
        push(self, lines)
    }

    /// The record in `line`, or what is wrong with it.
    pub(super) fn parse(line: &[u8]) -> Result<Self, Box<str>> {
        let (sum, json) = line.split_at_checked(9).ok_or("shorter than any record")?;
        let sum = std::str::from_utf8(sum).ok().and_then(|sum| sum.strip_suffix(' '));
        let sum = sum.and_then(|sum| u32::from_str_radix(sum, 16).ok()).ok_or("no checksum")?;
        if crc32fast::hash(json) != sum {
            return Err("wrong checksum".into());
        }
        serde_json::from_slice(json).map_err(|error| error.to_string().into())
    }
}
