//! What the gRPC side and the workers share: the database, the prover, the hints, the counters and the drain.

use crate::{
    adjudicator::Adjudicator,
    artefacts::{Artefacts, folder::FolderArtefacts},
    audit::{Draft, Event, release::Releases, repeats::Repeats},
    clock::Watch,
    cohort::{Archive, archive::Importer},
    config::Config,
    error::{CohortError, ServiceError, StoreError},
    events::Events,
    identity::Caller,
    jobs::{Instant, JobId, Phase, Tenant},
    production,
    store::{
        Store,
        lifecycle::{LeaseWatch, Swept},
        queue::{Lease, Share},
        retention::Purged,
    },
    supervisor::Supervisor,
    telemetry::{metrics::Metrics, readiness::Pulse},
    turns::{Turn, Turns},
    worker::batcher::Batcher,
};
use nightingale_circuits::{
    claim::{Id, NoteLeaf},
    cohort::Keccak,
    merkle::Register,
};
use nightingale_prover::{
    cohort::{Backend, CohortKeyStore},
    device::DeviceError,
};
use nightingale_trace::Tracer;
use std::{
    path::{Path, PathBuf},
    sync::{Arc, Mutex, OnceLock, PoisonError},
    time::{Duration, Instant as Moment},
};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, watch};

/// How often leases and deadlines are looked through, at least; more often where leases are short.
const SWEEP: Duration = Duration::from_millis(500);
/// How often old jobs are purged.
const PURGE: Duration = Duration::from_secs(3600);

/// Requests of one tenant that are on their way into the queue at once. More wait for a moment.
const ACCEPTING: usize = 128;
/// Requests that are read at once, of all tenants and of one: nobody has all places.
const READING: usize = 128;
const READING_OF_TENANT: usize = 32;
/// How long; then they are refused.
const MOMENT: Duration = Duration::from_secs(1);

/// A payer's account register, built.
#[derive(Clone)]
pub(crate) struct BuiltAccounts {
    pub(crate) tenant: Tenant,
    pub(crate) payer: Id,
    pub(crate) revision: u64,
    pub(crate) register: Arc<Register<NoteLeaf>>,
}

/// A request's place among those that are read, until it is dropped. Whoever has one waits for nothing else: no key, and no turn to write.
pub(crate) struct Reading {
    _place: OwnedSemaphorePermit,
    _of_tenant: Turn,
}

/// The cohort circuits' setup and keys, opened when the first question is proven.
pub(crate) struct CohortKeys {
    folder: PathBuf,
    /// Whether to do without development keys.
    production: bool,
    backend: Arc<dyn Backend>,
    store: Mutex<Option<Arc<CohortKeyStore>>>,
}

impl CohortKeys {
    /// Opens them. Blocks, and computes nothing yet.
    pub(crate) fn open(&self) -> Result<Arc<CohortKeyStore>, CohortError> {
        let mut held = self.store.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(store) = held.as_ref() {
            return Ok(store.clone());
        }
        let store = match self.production {
            true => CohortKeyStore::production(&self.folder)?,
            false => CohortKeyStore::open(&self.folder)?,
        };
        let store = Arc::new(store.with_backend(self.backend.clone()));
        *held = Some(store.clone());
        Ok(store)
    }
}

/// The parts of one server.
pub(crate) struct Engine {
    pub(crate) config: Config,
    pub(crate) store: Store,
    /// Where files of datasets are.
    pub(crate) artefacts: Arc<dyn Artefacts>,
    /// Which jobs its lanes take, if any.
    pub(crate) share: Option<Share>,
    pub(crate) adjudicator: Arc<dyn Adjudicator>,
    /// Where ready claims wait for a prover thread.
    pub(crate) batcher: Batcher,
    pub(crate) cohort_keys: Arc<CohortKeys>,
    pub(crate) events: Events,
    pub(crate) metrics: Metrics,
    pub(crate) tracer: Tracer,
    pub(crate) pulse: Pulse,
    pub(crate) supervisor: Supervisor,
    /// The account register that was used last: building one costs a hash per note.
    pub(crate) accounts: Mutex<Option<BuiltAccounts>>,
    /// What is being put on record before it leaves.
    pub(crate) releases: Releases,
    /// What is counted for the audit log.
    pub(crate) repeats: Repeats,
    /// A place for each request of a tenant that may be on its way into the queue.
    accepting: Turns,
    /// For each of a tenant that may be read, and for each of all.
    reading_of: Turns,
    reading: Arc<Semaphore>,
    draining: watch::Sender<bool>,
    /// The first error of a device that must not be given more work.
    failed: OnceLock<DeviceError>,
    /// The database was brought up to date by another release.
    superseded: OnceLock<()>,
}

