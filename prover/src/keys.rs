//! Keys on disk, addressed by the digest of their verifying key, mapped into memory and kept.
//!
//! A key directory holds `<class>.<digest>.pk` (what the prover needs), `<class>.<digest>.vk` (what a verifier needs)
//! and `keys.json`, the list of both. The last entry of a class is the one that proves; earlier ones stay so that
//! proofs made with them can be verified.

mod development;
mod file;
mod import;
mod index;
mod layout;
mod statement;

pub use development::SetupStep;
pub use index::Entry;
pub(crate) use index::locked;
pub use statement::{constraint_system, system_digest};

use crate::{ProveError, ceremony::Manifest, groth16};
use index::Index;
use nightingale_circuits::claim::SizeClass;
use nightingale_verifier::{KeyDigest, KeyDirectory, KeyKind, VerifyingKey};
use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

/// A loaded key of one size class: the verifying key, the proving key and the constraint system that they are for.
pub struct ClaimKey {
    verifying: VerifyingKey,
    groth16: Arc<groth16::Key>,
}

impl ClaimKey {
    /// What its proofs verify under.
    #[must_use]
    pub const fn verifying(&self) -> &VerifyingKey {
        &self.verifying
    }

    /// The proving key with its constraint system.
    #[must_use]
    pub const fn groth16(&self) -> &Arc<groth16::Key> {
        &self.groth16
    }
}

/// Maps and checks one proving key file, whatever its name and origin: the part of [`KeyStore::claim_key`] that looks at its bytes. It has to
/// be for this verifying key and for this constraint system ([`system_digest`]).
///
/// A key that is read here can be proven with without harm to this process. Whether its proofs verify, only verifying tells.
///
/// # Errors
/// [`ProveError::Io`], or [`ProveError::Corrupt`] with what is wrong.
pub fn read_proving_key(
    path: &Path,
    digest: KeyDigest,
    system: &[u8; 32],
) -> Result<groth16::Key, ProveError> {
    // Of no list: nothing says which bytes it should have.
    let entry = Entry { class: SizeClass::ALL[0], digest, kind: KeyKind::Development, proving: None };
    file::read(path, &entry, system)
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

    /// Where a key comes from, if it was imported.
    #[must_use]
    pub fn manifest(&self, digest: KeyDigest) -> Option<&Manifest> {
        self.index.manifests.get(&digest)
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

    /// The key that proves claims of `class`: mapped, checked and kept at the first call.
    ///
    /// # Errors
    /// There is none, or a file is missing, corrupt or for another version of the statement.
    pub fn claim_key(&self, class: SizeClass) -> Result<Arc<ClaimKey>, ProveError> {
        if let Some(key) = self.loaded().get(&class) {
            return Ok(Arc::clone(key));
        }
        // Not under the lock: a thread of rayon's pool that waits for a part of the checks may meanwhile take up a
        // task that asks for a key, too.
        let entry = self.entry(class)?;
        let verifying = self.verifying_key(class, entry.digest)?;
        let path = file::path(&self.directory, entry);
        let proving = file::read(&path, entry, &system_digest(class))?;
        if proving.verifying() != verifying.groth16() {
            let problem =
                "holds another verifying key than its .vk file; replace both from one source".to_owned();
            return Err(ProveError::Corrupt { path, problem });
        }
        let key = Arc::new(ClaimKey { verifying, groth16: Arc::new(proving) });
        Ok(Arc::clone(self.loaded().entry(class).or_insert(key)))
    }

    fn loaded(&self) -> MutexGuard<'_, BTreeMap<SizeClass, Arc<ClaimKey>>> {
        // A panic while the lock was held leaves the map as it was: whole.
        self.loaded.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
