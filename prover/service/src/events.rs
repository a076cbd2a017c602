//! Who wants to know what: watchers of a job, and workers looking for work. Only hints: whoever wakes reads the
//! database.

use crate::jobs::{JobId, Phase};
use std::{
    collections::HashMap,
    sync::{Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};
use tokio::sync::{Notify, watch};

/// The hints of one server.
#[derive(Default)]
pub(crate) struct Events {
    jobs: Mutex<HashMap<JobId, Entry>>,
    work: Notify,
}

struct Entry {
    /// How often it changed in the database; it is sent at each step of a phase, too.
    changed: watch::Sender<u64>,
    phase: Option<(Phase, u8)>,
    /// When somebody looked for it in the database, as nothing was heard of it.
    looked: Instant,
}

impl Entry {
    fn new(phase: Option<(Phase, u8)>) -> Self {
        Self { changed: watch::Sender::new(0), phase, looked: Instant::now() }
    }
}

/// Wakes when its job changes.
pub(crate) struct Watcher {
    changed: watch::Receiver<u64>,
    seen: u64,
}

impl Watcher {
    /// Waits until the job may be another in the database.
    pub(crate) async fn changed(&mut self) {
        loop {
            self.stepped().await;
            let times = *self.changed.borrow();
            if times != self.seen {
                self.seen = times;
                return;
            }
        }
    }

    /// Waits for the next change or step of its phase.
    pub(crate) async fn stepped(&mut self) {
        if self.changed.changed().await.is_err() {
            // The job's entry is gone: nothing will ever come.
            std::future::pending::<()>().await;
        }
    }
}

impl Events {
    fn entries(&self) -> MutexGuard<'_, HashMap<JobId, Entry>> {
        self.jobs.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Watches a job. Subscribe first, then read the database, so that no change falls between.
    pub(crate) fn watch(&self, id: JobId) -> Watcher {
        let mut entries = self.entries();
        entries.retain(|_, entry| entry.phase.is_some() || entry.changed.receiver_count() > 0);
        let entry = entries.entry(id).or_insert_with(|| Entry::new(None));
        let changed = entry.changed.subscribe();
        let seen = *changed.borrow();
        Watcher { changed, seen }
    }

    /// Whether nobody has looked for a watched job for so long: then whoever asks does, and tells the others ([`Events::changed`]).
    pub(crate) fn may_look(&self, id: JobId, every: Duration) -> bool {
        self.entries().get_mut(&id).is_none_or(|entry| {
            let may = entry.looked.elapsed() >= every;
            if may {
                entry.looked = Instant::now();
            }
            may
        })
    }

    /// A job changed in the database.
    pub(crate) fn changed(&self, id: JobId) {
        if let Some(entry) = self.entries().get(&id) {
            entry.changed.send_modify(|times| *times += 1);
        }
    }

    /// A running job is in this phase and so many hundredths done; `None` when it runs no more.
    pub(crate) fn set_phase(&self, id: JobId, phase: Option<(Phase, u8)>) {
        let mut entries = self.entries();
        match phase {
            Some(_) => {
                let entry = entries.entry(id).or_insert_with(|| Entry::new(phase));
                entry.phase = phase;
                entry.changed.send_modify(|_| {});
            }
            None => {
                if let Some(entry) = entries.get_mut(&id) {
                    entry.phase = None;
                    entry.changed.send_modify(|times| *times += 1);
                    if entry.changed.receiver_count() == 0 {
                        entries.remove(&id);
                    }
                }
            }
        }
    }

    /// The phase of a running job, and how many hundredths are done.
    #[must_use]
    pub(crate) fn phase(&self, id: JobId) -> Option<(Phase, u8)> {
        self.entries().get(&id).and_then(|entry| entry.phase)
    }

    /// There is work.
    pub(crate) fn work_arrived(&self) {
        self.work.notify_one();
    }

    /// Waits until there may be work.
    pub(crate) async fn work(&self) {
        self.work.notified().await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_of_those_who_watch_looks_for_all() {
        let (events, id, every) = (Events::default(), JobId([1; 16]), Duration::from_millis(20));
        let watchers: Vec<Watcher> = (0..10).map(|_| events.watch(id)).collect();
        for _ in 0..2 {
            std::thread::sleep(every);
            assert_eq!(watchers.iter().filter(|_| events.may_look(id, every)).count(), 1);
        }
    }
}
