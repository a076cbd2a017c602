//! The OS thread of a lane, which reads, checks and answers questions: one piece of work at a time, and a way to see that it died.

use crate::{adjudicator::Adjudicator, process::wiping};
use std::sync::{Arc, mpsc};
use tokio::sync::{Mutex, OwnedMutexGuard, oneshot};

type Work = Box<dyn FnOnce(&dyn Adjudicator) + Send>;

/// A thread with its prover.
pub(super) struct ProverThread {
    adjudicator: Arc<dyn Adjudicator>,
    number: usize,
    queue: mpsc::Sender<Work>,
    /// Held by the work in progress.
    busy: Arc<Mutex<()>>,
    handle: Option<std::thread::JoinHandle<()>>,
}

/// The thread ended before the work did.
pub(super) enum Died {
    /// And before it had begun: the work of before is what ended it.
    Before,
    /// In the work.
    During,
}

impl ProverThread {
    pub(super) fn start(adjudicator: Arc<dyn Adjudicator>, number: usize) -> Self {
        let (queue, works) = mpsc::channel::<Work>();
        let own = adjudicator.clone();
        let body = move || {
            while let Ok(work) = works.recv() {
                wiping(|| work(own.as_ref()));
            }
        };
        // Without a thread the channel closes, and no work begins.
        let handle = std::thread::Builder::new().name(format!("lane-{number}")).spawn(body);
        let handle = handle.inspect_err(
            |error| tracing::error!(%error, number, "a lane has no thread: raise the limit of tasks"),
        );
        let handle = handle.ok();
        Self { adjudicator, number, queue, busy: Arc::new(Mutex::new(())), handle }
    }

    /// A new thread in this one's place.
    pub(super) fn replacement(&self) -> Self {
        Self::start(self.adjudicator.clone(), self.number)
    }

    pub(super) fn has_died(&self) -> bool {
        self.handle.as_ref().is_none_or(std::thread::JoinHandle::is_finished)
    }

    /// Holds the thread as if it worked, for work that is done elsewhere.
    pub(super) async fn hold(&self) -> OwnedMutexGuard<()> {
        self.busy.clone().lock_owned().await
    }

    /// Waits until no work is in progress.
    pub(super) async fn idle(&self) {
        drop(self.busy.lock().await);
    }

    /// Runs `work` on the thread. Dropping the future does not stop the work.
    pub(super) async fn run<T: Send + 'static>(
        &self,
        work: impl FnOnce(&dyn Adjudicator) -> T + Send + 'static,
    ) -> Result<T, Died> {
        let busy = self.hold().await;
        let (answer, answered) = oneshot::channel();
        let task: Work = Box::new(move |adjudicator| {
            let _busy = busy;
            // Nobody may be waiting any more.
            let _ = answer.send(work(adjudicator));
        });
        self.queue.send(task).map_err(|_| Died::Before)?;
        answered.await.map_err(|_| Died::During)
    }
}
