//! Proving keys of the cohort circuits: made from the circuit and the setup, kept in memory, checked against the verifying
//! keys that verifiers have.

use super::{Backend, Halo2, Progress, Srs, Step, production::Setups, tell};
use crate::ProveError;
use halo2_proofs::{
    halo2curves::bn256::{Fr, G1Affine},
    plonk::{self, Circuit, keygen_pk, keygen_vk},
};
use nightingale_circuits::cohort::{
    Class, Size,
    circuit::QueryCircuit,
    registration::{RegistrationCircuit, Shape},
};
use nightingale_verifier::{
    KeyKind,
    cohort::{CircuitName, CohortKey, CohortKeys},
};
use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
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

/// The key of one circuit and size, and who proves under it.
pub struct CohortProvingKey {
    srs: Arc<Srs>,
    proving: plonk::ProvingKey<G1Affine>,
    verifying: CohortKey,
    backend: Arc<dyn Backend>,
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
        let (verifying, key) = verifying(circuit, blank, &srs)?;
        let proving = keygen_pk(srs.params(), key, blank).map_err(|error| unmade(circuit, &error))?;
        if verifying.halo2().transcript_repr() != proving.get_vk().transcript_repr() {
            return Err(ProveError::Bug(format!("the verifier's key of {circuit} is not the prover's")));
        }
        Ok(Self { srs, proving, verifying, backend: Arc::new(Halo2) })
    }

    /// What the proofs of a circuit verify under, without what proves.
    ///
    /// # Errors
    /// As [`CohortProvingKey::generate`].
    pub fn verifying_of(circuit: CircuitName, srs: &Srs) -> Result<CohortKey, ProveError> {
        let layout = srs.layout();
        let made = match circuit {
            CircuitName::Query(class) => verifying(circuit, &QueryCircuit::blank(class, layout), srs),
            CircuitName::Registration(part) => {
                verifying(circuit, &RegistrationCircuit::blank(Shape { layout, part }), srs)
            }
        };
        made.map(|(verifying, _)| verifying)
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

    /// The same key, under which another backend proves.
    #[must_use]
    pub fn with_backend(self, backend: Arc<dyn Backend>) -> Self {
        Self { backend, ..self }
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

    /// Who proves under it.
    #[must_use]
    pub fn backend(&self) -> &dyn Backend {
        &*self.backend
    }
}

fn unmade(circuit: CircuitName, error: &plonk::Error) -> ProveError {
    ProveError::Bug(format!("no key for {circuit}: {error}"))
}

/// The verifying key of a circuit, as verifiers and as halo2 have it.
fn verifying<C: Circuit<Fr>>(
    circuit: CircuitName,
    blank: &C,
    srs: &Srs,
) -> Result<(CohortKey, plonk::VerifyingKey<G1Affine>), ProveError> {
    let halo2 = keygen_vk(srs.params(), blank).map_err(|error| unmade(circuit, &error))?;
    let fixed = halo2.fixed_commitments().clone();
    let (k, kind) = (srs.layout().k, srs.kind());
    let key = CohortKey::new::<C>(circuit, kind, k, srs.points().clone(), fixed, blank.params());
    Ok((key.map_err(ProveError::UnsafeKey)?, halo2))
}

/// Setups and proving keys, each made or loaded at its first use. May be shared between threads.
pub struct CohortKeyStore {
    directory: PathBuf,
    /// The listed files of a ceremony's setups; `None` for the development setup.
    ceremony: Option<Setups>,
    published: CohortKeys,
    backend: Arc<dyn Backend>,
    setups: Mutex<BTreeMap<Size, Arc<Srs>>>,
    keys: Mutex<BTreeMap<(CircuitName, Size), Arc<CohortProvingKey>>>,
}

impl CohortKeyStore {
    /// Development keys; setups are kept in `directory`, unless nobody may write there. **Anybody can forge proofs under them.**
    ///
    /// # Errors
    /// A processor that cannot prove.
    pub fn development(directory: impl Into<PathBuf>) -> Result<Self, ProveError> {
        check_processor()?;
        Ok(Self::with_published(directory, CohortKeys::development()))
    }

    /// Whatever keys the directory is of: a ceremony's where [`CohortKeyStore::import`] has put some, else the development keys.
    ///
    /// # Errors
    /// A list of setups that cannot be read; a processor that cannot prove.
    pub fn open(directory: impl Into<PathBuf>) -> Result<Self, ProveError> {
        check_processor()?;
        let directory = directory.into();
        let ceremony = Setups::read(&directory)?;
        let published = published(&directory, ceremony.as_ref())?;
        Ok(Self { ceremony, ..Self::with_published(directory, published) })
    }

    /// A ceremony's keys, and no others.
    ///
    /// # Errors
    /// As [`CohortKeyStore::open`], and a directory that has none.
    pub fn production(directory: impl Into<PathBuf>) -> Result<Self, ProveError> {
        let store = Self::open(directory)?;
        match store.kind() {
            KeyKind::Production => Ok(store),
            KeyKind::Development => Err(ProveError::NoSetup { directory: store.directory }),
        }
    }

    /// Where its keys come from.
    #[must_use]
    pub const fn kind(&self) -> KeyKind {
        if self.ceremony.is_some() { KeyKind::Production } else { KeyKind::Development }
    }

    /// The smallest size that it has keys of.
    #[must_use]
    pub fn smallest(&self) -> Size {
        self.ceremony.iter().flat_map(Setups::known).next().unwrap_or(Size::Small)
    }

    /// Development keys that must be those of `published`; setups are kept in `directory`.
    #[must_use]
    pub fn with_published(directory: impl Into<PathBuf>, published: CohortKeys) -> Self {
        Self {
            directory: directory.into(),
            ceremony: None,
            published,
            backend: Arc::new(Halo2),
            setups: Mutex::default(),
            keys: Mutex::default(),
        }
    }

    /// The same store, whose proofs are made by another backend.
    #[must_use]
    pub fn with_backend(mut self, backend: Arc<dyn Backend>) -> Self {
        self.keys = Mutex::default();
        self.backend = backend;
        self
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
        let srs = match &self.ceremony {
            Some(ceremony) => ceremony.setup(&self.directory, size)?,
            None => Srs::cached(&self.directory, size.layout())?,
        };
        let srs = Arc::new(srs);
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
        let key = CohortProvingKey::of_circuit(circuit, srs)?.with_backend(Arc::clone(&self.backend));
        let published = self.published.key(circuit, size).map_err(ProveError::UnsafeKey)?;
        if published.digest() != key.verifying.digest() {
            if self.kind() == KeyKind::Production {
                return Err(ProveError::Corrupt {
                    path: self.directory.join(circuit.file_name(size)),
                    problem: "is not the key of this setup and this version's circuit; import the powers of tau again"
                        .to_owned(),
                });
            }
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

/// The verifying keys of a directory: of a ceremony's, those that its list has.
fn published(directory: &Path, ceremony: Option<&Setups>) -> Result<CohortKeys, ProveError> {
    let Some(setups) = ceremony else { return Ok(CohortKeys::development()) };
    Ok(CohortKeys::directory(directory).pinned(setups.pins(directory)?))
}

/// What the answers of a directory's keys verify under, and whether those are production keys. Reads no setup.
///
/// # Errors
/// A list of setups that cannot be read.
pub fn verifying_keys(directory: &Path) -> Result<(CohortKeys, KeyKind), ProveError> {
    let ceremony = Setups::read(directory)?;
    let kind = if ceremony.is_some() { KeyKind::Production } else { KeyKind::Development };
    Ok((published(directory, ceremony.as_ref())?, kind))
}

/// Reads a verifying key of each size of a ceremony's setups, and so all of them: they are those that the list has.
///
/// # Errors
/// A directory without a ceremony's setup; a key that is missing, exchanged or no production key.
pub fn check_production(directory: &Path) -> Result<(), ProveError> {
    let none = || ProveError::NoSetup { directory: directory.to_owned() };
    let setups = Setups::read(directory)?.ok_or_else(none)?;
    let keys = published(directory, Some(&setups))?;
    for size in setups.known() {
        let key = keys.key(CircuitName::Query(Class::Narrow), size).map_err(ProveError::UnsafeKey)?;
        if key.kind() == KeyKind::Development {
            return Err(none());
        }
    }
    Ok(())
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    // A panic while a lock was held leaves the map as it was: whole.
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
