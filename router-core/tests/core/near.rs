//! Near hits among tenants: nobody is answered with what is another's, and nobody pays for another's traffic.

use std::time::{Duration, Instant};

use bytes::Bytes;
use proptest::prelude::*;
use router_core::cache::digest::Digest as Question;
use router_core::cache::guard::{Guard, Vetoes};
use router_core::cache::matcher::{Kind, judge};
use router_core::{CacheKey, Entry, Framing, ModelId, ResponseCache, ScopeKey, TenantId, decide};
use serde_json::json;

use crate::ask::{Ask, ask};
use crate::policy::{model, policy};
use crate::world::World;

const HOUR: Duration = Duration::from_secs(3600);
const TENANTS: u16 = 50;
const TRIALS: usize = 10_000;

fn entry(tenant: TenantId, body: String) -> Entry {
    Entry {
        body: Bytes::from(body),
        framing: Framing::Plain,
        content_type: Bytes::from_static(b"application/json"),
        model: ModelId::new(0),
        usage: None,
        tenant,
        tags: std::sync::Arc::new([]),
        index_bytes: 0,
    }
}

fn world() -> World {
    World::of(&policy().internal("small", model()).cache(|cache| cache.semantic = true))
}

/// Where the request's answer is kept, and its question.
fn place(world: &World, ask: &Ask) -> (CacheKey, ScopeKey, Question) {
    let digest = ask.digest(&world.state.fingerprint_key);
    let request = ask.route(&digest);
    let decision = decide(&world.snapshot, &world.state, &request, world.now, &mut crate::world::rng())
        .expect("admitted");
    let secret = &world.state.fingerprint_key;
    let scope = ScopeKey::of(secret, 0, &world.snapshot, &request, &decision.receipt).expect("plain text");
    let key = CacheKey::of(secret, &world.snapshot, &request, &decision.receipt);
    (key, scope, Question::of(digest.prompt().question))
}

/// One of the ways to ask about one of the topics.
fn wording(topic: usize, way: usize) -> String {
    let topic =
        ["password", "router", "printer", "camera", "bicycle", "keyboard", "backpack", "calendar"][topic % 8];
    match way % 4 {
        0 => format!("How do I clean my {topic}?"),
        1 => format!("how to clean a {topic}"),
        2 => format!("what is the best way to clean my {topic}"),
        _ => format!("please tell me how to clean a {topic}"),
    }
}

#[derive(Clone, Copy, PartialEq, Eq)]
struct Trial {
    tenant: TenantId,
    topic: usize,
    way: usize,
    system: bool,
}

fn trials() -> Vec<Trial> {
    let mut rng = fastrand::Rng::with_seed(11);
    let trial = |rng: &mut fastrand::Rng| Trial {
        tenant: TenantId::new(rng.u16(..TENANTS)),
        topic: rng.usize(..8),
        way: rng.usize(..4),
        system: rng.bool(),
    };
    (0..TRIALS).map(|_| trial(&mut rng)).collect()
}

impl Trial {
    fn ask(&self) -> Ask {
        let ask = ask(&wording(self.topic, self.way)).temperature(0.0).tenant(self.tenant);
        match self.system {
            true => ask.with(
                "messages",
                json!([{"role": "system", "content": "Be brief."}, {"role": "user", "content": wording(self.topic, self.way)}]),
            ),
            false => ask,
        }
    }

    /// What only an answer to this question, of this tenant, in this scope, says.
    fn answer(&self) -> String {
        format!("{} {} {}", self.tenant.index(), self.topic, self.system)
    }
}

/// Answers from the cache or stores; whether it was a hit.
fn run(world: &World, cache: &ResponseCache, trial: &Trial) -> bool {
    let (key, scope, question) = place(world, &trial.ask());
    let exact = cache.lookup(&key, world.now);
    let threshold = Kind::BuiltIn.shipped_threshold();
    let near = || {
        let near = cache.near().lookup(&scope, &question, None, world.now).near?;
        cache.lookup(&near.key, world.now).filter(|_| near.verdict.serves(threshold))
    };
    match exact.or_else(near) {
        Some(found) => {
            assert_eq!(found.body, trial.answer(), "an answer has crossed");
            assert_eq!(found.tenant, trial.tenant);
            true
        }
        None => {
            cache.store(key, entry(trial.tenant, trial.answer()), HOUR, world.now);
            cache.file(&key, scope, question, None);
            false
        }
    }
}

#[test]
fn no_answer_crosses_between_fifty_tenants_and_none_costs_another_a_hit() {
    let world = world();
    let trials = trials();
    let together = ResponseCache::new(64 << 20);
    let mut hits = vec![0; TENANTS.into()];
    for trial in &trials {
        hits[trial.tenant.index()] += u32::from(run(&world, &together, trial));
    }
    assert!(hits.iter().sum::<u32>() > 8_000, "{hits:?}");
    for tenant in (0..TENANTS).map(TenantId::new) {
        let alone = ResponseCache::new(64 << 20);
        let own = trials.iter().filter(|trial| trial.tenant == tenant);
        let alone_hits = own.filter(|trial| run(&world, &alone, trial)).count();
        assert_eq!(hits[tenant.index()] as usize, alone_hits, "tenant {}", tenant.index());
    }
}

