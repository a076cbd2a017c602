//! The sponsor's side: an invented trial is registered and signed, and its registration is verified as a third party would.

use super::{At, DemoError};
use crate::cohort::{Registration, RegulatorSecret, Sponsor, plan::invent, register};
use nightingale_circuits::claim::Address;
use nightingale_prover::cohort::CohortKeyStore;
use nightingale_verifier::cohort::{CohortKeys, Dataset, verify_registration, verify_sponsor};
use std::{
    fs,
    ops::ControlFlow,
    path::{Path, PathBuf},
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::{Duration, Instant},
};
use tokio::task::{JoinHandle, spawn_blocking};

/// In whose name the service keeps the trial.
pub(super) const TENANT: &str = "demo-sponsor";
/// Subjects of the trial.
pub(super) const SUBJECTS: usize = 1000;

/// A registered trial, as the sponsor and the regulator hold it.
pub(super) struct Registered {
    pub(super) dataset: Dataset,
    /// Who signed it.
    pub(super) sponsor: Address,
    /// The folder's name among the service's datasets.
    pub(super) folder: String,
    pub(super) regulator: RegulatorSecret,
    /// What everybody verifies under.
    pub(super) keys: CohortKeys,
    /// How long registering it took.
    pub(super) took: Duration,
}

/// A registration that runs beside something else, since no proof keeps all cores busy alone. Dropping it stops it at its next step.
pub(super) struct Registering {
    task: JoinHandle<Result<Registered, DemoError>>,
    stop: Arc<AtomicBool>,
}

impl Registering {
    /// Begins. `service` is the folder in which the service keeps its data.
    pub(super) fn begin(dir: PathBuf, service: PathBuf, seed: u64, sponsor: Sponsor) -> Self {
        let stop = Arc::new(AtomicBool::new(false));
        let stopped = stop.clone();
        let task = spawn_blocking(move || commit(&dir, &service, seed, sponsor, &stopped));
        Self { task, stop }
    }

    /// Waits for it.
    pub(super) async fn end(mut self) -> Result<Registered, DemoError> {
        (&mut self.task).await.at("registering the trial")?
    }
}

impl Drop for Registering {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
    }
}

/// Invents a trial and registers it where the service keeps datasets. Computes for seconds.
fn commit(
    dir: &Path,
    service: &Path,
    seed: u64,
    sponsor: Sponsor,
    stop: &AtomicBool,
) -> Result<Registered, DemoError> {
    let trial = dir.join("trial");
    fs::create_dir_all(&trial).at("making the folder")?;
    let invented = invent(seed, SUBJECTS, &trial.join("trial.csv")).at("inventing a trial")?;
    let regulator = RegulatorSecret::random();
    // A name of its own: a registration is never overwritten.
    let folder = format!("trial-{:08x}", rand::random::<u32>());
    let start = Instant::now();
    let address = sponsor.address();
    let registration = Registration {
        files: vec![invented.files.subjects, invented.files.events],
        schema: invented.files.schema,
        key_column: None,
        regulator: Some(regulator.public()),
        sponsor: Some(sponsor),
        accept_differences: false,
        out: service.join("datasets").join(TENANT).join(&folder),
    };
    if let Some(parent) = registration.out.parent() {
        fs::create_dir_all(parent).at("making the folder")?;
    }
    let store = CohortKeyStore::development(dir.join("keys/cohort")).at("making the setup")?;
    let registered = register(&registration, &store, &mut |_| {
        if stop.load(Ordering::Relaxed) { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
    })
    .at("registering the trial")?;
    let dataset = registered.folder.public().clone();
    let public = trial.join("public");
    fs::create_dir_all(&public).at("making the folder")?;
    fs::write(public.join("dataset.json"), dataset.to_json()).at("writing the registration")?;
    let keys = CohortKeys::development();
    verify_registration(&dataset, &keys, false).at("verifying the registration")?;
    verify_sponsor(&dataset, Some(address)).at("verifying the registration")?;
    Ok(Registered { dataset, sponsor: address, folder, regulator, keys, took: start.elapsed() })
}
