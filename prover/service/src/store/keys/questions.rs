//! Questions to the master key, which a service far away may have: one at a time for a tenant, a few at once in the process, and each goes on to
//! its end whoever still waits for it. Whose key is asked for, or could not be had a moment ago, has no jobs leased here meanwhile, so that
//! others get their turn.

use super::{Keyring, blocking};
use crate::{error::StoreError, jobs::Tenant};
use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};
use tokio::{
    sync::{Semaphore, oneshot, watch},
    time::timeout,
};

/// Questions at once: each has a thread and, of a service, a process.
const AT_ONCE: usize = 16;
/// How long a question waits for its turn: as long as one may take.
const TURN: Duration = Duration::from_secs(20);
/// How long jobs are left to others after a key could not be had, at least; where that took longer to be said, for as long as it took.
const LEFT_OUT: Duration = Duration::from_secs(2);
/// A failure that took longer than this is not asked for again for as long as it took; one that came sooner costs little.
const SLOW: Duration = Duration::from_secs(1);

/// How a question ended, once it has.
type Ended = Option<Result<(), Arc<StoreError>>>;

/// What is known of a tenant whose key is not simply open.
enum Asked {
    Now(watch::Receiver<Ended>),
    InVain { problem: String, at: Instant, took: Duration },
}

impl Asked {
    fn is_left_out(&self, now: Instant) -> bool {
        match self {
            Self::Now(_) => true,
            Self::InVain { at, took, .. } => now < *at + (*took).max(LEFT_OUT),
        }
    }
}

/// Whose question it is.
enum Turn {
    Own(watch::Sender<Ended>),
    Others(watch::Receiver<Ended>),
}

pub(super) struct Questions {
    of: Mutex<HashMap<Tenant, Asked>>,
    places: Arc<Semaphore>,
}

impl Default for Questions {
    fn default() -> Self {
        Self { of: Mutex::default(), places: Arc::new(Semaphore::new(AT_ONCE)) }
    }
}

impl Questions {
    fn of(&self) -> MutexGuard<'_, HashMap<Tenant, Asked>> {
        self.of.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn begin(&self, tenant: &Tenant) -> Result<Turn, StoreError> {
        let mut of = self.of();
        match of.get(tenant) {
            Some(Asked::Now(ended)) => return Ok(Turn::Others(ended.clone())),
            Some(Asked::InVain { problem, at, took }) if *took > SLOW && at.elapsed() < *took => {
                return Err(StoreError::KeyService(problem.clone()));
            }
            _ => {}
        }
        let (sender, ended) = watch::channel(None);
        of.insert(tenant.clone(), Asked::Now(ended));
        Ok(Turn::Own(sender))
    }

    fn end<T>(&self, tenant: &Tenant, took: Duration, answer: &Result<T, StoreError>) {
        let now = Instant::now();
        let mut of = self.of();
        of.retain(|_, asked| asked.is_left_out(now));
        match answer {
            Err(StoreError::KeyService(problem)) => {
                of.insert(tenant.clone(), Asked::InVain { problem: problem.clone(), at: now, took });
            }
            _ => {
                of.remove(tenant);
            }
        }
    }

    /// Whose jobs are left to other processes for now.
    pub(super) fn left_out(&self) -> Vec<Tenant> {
        let (mut of, now) = (self.of(), Instant::now());
        of.retain(|_, asked| asked.is_left_out(now));
        of.keys().cloned().collect()
    }

    /// Runs what asks, on a thread that may wait.
    async fn in_turn<T: Send + 'static>(
        &self,
        work: impl FnOnce() -> Result<T, StoreError> + Send + 'static,
    ) -> Result<T, StoreError> {
        let Ok(Ok(place)) = timeout(TURN, self.places.clone().acquire_owned()).await else {
            return Err(StoreError::KeyService("as many keys as may be are asked for already".into()));
        };
        // The thread keeps the place, however long it takes.
        blocking(move || {
            let _place = place;
            work()
        })
        .await
    }
}

fn over<E>(_: E) -> StoreError {
    StoreError::KeyService("it is still asked for".into())
}

impl Keyring {
    /// Does work for a tenant that asks the master key, on a task of its own; with some `patience`, it is waited for no longer. `None` when somebody
    /// else's question of the same tenant was waited for instead: what was asked for may be there now.
    ///
    /// # Errors
    /// What the work or the other question ended with; [`StoreError::KeyService`] when the patience is over, or when a slow question failed a
    /// moment ago.
    pub(super) async fn ask<T: Send + 'static>(
        self: &Arc<Self>,
        tenant: &Tenant,
        patience: Option<Duration>,
        work: impl FnOnce(&Self) -> Result<T, StoreError> + Send + 'static,
    ) -> Result<Option<T>, StoreError> {
        let waits = async {
            match self.questions.begin(tenant)? {
                Turn::Own(sender) => self.begin(tenant, sender, work).await.map_err(over)?.map(Some),
                Turn::Others(mut ended) => {
                    let ended = ended.wait_for(Option::is_some).await.map(|ended| ended.clone());
                    match ended {
                        Ok(Some(Err(error))) => Err(error.again()),
                        _ => Ok(None),
                    }
                }
            }
        };
        match patience {
            None => waits.await,
            Some(patience) => timeout(patience, waits).await.map_err(over)?,
        }
    }

    fn begin<T: Send + 'static>(
        self: &Arc<Self>,
        tenant: &Tenant,
        sender: watch::Sender<Ended>,
        work: impl FnOnce(&Self) -> Result<T, StoreError> + Send + 'static,
    ) -> oneshot::Receiver<Result<T, StoreError>> {
        let (keyring, tenant) = (self.clone(), tenant.clone());
        let (answer, answered) = oneshot::channel();
        tokio::spawn(async move {
            let (begun, own) = (Instant::now(), keyring.clone());
            let done = keyring.questions.in_turn(move || work(&own)).await;
            keyring.questions.end(&tenant, begun.elapsed(), &done);
            let ended = done.as_ref().map(|_| ()).map_err(|error| Arc::new(error.again()));
            sender.send_replace(Some(ended));
            // Whoever asked may have gone.
            let _ = answer.send(done);
        });
        answered
    }
}
