use std::collections::BTreeMap;
use std::os::unix::fs::FileExt as _;

use super::*;

const START: SystemTime = SystemTime::UNIX_EPOCH;

fn at(seconds: u64) -> SystemTime {
    START + Duration::from_secs(seconds)
}

fn who(tenant: &str) -> Who {
    Who {
        tenant: tenant.into(),
        key: "0123456789ab".into(),
        rule: None,
        tags: vec![("team".into(), "x".into())],
    }
}

/// Spent and unsettled by tenant.
fn sums(recovery: &Recovery) -> BTreeMap<String, (u64, u64)> {
    let mut sums = BTreeMap::<String, (u64, u64)>::new();
    for charge in &recovery.charges {
        let sum = sums.entry(charge.who.tenant.to_string()).or_default();
        sum.0 += charge.spent.nanos();
        sum.1 += charge.unsettled.nanos();
    }
    sums
}

fn open(folder: &Path) -> (Checkpoint, Recovery) {
    Checkpoint::open(folder, &[]).unwrap()
}

fn usd(nanos: u64) -> Usd {
    Usd::from_nanos(nanos)
}

#[test]
fn a_restart_finds_what_was_settled_and_charges_what_was_not() {
    let folder = tempfile::tempdir().unwrap();
    let (checkpoint, recovery) = open(folder.path());
    assert_eq!(recovery, Recovery::default());
    let first = checkpoint.reserve(&who("a"), usd(100), at(1)).unwrap();
    let second = checkpoint.reserve(&who("a"), usd(100), at(2)).unwrap();
    let third = checkpoint.reserve(&who("b"), usd(7), at(3)).unwrap();
    checkpoint.extend(&second, usd(11)).unwrap();
    checkpoint.settle(first, usd(30), at(9)).unwrap();
    drop((checkpoint, second, third));

    for _ in 0..3 {
        let (_checkpoint, recovery) = open(folder.path());
        assert_eq!(sums(&recovery), BTreeMap::from([("a".into(), (141, 111)), ("b".into(), (7, 7))]));
        assert_eq!(recovery.charges[0].who, who("a"));
        assert_eq!(recovery.charges[0].at, at(2), "spending counts when it was reserved");
        assert_eq!(recovery.damage, []);
    }
}

#[test]
fn two_processes_cannot_share_it() {
    let folder = tempfile::tempdir().unwrap();
    let (checkpoint, _) = open(folder.path());
    assert!(matches!(Checkpoint::open(folder.path(), &[]), Err(OpenError::InUse(_))));
    drop(checkpoint);
    assert!(Checkpoint::open(folder.path(), &[]).is_ok());
}

#[test]
fn spending_before_all_windows_is_forgotten_and_the_rest_keeps_its_windows() {
    let folder = tempfile::tempdir().unwrap();
    let (checkpoint, _) = open(folder.path());
    for (second, nanos) in [(5, 1), (99, 2), (100, 4), (150, 8), (199, 16), (200, 32), (300, 64)] {
        let ticket = checkpoint.reserve(&who("a"), usd(nanos), at(second)).unwrap();
        checkpoint.settle(ticket, usd(nanos), at(second + 100)).unwrap();
    }
    drop(checkpoint);
    let (_checkpoint, recovery) = Checkpoint::open(folder.path(), &[at(200), at(100)]).unwrap();
    let found: Vec<_> = recovery.charges.iter().map(|charge| (charge.at, charge.spent.nanos())).collect();
    assert_eq!(found, [(at(199), 4 + 8 + 16), (at(300), 32 + 64)]);
}

#[test]
fn compacting_changes_nothing_but_the_size() {
    let folder = tempfile::tempdir().unwrap();
    let (checkpoint, _) = open(folder.path());
    let open_before = checkpoint.reserve(&who("a"), usd(1_000), at(1)).unwrap();
    for round in 0..50 {
        let ticket = checkpoint.reserve(&who("a"), usd(10), at(round)).unwrap();
        checkpoint.settle(ticket, usd(3), at(round)).unwrap();
        if round % 10 == 9 {
            assert_eq!(checkpoint.compact(&[]).unwrap(), []);
        }
    }
    assert!(checkpoint.is_empty(), "{}", checkpoint.len());
    let size: u64 =
        segments(folder.path()).unwrap().iter().map(|(_, path)| path.metadata().unwrap().len()).sum();
    assert!(size < 1_000, "{size}");

    checkpoint.settle(open_before, usd(500), at(60)).unwrap();
    drop(checkpoint);
    let (_checkpoint, recovery) = open(folder.path());
    assert_eq!(sums(&recovery), BTreeMap::from([("a".into(), (650, 0))]));
}

