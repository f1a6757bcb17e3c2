use super::*;
use crate::ledger::entry::tests::entry;
use crate::ledger::{Attempt, BaselineMethod};

fn usd(dollars: f64) -> Usd {
    Usd::from_dollars(dollars)
}

fn attempt(part: Part, cost: f64) -> Attempt {
    Attempt { provider: "p".into(), model: "m".into(), part, outcome: "ok".into(), cost: usd(cost) }
}

/// A request with these attempts; its cost is their sum.
fn made(tenant: &str, cache: CacheResult, attempts: &[(Part, f64)]) -> Entry {
    let attempts: Vec<Attempt> = attempts.iter().map(|(part, cost)| attempt(*part, *cost)).collect();
    let cost = attempts.iter().map(|attempt| attempt.cost).sum();
    Entry {
        cache,
        attempts: attempts.into(),
        cost,
        baseline: Some(usd(0.03)),
        ..entry("2026-11-20T05:00:00Z", tenant)
    }
}

fn report(by: &[&str], entries: &[Entry]) -> Report {
    let mut report = Report::new(by.iter().map(|name| name.parse().unwrap()).collect());
    entries.iter().for_each(|entry| report.add(entry));
    report
}

/// Every cause of a saving or a loss once: 3 cents each would have been the baseline.
fn causes() -> Vec<Entry> {
    vec![
        made("a", CacheResult::Hit, &[]),
        made("a", CacheResult::Near, &[]),
        made("a", CacheResult::Shared, &[]),
        made("a", CacheResult::Miss, &[(Part::Served, 0.01)]),
        made("b", CacheResult::Bypass, &[(Part::Served, 0.05)]),
        made("b", CacheResult::Miss, &[(Part::Retried, 0.002), (Part::Served, 0.01)]),
        made("b", CacheResult::Miss, &[(Part::Hedged, 0.004), (Part::Served, 0.01)]),
    ]
}

const CENT: i128 = 10_000_000;

#[test]
fn savings_are_divided_among_their_causes_without_remainder() {
    let total = *report(&[], &causes()).total();
    assert_eq!(total.spent, 86 * CENT / 10);
    assert_eq!((total.baseline, total.saved), (21 * CENT, 21 * CENT - 86 * CENT / 10));
    assert_eq!((total.saved_by_cache, total.saved_by_coalescing), (6 * CENT, 3 * CENT));
    assert_eq!(
        total.saved_by_routing,
        2 * CENT - 2 * CENT + 2 * CENT + 2 * CENT,
        "a dearer choice counts against it"
    );
    assert_eq!((total.lost_to_retries, total.lost_to_hedges), (CENT / 5, 2 * CENT / 5));
    let causes = total.saved_by_cache + total.saved_by_coalescing + total.saved_by_routing;
    assert_eq!(total.saved, causes - total.lost_to_retries - total.lost_to_hedges);
}

#[test]
fn what_has_no_price_is_counted_and_saves_nothing() {
    let unpriced =
        Entry { cost: Usd::ZERO, cost_state: CostState::Unpriced, ..made("a", CacheResult::Miss, &[]) };
    let denied = Entry {
        baseline: None,
        baseline_method: BaselineMethod::None,
        ..made("a", CacheResult::Bypass, &[])
    };
    let total = *report(&[], &[unpriced, denied]).total();
    assert_eq!((total.requests, total.unpriced), (2, 1));
    assert_eq!((total.spent, total.baseline, total.saved, total.saved_ratio()), (0, 0, 0, None));
}

#[test]
fn groups_come_with_the_most_expensive_first_and_add_up_to_the_total() {
    let report = report(&["tenant", "cache"], &causes());
    let rows = report.rows();
    let groups: Vec<_> = rows.iter().map(|row| row.group.join("/")).collect();
    assert_eq!(groups, ["b/bypass", "b/miss", "a/miss", "a/hit", "a/near", "a/shared"]);
    assert_eq!(rows.iter().map(|row| row.sums.spent).sum::<i128>(), report.total().spent);
    assert_eq!(rows.iter().map(|row| row.sums.requests).sum::<u64>(), 7);
}

#[test]
fn every_dimension_has_its_value() {
    let mut entry = made("a", CacheResult::Miss, &[]);
    entry.user = Some("u".into());
    entry.tags.insert("team".into(), "t".into());
    let names = "tenant key user model provider day month outcome cache tag:team tag:none";
    let by: Vec<&str> = names.split(' ').collect();
    let report = report(&by, &[entry]);
    let expected = "a 0123456789ab u small local 2026-11-20 2026-11 ok miss t ";
    assert_eq!(report.rows()[0].group.join(" "), expected);
    let heading = report.to_csv().lines().next().unwrap().to_owned();
    assert!(heading.starts_with(&names.replace(' ', ",")), "{heading}");

    let error = "team".parse::<Dimension>().unwrap_err().to_string();
    assert!(error.starts_with("cannot group by \"team\": use tenant, key"), "{error}");
    assert!("tag:".parse::<Dimension>().is_err());
}

#[test]
fn a_table_for_people() {
    let text = report(&["tenant"], &causes()).to_text();
    let expected = "\
tenant  requests  prompt tokens  completion tokens   spent  baseline   saved  saved ratio  saved by cache  saved by routing  saved by coalescing  lost to retries  lost to hedges
b              3            300                 60  0.0760    0.0900  0.0140       15.6 %          0.0000            0.0200               0.0000           0.0020          0.0040
a              4            400                 80  0.0100    0.1200  0.1100       91.7 %          0.0600            0.0200               0.0300           0.0000          0.0000
total          7            700                140  0.0860    0.2100  0.1240       59.0 %          0.0600            0.0400               0.0300           0.0020          0.0040
";
    assert_eq!(text, expected);
}

#[test]
fn csv_is_exact_quoted_and_harmless_to_spreadsheets() {
    let entries =
        ["=1+1", "a,\"b\"\nc"].map(|tenant| made(tenant, CacheResult::Miss, &[(Part::Served, 0.05)]));
    let csv = report(&["tenant"], &entries).to_csv();
    let mut lines = csv.splitn(2, '\n');
    assert!(lines.next().unwrap().starts_with("tenant,requests,prompt_tokens,completion_tokens,spent_usd,"));
    assert_eq!(
        lines.next().unwrap(),
        "'=1+1,1,100,20,0.05,0.03,-0.02,-0.6667,0,-0.02,0,0,0,0,0\n\
         \"a,\"\"b\"\"\nc\",1,100,20,0.05,0.03,-0.02,-0.6667,0,-0.02,0,0,0,0,0\n"
    );
}

#[test]
fn json_has_a_key_for_every_dimension_and_sum() {
    let json = serde_json::to_value(report(&["tenant", "day"], &causes())).unwrap();
    assert_eq!(json["by"], serde_json::json!(["tenant", "day"]));
    let row = &json["rows"][0];
    assert_eq!((&row["tenant"], &row["day"]), (&"b".into(), &"2026-11-20".into()));
    assert_eq!((row["spent_usd"].as_f64(), row["requests"].as_u64()), (Some(0.076), Some(3)));
    assert_eq!(json["total"]["saved_usd"].as_f64(), Some(0.124));
    let empty = serde_json::to_value(report(&[], &[])).unwrap();
    assert!(empty["total"]["saved_ratio"].is_null());
}

#[test]
fn what_a_terminal_would_obey_is_not_printed() {
    let text = report(&["tenant"], &[made("\u{1b}[2Jx", CacheResult::Miss, &[])]).to_text();
    assert!(!text.contains('\u{1b}') && text.contains("·[2Jx"), "{text}");
}
