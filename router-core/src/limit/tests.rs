use super::*;

const MINUTE: Duration = Duration::from_secs(60);

fn limit(requests: u64, tokens: u64, concurrency: u32) -> Limit {
    Limit {
        requests: Quota::try_new(requests, MINUTE),
        tokens: Quota::try_new(tokens, MINUTE),
        concurrency: NonZeroU32::new(concurrency),
    }
}

#[test]
fn a_refusal_by_one_limit_takes_nothing_from_the_others() {
    let now = Instant::now();
    let (key, tenant) = (Arc::new(Limiter::new(now)), Arc::new(Limiter::new(now)));
    let (wide, narrow) = (limit(10, 1_000, 4), limit(10, 100, 4));

    let refused = Permit::try_new([(&key, &wide), (&tenant, &narrow)], 101, now).unwrap_err();
    assert_eq!(refused, Refused { index: 1, measure: Measure::Tokens, retry_after: None });

    let permit = Permit::try_new([(&key, &wide), (&tenant, &narrow)], 1, now).unwrap();
    assert_eq!(permit.requests(now).unwrap().remaining, 9);
    assert_eq!(permit.tokens(now).unwrap(), Standing { limit: 100, remaining: 99, reset: MINUTE / 100 });
    assert_eq!((key.in_flight(), tenant.in_flight()), (1, 1));
}

#[test]
fn the_estimate_is_replaced_by_what_was_used() {
    let now = Instant::now();
    let (limiter, limit) = (Arc::new(Limiter::new(now)), limit(10, 1_000, 4));
    Permit::try_new([(&limiter, &limit)], 900, now).unwrap().correct(50, now);

    let permit = Permit::try_new([(&limiter, &limit)], 0, now).unwrap();
    assert_eq!(permit.tokens(now).unwrap().remaining, 950);
    assert_eq!(permit.requests(now).unwrap().remaining, 8);
    assert_eq!(limiter.in_flight(), 1);
}

#[test]
fn a_dropped_permit_frees_its_slot_and_stays_charged() {
    let now = Instant::now();
    let (limiter, limit) = (Arc::new(Limiter::new(now)), limit(10, 1_000, 1));
    let permit = Permit::try_new([(&limiter, &limit)], 400, now).unwrap();

    let refused = Permit::try_new([(&limiter, &limit)], 1, now).unwrap_err();
    assert_eq!((refused.measure, refused.retry_after), (Measure::Concurrency, Some(SLOT_WAIT)));

    drop(permit);
    assert_eq!(limiter.in_flight(), 0);
    assert_eq!(Permit::try_new([(&limiter, &limit)], 0, now).unwrap().tokens(now).unwrap().remaining, 600);
}

#[test]
fn without_limits_everything_passes_and_nothing_is_told() {
    let now = Instant::now();
    let limiter = Arc::new(Limiter::new(now));
    let permit = Permit::try_new([(&limiter, &Limit::default())], u64::MAX, now).unwrap();
    assert_eq!((permit.requests(now), permit.tokens(now)), (None, None));
}

#[test]
fn a_refusal_for_tokens_gives_the_request_and_the_slot_back() {
    let now = Instant::now();
    let (limiter, limit) = (Arc::new(Limiter::new(now)), limit(1, 10, 1));
    assert_eq!(Permit::try_new([(&limiter, &limit)], 11, now).unwrap_err().measure, Measure::Tokens);
    assert!(Permit::try_new([(&limiter, &limit)], 10, now).is_ok());
}
