use std::time::Instant;

use super::*;

const PRICED: Option<Usd> = Some(Usd::from_nanos(1_000_000));

fn occasion() -> Occasion {
    Occasion { prompt_tokens: 500, cost: PRICED, ..Occasion::default() }
}

/// A first-token time spread evenly over 1-2 s.
fn even(rng: &mut fastrand::Rng) -> Duration {
    Duration::from_secs_f64(1.0 + rng.f64())
}

/// Settings and a purse under which money is no object.
fn free() -> (HedgeSettings, Spending, Instant) {
    let now = Instant::now();
    (HedgeSettings { tenant_hourly: Usd::MAX, ..HedgeSettings::default() }, Spending::new(now), now)
}

/// Sends requests whose first tokens come as `times` says; the share that was hedged.
fn run(hedge: &Hedge, requests: usize, mut times: impl FnMut() -> Duration) -> f64 {
    let (settings, spending, now) = free();
    let mut hedged = 0;
    for _ in 0..requests {
        let watch = hedge.watch(&occasion(), &settings);
        let took = times();
        let late = watch.after().is_ok_and(|after| took > after);
        hedged += usize::from(late && hedge.fire(&watch, &spending, &settings, now).is_ok());
        hedge.settle(watch, took, &settings);
    }
    hedged as f64 / requests as f64
}

#[test]
fn the_trigger_settles_where_the_cap_is_spent() {
    let (hedge, mut rng) = (Hedge::new(), fastrand::Rng::with_seed(1));
    let hedged = run(&hedge, 20_000, || even(&mut rng));
    assert!((0.018..=0.02).contains(&hedged), "{hedged}");
    let after = hedge.watch(&occasion(), &HedgeSettings::default()).after().expect("learned");
    assert!((1.95..2.0).contains(&after.as_secs_f64()), "{after:?}");
}

#[test]
fn nothing_is_hedged_before_enough_has_been_seen() {
    let (hedge, mut rng) = (Hedge::new(), fastrand::Rng::with_seed(1));
    assert_eq!(run(&hedge, 50, || even(&mut rng)), 0.0);
    let settings = HedgeSettings::default();
    let other_size = Occasion { prompt_tokens: 5_000, ..occasion() };
    assert_eq!(hedge.watch(&other_size, &settings).after(), Err(Withheld::Learning));
    assert!(hedge.watch(&occasion(), &settings).after().is_ok());
}

#[test]
fn the_cap_holds_at_every_moment_even_when_everything_becomes_late() {
    let (hedge, mut rng) = (Hedge::new(), fastrand::Rng::with_seed(2));
    run(&hedge, 2_000, || even(&mut rng));
    // Every first token takes ten times as long: the purse of 20 is all there is beyond the share.
    let hedged = run(&hedge, 1_000, || even(&mut rng) * 10) * 1_000.0;
    assert!(hedged <= 20.0 + 20.0, "{hedged}");
    let settled = run(&hedge, 20_000, || even(&mut rng) * 10);
    assert!((0.015..=0.021).contains(&settled), "{settled}");
}

#[test]
fn it_follows_a_provider_that_becomes_faster() {
    let (hedge, mut rng) = (Hedge::new(), fastrand::Rng::with_seed(3));
    run(&hedge, 2_000, || even(&mut rng) * 5);
    run(&hedge, 10_000, || even(&mut rng));
    let hedged = run(&hedge, 5_000, || even(&mut rng));
    assert!((0.015..=0.021).contains(&hedged), "{hedged}");
}

#[test]
fn what_must_not_be_sent_twice_is_not() {
    let (hedge, mut rng) = (Hedge::new(), fastrand::Rng::with_seed(4));
    run(&hedge, 5_000, || even(&mut rng));
    let (settings, spending, now) = free();
    let after = |occasion: Occasion| hedge.watch(&occasion, &settings).after();
    assert!(after(occasion()).is_ok());
    assert_eq!(after(Occasion { tools: true, ..occasion() }), Err(Withheld::Tools));
    assert_eq!(after(Occasion { stateful: true, ..occasion() }), Err(Withheld::Stateful));
    assert_eq!(after(Occasion { cost: None, ..occasion() }), Err(Withheld::Dear));
    let dear = Some(Usd::from_nanos(50_000_001));
    assert_eq!(after(Occasion { cost: dear, ..occasion() }), Err(Withheld::Dear));
    let watch = hedge.watch(&Occasion { tools: true, ..occasion() }, &settings);
    assert_eq!(hedge.fire(&watch, &spending, &settings, now), Err(Withheld::Tools));
}

