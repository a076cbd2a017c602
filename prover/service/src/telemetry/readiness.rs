//! Whether work sent here will be done: looked at every second, told by `/readyz`, by gRPC's health service and to systemd.

use crate::engine::Engine;
use nightingale_prover::device::failover::State;
use std::{
    future::Future,
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, Instant},
};

/// How often it is looked.
const EVERY: Duration = Duration::from_secs(1);
/// How long the database may take to answer, on a connection that no call of a tenant uses.
const PATIENCE: Duration = Duration::from_secs(2);
/// A process that has not even looked for so long is stuck.
const STUCK: Duration = Duration::from_secs(60);

/// What was seen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Readiness {
    /// It answers a read.
    pub(crate) database: bool,
    /// Every size class has its key open.
    pub(crate) keys: bool,
    /// One of the devices takes work.
    pub(crate) device: bool,
    /// No drain has begun.
    pub(crate) accepting: bool,
}

impl Readiness {
    /// Before the first look.
    const UNKNOWN: Self = Self { database: false, keys: false, device: false, accepting: true };

    /// By name.
    pub(crate) const fn checks(self) -> [(&'static str, bool); 4] {
        [
            ("accepting", self.accepting),
            ("database", self.database),
            ("device", self.device),
            ("keys", self.keys),
        ]
    }

    pub(crate) fn is_ready(self) -> bool {
        self.checks().into_iter().all(|(_, holds)| holds)
    }
}

/// The last look.
pub(crate) struct Pulse(Mutex<(Readiness, Instant)>);

impl Default for Pulse {
    fn default() -> Self {
        Self(Mutex::new((Readiness::UNKNOWN, Instant::now())))
    }
}

impl Pulse {
    fn beat(&self, seen: Readiness) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = (seen, Instant::now());
    }

    fn last(&self) -> (Readiness, Instant) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether somebody still looks. Says nothing about the database or a device: a restart would not help those.
    pub(crate) fn is_alive(&self) -> bool {
        self.last().1.elapsed() < STUCK
    }
}

impl Engine {
    /// As it was last seen; a drain is seen at once.
    pub(crate) fn readiness(&self) -> Readiness {
        Readiness { accepting: !self.is_draining(), ..self.pulse.last().0 }
    }

    async fn look(&self) -> Readiness {
        let answered = tokio::time::timeout(PATIENCE, self.store.answers()).await;
        let devices = self.adjudicator.devices();
        Readiness {
            database: matches!(answered, Ok(Ok(()))),
            keys: self.adjudicator.is_open(),
            // Who reports no device has none that could fail.
            device: devices.is_empty() || devices.iter().any(|device| device.state == State::Working),
            accepting: !self.is_draining(),
        }
    }

    /// Looks again and again; `tell` hears each look. Ends never.
    pub(crate) async fn keep_watch<Told>(self: Arc<Self>, tell: impl Fn(Readiness) -> Told)
    where
        Told: Future<Output = ()>,
    {
        let mut before = None;
        loop {
            let seen = self.look().await;
            self.pulse.beat(seen);
            if before.is_some_and(|before| before != seen) {
                let Readiness { database, keys, device, accepting } = seen;
                tracing::info!(ready = seen.is_ready(), database, keys, device, accepting, "readiness");
            }
            before = Some(seen);
            tell(seen).await;
            tokio::time::sleep(EVERY).await;
        }
    }
}