#[test]
fn compacting_beside_writers_loses_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let (checkpoint, _) = open(folder.path());
    std::thread::scope(|scope| {
        for thread in 0..8 {
            let checkpoint = &checkpoint;
            scope.spawn(move || {
                for request in 0..200_u32 {
                    let ticket = checkpoint.reserve(&who("a"), usd(10), at(1)).unwrap();
                    if request % 10 != thread {
                        checkpoint.settle(ticket, usd(1), at(2)).unwrap();
                    }
                }
            });
        }
        for _ in 0..20 {
            assert_eq!(checkpoint.compact(&[]).unwrap(), []);
        }
    });
    drop(checkpoint);
    let (_checkpoint, recovery) = open(folder.path());
    let unsettled = 8 * 20 * 10;
    assert_eq!(sums(&recovery), BTreeMap::from([("a".into(), (8 * 180 + unsettled, unsettled))]));
}

#[test]
fn a_forgotten_tenant_leaves_a_sum_without_a_name() {
    let folder = tempfile::tempdir().unwrap();
    let (checkpoint, _) = open(folder.path());
    for tenant in ["a", "b", "a"] {
        let ticket = checkpoint.reserve(&who(tenant), usd(10), at(1)).unwrap();
        checkpoint.settle(ticket, usd(4), at(1)).unwrap();
    }
    let under_way = checkpoint.reserve(&who("a"), usd(10), at(1)).unwrap();
    checkpoint.forget("a", &[]).unwrap();
    for (_, path) in segments(folder.path()).unwrap() {
        assert!(!fs::read_to_string(path).unwrap().contains("\"tenant\":\"a\""));
    }
    checkpoint.settle(under_way, usd(5), at(1)).unwrap();
    drop(checkpoint);
    assert_eq!(
        sums(&open(folder.path()).1),
        BTreeMap::from([(String::new(), (13, 0)), ("b".into(), (4, 0))])
    );
}

/// A history of 24 requests of two tenants in one file, and what each of its lines adds.
fn history(folder: &Path) -> (PathBuf, Vec<u8>) {
    let (checkpoint, _) = open(folder);
    let mut open = Vec::new();
    for request in 0..24_u64 {
        open.push(
            checkpoint
                .reserve(&who(["a", "b"][request as usize % 2]), usd(100 + request), at(request))
                .unwrap(),
        );
        if request % 5 == 0 {
            checkpoint.extend(open.last().unwrap(), usd(50)).unwrap();
        }
        if request % 3 == 2 {
            checkpoint.settle(open.remove(1), usd(request), at(request)).unwrap();
        }
    }
    let path = segment(folder, 2);
    let content = fs::read(&path).unwrap();
    (path, content)
}

/// What a process that was killed after writing `content` may owe at most, read in the plainest way.
fn owed(content: &[u8]) -> u64 {
    let mut owed = BTreeMap::<u64, u64>::new();
    for line in content.split_inclusive(|byte| *byte == b'\n').filter(|line| line.ends_with(b"\n")) {
        let record: serde_json::Value = serde_json::from_slice(&line[9..]).unwrap();
        let (kind, fields) = record.as_object().unwrap().iter().next().unwrap();
        let (id, nanos) = (fields["id"].as_u64().unwrap(), fields["nanos"].as_u64().unwrap());
        match kind.as_str() {
            "settle" => drop(owed.insert(id, nanos)),
            _ => *owed.entry(id).or_default() += nanos,
        }
    }
    owed.values().sum()
}

#[test]
fn cut_off_at_any_byte_the_spending_is_exactly_what_was_written() {
    let folder = tempfile::tempdir().unwrap();
    let (path, content) = history(folder.path());
    let base = fs::read(segment(folder.path(), 1)).unwrap();
    let copy = tempfile::tempdir().unwrap();
    fs::write(segment(copy.path(), 1), &base).unwrap();
    let copied = copy.path().join(path.file_name().unwrap());
    fs::write(&copied, &content).unwrap();
    for cut in (0..=content.len()).rev() {
        File::options().write(true).open(&copied).unwrap().set_len(cut as u64).unwrap();
        let (spent, damage) = recover(copy.path());
        assert_eq!(spent, owed(&content[..cut]), "{cut}");
        let torn = cut > 0 && content[cut - 1] != b'\n';
        assert_eq!(damage.len(), usize::from(torn), "{cut}: {damage:?}");
    }
}

