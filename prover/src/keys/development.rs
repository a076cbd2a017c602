//! Makes the development keys: the same on every machine, and marked as what they are, forgeable by anybody.

use super::{KeyStore, file, index::Index, system_digest};
use crate::{ProveError, groth16, reduction::System, setup};
use nightingale_circuits::claim::{SizeClass, circuit};
use nightingale_verifier::{KeyKind, VerifyingKey, key::file_name};
use std::{fs, path::PathBuf};

/// What the development setup does next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SetupStep {
    /// Makes the key of a class, which takes seconds.
    Making(SizeClass),
    /// Has written it.
    Made(SizeClass),
    /// Found it there.
    Present(SizeClass),
}

impl KeyStore {
    /// Opens a directory after making the development key of each class that has none, or only a development key for
    /// another version of the statement or in an older format. Production keys are left as they are.
    ///
    /// # Errors
    /// A directory or file that cannot be read or written.
    pub fn development(
        directory: impl Into<PathBuf>,
        progress: &mut dyn FnMut(SetupStep),
    ) -> Result<Self, ProveError> {
        let directory = directory.into();
        fs::create_dir_all(&directory)
            .map_err(|source| ProveError::Io { path: directory.clone(), source })?;
        let mut index = Index::read_or_empty(&directory)?;
        for class in SizeClass::ALL {
            let current = index.current(class).copied();
            if current.is_some_and(|entry| entry.kind == KeyKind::Production) {
                progress(SetupStep::Present(class));
                continue;
            }
            let usable = current.is_some_and(|entry| {
                file::system_of(&file::path(&directory, &entry)) == Some(system_digest(class))
                    && directory.join(file_name(class, entry.digest)).is_file()
            });
            if usable {
                progress(SetupStep::Present(class));
                continue;
            }
            progress(SetupStep::Making(class));
            let r1cs = circuit::r1cs(class);
            let system = System::new(&r1cs)?;
            if system.digest() != system_digest(class) {
                return Err(ProveError::Bug("keys/statement.rs is not for this circuit".to_owned()));
            }
            let proving = setup::generate(&r1cs, &setup::Secrets::development(class.name())?)?;
            let verifying = VerifyingKey::new(class, KeyKind::Development, proving.vk.clone())
                .map_err(ProveError::UnsafeKey)?;
            // Each class is listed as soon as its files are whole, so that an interrupted setup goes on from there.
            index = Index::keep(&directory, &verifying, &groth16::Key::new(system, &proving)?, None)?;
            progress(SetupStep::Made(class));
        }
        Self::open(directory)
    }
}