impl Engine {
    pub(crate) fn new(
        config: Config,
        store: Store,
        share: Option<Share>,
        adjudicator: Arc<dyn Adjudicator>,
        backend: Arc<dyn Backend>,
        metrics: Metrics,
        tracer: Tracer,
    ) -> Result<Self, ServiceError> {
        let artefacts = Arc::new(FolderArtefacts::open(&config.secrets.artefacts_dir)?);
        let (folder, production) = (production::cohort_keys(&config), config.production);
        let cohort_keys = CohortKeys { folder, production, backend, store: Mutex::new(None) };
        let batcher = Batcher::start(&adjudicator, config.workers, config.batch_delay, &metrics.batch_claims);
        let batcher = batcher.map_err(|error| ServiceError::Threads(error.to_string()))?;
        Ok(Self {
            batcher,
            config,
            store,
            artefacts,
            share,
            adjudicator,
            cohort_keys: Arc::new(cohort_keys),
            events: Events::default(),
            metrics,
            tracer,
            pulse: Pulse::default(),
            supervisor: Supervisor::of_environment(),
            accounts: Mutex::new(None),
            releases: Releases::default(),
            repeats: Repeats::default(),
            accepting: Turns::of(ACCEPTING),
            reading_of: Turns::of(READING_OF_TENANT),
            reading: Arc::new(Semaphore::new(READING)),
            draining: watch::Sender::new(false),
            failed: OnceLock::new(),
            superseded: OnceLock::new(),
        })
    }

    /// A device that must not be given more work ends this process's work.
    pub(crate) fn device_failed(&self, error: DeviceError) {
        tracing::error!(%error, "no more work for this device");
        // The first says why.
        let _ = self.failed.set(error);
        self.drain();
    }

    /// Why this process must end although nobody told it to, if so.
    pub(crate) fn trouble(&self) -> Result<(), ServiceError> {
        if let Some(error) = self.failed.get() {
            return Err(error.clone().into());
        }
        let problem = "the database was brought up to date by another release; start that one here too";
        match self.superseded.get() {
            Some(()) => {
                Err(ServiceError::Path { path: self.config.data_dir.clone(), problem: problem.into() })
            }
            None => Ok(()),
        }
    }

    /// What each lane takes: one for each job that may be in hand, each prover thread's batch. There are more lanes than workers
    /// so that batches fill, and only so many answer questions as there are workers.
    pub(crate) fn lanes(&self) -> Vec<Share> {
        let workers = self.config.workers;
        let lanes = workers * self.adjudicator.batching().most.max(1);
        match self.share {
            None => Vec::new(),
            Some(Share::Cohorts) => vec![Share::Cohorts; workers],
            Some(Share::Claims) => vec![Share::Claims; lanes],
            Some(Share::Everything) => (0..lanes)
                .map(|lane| if lane < workers { Share::Everything } else { Share::Claims })
                .collect(),
        }
    }

    /// A tenant's dataset in the artefact store.
    pub(crate) async fn archive(
        &self,
        tenant: &Tenant,
        dataset: &Keccak,
    ) -> Result<Option<Archive>, StoreError> {
        Archive::find(&self.store, &self.artefacts, tenant, dataset).await
    }