/// As [`Checkpoint::open`] does, without writing.
fn recover(folder: &Path) -> (u64, Vec<Damage>) {
    let mut book = Book::new(Vec::new());
    let damage = read(&segments(folder).unwrap(), &mut book).unwrap();
    book.charge_open();
    (book.totals().map(|(_, total)| total.spent).sum(), damage)
}

#[test]
fn a_damaged_byte_is_named_and_costs_at_most_its_lines() {
    let folder = tempfile::tempdir().unwrap();
    let (path, content) = history(folder.path());
    let lines = content.split(|byte| *byte == b'\n').count();
    let copy = tempfile::tempdir().unwrap();
    let copied = copy.path().join(path.file_name().unwrap());
    fs::write(&copied, &content).unwrap();
    let file = File::options().write(true).open(&copied).unwrap();
    for place in 0..content.len() {
        file.write_all_at(&[content[place] ^ 0x15], place as u64).unwrap();
        let (_, damage) = recover(copy.path());
        file.write_all_at(&[content[place]], place as u64).unwrap();

        let line = 1 + content[..place].iter().filter(|byte| **byte == b'\n').count() as u64;
        let named = damage.iter().any(|damage| damage.path == copied && damage.line == line);
        assert!(named, "{place} in line {line}: {damage:?}");
        // A reservation that cannot be read drags its settlement or extension along, nothing else.
        assert!(damage.len() <= 4, "{place} of {lines} lines: {damage:?}");
    }
}

#[test]
fn a_settlement_whose_reservation_is_damaged_still_counts() {
    let folder = tempfile::tempdir().unwrap();
    let (checkpoint, _) = open(folder.path());
    let ticket = checkpoint.reserve(&who("a"), usd(100), at(1)).unwrap();
    checkpoint.settle(ticket, usd(30), at(1)).unwrap();
    drop(checkpoint);
    let path = segment(folder.path(), 2);
    let damaged = fs::read_to_string(&path).unwrap().replacen("reserve", "resurve", 1);
    fs::write(&path, damaged).unwrap();

    let (_checkpoint, recovery) = open(folder.path());
    assert_eq!(sums(&recovery), BTreeMap::from([(String::new(), (30, 0))]));
    let reasons: Vec<_> = recovery.damage.iter().map(|damage| (damage.line, &*damage.reason)).collect();
    assert_eq!(reasons, [(1, "wrong checksum"), (2, "settles a reservation that was not read")]);
}

#[test]
fn a_process_that_died_while_summing_up_is_survived_at_every_step() {
    let folder = tempfile::tempdir().unwrap();
    let (_, content) = history(folder.path());
    let expected = owed(&content);
    let spent = |folder: &Path| -> u64 { sums(&open(folder).1).values().map(|(spent, _)| spent).sum() };

    // Before the new file has its name: a draft lies about, half written.
    let copy = tempfile::tempdir().unwrap();
    fs::write(segment(copy.path(), 2), &content).unwrap();
    fs::write(segment(copy.path(), 3).with_extension("draft"), b"half a li").unwrap();
    assert_eq!(spent(copy.path()), expected);

    // After, but before the old ones were removed.
    let copy = tempfile::tempdir().unwrap();
    fs::write(segment(copy.path(), 2), &content).unwrap();
    let (checkpoint, _) = open(copy.path());
    drop(checkpoint);
    fs::write(segment(copy.path(), 2), &content).unwrap();
    assert_eq!(spent(copy.path()), expected, "counted twice");
}

#[test]
fn a_full_disk_is_an_error_and_not_a_promise() {
    let folder = tempfile::tempdir().unwrap();
    let (checkpoint, _) = open(folder.path());
    let ticket = checkpoint.reserve(&who("a"), usd(5), at(1)).unwrap();
    let real =
        std::mem::replace(&mut checkpoint.live().file, Appender::open(Path::new("/dev/full")).unwrap());
    assert!(checkpoint.reserve(&who("a"), usd(100), at(1)).is_err());
    checkpoint.live().file = real;
    checkpoint.settle(ticket, usd(4), at(1)).unwrap();
    drop(checkpoint);
    assert_eq!(sums(&open(folder.path()).1), BTreeMap::from([("a".into(), (4, 0))]));
}
