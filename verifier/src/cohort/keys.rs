//! Where verifying keys are found: the development keys are part of this program, others lie in a directory.
//!
//! A dataset brings no key: what is trusted is this program, or the directory that its user names.

use super::{CircuitName, CohortKey, key::SetupPoints};
use crate::{KeyDigest, KeyKind, VerifyError};
use halo2_proofs::{halo2curves::bn256::G1Affine, plonk::Circuit};
use nightingale_circuits::cohort::{
    Size,
    circuit::QueryCircuit,
    registration::{RegistrationCircuit, Shape},
};
use sha2::{Digest, Sha256};
use std::{
    collections::BTreeMap,
    fmt,
    path::PathBuf,
    str::FromStr,
    sync::{Arc, Mutex, PoisonError},
};

/// The development keys: written by `NIGHTINGALE_BLESS=1 cargo test --release -p nightingale-prover cohort_keys`.
macro_rules! embedded {
    ($($name:literal)*) => {
        [$(($name, include_bytes!(concat!("../../keys/cohort/", $name)))),*]
    };
}

/// All development key files, by name.
pub const DEVELOPMENT: [(&str, &[u8]); 18] = {
    let all: [(&str, &[u8]); 18] = embedded!(
        "narrow.14.vk" "narrow.17.vk" "narrow.20.vk"
        "wide.14.vk" "wide.17.vk" "wide.20.vk"
        "frame.14.vk" "frame.17.vk" "frame.20.vk"
        "columns.14.vk" "columns.17.vk" "columns.20.vk"
        "dictionary.14.vk" "dictionary.17.vk" "dictionary.20.vk"
        "keys.14.vk" "keys.17.vk" "keys.20.vk"
    );
    all
};

/// The address of a setup with all its keys: SHA-256 of a line and, for each circuit in the order of [`CircuitName::ALL`], its key
/// file's name, a blank, the key's digest and the end of the line. It is the same for whoever makes the setup of a size from the same powers of
/// tau with the same release, so one short text says which keys are meant.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct SetupDigest(KeyDigest);

impl fmt::Display for SetupDigest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl FromStr for SetupDigest {
    type Err = VerifyError;

    fn from_str(text: &str) -> Result<Self, VerifyError> {
        text.parse().map(Self)
    }
}

/// Verifying keys, each read and checked at its first use. May be shared between threads.
#[derive(Default)]
pub struct CohortKeys {
    directory: Option<PathBuf>,
    /// What setups must have for their digest; nothing is asked without one.
    pins: Vec<SetupDigest>,
    loaded: Mutex<Loaded>,
}

type Loaded = BTreeMap<(CircuitName, Size), Arc<CohortKey>>;

impl CohortKeys {
    /// The development keys. **Anybody can forge proofs under them.**
    #[must_use]
    pub fn development() -> Self {
        Self::default()
    }

    /// The keys in a directory: files `<circuit>.<k>.vk`.
    #[must_use]
    pub fn directory(directory: impl Into<PathBuf>) -> Self {
        Self { directory: Some(directory.into()), ..Self::default() }
    }

    /// The same keys, of which those of a setup are used only if it has one of these digests.
    #[must_use]
    pub fn pinned(self, pins: Vec<SetupDigest>) -> Self {
        Self { pins, loaded: Mutex::default(), ..self }
    }

    /// The key of a circuit.
    ///
    /// # Errors
    /// There is none, or it is not a key of this circuit as this program knows it; a setup that is not a pinned one.
    pub fn key(&self, circuit: CircuitName, size: Size) -> Result<Arc<CohortKey>, VerifyError> {
        let mut loaded = self.loaded.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(key) = loaded.get(&(circuit, size)) {
            return Ok(Arc::clone(key));
        }
        if !self.pins.is_empty() {
            // Kept once the whole setup is a pinned one: of one that is not, or that cannot be read to its end, nothing stays.
            let mut setup = Loaded::new();
            let found = self.digest(&mut setup, size)?;
            if !self.pins.contains(&found) {
                return Err(VerifyError::UnpinnedSetup(found));
            }
            loaded.append(&mut setup);
        }
        self.load(&mut loaded, circuit, size)
    }

    /// The digest of the setup of a size: of all its keys as they are now, in the order of their numbers. Whether it is a pinned one is not
    /// asked.
    ///
    /// # Errors
    /// A key is missing, or is not one.
    pub fn setup_digest(&self, size: Size) -> Result<SetupDigest, VerifyError> {
        self.digest(&mut Loaded::new(), size)
    }

    fn digest(&self, loaded: &mut Loaded, size: Size) -> Result<SetupDigest, VerifyError> {
        let mut hash = Sha256::new_with_prefix("nightingale cohort setup 1\n");
        for circuit in CircuitName::ALL {
            let key = self.load(loaded, circuit, size)?;
            hash.update(format!("{} {}\n", circuit.file_name(size), key.digest()));
        }
        Ok(SetupDigest(KeyDigest(hash.finalize().into())))
    }

    fn load(
        &self,
        loaded: &mut Loaded,
        circuit: CircuitName,
        size: Size,
    ) -> Result<Arc<CohortKey>, VerifyError> {
        if let Some(key) = loaded.get(&(circuit, size)) {
            return Ok(Arc::clone(key));
        }
        let key = CohortKey::from_bytes(&self.bytes(circuit, size)?)?;
        if key.circuit() != circuit || key.k() != size.k() {
            return Err(VerifyError::malformed(
                "key file",
                "holds the key of another circuit than its name says",
            ));
        }
        // Commitments mean something under one setup only: what was registered under one says nothing of a proof under another.
        if loaded.iter().any(|((_, other), loaded)| *other == size && loaded.setup() != key.setup()) {
            return Err(VerifyError::UnsafeKey("the directory's keys of this size are of different setups"));
        }
        let key = Arc::new(key);
        loaded.insert((circuit, size), Arc::clone(&key));
        Ok(key)
    }

    fn bytes(&self, circuit: CircuitName, size: Size) -> Result<Vec<u8>, VerifyError> {
        let name = circuit.file_name(size);
        match &self.directory {
            Some(directory) => {
                let path = directory.join(name);
                std::fs::read(&path).map_err(|source| VerifyError::Io { path, source })
            }
            None => {
                let found = DEVELOPMENT.iter().find(|(file, _)| *file == name);
                Ok(found.map(|(_, bytes)| bytes.to_vec()).unwrap_or_default())
            }
        }
    }
}

/// The key of a circuit of this program, from its setup and the commitments of its fixed columns.
///
/// # Errors
/// What [`CohortKey::new`] refuses.
pub fn of_circuit(
    circuit: CircuitName,
    kind: KeyKind,
    size: Size,
    setup: SetupPoints,
    fixed: Vec<G1Affine>,
) -> Result<CohortKey, VerifyError> {
    let (k, layout) = (size.k(), size.layout());
    match circuit {
        CircuitName::Query(class) => {
            let params = QueryCircuit::blank(class, layout).params();
            CohortKey::new::<QueryCircuit>(circuit, kind, k, setup, fixed, params)
        }
        CircuitName::Registration(part) => {
            CohortKey::new::<RegistrationCircuit>(circuit, kind, k, setup, fixed, Shape { layout, part })
        }
    }
}