    /// What takes datasets in.
    pub(crate) fn importer(&self) -> Importer<'_> {
        Importer::of(&self.store, &self.artefacts, &self.config)
    }

    /// A caller's tenant, where something may still be done for it.
    pub(crate) async fn tenant(&self, caller: &Caller, named: &str) -> Result<Tenant, tonic::Status> {
        let tenant = caller.tenant(named)?;
        self.store.refuse_erased(&tenant).await?;
        Ok(tenant)
    }

    /// Takes in the datasets that an earlier release registered by their folders alone.
    pub(crate) async fn import_earlier(&self) -> Result<(), StoreError> {
        for (tenant, dataset, path) in self.store.datasets_without_files().await? {
            let folder = self.dataset_folder(&tenant, &path);
            let dataset = hex::encode(dataset);
            match self
                .importer()
                .import(&tenant, &folder, &path, Draft::by_service(Event::Registered), Instant::now())
                .await
            {
                Ok(_) => tracing::info!(
                    tenant = tenant.as_str(),
                    dataset,
                    "a dataset of an earlier release was imported"
                ),
                Err(error) => tracing::error!(
                    tenant = tenant.as_str(), dataset, %error,
                    "a dataset of an earlier release was not imported; its questions fail until it is registered again"
                ),
            }
        }
        Ok(())
    }

    /// Where a tenant's dataset lies before it is imported.
    pub(crate) fn dataset_folder(&self, tenant: &Tenant, path: &str) -> PathBuf {
        self.config.data_dir.join("datasets").join(Path::new(tenant.as_str())).join(path)
    }

    /// Counts a request that was not accepted.
    pub(crate) fn reject(&self, status: &tonic::Status) {
        let reason = crate::server::status::reason(status);
        self.metrics.rejected.with_label_values(&[reason.as_str()]).inc();
        tracing::info!(reason, "not accepted");
    }

    /// A place on a tenant's way into the queue; `None` when so many are on it that more would only be late, and take memory.
    /// With it, whatever it waits for, it is in nobody else's way.
    pub(crate) async fn place(&self, tenant: &Tenant) -> Option<Turn> {
        tokio::time::timeout(MOMENT, self.accepting.turn(tenant.as_str())).await.ok()
    }

    /// A place among the requests that are read; `None` when so many of all tenants are read that more would only be late.
    pub(crate) async fn reading(&self, tenant: &Tenant) -> Option<Reading> {
        // First the tenant's own: those that wait for a busy tenant are in nobody else's way, and no more than are on their way.
        let of_tenant = self.reading_of.turn(tenant.as_str()).await;
        let place = tokio::time::timeout(MOMENT, self.reading.clone().acquire_owned()).await.ok()?;
        // The semaphore is never closed.
        Some(Reading { _place: place.ok()?, _of_tenant: of_tenant })
    }

    /// No new work from now on.
    pub(crate) fn drain(&self) {
        self.supervisor.stops();
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

    /// A leased job is in this phase, and so many hundredths are done.
    pub(crate) fn enter(&self, lease: &Lease, phase: Phase, percent: u8) {
        lease.course.enter(&self.tracer, &self.metrics, phase);
        self.events.set_phase(lease.id, Some((phase, percent)));
    }

    /// A lease ended its job with this outcome: a fixed code, never data.
    pub(crate) fn settled(&self, lease: &Lease, outcome: &'static str) {
        lease.course.note(outcome);
        self.ended(lease.id, outcome);
    }

    /// Looks through leases and deadlines until the drain begins, and purges where asked. Every process does it, on whatever
    /// machine: jobs of a worker that died are taken over as long as anybody is left.
    pub(crate) async fn housekeeping(self: Arc<Self>, purges: bool) {
        let purging = async {
            if purges {
                self.keep_purging().await;
            }
        };
        // Side by side: however much there is to purge, leases are looked through.
        tokio::join!(self.keep_looking_around(), purging);
    }

    async fn keep_looking_around(&self) {
        let (mut leases, mut clock) = (LeaseWatch::default(), Watch::default());
        while self.rested().await {
            if let Err(error) = self.look_around(&mut leases).await {
                tracing::warn!(%error, "looking through leases failed");
            }
            if let Some(by) = clock.jumped() {
                tracing::error!(
                    milliseconds = by,
                    "the clock was set; deadlines go by it, and nothing is purged for a day"
                );
            }
        }
    }

    async fn keep_purging(&self) {
        let (mut clock, mut jumped, mut next_purge) = (Watch::default(), false, None);
        while self.rested().await {
            jumped |= clock.jumped().is_some();
            if jumped || next_purge.is_none() {
                match self.store.doubt_clock(jumped, Instant::now()).await {
                    Ok(doubt) => {
                        if !jumped && !doubt.is_zero() {
                            tracing::warn!(
                                seconds = doubt.as_secs(),
                                "nothing is purged for so long: the clock is more than a day ahead of the last purge, or was, or another retention was configured"
                            );
                        }
                        (jumped, next_purge) = (false, Some(Moment::now() + doubt));
                    }
                    Err(error) => {
                        tracing::warn!(%error, "whether the clock is right is looked at again");
                        next_purge = None;
                    }
                }
            }
            if next_purge.is_none_or(|next| Moment::now() < next) {
                continue;
            }
            next_purge = Some(Moment::now() + PURGE);
            let (retention, artefacts) = (&self.config.retention, self.artefacts.clone());
            match self.store.purge(retention, artefacts, Instant::now(), || !self.is_draining()).await {
                Ok(purged) if purged == Purged::default() => {}
                Ok(Purged { jobs, results, datasets, artefacts }) => {
                    tracing::info!(jobs, results, datasets, artefacts, "purged");
                }
                Err(error) => tracing::warn!(%error, "purging failed"),
            }
            if let Err(error) = self.store.note_purge(Instant::now()).await {
                tracing::warn!(%error, "when it was purged was not noted");
            }
        }
    }

    /// Waits until it is time to look again; `false` when the drain begins.
    async fn rested(&self) -> bool {
        tokio::select! {
            () = tokio::time::sleep(SWEEP.min(self.config.lease / 4)) => true,
            () = self.drained() => false,
        }
    }

    async fn look_around(&self, leases: &mut LeaseWatch) -> Result<(), StoreError> {
        self.store.follow_clock().await?;
        if !self.store.is_of_this_release().await? {
            tracing::error!("the database was brought up to date by another release");
            // Once is enough.
            let _ = self.superseded.set(());
            self.drain();
            return Ok(());
        }
        let swept = self.store.sweep(leases, Moment::now, self.config.max_losses, Instant::now()).await?;
        self.note_swept(&swept);
        for (tenant, error) in &swept.put_off {
            tracing::warn!(%error, tenant = tenant.as_str(), "looking through a tenant's leases and deadlines was put off");
        }
        Ok(())
    }
}
