//! What the gRPC side and the workers share: the database, the prover, the hints, the counters and the drain.

use crate::{
    adjudicator::Adjudicator,
    config::Config,
    error::CohortError,
    events::Events,
    jobs::{Instant, JobId, Tenant},
    store::{Store, lifecycle::Swept},
    telemetry::metrics::Metrics,
};
use nightingale_circuits::{
    claim::{Id, NoteLeaf},
    merkle::Register,
};
use nightingale_prover::cohort::CohortKeyStore;
use std::{
    path::{Path, PathBuf},
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

/// The cohort circuits' setup and keys, opened when the first question is proven.
pub(crate) struct CohortKeys {
    folder: PathBuf,
    store: Mutex<Option<Arc<CohortKeyStore>>>,
}

impl CohortKeys {
    /// Opens them. Blocks, and computes nothing yet.
    pub(crate) fn open(&self) -> Result<Arc<CohortKeyStore>, CohortError> {
        let mut held = self.store.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(store) = held.as_ref() {
            return Ok(store.clone());
        }
        let store = Arc::new(CohortKeyStore::development(&self.folder)?);
        *held = Some(store.clone());
        Ok(store)
    }
}

/// The parts of one server.
pub(crate) struct Engine {
    pub(crate) config: Config,
    pub(crate) store: Store,
    pub(crate) adjudicator: Arc<dyn Adjudicator>,
    pub(crate) cohort_keys: Arc<CohortKeys>,
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
        let cohort_keys = CohortKeys { folder: config.keys_dir.join("cohort"), store: Mutex::new(None) };
        Self {
            config,
            store,
            adjudicator,
            cohort_keys: Arc::new(cohort_keys),
            events: Events::default(),
            metrics,
            accounts: Mutex::new(None),
            draining: watch::Sender::new(false),
        }
    }

    /// Where a tenant's dataset is.
    pub(crate) fn dataset_folder(&self, tenant: &Tenant, path: &str) -> PathBuf {
        self.config.data_dir.join("datasets").join(Path::new(tenant.as_str())).join(path)
    }

    /// Counts a request that was not accepted.
    pub(crate) fn reject(&self, status: &tonic::Status) {
        let reason = crate::server::status::reason(status);
        self.metrics.rejected.with_label_values(&[reason.as_str()]).inc();
        tracing::info!(reason, "not accepted");
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
