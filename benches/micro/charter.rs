//! What keys, quotas, budgets and ledger add to a request.

#![allow(missing_docs, clippy::expect_used)]

use std::hint::black_box;
use std::num::NonZeroU32;
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime};

use criterion::{Criterion, criterion_group, criterion_main};
use router_core::budget::{Budget, Hold, Levels, Period, Spender, Terms};
use router_core::charter::{BudgetEntry, Charter, LimitEntry, Party, Scope, WhenExhausted};
use router_core::keyring::{Key, Keyring};
use router_core::limit::{Limit, Limiter, Permit, Quota};
use router_core::{RuleIndex, TenantId, Usd};
use router_proxy::keys;
use router_proxy::ledger::{Checkpoint, Entry, Partitions, Who};
use router_proxy::spool::{Settings, Spool};

const KEYS: u16 = 1_000;

fn keyring() -> Keyring {
    let key = |number: u16| Key {
        hash: keys::hash(format!("key-{number}").as_bytes()),
        tenant: TenantId::new(number),
        spender: Spender(number),
        not_before: None,
        expires: None,
    };
    Keyring::try_new((1..=KEYS).map(key).collect()).expect("no two are the same")
}

/// A quota and a budget for each of key, tenant, rule, tag and router.
fn charter(now: Instant) -> Charter {
    let scopes = [
        Scope::Key(Spender(1)),
        Scope::Tenant(TenantId::new(1)),
        Scope::Rule(RuleIndex::new(0)),
        Scope::Tag("team".into(), "search".into()),
        Scope::Router,
    ];
    let quota = Quota::try_new(u64::from(u32::MAX), Duration::from_secs(60));
    let limit = Limit { requests: quota, tokens: quota, concurrency: NonZeroU32::new(1_000) };
    let limits = scopes.iter().map(|scope| LimitEntry {
        name: "quota".into(),
        scope: scope.clone(),
        limit,
        limiter: Arc::new(Limiter::new(now)),
    });
    let terms = Arc::new(Terms {
        name: "budget".into(),
        limit: Usd::MAX,
        alerts: Levels::try_new(vec![Usd::from_dollars(500.0)]).expect("one"),
        zone: jiff::tz::TimeZone::UTC,
        spenders: KEYS + 1,
    });
    let budgets = scopes.iter().map(|scope| BudgetEntry {
        scope: scope.clone(),
        terms: Arc::clone(&terms),
        budget: Arc::new(Budget::try_new(Period::Day, &terms, SystemTime::now()).expect("a day")),
        when_exhausted: WhenExhausted::Deny,
    });
    Charter::new(limits.collect(), budgets.collect())
}

const PARTY: Party<'_> = Party {
    tenant: TenantId::new(1),
    spender: Spender(1),
    rule: Some(RuleIndex::new(0)),
    tags: &[("team", "search")],
};

fn find(keyring: &Keyring) -> bool {
    let found = keyring.find(&keys::hash(black_box(b"key-1")), SystemTime::now());
    matches!(found, router_core::keyring::Found::Valid(_))
}

fn take(charter: &Charter) -> Permit {
    let limits = charter.limits_of(&PARTY);
    let limits = limits.iter().map(|entry| (&entry.limiter, &entry.limit));
    Permit::try_new(limits, 10, Instant::now()).expect("room")
}

fn hold(charter: &Charter) -> Hold {
    let budgets = charter.budgets_of(&PARTY);
    let budgets = budgets.iter().map(|entry| (&*entry.budget, &entry.terms));
    Hold::try_new(budgets, Usd::from_nanos(1_000), Spender(1), SystemTime::now()).expect("money")
}

fn entry() -> Box<Entry> {
    let receipt = "req_0123456789abcdef0123456789abcdef";
    Box::new(Entry::begin(jiff::Timestamp::now(), receipt, "team-a", "0123456789ab"))
}

fn parts(criterion: &mut Criterion) {
    let (keyring, charter) = (keyring(), charter(Instant::now()));
    let folder = tempfile::tempdir().expect("a folder");
    let spending = Checkpoint::open(folder.path().join("spending"), &[]).expect("a record of spending").0;
    let partitions = Partitions::open(folder.path().join("ledger"), 64 << 20).expect("a ledger");
    let ledger = Spool::open("ledger", partitions, Settings::default()).expect("a thread");
    let who = Who { tenant: "team-a".into(), key: "0123456789ab".into(), ..Who::default() };
    let written = |amount| {
        let ticket = spending.reserve(&who, amount, SystemTime::now()).expect("a line");
        spending.settle(ticket, Usd::from_nanos(500), SystemTime::now()).expect("a line");
    };
    let mut group = criterion.benchmark_group("charter");
    group.bench_function("key", |bencher| bencher.iter(|| find(&keyring)));
    group.bench_function("five quotas", |bencher| {
        bencher.iter(|| take(&charter).correct(9, Instant::now()));
    });
    group.bench_function("five budgets", |bencher| {
        bencher.iter(|| hold(&charter).settle(Usd::from_nanos(500)))
    });
    group.bench_function("spending written", |bencher| bencher.iter(|| written(Usd::from_nanos(1_000))));
    group.bench_function("ledger", |bencher| bencher.iter(|| ledger.push(entry())));
    group.bench_function("all", |bencher| {
        bencher.iter(|| {
            assert!(find(&keyring));
            let permit = take(&charter);
            let hold = hold(&charter);
            written(hold.amount());
            permit.correct(9, Instant::now());
            ledger.push(entry());
            hold.settle(Usd::from_nanos(500))
        });
    });
    group.finish();
}

criterion_group!(benches, parts);
criterion_main!(benches);
