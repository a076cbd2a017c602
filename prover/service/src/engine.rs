//! What the gRPC side and the workers share: the database, the prover, the hints, the counters and the drain.

use crate::{
    adjudicator::Adjudicator,
    config::Config,
    events::Events,
    jobs::{Instant, JobId, Tenant},
    store::{Store, lifecycle::Swept},
    telemetry::metrics::Metrics,
};
use nightingale_circuits::{
    claim::{Id, NoteLeaf},
    merkle::Register,
};
use std::{
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};
use tokio::sync::watch;

/// How often leases and deadlines are looked through.
const SWEEP: Duration = Duration::from_millis(500);
/// How often old jobs are purged.
const PURGE: Duration = Duration::from_secs(3600);

/// A payer's account register, built.
#[derive(Clone)]
pub(crate) struct BuiltAccounts {
    pub(crate) tenant: Tenant,
    pub(crate) payer: Id,
    pub(crate) revision: u64,
    pub(crate) register: Arc<Register<NoteLeaf>>,
}

/// The parts of one server.
pub(crate) struct Engine {
    pub(crate) config: Config,
    pub(crate) store: Store,
    pub(crate) adjudicator: Arc<dyn Adjudicator>,
    pub(crate) events: Events,
    pub(crate) metrics: Metrics,
    /// The account register that was used last: building one costs a hash per note.
    pub(crate) accounts: Mutex<Option<BuiltAccounts>>,
    draining: watch::Sender<bool>,
}

impl Engine {
    pub(crate) fn new(
        config: Config,
        store: Store,
        adjudicator: Arc<dyn Adjudicator>,
        metrics: Metrics,
    ) -> Self {
        Self {
            config,
            store,
            adjudicator,
            events: Events::default(),
            metrics,
            accounts: Mutex::new(None),
            draining: watch::Sender::new(false),
        }
    }

    /// No new work from now on.
    pub(crate) fn drain(&self) {
        self.draining.send_replace(true);
    }

    pub(crate) fn is_draining(&self) -> bool {
        *self.draining.borrow()
    }

    /// Waits for the drain to begin.
    pub(crate) async fn drained(&self) {
        let mut draining = self.draining.subscribe();
        // The sender lives as long as the engine: an error cannot come first.
        let _ = draining.wait_for(|draining| *draining).await;
    }

    /// The built register of this revision, when it is the one used last.
    pub(crate) fn built_accounts(
        &self,
        tenant: &Tenant,
        payer: Id,
        revision: u64,
    ) -> Option<Arc<Register<NoteLeaf>>> {
        let held = self.accounts.lock().unwrap_or_else(PoisonError::into_inner);
        let same = |b: &&BuiltAccounts| (&b.tenant, b.payer, b.revision) == (tenant, payer, revision);
        held.as_ref().filter(same).map(|b| b.register.clone())
    }

    pub(crate) fn keep_accounts(&self, built: BuiltAccounts) {
        *self.accounts.lock().unwrap_or_else(PoisonError::into_inner) = Some(built);
    }

    /// Tells watchers and counters what the passing of time did.
    pub(crate) fn note_swept(&self, swept: &Swept) {
        for id in &swept.late {
            self.ended(*id, "DEADLINE_PASSED");
        }
        for id in &swept.exhausted {
            self.metrics.leases_lost.inc();
            self.ended(*id, "ATTEMPTS_EXHAUSTED");
        }
        for id in &swept.requeued {
            self.metrics.leases_lost.inc();
            tracing::warn!(job = %id, "lease lost, queued again");
            self.events.changed(*id);
            self.events.work_arrived();
        }
    }

    /// A job ended with this outcome: a fixed code, never data.
    pub(crate) fn ended(&self, id: JobId, outcome: &'static str) {
        tracing::info!(job = %id, outcome, "job ended");
        self.metrics.ended.with_label_values(&[outcome]).inc();
        self.events.set_phase(id, None);
        self.events.changed(id);
        // An account may be free for the next claim now.
        self.events.work_arrived();
    }

    /// Looks through leases and deadlines, and purges, until the drain begins.
    pub(crate) async fn housekeeping(self: Arc<Self>) {
        let mut next_purge = Instant::now();
        loop {
            tokio::select! {
                () = tokio::time::sleep(SWEEP) => {}
                () = self.drained() => return,
            }
            let now = Instant::now();
            match self.store.sweep(self.config.max_losses, now).await {
                Ok(swept) => self.note_swept(&swept),
                Err(error) => tracing::warn!(%error, "looking through leases failed"),
            }
            if now >= next_purge {
                next_purge = now.plus(PURGE);
                match self.store.purge(now.minus(self.config.keep_ended)).await {
                    Ok(0) => {}
                    Ok(jobs) => tracing::info!(jobs, "purged"),
                    Err(error) => tracing::warn!(%error, "purging failed"),
                }
            }
        }
    }
}