#[test]
fn ineligible_requests_teach_but_pay_for_no_hedges() {
    let (hedge, (settings, spending, now)) = (Hedge::new(), free());
    for _ in 0..1_000 {
        let watch = hedge.watch(&Occasion { tools: true, ..occasion() }, &settings);
        hedge.settle(watch, Duration::from_secs(1), &settings);
    }
    let watch = hedge.watch(&occasion(), &settings);
    assert!(watch.after().is_ok());
    assert_eq!(hedge.fire(&watch, &spending, &settings, now), Err(Withheld::Share));
}

#[test]
fn a_hedge_that_was_not_sent_can_be_sent_later() {
    let (hedge, mut seen) = (Hedge::new(), 0);
    // The trigger is learned from the first, and the rest is never late: the purse fills.
    run(&hedge, 200, || {
        seen += 1;
        Duration::from_secs(if seen <= 50 { 2 } else { 1 })
    });
    let (settings, spending, now) = free();
    let watch = hedge.watch(&occasion(), &settings);
    let fire = || hedge.fire(&watch, &spending, &settings, now);
    let fired = std::iter::repeat_with(fire).take_while(Result::is_ok).count();
    assert_eq!(fired, 4, "2 % of 201, the last one included");
    let spent = spending.spent(now);
    hedge.unfire(&watch, &spending, now);
    assert!(spending.spent(now) < spent);
    assert_eq!(fire(), Ok(()));
    assert_eq!(fire(), Err(Withheld::Share));
    assert_eq!(spending.spent(now), spent);
}

#[test]
fn a_tenant_that_has_spent_its_hour_leaves_the_share_to_others() {
    let (hedge, mut rng) = (Hedge::new(), fastrand::Rng::with_seed(8));
    run(&hedge, 200, || even(&mut rng));
    let (_, spending, now) = free();
    let settings = HedgeSettings { tenant_hourly: Usd::from_nanos(500_000), ..HedgeSettings::default() };
    let watch = hedge.watch(&occasion(), &settings);
    for _ in 0..100 {
        assert_eq!(hedge.fire(&watch, &spending, &settings, now), Err(Withheld::Spending));
    }
    assert_eq!(hedge.fire(&watch, &Spending::new(now), &HedgeSettings::default(), now), Ok(()));
}

#[test]
fn a_share_of_nothing_hedges_nothing() {
    let settings = HedgeSettings { share: 0.0, ..HedgeSettings::default() };
    let (hedge, mut rng) = (Hedge::new(), fastrand::Rng::with_seed(6));
    for _ in 0..5_000 {
        let watch = hedge.watch(&occasion(), &settings);
        assert!(watch.after().is_err());
        hedge.settle(watch, even(&mut rng), &settings);
    }
}

#[test]
fn a_tenants_spending_is_capped_by_the_hour() {
    let origin = Instant::now();
    let spending = Spending::new(origin);
    let (cost, cap) = (Usd::from_nanos(400_000), Usd::from_nanos(1_000_000));
    assert!(spending.spend(cost, cap, origin) && spending.spend(cost, cap, origin));
    assert!(!spending.spend(cost, cap, origin));
    assert_eq!(spending.spent(origin), Usd::from_nanos(800_000));
    assert!(spending.spend(Usd::from_nanos(1), cap, origin), "rounded up to a micro-dollar");
    assert_eq!(spending.spent(origin), Usd::from_nanos(801_000));
    assert!(!spending.spend(Usd::MAX, cap, origin));
    assert!(spending.spend(cost, cap, origin + Duration::from_secs(3_600)));
}
