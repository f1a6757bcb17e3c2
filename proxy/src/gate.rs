//! How many requests are at providers at a time, and who waits for a place.
//!
//! A full gate lets a bounded number wait, and gives the next free place to whoever ranks highest: the higher tenant's tier, then the
//! request that is worth more, then the one that came first. When the queue is full, too, the lowest of all is turned away at once, so that
//! what is shed is shed early and is what hurts least.

use std::cmp::Reverse;
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use router_core::Usd;
use tokio::sync::oneshot;

/// How large the gate is.
#[derive(Clone, Copy, Debug)]
pub struct GateSettings {
    /// Places.
    pub places: usize,
    /// Requests that may wait.
    pub queue: usize,
    /// How long a request waits at most. Two seconds are what a person forgives before an answer begins; whoever has waited so long in a
    /// queue that does not move is better told to come back.
    pub patience: Duration,
}

impl Default for GateSettings {
    fn default() -> Self {
        Self { places: 4_096, queue: 1_024, patience: Duration::from_secs(2) }
    }
}

/// Who goes first: tier, worth, and the order of arrival.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Rank {
    /// The tenant's tier; higher is better.
    pub tier: u8,
    /// What the request is expected to cost; more is better. One without a price is worth nothing.
    pub worth: Usd,
}

/// No place, and none to be expected soon.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Crowded;

/// The gate.
#[derive(Debug)]
pub struct Gate {
    settings: GateSettings,
    hall: Mutex<Hall>,
}

#[derive(Debug, Default)]
struct Hall {
    taken: usize,
    arrivals: u64,
    /// Lowest first.
    waiting: BTreeMap<(Rank, Reverse<u64>), oneshot::Sender<Place>>,
}

/// A place, free again when dropped.
#[derive(Debug)]
pub struct Place {
    gate: Arc<Gate>,
}

impl Gate {
    /// An empty one.
    #[must_use]
    pub fn new(settings: GateSettings) -> Self {
        Self { settings, hall: Mutex::default() }
    }

    /// Nothing is left half done under the lock.
    fn hall(&self) -> MutexGuard<'_, Hall> {
        self.hall.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Requests that wait.
    #[must_use]
    pub fn waiting(&self) -> usize {
        self.hall().waiting.len()
    }

    /// Takes a place, waiting for one if need be.
    ///
    /// # Errors
    /// [`Crowded`]: the queue is full of those who rank higher, somebody of higher rank took the place in it, or none became free in time.
    pub async fn enter(self: &Arc<Self>, rank: Rank) -> Result<Place, Crowded> {
        let (key, place) = match self.try_enter(rank)? {
            Entry::In(place) => return Ok(place),
            Entry::Queued(key, place) => (key, place),
        };
        let queued = Queued { gate: self, key };
        let waited = tokio::time::timeout(self.settings.patience, place).await;
        drop(queued);
        waited.map_err(|_| Crowded)?.map_err(|_| Crowded)
    }

    fn try_enter(self: &Arc<Self>, rank: Rank) -> Result<Entry, Crowded> {
        let mut hall = self.hall();
        if hall.taken < self.settings.places && hall.waiting.is_empty() {
            hall.taken += 1;
            drop(hall);
            return Ok(Entry::In(Place { gate: Arc::clone(self) }));
        }
        if hall.waiting.len() >= self.settings.queue {
            match hall.waiting.first_key_value() {
                Some(((lowest, _), _)) if *lowest < rank => drop(hall.waiting.pop_first()),
                _ => return Err(Crowded),
            }
        }
        hall.arrivals += 1;
        let key = (rank, Reverse(hall.arrivals));
        let (sender, receiver) = oneshot::channel();
        hall.waiting.insert(key, sender);
        Ok(Entry::Queued(key, receiver))
    }

    /// A place has become free: it goes to the highest in the queue who is still there. One that has gone meanwhile drops the place that it
    /// is sent, which comes back here.
    fn leave(self: &Arc<Self>) {
        let mut hall = self.hall();
        match hall.waiting.pop_last() {
            None => hall.taken = hall.taken.saturating_sub(1),
            Some((_, next)) => {
                // Outside of the lock, as the place may come back at once.
                drop(hall);
                drop(next.send(Place { gate: Arc::clone(self) }));
            }
        }
    }
}

enum Entry {
    In(Place),
    Queued((Rank, Reverse<u64>), oneshot::Receiver<Place>),
}

/// Leaves the queue when dropped.
struct Queued<'g> {
    gate: &'g Gate,
    key: (Rank, Reverse<u64>),
}

impl Drop for Queued<'_> {
    fn drop(&mut self) {
        self.gate.hall().waiting.remove(&self.key);
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.gate.leave();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rank(tier: u8, worth: u64) -> Rank {
        Rank { tier, worth: Usd::from_nanos(worth) }
    }

    fn gate(places: usize, queue: usize) -> Arc<Gate> {
        Arc::new(Gate::new(GateSettings { places, queue, patience: Duration::from_secs(60) }))
    }

    fn enter(gate: &Arc<Gate>, rank: Rank) -> tokio::task::JoinHandle<Result<Place, Crowded>> {
        let gate = Arc::clone(gate);
        tokio::spawn(async move { gate.enter(rank).await })
    }

    async fn queued(gate: &Gate, count: usize) {
        while gate.waiting() != count {
            tokio::task::yield_now().await;
        }
    }

    #[tokio::test]
    async fn the_highest_goes_first_and_the_lowest_is_shed() {
        let gate = gate(1, 2);
        let first = gate.enter(rank(1, 1)).await.unwrap();
        let (cheap, dear) = (enter(&gate, rank(1, 5)), enter(&gate, rank(1, 9)));
        queued(&gate, 2).await;
        assert_eq!(gate.enter(rank(1, 5)).await.unwrap_err(), Crowded, "of equals the first stays");
        let important = enter(&gate, rank(2, 0));
        assert_eq!(cheap.await.unwrap().unwrap_err(), Crowded, "the cheapest makes room");
        drop(first);
        let place = important.await.unwrap().unwrap();
        assert_eq!(gate.waiting(), 1);
        drop(place);
        drop(dear.await.unwrap().unwrap());
        assert_eq!((gate.waiting(), gate.hall().taken), (0, 0));
    }

    #[tokio::test]
    async fn who_gives_up_takes_no_place() {
        let gate = gate(1, 2);
        let first = gate.enter(rank(1, 1)).await.unwrap();
        let waiting = enter(&gate, rank(1, 1));
        queued(&gate, 1).await;
        waiting.abort();
        assert!(waiting.await.is_err());
        assert_eq!(gate.waiting(), 0);
        drop(first);
        assert_eq!(gate.hall().taken, 0);
        drop(gate.enter(rank(1, 1)).await.unwrap());
    }

    #[tokio::test]
    async fn patience_ends() {
        let patience = Duration::from_millis(1);
        let gate = Arc::new(Gate::new(GateSettings { places: 1, queue: 1, patience }));
        let _first = gate.enter(rank(1, 1)).await.unwrap();
        assert_eq!(gate.enter(rank(1, 1)).await.unwrap_err(), Crowded);
        assert_eq!(gate.waiting(), 0);
    }
}
