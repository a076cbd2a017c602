//! Keys on disk, addressed by the digest of their verifying key and loaded once.
//!
//! A key directory holds `<class>.<digest>.pk` (what the prover needs), `<class>.<digest>.vk` (what a verifier needs)
//! and `keys.json`, the list of both. The last entry of a class is the one that proves; earlier ones stay so that
//! proofs made with them can be verified.

mod development;
mod file;
mod index;

pub use development::SetupStep;
pub use index::Entry;

use crate::{ProveError, groth16::Groth16, reduction::System};
use index::Index;
use nightingale_circuits::claim::{SizeClass, circuit};
use nightingale_verifier::{KeyDigest, KeyDirectory, VerifyingKey};
use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

/// A loaded key of one size class: the verifying key, the proving key and the constraint system that they are for.
pub struct ClaimKey {
    verifying: VerifyingKey,
    groth16: Groth16,
}

impl ClaimKey {
    /// What its proofs verify under.
    #[must_use]
    pub const fn verifying(&self) -> &VerifyingKey {
        &self.verifying
    }

    /// The bare prover.
    #[must_use]
    pub const fn groth16(&self) -> &Groth16 {
        &self.groth16
    }
}

/// A directory of keys.
pub struct KeyStore {
    directory: PathBuf,
    index: Index,
    loaded: Mutex<BTreeMap<SizeClass, Arc<ClaimKey>>>,
}

impl KeyStore {
    /// Opens a directory that has a `keys.json`. Keys are read when they are first asked for.
    ///
    /// # Errors
    /// No readable or no well-formed list.
    pub fn open(directory: impl Into<PathBuf>) -> Result<Self, ProveError> {
        let directory = directory.into();
        let index = Index::read(&directory)?;
        Ok(Self { directory, index, loaded: Mutex::default() })
    }

    /// Where it is.
    #[must_use]
    pub fn directory(&self) -> &Path {
        &self.directory
    }

    /// All keys, in the order in which they came.
    #[must_use]
    pub fn entries(&self) -> &[Entry] {
        &self.index.entries
    }

    /// The entry that proves claims of `class`.
    ///
    /// # Errors
    /// There is none.
    pub fn entry(&self, class: SizeClass) -> Result<&Entry, ProveError> {
        let missing = || ProveError::NoKey { directory: self.directory.clone(), class };
        self.index.current(class).ok_or_else(missing)
    }

    /// The verifying key with this digest.
    ///
    /// # Errors
    /// There is no such file, or it is corrupt.
    pub fn verifying_key(&self, class: SizeClass, digest: KeyDigest) -> Result<VerifyingKey, ProveError> {
        KeyDirectory::new(&self.directory).key(class, digest).map_err(|error| ProveError::Corrupt {
            path: self.directory.join(nightingale_verifier::key::file_name(class, digest)),
            problem: error.to_string(),
        })
    }

    /// The key that proves claims of `class`: read, checked and kept at the first call.
    ///
    /// # Errors
    /// There is none, or a file is missing, corrupt or for another version of the statement.
    pub fn claim_key(&self, class: SizeClass) -> Result<Arc<ClaimKey>, ProveError> {
        let mut loaded = self.loaded();
        if let Some(key) = loaded.get(&class) {
            return Ok(Arc::clone(key));
        }
        let entry = self.entry(class)?;
        let verifying = self.verifying_key(class, entry.digest)?;
        let system = System::new(&circuit::r1cs(class))?;
        let proving = file::read(&file::path(&self.directory, entry), entry.digest, &system.digest())?;
        if proving.vk != *verifying.groth16() {
            let problem =
                "holds another verifying key than its .vk file; replace both from one source".to_owned();
            return Err(ProveError::Corrupt { path: file::path(&self.directory, entry), problem });
        }
        let key = Arc::new(ClaimKey { verifying, groth16: Groth16::new(system, proving)? });
        loaded.insert(class, Arc::clone(&key));
        Ok(key)
    }

    fn loaded(&self) -> MutexGuard<'_, BTreeMap<SizeClass, Arc<ClaimKey>>> {
        // A panic while the lock was held leaves the map as it was: whole.
        self.loaded.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
