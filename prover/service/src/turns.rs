//! Turns by name: of those who ask under one name, one goes at a time, in the order in which they asked. Names do not wait for each other.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};
use tokio::sync::{Mutex as Queue, OwnedMutexGuard};

/// The queue of a name, and how many have a place in it.
type Named = (Arc<Queue<()>>, usize);

/// Where turns are taken. It holds the names of those who have a turn or wait for one, and no others. Cheap to clone.
#[derive(Clone, Default)]
pub(crate) struct Turns(Arc<Mutex<HashMap<String, Named>>>);

/// A turn, until it is dropped.
pub(crate) struct Turn {
    // Dropped first: whoever leaves last leaves a queue that nobody holds.
    _held: OwnedMutexGuard<()>,
    _place: Place,
}

/// A place in the queue of a name, with a turn or before it.
struct Place {
    turns: Turns,
    name: String,
}

impl Turns {
    fn queues(&self) -> MutexGuard<'_, HashMap<String, Named>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn enter(&self, name: &str) -> (Place, Arc<Queue<()>>) {
        let mut queues = self.queues();
        let (queue, places) = queues.entry(name.to_owned()).or_default();
        *places += 1;
        (Place { turns: self.clone(), name: name.to_owned() }, queue.clone())
    }

    /// Waits for a turn under this name. Dropped meanwhile, the place in the queue is given up.
    pub(crate) async fn turn(&self, name: &str) -> Turn {
        let (place, queue) = self.enter(name);
        Turn { _held: queue.lock_owned().await, _place: place }
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
