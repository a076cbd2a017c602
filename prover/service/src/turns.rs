//! Turns by name: of those who ask under one name, one goes at a time, or a few, in the order in which they asked. Names do not wait for each other.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// The queue of a name, and how many have a place in it.
type Named = (Arc<Semaphore>, usize);

/// Where turns are taken. It holds the names of those who have a turn or wait for one, and no others. Cheap to clone.
#[derive(Clone)]
pub(crate) struct Turns {
    queues: Arc<Mutex<HashMap<String, Named>>>,
    /// How many of a name go at a time.
    at_once: usize,
}

/// A turn, until it is dropped.
pub(crate) struct Turn {
    // Dropped first: whoever leaves last leaves a queue that nobody holds. `None` cannot be: no queue is closed.
    _held: Option<OwnedSemaphorePermit>,
    _place: Place,
}

impl Default for Turns {
    /// One at a time.
    fn default() -> Self {
        Self::of(1)
    }
}

/// A place in the queue of a name, with a turn or before it.
struct Place {
    turns: Turns,
    name: String,
}

impl Turns {
    /// So many at a time.
    pub(crate) fn of(at_once: usize) -> Self {
        Self { queues: Arc::default(), at_once }
    }

    fn queues(&self) -> MutexGuard<'_, HashMap<String, Named>> {
        self.queues.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn enter(&self, name: &str) -> (Place, Arc<Semaphore>) {
        let mut queues = self.queues();
        let new = || (Arc::new(Semaphore::new(self.at_once)), 0);
        let (queue, places) = queues.entry(name.to_owned()).or_insert_with(new);
        *places += 1;
        (Place { turns: self.clone(), name: name.to_owned() }, queue.clone())
    }

    /// Waits for a turn under this name. Dropped meanwhile, the place in the queue is given up.
    pub(crate) async fn turn(&self, name: &str) -> Turn {
        let (place, queue) = self.enter(name);
        Turn { _held: queue.acquire_owned().await.ok(), _place: place }
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut queues = self.turns.queues();
        if let Some((_, places)) = queues.get_mut(&self.name) {
            *places -= 1;
            if *places == 0 {
                queues.remove(&self.name);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    /// Long enough for whoever need not wait.
    const MOMENT: Duration = Duration::from_millis(50);

    #[tokio::test]
    async fn one_goes_at_a_time_and_other_names_do_not_wait() {
        let turns = Turns::default();
        let first = turns.turn("north").await;
        assert!(tokio::time::timeout(MOMENT, turns.turn("north")).await.is_err(), "two at once");
        assert!(tokio::time::timeout(MOMENT, turns.turn("south")).await.is_ok(), "held up by another name");
        let second = tokio::spawn({
            let turns = turns.clone();
            async move { turns.turn("north").await }
        });
        drop(first);
        assert!(
            tokio::time::timeout(Duration::from_secs(10), second).await.is_ok(),
            "its turn does not come"
        );
    }

    #[tokio::test]
    async fn so_many_go_at_a_time_as_are_told() {
        let turns = Turns::of(2);
        let held = (turns.turn("north").await, turns.turn("north").await);
        assert!(tokio::time::timeout(MOMENT, turns.turn("north")).await.is_err(), "three at once");
        drop(held.1);
        assert!(tokio::time::timeout(MOMENT, turns.turn("north")).await.is_ok(), "held up without a reason");
    }

    #[tokio::test]
    async fn names_that_nobody_waits_for_are_forgotten() {
        let turns = Turns::default();
        let held = turns.turn("north").await;
        assert!(tokio::time::timeout(MOMENT, turns.turn("north")).await.is_err());
        assert_eq!(turns.queues().len(), 1, "who has the turn is still there");
        drop(held);
        drop(turns.turn("south").await);
        assert!(turns.queues().is_empty());
    }
}
