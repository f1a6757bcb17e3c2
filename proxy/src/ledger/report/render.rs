//! A report as text, as CSV and as JSON.

use std::fmt;

use serde::ser::{Serialize, SerializeMap, Serializer};

use super::{Report, Row, Sums};

/// A column of sums.
struct Column {
    name: &'static str,
    value: fn(&Sums) -> Value,
}

enum Value {
    Count(u64),
    Money(i128),
    Ratio(Option<f64>),
}

const COLUMNS: [Column; 14] = [
    Column { name: "requests", value: |sums| Value::Count(sums.requests) },
    Column { name: "prompt_tokens", value: |sums| Value::Count(sums.prompt_tokens) },
    Column { name: "completion_tokens", value: |sums| Value::Count(sums.completion_tokens) },
    Column { name: "spent_usd", value: |sums| Value::Money(sums.spent) },
    Column { name: "baseline_usd", value: |sums| Value::Money(sums.baseline) },
    Column { name: "saved_usd", value: |sums| Value::Money(sums.saved) },
    Column { name: "saved_ratio", value: |sums| Value::Ratio(sums.saved_ratio()) },
    Column { name: "saved_by_cache_usd", value: |sums| Value::Money(sums.saved_by_cache) },
    Column { name: "saved_by_routing_usd", value: |sums| Value::Money(sums.saved_by_routing) },
    Column { name: "saved_by_coalescing_usd", value: |sums| Value::Money(sums.saved_by_coalescing) },
    Column { name: "lost_to_retries_usd", value: |sums| Value::Money(sums.lost_to_retries) },
    Column { name: "lost_to_hedges_usd", value: |sums| Value::Money(sums.lost_to_hedges) },
    Column { name: "unpriced_requests", value: |sums| Value::Count(sums.unpriced) },
    Column { name: "estimated_requests", value: |sums| Value::Count(sums.estimated) },
];

/// Every digit, none more: `-0.00031`.
impl fmt::Display for Value {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Count(count) => write!(f, "{count}"),
            Self::Ratio(None) => Ok(()),
            Self::Ratio(Some(ratio)) => write!(f, "{ratio:.4}"),
            Self::Money(nanos) => {
                let (sign, nanos) = (if *nanos < 0 { "-" } else { "" }, nanos.unsigned_abs());
                let (whole, rest) = (nanos / 1_000_000_000, format!("{:09}", nanos % 1_000_000_000));
                match rest.trim_end_matches('0') {
                    "" => write!(f, "{sign}{whole}"),
                    digits => write!(f, "{sign}{whole}.{digits}"),
                }
            }
        }
    }
}

impl Value {
    /// For people: four decimals are a hundredth of a cent.
    fn rounded(&self) -> String {
        match self {
            Self::Money(nanos) => format!("{:.4}", *nanos as f64 / 1e9),
            Self::Ratio(Some(ratio)) => format!("{:.1} %", ratio * 100.0),
            other => other.to_string(),
        }
    }
}

impl Report {
    /// A table for people, the total in its last line. Amounts are rounded; columns in which everything is zero
    /// are left out.
    #[must_use]
    pub fn to_text(&self) -> String {
        let used =
            |column: &&Column| !matches!((column.value)(self.total()), Value::Count(0) | Value::Money(0));
        let columns: Vec<&Column> = COLUMNS.iter().filter(used).collect();
        let cells = |group: Vec<String>, sums: &Sums| -> Vec<String> {
            group.into_iter().chain(columns.iter().map(|column| (column.value)(sums).rounded())).collect()
        };
        let heading = columns.iter().map(|column| column.name.trim_end_matches("_usd").replace('_', " "));
        let mut table = vec![self.by.iter().map(super::Dimension::name).chain(heading).collect::<Vec<_>>()];
        table.extend(self.rows().into_iter().map(|Row { group, sums }| {
            cells(group.into_iter().map(|value| printable(&value)).collect(), &sums)
        }));
        if !self.by.is_empty() {
            let total = (0..self.by.len()).map(|at| if at == 0 { "total" } else { "" }.to_owned()).collect();
            table.push(cells(total, self.total()));
        }
        align(&table, self.by.len())
    }

    /// Comma-separated values with a heading, exact, without the total: for spreadsheets and scripts.
    #[must_use]
    pub fn to_csv(&self) -> String {
        let line =
            |cells: Vec<String>| cells.iter().map(|cell| quoted(cell)).collect::<Vec<_>>().join(",") + "\n";
        let names = self.by.iter().map(super::Dimension::name);
        let mut text = line(names.chain(COLUMNS.iter().map(|column| column.name.to_owned())).collect());
        for Row { group, sums } in self.rows() {
            let group = group.iter().map(|value| harmless(value));
            text +=
                &line(group.chain(COLUMNS.iter().map(|column| (column.value)(&sums).to_string())).collect());
        }
        text
    }
}

/// `{"by":[…],"rows":[{…}],"total":{…}}`, a row having a key for each dimension and each sum.
impl Serialize for Report {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        let by: Vec<String> = self.by.iter().map(super::Dimension::name).collect();
        let rows = self.rows();
        let rows: Vec<Object<'_>> =
            rows.iter().map(|row| Object { by: &by, row: &row.group, sums: &row.sums }).collect();
        let mut report = to.serialize_map(Some(3))?;
        report.serialize_entry("by", &by)?;
        report.serialize_entry("rows", &rows)?;
        report.serialize_entry("total", &Object { by: &[], row: &[], sums: self.total() })?;
        report.end()
    }
}

struct Object<'a> {
    by: &'a [String],
    row: &'a [String],
    sums: &'a Sums,
}

impl Serialize for Object<'_> {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        let mut object = to.serialize_map(None)?;
        for (name, value) in self.by.iter().zip(self.row) {
            object.serialize_entry(name, value)?;
        }
        for column in &COLUMNS {
            match (column.value)(self.sums) {
                Value::Count(count) => object.serialize_entry(column.name, &count)?,
                Value::Money(nanos) => object.serialize_entry(column.name, &(nanos as f64 / 1e9))?,
                Value::Ratio(ratio) => object.serialize_entry(column.name, &ratio)?,
            }
        }
        object.end()
    }
}

/// Columns of equal width: the first `left` to the left, the rest to the right.
fn align(table: &[Vec<String>], left: usize) -> String {
    let columns = table.iter().map(Vec::len).max().unwrap_or(0);
    let width =
        |column: usize| table.iter().filter_map(|row| row.get(column)).map(|cell| cell.chars().count()).max();
    let widths: Vec<usize> = (0..columns).map(|column| width(column).unwrap_or(0)).collect();
    let mut text = String::new();
    for row in table {
        let cells = row.iter().zip(&widths).enumerate().map(|(at, (cell, width))| {
            if at < left { format!("{cell:<width$}") } else { format!("{cell:>width$}") }
        });
        text += cells.collect::<Vec<_>>().join("  ").trim_end();
        text.push('\n');
    }
    text
}

/// Values come from callers: what a terminal would obey is shown as a dot, and nothing as a dash.
fn printable(value: &str) -> String {
    if value.is_empty() { "-".into() } else { value.replace(char::is_control, "·") }
}

/// Values come from callers: what a spreadsheet would compute is made text.
fn harmless(value: &str) -> String {
    if value.starts_with(['=', '+', '-', '@', '\t', '\r']) { format!("'{value}") } else { value.to_owned() }
}

/// As RFC 4180 says.
fn quoted(cell: &str) -> String {
    if cell.contains([',', '"', '\n', '\r']) {
        format!("\"{}\"", cell.replace('"', "\"\""))
    } else {
        cell.to_owned()
    }
}
