//! Provider trouble, simulated: seeded randomness, time moved by hand, no sleeping.
//!
//! Each scenario runs with several seeds and must hold for each of them.
//! To run more of them and see the figures:
//! `SIMULATION_SEEDS=20 cargo test --release --test simulation -- --nocapture --test-threads 1`

mod simulation {
    pub(crate) mod provider;
    pub(crate) mod report;
    pub(crate) mod request;
    pub(crate) mod world;
}

use std::time::Duration;

use router_core::breaker::Phase;
use simulation::provider::{Fault, Script, lognormal, provider};
use simulation::report::Report;
use simulation::world::{Traffic, traffic};

/// Seeds to run with where `SIMULATION_SEEDS` does not ask for more.
const SEEDS: u64 = 2;

/// A usual first-token time.
const MEDIAN: Duration = Duration::from_millis(300);

/// A 5xx that comes quickly.
const ERRORS: Fault = Fault::Errors { share: 1.0, after: Duration::from_millis(20) };

fn secs(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

fn millis(millis: u64) -> Duration {
    Duration::from_millis(millis)
}

/// A provider whose first tokens are as spread out as those of a good hosted one.
fn sound() -> Script {
    provider(lognormal(MEDIAN, 0.5))
}

/// Runs a scenario with every seed and shows what came of it.
fn run_all(name: &str, scenario: &Traffic) -> Vec<Report> {
    let show = |seed| {
        let report = scenario.clone().run(seed);
        println!("{name}, seed {seed}: {report}");
        report
    };
    let asked = std::env::var("SIMULATION_SEEDS").ok().and_then(|seeds| seeds.parse().ok());
    (1..=asked.unwrap_or(SEEDS)).map(show).collect()
}

#[test]
fn a_provider_ten_times_slower_gets_next_to_nothing() {
    for (per_second, minutes, sigmas) in
        [(2.0, 100, &[0.5][..]), (20.0, 20, &[0.5]), (200.0, 2, &[0.0, 0.3, 0.5]), (1_000.0, 1, &[0.5])]
    {
        for &sigma in sigmas {
            let even = || provider(lognormal(MEDIAN, sigma));
            let three = traffic(per_second, secs(60 * minutes)).to(even()).to(even()).to(even());
            let healthy = run_all("four healthy", &three.clone().to(even()));
            let slow = three.to(even().always(Fault::Slower { factor: 10.0 }));
            let slow = run_all(&format!("one slow, {per_second}/s, σ {sigma}"), &slow);
            for (slow, healthy) in slow.iter().zip(&healthy) {
                assert!(healthy.share(3) > 0.2, "as good as the others, it has its part: {healthy}");
                assert!(slow.share(3) <= 0.008, "{slow}");
                let allowed = healthy.first_token(0.99).mul_f64(1.3);
                assert!(slow.first_token(0.99) <= allowed, "{slow}\n{healthy}");
            }
        }
    }
}

#[test]
fn a_provider_that_was_slow_is_found_to_be_fast_again() {
    let slow = Fault::Slower { factor: 10.0 };
    let scenario =
        traffic(200.0, secs(300)).to(sound()).to(sound()).to(sound().during(secs(60)..secs(120), slow));
    for report in run_all("slow for a minute", &scenario) {
        assert!(report.share_during(2, secs(10)..secs(60)) > 0.2, "{report}");
        assert!(report.share_during(2, secs(65)..secs(120)) <= 0.02, "{report}");
        assert!(report.share_during(2, secs(180)..secs(300)) > 0.2, "{report}");
    }
}

#[test]
fn a_total_outage_is_not_made_worse_and_is_over_when_it_is_over() {
    let outage = secs(60)..secs(120);
    let down = || sound().during(outage.clone(), ERRORS);
    let scenario = traffic(200.0, secs(420)).to(down()).to(down()).to(down());
    for report in run_all("total outage", &scenario) {
        let attempts = report.sent.iter().filter(|(at, _)| outage.contains(at)).count() as f64;
        let requests = report.arrived_during(outage.clone());
        println!("   {:.4} attempts/request in the outage", attempts / requests as f64);
        assert!(attempts <= 1.2 * requests as f64, "{report}");
        assert_eq!(report.answered_during(outage.clone()), 0);
        // Of requests that begin after it, all are answered: the last one standing was tried all along.
        let after = secs(120)..secs(420);
        assert_eq!(report.answered_during(after.clone()), report.arrived_during(after), "{report}");
        // The others return within their cool-down (the second is 99 s at most) and their slow start.
        for provider in 0..3 {
            assert!(report.share_during(provider, secs(270)..secs(420)) > 0.2, "{report}");
        }
    }
}

#[test]
fn one_provider_down_is_probed_once_per_cool_down_and_returns_after_one_probe() {
    let scenario = traffic(200.0, secs(300)).to(sound()).to(sound().during(secs(60)..secs(120), ERRORS));
    for report in run_all("one of two down", &scenario) {
        assert_eq!(report.errors, 0, "{report}");
        // Five failures open it, and a few attempts that were sent before the fifth came back.
        assert!(report.sent_during(1, secs(60)..secs(114)) <= 20, "{report}");
        // The first cool-down ends at 114-126 s, the second one 81-99 s after that.
        let (first, second) = (secs(113)..secs(127), secs(194)..secs(226));
        let probes = report.sent_during(1, secs(66)..secs(120));
        assert!(probes <= 1, "{probes} probes: {report}");
        let back = if probes == 0 { first.end } else { second.end };
        assert!(report.share_during(1, back + secs(30)..secs(300)) > 0.4, "{report}");
        // The return is gradual.
        let opened = report.first_sent_after(1, if probes == 0 { secs(113) } else { second.start });
        assert!(report.share_during(1, opened..opened + secs(3)) < 0.15, "{report}");
        assert_eq!(report.health[1].phase, Phase::Closed);
    }
}

#[test]
fn a_rate_limited_provider_is_left_alone_for_as_long_as_it_asked() {
    let limited = Fault::Limited { retry_after: secs(20) };
    for seconds in [20, 60] {
        let window = secs(60)..secs(60 + seconds);
        let third = sound().during(window.clone(), limited);
        let scenario = traffic(200.0, secs(180)).to(sound()).to(sound()).to(third);
        for report in run_all(&format!("limited for {seconds} s"), &scenario) {
            let share = report.share_during(2, window.clone());
            println!("   share while limited {:.3} %", share * 100.0);
            assert!(share <= 0.02 && share > 0.0, "{report}");
            assert_eq!(report.errors, 0, "{report}");
            assert_eq!((report.health[2].phase, report.health[2].success_rate), (Phase::Closed, 1.0));
            assert!(report.share_during(2, secs(150)..secs(180)) > 0.2, "it has its part again: {report}");
        }
    }
}

#[test]
fn hedging_shortens_the_tail_within_its_cap() {
    for (sigma, gain) in [(0.5, 0.0), (1.0, 0.14), (1.5, 0.25), (2.0, 0.30)] {
        let heavy = || provider(lognormal(MEDIAN, sigma));
        let scenario = traffic(50.0, secs(1_800)).to(heavy()).to(heavy());
        let plain = run_all(&format!("σ {sigma} plain"), &scenario);
        let hedged = run_all(&format!("σ {sigma} hedged"), &scenario.hedged());
        for (hedged, plain) in hedged.iter().zip(&plain) {
            let ratio = hedged.first_token(0.99).as_secs_f64() / plain.first_token(0.99).as_secs_f64();
            println!(
                "   p99 {:+.1} %, extra calls {:.3} %",
                (ratio - 1.0) * 100.0,
                hedged.hedge_share() * 100.0
            );
            assert!(hedged.hedge_share() <= 0.02, "{hedged}");
            assert!(ratio <= 1.0 - gain, "{hedged}\n{plain}");
        }
    }
}

#[test]
fn a_region_that_refuses_is_replaced_within_the_request() {
    let outage = secs(60)..secs(240);
    // Refused at once, and connections that only time out.
    for connect in [millis(2), secs(5)] {
        let down = || sound().during(outage.clone(), Fault::Refuses { after: connect });
        let scenario =
            traffic(200.0, secs(300)).to(down()).to(down()).to(sound().group(1)).to(sound().group(1));
        for report in run_all(&format!("region down, known after {connect:?}"), &scenario) {
            assert_eq!(report.errors, 0, "{report}");
            let (before, during) = (secs(0)..secs(60), outage.clone());
            assert!(report.sent_during(2, before.clone()) == 0, "the preferred region is enough: {report}");
            let allowed = report.first_token_during(0.99, before) + connect;
            assert!(report.first_token_during(0.99, during) <= allowed.mul_f64(1.05), "{report}");
            let slowest = report.first_tokens.iter().map(|&(_, took)| took).max();
            assert!(slowest < Some(secs(30)), "{report}");
        }
    }
}

#[test]
fn a_flapping_provider_is_invisible_beside_a_healthy_one() {
    for per_second in [5.0, 200.0] {
        let flapping = sound().always(Fault::Errors { share: 0.5, after: millis(100) });
        let scenario = traffic(per_second, secs(600)).to(sound()).to(flapping);
        for report in run_all(&format!("flapping, {per_second}/s"), &scenario) {
            assert!(report.error_share() <= 0.005, "{report}");
            assert!(
                report.sent_during(1, Duration::ZERO..Duration::MAX) > 5,
                "it was given chances: {report}"
            );
        }
    }
}

#[test]
fn streams_that_are_cut_open_the_breaker_too() {
    let cutting = sound().during(secs(30)..secs(400), Fault::Cuts { share: 1.0 });
    let scenario = traffic(50.0, secs(400)).to(sound()).to(cutting);
    for report in run_all("cut streams", &scenario) {
        // First tokens arrive, so nothing can be replaced; the breaker must keep the harm small.
        assert!(report.share_during(1, secs(40)..secs(400)) < 0.02, "{report}");
        assert!(report.error_share() < 0.02, "{report}");
    }
}

#[test]
fn what_callers_cause_never_counts() {
    let scenario = traffic(200.0, secs(55)).to(provider(lognormal(MEDIAN, 0.5)).always(Fault::CallerFaults));
    for report in run_all("caller faults", &scenario) {
        assert!(report.arrivals.len() > 10_000, "{report}");
        assert_eq!(report.caller_faults, report.arrivals.len(), "{report}");
        assert_eq!(report.sent.len(), report.arrivals.len(), "none was tried again: {report}");
        let health = report.health[0];
        assert_eq!((health.failures_in_row, health.phase, health.score), (0, Phase::Closed, 1.0));
    }
}

#[test]
fn weights_are_kept_where_providers_are_alike() {
    for per_second in [2.0, 200.0] {
        let seconds = (20_000.0 / per_second) as u64;
        let scenario = traffic(per_second, secs(seconds)).to(sound().weight(3.0)).to(sound());
        for report in run_all(&format!("weights 3:1, {per_second}/s"), &scenario) {
            assert!((0.6..0.85).contains(&report.share(0)), "{report}");
        }
    }
}
