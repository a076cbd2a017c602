//! Proving keys of the cohort circuits: made from the circuit and the setup, kept in memory, checked against the verifying
//! keys that verifiers have.

use super::{Progress, Srs, Step, tell};
use crate::ProveError;
use halo2_proofs::{
    halo2curves::bn256::{Fr, G1Affine},
    plonk::{self, Circuit, keygen_pk, keygen_vk},
};
use nightingale_circuits::cohort::{
    Size,
    circuit::QueryCircuit,
    registration::{RegistrationCircuit, Shape},
};
use nightingale_verifier::cohort::{CircuitName, CohortKey, CohortKeys};
use std::{
    collections::BTreeMap,
    path::PathBuf,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

/// Field multiplication is built in assembly for x86-64 (`Cargo.toml`), which a processor without these instructions cannot run.
fn check_processor() -> Result<(), ProveError> {
    #[cfg(target_arch = "x86_64")]
    if !(std::arch::is_x86_feature_detected!("bmi2") && std::arch::is_x86_feature_detected!("adx")) {
        return Err(ProveError::Processor);
    }
    Ok(())
}

/// The key of one circuit and size.
pub struct CohortProvingKey {
    srs: Arc<Srs>,
    proving: plonk::ProvingKey<G1Affine>,
    verifying: CohortKey,
}

impl CohortProvingKey {
    /// Makes the key of a circuit, given blank.
    ///
    /// # Errors
    /// A circuit that does not fit the setup, or that verifiers refuse.
    pub fn generate<C: Circuit<Fr>>(
        circuit: CircuitName,
        blank: &C,
        srs: Arc<Srs>,
    ) -> Result<Self, ProveError> {
        let bug = |error: plonk::Error| ProveError::Bug(format!("no key for {circuit}: {error}"));
        let verifying = keygen_vk(srs.params(), blank).map_err(bug)?;
        let proving = keygen_pk(srs.params(), verifying, blank).map_err(bug)?;
        let fixed = proving.get_vk().fixed_commitments().clone();
        let (k, kind) = (srs.layout().k, srs.kind());
        let verifying = CohortKey::new::<C>(circuit, kind, k, srs.points().clone(), fixed, blank.params())
            .map_err(ProveError::UnsafeKey)?;
        if verifying.halo2().transcript_repr() != proving.get_vk().transcript_repr() {
            return Err(ProveError::Bug(format!("the verifier's key of {circuit} is not the prover's")));
        }
        Ok(Self { srs, proving, verifying })
    }

    /// Makes the key of a circuit by name.
    ///
    /// # Errors
    /// As [`CohortProvingKey::generate`].
    pub fn of_circuit(circuit: CircuitName, srs: Arc<Srs>) -> Result<Self, ProveError> {
        let layout = srs.layout();
        match circuit {
            CircuitName::Query(class) => Self::generate(circuit, &QueryCircuit::blank(class, layout), srs),
            CircuitName::Registration(part) => {
                Self::generate(circuit, &RegistrationCircuit::blank(Shape { layout, part }), srs)
            }
        }
    }

    /// The setup.
    #[must_use]
    pub fn srs(&self) -> &Srs {
        &self.srs
    }

    /// halo2's proving key.
    #[must_use]
    pub const fn proving(&self) -> &plonk::ProvingKey<G1Affine> {
        &self.proving
    }

    /// What its proofs verify under.
    #[must_use]
    pub const fn verifying(&self) -> &CohortKey {
        &self.verifying
    }
}

/// Setups and proving keys, each made or loaded at its first use. May be shared between threads.
pub struct CohortKeyStore {
    directory: PathBuf,
    published: CohortKeys,
    setups: Mutex<BTreeMap<Size, Arc<Srs>>>,
    keys: Mutex<BTreeMap<(CircuitName, Size), Arc<CohortProvingKey>>>,
}

impl CohortKeyStore {
    /// Development keys; setups are kept in `directory`. **Anybody can forge proofs under them.**
    ///
    /// # Errors
    /// A directory that cannot be made; a processor that cannot prove.
    pub fn development(directory: impl Into<PathBuf>) -> Result<Self, ProveError> {
        check_processor()?;
        Self::with_published(directory, CohortKeys::development())
    }

    /// Development keys that must be those of `published`; setups are kept in `directory`.
    ///
    /// # Errors
    /// A directory that cannot be made.
    pub fn with_published(directory: impl Into<PathBuf>, published: CohortKeys) -> Result<Self, ProveError> {
        let directory = directory.into();
        super::files::make_directory(&directory, super::files::Readers::Everybody)?;
        Ok(Self { directory, published, setups: Mutex::default(), keys: Mutex::default() })
    }

    /// The setup of a size.
    ///
    /// # Errors
    /// A file that cannot be read or written, or is damaged.
    pub fn setup(&self, size: Size, progress: Progress<'_>) -> Result<Arc<Srs>, ProveError> {
        let mut setups = lock(&self.setups);
        if let Some(srs) = setups.get(&size) {
            return Ok(Arc::clone(srs));
        }
        tell(progress, Step::Setup(size))?;
        let srs = Arc::new(Srs::cached(&self.directory, size.layout())?);
        setups.insert(size, Arc::clone(&srs));
        Ok(srs)
    }

    /// The proving key of a circuit, which is that of the verifying key that verifiers have.
    ///
    /// # Errors
    /// As [`CohortKeyStore::setup`]; a verifying key in this program that is out of date.
    pub fn key(
        &self,
        circuit: CircuitName,
        size: Size,
        progress: Progress<'_>,
    ) -> Result<Arc<CohortProvingKey>, ProveError> {
        let srs = self.setup(size, progress)?;
        let mut keys = lock(&self.keys);
        if let Some(key) = keys.get(&(circuit, size)) {
            return Ok(Arc::clone(key));
        }
        tell(progress, Step::Key(circuit, size))?;
        let key = CohortProvingKey::of_circuit(circuit, srs)?;
        let published = self.published.key(circuit, size).map_err(ProveError::UnsafeKey)?;
        if published.digest() != key.verifying.digest() {
            return Err(ProveError::Bug(format!(
                "the verifying key of {circuit} for k {} is out of date",
                size.k()
            )));
        }
        let key = Arc::new(key);
        keys.insert((circuit, size), Arc::clone(&key));
        Ok(key)
    }

    /// The verifying keys that its proofs verify under.
    #[must_use]
    pub const fn published(&self) -> &CohortKeys {
        &self.published
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    // A panic while a lock was held leaves the map as it was: whole.
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
