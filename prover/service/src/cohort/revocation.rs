//! Revoking subjects' consents: a new version of the consents of each table in which one of them has a row in use, in the folder.

use super::{Folder, Sponsor, folder, sponsor};
use crate::{error::CohortError, store::consents::versions::TableVersion};
use nightingale_circuits::cohort::Keccak;
use nightingale_prover::cohort::{CohortKeyStore, Progress};
use std::{
    fs::{self, OpenOptions, TryLockError},
    path::Path,
};

/// The newest version of the consents of each table, by name, and which tables have a new one.
pub struct Revoked {
    /// Every table's newest version.
    pub newest: Vec<TableVersion>,
    /// The tables that changed.
    pub changed: Vec<String>,
}

/// What a server knows of a dataset, whatever lies in its folder.
pub struct Registered {
    /// Which it is.
    pub dataset: Keccak,
    /// The newest consents that were recorded of its tables.
    pub consents: Vec<TableVersion>,
}

/// Revokes subjects by their keys, and writes the folder, which must be that of `registered` and have its consents in its history. Where none of
/// them has a row in use, nothing changes.
///
/// # Errors
/// A folder that holds another dataset than is registered, or older consents; a subject that the dataset does not have; a sponsor who would have to sign and does not; whatever stops a proof; somebody else who is changing
/// the folder.
pub fn revoke(
    path: &Path,
    registered: Option<&Registered>,
    subjects: &[String],
    sponsor: Option<&Sponsor>,
    keys: &CohortKeyStore,
    progress: Progress<'_>,
) -> Result<Revoked, CohortError> {
    let (mut folder, _lock) = Folder::open_to_change(path)?;
    if let Some(registered) = registered {
        folder::expect(path, folder.public(), &registered.dataset)?;
        // A new version of an older copy would have the number of one that was recorded, and not those who revoked in that.
        folder.expect_consents(&registered.consents)?;
    }
    let codes = folder.codes(subjects)?;
    let sponsor = sponsor::signer(&folder.dataset, sponsor)?;
    let changed = folder.dataset.revoke_subjects(keys, &codes, progress)?;
    if !changed.is_empty() {
        if let Some(sponsor) = sponsor {
            sponsor.sign(&mut folder.dataset)?;
        }
        folder.dataset.write(&folder.path).map_err(CohortError::from)?;
    }
    Ok(Revoked { newest: folder.newest_consents(), changed })
}

/// Refuses a folder from which a server, or a worker of one, proves now: its answers end in the server's database, which would not know
/// of the revocation.
///
/// # Errors
/// The folder is under `datasets` in a data folder that is held.
pub fn expect_unserved(path: &Path) -> Result<(), CohortError> {
    let Ok(place) = fs::canonicalize(path) else { return Ok(()) };
    for folder in place.ancestors().skip(1) {
        for name in ["server.lock", "workers.lock"] {
            let Ok(file) = OpenOptions::new().write(true).open(folder.join(name)) else { continue };
            if matches!(file.try_lock(), Err(TryLockError::WouldBlock)) {
                return Err(CohortError::Served(path.to_owned()));
            }
        }
    }
    Ok(())
}
