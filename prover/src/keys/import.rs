//! Takes a ceremony's key into a directory, after all its checks.

use super::{Entry, KeyStore, constraint_system, file, index::Index};
use crate::{
    ProveError,
    ceremony::{self, CeremonyError, CheckedPowers, Manifest, Terms},
    groth16,
};
use nightingale_circuits::claim::SizeClass;
use nightingale_verifier::{KeyKind, VerifyingKey, key::file_name};
use rand::CryptoRng;
use std::{fs, path::PathBuf};

impl KeyStore {
    /// Opens a directory, which is made where it is missing, after importing the key of a class from a ceremony. From then on it is
    /// the class's current key.
    ///
    /// # Errors
    /// [`ProveError::Ceremony`] with the check that failed, and then nothing was written; a directory or file that cannot be read or
    /// written.
    pub fn import(
        directory: impl Into<PathBuf>,
        class: SizeClass,
        zkey: &[u8],
        powers: &CheckedPowers<'_>,
        terms: &Terms,
        rng: &mut impl CryptoRng,
    ) -> Result<Self, ProveError> {
        let directory = directory.into();
        let imported = ceremony::import(&constraint_system(class)?, zkey, powers, terms, rng)?;
        let verifying = VerifyingKey::new(class, KeyKind::Production, imported.key.verifying().clone())
            .map_err(CeremonyError::UnsafeKey)?;
        fs::create_dir_all(&directory)
            .map_err(|source| ProveError::Io { path: directory.clone(), source })?;
        Index::keep(&directory, &verifying, &imported.key, Some(imported.manifest))?;
        Self::open(directory)
    }
}

impl Index {
    /// Writes a key's files, then lists it as its class's current one. Gives the whole list.
    pub(super) fn keep(
        directory: &std::path::Path,
        verifying: &VerifyingKey,
        key: &groth16::Key,
        manifest: Option<Manifest>,
    ) -> Result<Self, ProveError> {
        let (class, digest) = (verifying.class(), verifying.digest());
        let mut entry = Entry { class, digest, kind: verifying.kind(), proving: None };
        entry.proving = Some(file::write(&file::path(directory, &entry), key, digest)?);
        file::write_atomically(&directory.join(file_name(class, digest)), &[&verifying.to_bytes()])?;
        Self::change(directory, |index| {
            index.add(entry);
            match manifest {
                Some(manifest) => index.manifests.insert(digest, manifest),
                None => index.manifests.remove(&digest),
            };
        })
    }
}
