//! A process that is killed while it spends money: what the next one finds is never less than what was answered.
#![allow(missing_docs, clippy::unwrap_used)]

use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::SystemTime;

use router_core::Usd;
use router_proxy::ledger::{Checkpoint, Who};

/// Where the child writes; its presence makes this test binary the child.
const FOLDER: &str = "CHECKPOINT_UNDER_TEST";

/// Reserves, says on stdout what the provider has answered for, settles; until it is killed.
fn spend(folder: &Path) {
    let now = SystemTime::UNIX_EPOCH;
    let (checkpoint, _) = Checkpoint::open(folder, &[]).unwrap();
    let who = Who { tenant: "a".into(), ..Who::default() };
    std::thread::scope(|scope| {
        for thread in 0..4 {
            let (checkpoint, who) = (&checkpoint, &who);
            scope.spawn(move || {
                for request in 0_u64.. {
                    let ticket = checkpoint.reserve(who, Usd::from_nanos(1_000), now).unwrap();
                    let actual = (request * 7 + thread) % 1_000;
                    println!("answered {actual}");
                    checkpoint.settle(ticket, Usd::from_nanos(actual), now).unwrap();
                    if thread == 0 && request % 200 == 0 {
                        checkpoint.compact(&[]).unwrap();
                    }
                }
            });
        }
    });
}

#[test]
fn what_a_killed_process_has_spent_is_never_less_than_what_was_answered() {
    if let Some(folder) = std::env::var_os(FOLDER) {
        return spend(Path::new(&folder));
    }
    for kill_after in [1, 50, 777, 3_000] {
        let folder = tempfile::tempdir().unwrap();
        let mut child = Command::new(std::env::current_exe().unwrap())
            .args([
                "--exact",
                "--nocapture",
                "what_a_killed_process_has_spent_is_never_less_than_what_was_answered",
            ])
            .env(FOLDER, folder.path())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut answered = (0_u64, 0_u64);
        for line in BufReader::new(child.stdout.take().unwrap()).lines() {
            // The last line may be cut off in the middle of its number, which makes it smaller.
            let line = line.unwrap();
            let Some(nanos) = line.strip_prefix("answered ").and_then(|nanos| nanos.parse::<u64>().ok())
            else {
                continue;
            };
            answered = (answered.0 + 1, answered.1 + nanos);
            if answered.0 == kill_after {
                child.kill().unwrap();
            }
        }
        child.wait().unwrap();

        let (_checkpoint, recovery) = Checkpoint::open(folder.path(), &[]).unwrap();
        let spent: u64 = recovery.charges.iter().map(|charge| charge.spent.nanos()).sum();
        let unsettled: u64 = recovery.charges.iter().map(|charge| charge.unsettled.nanos()).sum();
        assert!(answered.0 >= kill_after, "the child died by itself");
        assert!(spent >= answered.1, "{spent} of {}", answered.1);
        assert!(
            unsettled <= 8 * 1_000 && spent <= answered.1 + unsettled,
            "{spent} and {unsettled} of {}",
            answered.1
        );
    }
}