#[test]
fn a_flood_of_one_tenant_leaves_the_others_their_answers() {
    let world = world();
    let cache = ResponseCache::new(1 << 20);
    let body = |n: usize| format!("{n} {}", "x".repeat(1_000));
    let key = |tenant, n: usize| {
        place(&world, &ask(&format!("what is topic {n}")).temperature(0.0).tenant(TenantId::new(tenant)))
    };
    // Four small tenants with 50 kB each, then one that writes ten times the cache.
    for tenant in 1..5 {
        for n in 0..30 {
            cache.store(key(tenant, n).0, entry(TenantId::new(tenant), body(n)), HOUR, world.now);
        }
    }
    for n in 0..5_000 {
        cache.store(key(9, n).0, entry(TenantId::new(9), body(n)), HOUR, world.now);
    }
    cache.settle();
    assert!(cache.bytes() <= 1 << 20, "{}", cache.bytes());
    for tenant in 1..5 {
        let kept = (0..30).filter(|n| cache.lookup(&key(tenant, *n).0, world.now).is_some()).count();
        assert_eq!(kept, 30, "tenant {tenant}");
    }
    let newest = (4_990..5_000).filter(|n| cache.lookup(&key(9, *n).0, world.now).is_some()).count();
    assert_eq!(newest, 10, "who floods has what is left");
}

#[test]
fn what_leaves_the_cache_leaves_the_files() {
    let world = world();
    let cache = ResponseCache::new(200_000);
    let filed = |cache: &ResponseCache| {
        cache.settle();
        (cache.near().size().entries as u64, cache.entries())
    };
    for n in 0..1_000_usize {
        let (key, scope, question) =
            place(&world, &ask(&format!("what does machine {n} make")).temperature(0.0));
        cache.store(key, entry(TenantId::ANONYMOUS, "x".repeat(500)), HOUR, world.now);
        cache.file(&key, scope, question, None);
    }
    let (near, exact) = filed(&cache);
    assert!(near == exact && exact > 50, "{near} of {exact}");
    assert_eq!(cache.purge(|_| true), exact);
    assert_eq!(filed(&cache), (0, 0));
    assert_eq!(cache.near().size().scopes, 0);
}

#[test]
fn a_label_that_says_wrong_keeps_an_answer_to_itself() {
    let world = world();
    let cache = ResponseCache::new(1 << 20);
    let (key, scope, question) = place(&world, &ask("How do I clean my printer?").temperature(0.0));
    cache.store(key, entry(TenantId::ANONYMOUS, "so".into()), HOUR, world.now);
    cache.file(&key, scope, question, None);
    let find = || {
        let (_, scope, question) = place(&world, &ask("how to clean a printer").temperature(0.0));
        cache.near().lookup(&scope, &question, None, world.now).near.expect("found")
    };
    assert!(!find().trust.vetoes(0.02));
    cache.near().observe(&find().place, true);
    assert!(find().trust.vetoes(0.02));
    assert!(cache.lookup(&key, Instant::now()).is_some(), "the same question still gets it");
}

proptest! {
    /// Whatever strange characters are put into a question, it is not answered as another one, and in bounded time.
    #[test]
    fn hidden_and_foreign_characters_do_not_make_two_questions_one(
        at in 0usize..30, what in proptest::sample::select(&["\u{200b}", "\u{202e}", "\u{0430}", "\u{feff}", "\u{0301}"][..])
    ) {
        let plain = "How do I turn on the dark mode?";
        let trap = "How do I turn off the dark mode?";
        let mut tricky = trap.to_owned();
        tricky.insert_str(at, what);
        let verdict = judge(&Question::of(plain), &Question::of(&tricky), Some(0.99));
        prop_assert!(!verdict.serves(0.0), "{tricky:?} {:?}", verdict);
        let blank = " ".repeat(1 << 20);
        prop_assert!(!judge(&Question::of(plain), &Question::of(&blank), Some(1.0)).serves(0.0));
    }

    #[test]
    fn guards_object_both_ways(a in "[a-z0-9 ?]{0,60}", b in "[a-z0-9 ?]{0,60}") {
        let (a, b) = (Question::of(&a), Question::of(&b));
        let both = |x: &Question, y: &Question| -> Vec<Guard> { judge(x, y, None).vetoes.iter().collect() };
        prop_assert_eq!(both(&a, &b), both(&b, &a));
        prop_assert_eq!(judge(&a, &a, None).vetoes, Vetoes::NONE);
    }
}
