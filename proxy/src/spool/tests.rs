use std::sync::mpsc::{Receiver, Sender, channel};

use super::*;

/// Hands batches to the test. Fails while told to; blocks while the test holds the gate.
struct Probe {
    batches: Sender<Vec<u32>>,
    failing: Arc<AtomicBool>,
    gate: Arc<Mutex<()>>,
}

struct Setup {
    spool: Spool<u32>,
    batches: Receiver<Vec<u32>>,
    failing: Arc<AtomicBool>,
    gate: Arc<Mutex<()>>,
}

impl Sink<u32> for Probe {
    fn write(&mut self, batch: &mut Vec<u32>) -> io::Result<()> {
        let _open = self.gate.lock().unwrap();
        if self.failing.load(Relaxed) {
            return Err(io::ErrorKind::StorageFull.into());
        }
        self.batches.send(std::mem::take(batch)).map_err(io::Error::other)
    }
}

const NEVER: Duration = Duration::from_secs(1 << 30);

fn setup(queue: usize, batch: usize, delay: Duration, when_full: WhenFull) -> Setup {
    let count = |count| NonZeroUsize::new(count).unwrap();
    let retry = Duration::from_millis(1);
    let settings = Settings { queue: count(queue), batch: count(batch), delay, retry, when_full };
    let (sender, batches) = channel();
    let (failing, gate) = <(Arc<AtomicBool>, Arc<Mutex<()>>)>::default();
    let probe = Probe { batches: sender, failing: Arc::clone(&failing), gate: Arc::clone(&gate) };
    Setup { spool: Spool::open("probe", probe, settings).unwrap(), batches, failing, gate }
}

#[test]
fn a_full_batch_is_written_at_once_and_in_order() {
    let Setup { spool, batches, .. } = setup(1_000, 100, NEVER, WhenFull::Drop);
    (0..250).for_each(|record| spool.push(record));
    assert_eq!(batches.recv().unwrap(), (0..100).collect::<Vec<_>>());
    assert_eq!(batches.recv().unwrap(), (100..200).collect::<Vec<_>>());

    let counts = spool.close();
    assert_eq!(batches.recv().unwrap(), (200..250).collect::<Vec<_>>(), "the rest is written at the end");
    assert_eq!(counts, Counts { written: 250, dropped: 0, queued: 0, failing: false });
}

#[test]
fn a_batch_that_does_not_fill_is_written_after_the_delay() {
    let Setup { spool, batches, .. } = setup(10, 100, Duration::from_millis(20), WhenFull::Drop);
    spool.push(1);
    assert_eq!(batches.recv().unwrap(), [1]);
    spool.push(2);
    assert_eq!(batches.recv().unwrap(), [2]);
}

#[test]
fn a_slow_disk_loses_what_does_not_fit_and_counts_it() {
    let Setup { spool, batches, gate, .. } = setup(8, 1, NEVER, WhenFull::Drop);
    let closed = gate.lock().unwrap();
    (0..100).for_each(|record| spool.push(record));
    assert!(spool.admits(), "requests go on");
    let lost = spool.counts().dropped;
    // One may be with the writer, eight wait.
    assert!((91..=92).contains(&lost), "{lost}");

    drop(closed);
    let counts = spool.close();
    assert_eq!((counts.written + counts.dropped, counts.dropped), (100, lost));
    assert_eq!(
        batches.iter().flatten().collect::<Vec<_>>(),
        (0..u32::try_from(100 - lost).unwrap()).collect::<Vec<_>>()
    );
}

#[test]
fn a_failing_disk_loses_batches_and_counts_them() {
    let Setup { spool, batches, failing, gate } = setup(100, 10, NEVER, WhenFull::Drop);
    let closed = gate.lock().unwrap();
    failing.store(true, Relaxed);
    (0..15).for_each(|record| spool.push(record));
    drop(closed);
    let counts = spool.close();
    assert_eq!(counts, Counts { written: 0, dropped: 15, queued: 0, failing: true });
    assert_eq!(batches.iter().count(), 0);
}

#[test]
fn a_policy_that_stops_keeps_every_record_and_admits_nobody_until_they_are_written() {
    let Setup { spool, batches, failing, .. } = setup(100, 10, NEVER, WhenFull::Stop);
    failing.store(true, Relaxed);
    (0..10).for_each(|record| spool.push(record));
    while spool.admits() {
        thread::yield_now();
    }
    (10..40).for_each(|record| spool.push(record));
    assert_eq!(spool.counts().dropped, 0, "requests under way are still recorded");

    failing.store(false, Relaxed);
    let written: Vec<u32> = batches.iter().take(4).flatten().collect();
    assert_eq!(written, (0..40).collect::<Vec<_>>());
    while !spool.admits() {
        thread::yield_now();
    }
}

#[test]
fn a_policy_that_stops_admits_nobody_when_half_of_the_queue_is_taken() {
    let Setup { spool, gate, batches: _batches, .. } = setup(10, 1, NEVER, WhenFull::Stop);
    let closed = gate.lock().unwrap();
    (0..8).for_each(|record| spool.push(record));
    assert!(!spool.admits());
    drop(closed);
    while !spool.admits() {
        thread::yield_now();
    }
}

#[test]
fn dropping_lets_the_thread_finish_and_end() {
    let Setup { spool, batches, .. } = setup(100, 10, NEVER, WhenFull::Drop);
    (0..15).for_each(|record| spool.push(record));
    drop(spool);
    // Ends when the thread has dropped its sink.
    assert_eq!(batches.iter().flatten().count(), 15);
}

#[test]
fn closing_does_not_wait_for_a_disk_that_stays_full() {
    let Setup { spool, failing, .. } = setup(100, 10, NEVER, WhenFull::Stop);
    failing.store(true, Relaxed);
    (0..25).for_each(|record| spool.push(record));
    let counts = spool.close();
    assert_eq!(counts, Counts { written: 0, dropped: 25, queued: 0, failing: true });
}

#[test]
fn many_threads_push_and_nothing_is_counted_twice() {
    let Setup { spool, batches, .. } = setup(64, 7, Duration::from_millis(1), WhenFull::Drop);
    thread::scope(|scope| {
        for thread in 0..64 {
            let spool = &spool;
            scope.spawn(move || (0..500).for_each(|record| spool.push(thread * 500 + record)));
        }
    });
    let counts = spool.close();
    let mut written: Vec<u32> = batches.iter().flatten().collect();
    assert_eq!(counts.written + counts.dropped, 64 * 500);
    assert_eq!(counts.written, written.len() as u64);
    written.sort_unstable();
    written.dedup();
    assert_eq!(counts.written, written.len() as u64);
}
