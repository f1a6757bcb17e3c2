use super::*;

fn event(time: &str, what: What) -> Event {
    Event { time: time.parse().unwrap(), by: "signal".into(), what }
}

fn denied(time: &str, tenant: &str) -> Event {
    let what =
        What::Denied { tenant: tenant.into(), key: "k".into(), code: "policy_denied".into(), rule: None };
    event(time, what)
}

fn reloaded(generation: u64) -> Event {
    event("2026-11-20T12:00:00Z", What::Reloaded { generation, changed: vec!["rules".into()] })
}

fn trail(events: impl IntoIterator<Item = Event>) -> tempfile::TempDir {
    let (folder, now) = (tempfile::tempdir().unwrap(), Instant::now());
    let audit = Audit::open(folder.path(), Settings::default(), now).unwrap();
    events.into_iter().for_each(|event| audit.record(event, now));
    assert_eq!(audit.close().dropped, 0);
    folder
}

fn read(folder: &Path, day: &str) -> Vec<Event> {
    let text = fs::read_to_string(folder.join(format!("date={day}.jsonl"))).unwrap_or_default();
    text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

#[test]
fn events_are_lines_of_their_day() {
    let events = [reloaded(1), denied("2026-11-21T00:00:00Z", "a"), reloaded(2)];
    let folder = trail(events.clone());
    assert_eq!(read(folder.path(), "2026-11-20"), [events[0].clone(), events[2].clone()]);
    assert_eq!(read(folder.path(), "2026-11-21"), [events[1].clone()]);
    let text = fs::read_to_string(folder.path().join("date=2026-11-20.jsonl")).unwrap();
    assert!(text.starts_with(
        r#"{"time":"2026-11-20T12:00:00Z","by":"signal","event":"reloaded","generation":1,"changed":["rules"]}"#
    ), "{text}");
}

#[test]
fn knocking_is_limited_and_counted_and_hides_nothing() {
    let knock = || event("2026-11-20T12:00:00Z", What::UnknownKey { key: None });
    let folder = trail((0..5_000).map(|_| knock()).chain([reloaded(1)]));
    let events = read(folder.path(), "2026-11-20");
    assert_eq!(events.len(), 600 + 2);
    assert_eq!(events[600].what, What::Suppressed { events: 4_400 });
    assert_eq!(events[601], reloaded(1));
}

#[test]
fn what_a_killed_process_left_unfinished_stays_a_line_of_its_own() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("date=2026-11-20.jsonl");
    fs::write(&path, "{\"time\":").unwrap();
    Days { folder: folder.path().into() }.write(&mut vec![reloaded(1)]).unwrap();
    let text = fs::read_to_string(&path).unwrap();
    assert!(text.starts_with("{\"time\":\n{\"time\":\"2026"), "{text}");
}

#[test]
fn old_days_go_and_tenants_are_forgotten() {
    let times = ["2026-11-18T12:00:00Z", "2026-11-19T12:00:00Z", "2026-11-20T12:00:00Z"];
    let stopped = |budget: &str, culprit: &str| {
        event(times[2], What::BudgetStopped { budget: budget.into(), culprit: Some(culprit.into()) })
    };
    let events = times.iter().flat_map(|time| [denied(time, "a"), denied(time, "b")]);
    let named = [stopped("daily", "a, key 0123456789ab"), stopped("each (tenant a)", "b, key 0123456789ab")];
    let others = [stopped("daily", "aa, key 0123456789ab"), stopped("a", "keys added since")];
    let folder = trail(events.chain(named).chain(others.clone()));
    let day = |text: &str| text.parse::<Date>().unwrap();
    assert_eq!(retire(folder.path(), day("2026-11-19")).unwrap(), 1);
    assert_eq!(read(folder.path(), "2026-11-18"), []);

    assert_eq!(forget(folder.path(), "a").unwrap(), 4);
    assert_eq!(read(folder.path(), "2026-11-19"), [denied(times[1], "b")]);
    let [one, other] = others;
    assert_eq!(read(folder.path(), "2026-11-20"), [denied(times[2], "b"), one, other]);
    assert_eq!(forget(&folder.path().join("absent"), "a").unwrap(), 0);
}
