//! Rough weather: kills and slows the simulated providers while the workload runs, and counts what callers see of it.

mod account;

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::convert::Infallible;
use std::time::{Duration, Instant};

use router_core::Phase;
use router_upstream::{Fault, Rule, Upstream};

use super::providers::Providers;
use crate::sidecar::Sidecar;

pub(super) use account::Account;

/// How long an act lasts: several times as long as an answer.
const ACT: Duration = Duration::from_millis(400);
/// Fair weather between two acts, in which breakers find out that it is over.
const PAUSE: Duration = Duration::from_millis(200);
/// How often breakers are looked at; none is open for so short a time.
const LOOK: Duration = Duration::from_millis(20);

/// What goes wrong with whom.
struct Act {
    /// Names of servers.
    victims: &'static [&'static str],
    trouble: Trouble,
}

enum Trouble {
    /// Its connections are cut and it listens no more.
    Killed,
    /// This fault of the scripted provider, for this share of its requests.
    Fault(&'static str, f64),
}

use Trouble::{Fault as Ill, Killed};

const fn act(victims: &'static [&'static str], trouble: Trouble) -> Act {
    Act { victims, trouble }
}

/// One server of two at a time, which can be hidden unless it is in mid-stream; at last both of the inside, which cannot be hidden from
/// requests that must stay there.
const ACTS: [Act; 16] = [
    act(&["inside-1"], Killed),
    act(&["outside-1"], Ill("slow=20", 1.0)),
    act(&["inside-2"], Ill("status-503", 1.0)),
    act(&["outside-2"], Ill("status-429=1", 1.0)),
    act(&["inside-1"], Ill("rst=20", 1.0)),
    act(&["outside-1"], Ill("stall=20", 1.0)),
    act(&["inside-2"], Ill("hang-up", 1.0)),
    act(&["outside-2"], Ill("close=3", 1.0)),
    act(&["inside-1"], Ill("error-event=2", 1.0)),
    act(&["outside-1"], Ill("status-500", 0.5)),
    act(&["inside-2"], Ill("garbage", 1.0)),
    act(&["outside-2"], Ill("slow-first-token=5000", 1.0)),
    act(&["outside-1"], Killed),
    act(&["inside-2"], Ill("no-terminator", 1.0)),
    act(&["outside-2"], Ill("invalid-utf8", 1.0)),
    act(&["inside-1", "inside-2"], Killed),
];

/// How long all acts take.
pub(super) const LASTING: Duration = Duration::from_millis((400 + 200) * ACTS.len() as u64);

/// What the storm has done so far.
#[derive(Debug, Default)]
pub(super) struct Damage {
    /// Acts by the name of what went wrong.
    pub(super) faults: BTreeMap<&'static str, u32>,
    /// When which act began.
    pub(super) acts: Vec<(Instant, String)>,
    /// Breakers that opened.
    pub(super) openings: u32,
    pub(super) lasted: Duration,
}

pub(super) struct Storm<'a> {
    providers: &'a Providers,
    sidecar: &'a Sidecar,
    damage: RefCell<Damage>,
    open: RefCell<Vec<bool>>,
    begun: Instant,
}

impl<'a> Storm<'a> {
    pub(super) fn new(providers: &'a Providers, sidecar: &'a Sidecar) -> Self {
        Self {
            providers,
            sidecar,
            damage: RefCell::default(),
            open: RefCell::default(),
            begun: Instant::now(),
        }
    }

    /// Act after act, and from the beginning again.
    pub(super) async fn rage(&self) -> Infallible {
        loop {
            for act in &ACTS {
                self.play(act).await;
            }
        }
    }

    async fn play(&self, act: &Act) {
        let victims: Vec<&Upstream> =
            act.victims.iter().filter_map(|name| self.providers.named(name)).collect();
        let name = match act.trouble {
            Killed => "killed",
            Ill(name, _) => name,
        };
        {
            let mut damage = self.damage.borrow_mut();
            *damage.faults.entry(name).or_default() += 1;
            damage.acts.push((Instant::now(), format!("{name}: {}", act.victims.join(", "))));
        }
        for victim in &victims {
            afflict(victim, &act.trouble).await;
        }
        self.last(ACT).await;
        for victim in victims {
            cure(victim).await;
        }
        self.last(PAUSE).await;
    }

    /// Lets time pass and watches the breakers meanwhile.
    async fn last(&self, time: Duration) {
        let until = Instant::now() + time;
        while Instant::now() < until {
            tokio::time::sleep(LOOK).await;
            self.look();
        }
    }

    fn look(&self) {
        let (app, now) = (self.sidecar.app(), Instant::now());
        let snapshot = app.snapshot();
        let is_open = |model: &router_core::Model| {
            let state = app.state.model(model.id);
            state.is_some_and(|state| matches!(state.health.breaker().phase(now), Phase::Open { .. }))
        };
        let open: Vec<bool> = snapshot.models().map(is_open).collect();
        let before = self.open.replace(open.clone());
        let opened = open.iter().enumerate().filter(|(at, open)| **open && before.get(*at) != Some(&true));
        self.damage.borrow_mut().openings += u32::try_from(opened.count()).unwrap_or_default();
    }

    /// Ends it: everybody is well again.
    pub(super) async fn end(self) -> Damage {
        for server in self.providers.servers() {
            cure(server).await;
        }
        Damage { lasted: self.begun.elapsed(), ..self.damage.into_inner() }
    }
}

async fn afflict(victim: &Upstream, trouble: &Trouble) {
    match trouble {
        Killed => victim.refuse().await,
        Ill(name, share) => {
            if let Ok(fault) = name.parse::<Fault>() {
                victim.script(Rule::sometimes(fault, *share, 7));
            }
        }
    }
}

async fn cure(victim: &Upstream) {
    victim.clear_script();
    victim.accept().await;
}

impl Damage {
    /// What was going on at that time.
    fn act_at(&self, time: Instant) -> &str {
        let begun = self.acts.iter().rev().find(|(began, _)| *began <= time);
        begun.map_or("before the first act", |(_, name)| name)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_act_is_known_and_the_time_is_theirs() {
        for act in &ACTS {
            assert!(!act.victims.is_empty());
            if let Ill(name, share) = act.trouble {
                assert!(name.parse::<Fault>().is_ok() && share > 0.0, "{name}");
            }
        }
        assert_eq!(LASTING, (ACT + PAUSE) * u32::try_from(ACTS.len()).unwrap());
    }
}
