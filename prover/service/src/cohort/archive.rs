//! A registered dataset in the artefact store: the custodian's half sealed under the tenant's data key, everybody's half as it is.
//!
//! Files are read one at a time, a chunk verified before it is used, into memory that is wiped.

mod listing;

use super::{
    Folder,
    folder::{self, LOCK},
    ledger::Ledger,
};
use crate::{
    artefacts::{
        ArtefactError, Artefacts,
        sealed::{Opening, Purpose, Sealing},
    },
    audit::Draft,
    config::Config,
    error::{CohortError, StoreError},
    jobs::{Instant, Tenant},
    process::wiping,
    production,
    store::{
        Store,
        consents::versions::TableVersion,
        dataset_files::{DatasetFile, DatasetFiles, ImportOutcome, Revision},
        datasets::DatasetRow,
        seal::Seal,
    },
};
use listing::{Lister, listing};
use nightingale_circuits::cohort::Keccak;
use nightingale_prover::{ProveError, cohort::keys::verifying_keys};
use nightingale_verifier::cohort::{Dataset, verify_registration};
use std::{
    fs::{self, File},
    io::{Read, Write},
    path::{Path, PathBuf},
    sync::Arc,
};
use zeroize::Zeroizing;

const PUBLIC: &str = "public/dataset.json";
const REGULATOR: &str = "public/regulator.key";
const PRIVATE: &str = "private/";
/// The largest file that is read: codes of 2^22 rows in 250 columns.
const MOST_BYTES: u64 = 1 << 32;
/// How often files are put: again where a purge deleted one of them before they were named.
const PUTS: usize = 3;

/// A dataset's files, and what opens them. No `Debug`.
#[derive(Clone)]
pub struct Archive {
    artefacts: Arc<dyn Artefacts>,
    seal: Seal,
    dataset: Keccak,
    files: Arc<Vec<DatasetFile>>,
}

impl Archive {
    /// A tenant's dataset; `None` when it has no files here.
    ///
    /// # Errors
    /// The tenant was erased; the database or the key service does not answer.
    pub async fn find(
        store: &Store,
        artefacts: &Arc<dyn Artefacts>,
        tenant: &Tenant,
        dataset: &Keccak,
    ) -> Result<Option<Self>, StoreError> {
        let Some(found) = store.dataset_files(tenant, dataset).await? else { return Ok(None) };
        let seal = store.seal(tenant).await?;
        Ok(Some(Self::of(artefacts.clone(), seal, *dataset, found.files)))
    }

    fn of(artefacts: Arc<dyn Artefacts>, seal: Seal, dataset: Keccak, files: Vec<DatasetFile>) -> Self {
        Self { artefacts, seal, dataset, files: Arc::new(files) }
    }

    /// Opens the dataset with its private half. Blocks.
    ///
    /// # Errors
    /// A file that is missing, damaged, not of this dataset, or not sealed for it.
    pub fn open(&self) -> Result<Folder, CohortError> {
        let folder = Folder::read(&|name| self.read(name))?;
        folder::expect(Path::new(PUBLIC), folder.public(), &self.dataset)?;
        Ok(folder)
    }

    /// What everybody sees of it. Blocks.
    ///
    /// # Errors
    /// As [`Archive::open`].
    pub fn public(&self) -> Result<Dataset, CohortError> {
        let bytes = self.read(PUBLIC)?.ok_or_else(|| corrupt(PUBLIC, "is missing"))?;
        let dataset = Dataset::from_json(&bytes).map_err(|error| corrupt(PUBLIC, &error.to_string()))?;
        folder::expect(Path::new(PUBLIC), &dataset, &self.dataset)?;
        Ok(dataset)
    }

    /// Whether exact answers are sealed to a regulator.
    #[must_use]
    pub fn has_regulator_key(&self) -> bool {
        self.files.iter().any(|file| file.name == REGULATOR)
    }

    /// Whether a subject is in it. Blocks.
    ///
    /// # Errors
    /// As [`Archive::open`].
    pub fn has_subject(&self, key: &str) -> Result<bool, CohortError> {
        let folder = self.open()?;
        Ok(folder.subjects_of(&|name| self.read(name))?.code(key).is_some())
    }

    /// How it stands beside a folder's public half.
    fn standing(&self, public: &str) -> Result<Standing, CohortError> {
        let own = self.files.iter().find(|file| file.name == PUBLIC).map(|file| file.artefact);
        // A public file is stored as it is, so its name says what is in it, though it be gone.
        if own.is_some_and(|own| own.0 == *blake3::hash(public.as_bytes()).as_bytes()) {
            // All that is stored nowhere else must be there: the folder's own may go after this.
            let whole = self.open().and_then(|folder| {
                folder.subjects_of(&|name| self.read(name))?;
                Ok(folder)
            });
            return Ok(match whole {
                Ok(folder) => Standing::Same(folder.public().clone()),
                Err(error) => {
                    tracing::warn!(%error, "an imported dataset is damaged, and is imported again");
                    Standing::Damaged
                }
            });
        }
        match self.public() {
            Ok(dataset) => Ok(Standing::Other(dataset)),
            // What cannot be read now may be read later, and says which consents were imported.
            Err(error @ CohortError::Prove(ProveError::Io { .. })) => Err(error),
            Err(error) => {
                tracing::warn!(%error, "an imported dataset's public half is lost; its consents go by what was recorded of them");
                Ok(Standing::Lost)
            }
        }
    }

    /// Deletes the sealed files of an import that is known to have come to nothing: nobody else has them. The list keeps them until a purge finds
    /// them gone.
    fn discard(&self) {
        for file in self.files.iter().filter(|file| file.sealed) {
            if let Err(error) = self.artefacts.delete(&file.artefact) {
                tracing::warn!(%error, artefact = %file.artefact, "a file that nobody needs was left in the artefact store");
            }
        }
    }

    /// A file's content, wiped when it is dropped.
    fn read(&self, name: &str) -> Result<Option<Zeroizing<Vec<u8>>>, ProveError> {
        let Some(file) = self.files.iter().find(|file| file.name == name) else { return Ok(None) };
        // A private file that somebody declared public would be read unverified.
        if file.sealed != name.starts_with(PRIVATE) || file.bytes > MOST_BYTES {
            return Err(corrupt(name, "is listed as what it is not"));
        }
        let trouble = |error: ArtefactError| match error {
            ArtefactError::Io(source) if source.kind() != std::io::ErrorKind::InvalidData => {
                ProveError::Io { path: PathBuf::from(name), source }
            }
            other => corrupt(name, &other.to_string()),
        };
        let failed = |error: std::io::Error| trouble(error.into());
        let stored = self.artefacts.get(&file.artefact).map_err(trouble)?;
        let mut content: Box<dyn Read> = if file.sealed {
            let purpose = Purpose { dataset: &self.dataset, name };
            let opening = Opening::new(stored, &self.seal, purpose).map_err(failed)?;
            if opening.length() != file.bytes {
                return Err(corrupt(name, "is of another length than was stored"));
            }
            Box::new(opening)
        } else {
            stored
        };
        // Of its size at once: growing would leave copies behind.
        let mut bytes = Zeroizing::new(vec![0; file.bytes as usize]);
        content.read_exact(&mut bytes).map_err(failed)?;
        // The end is where the store says whether it was what was put.
        if content.read(&mut [0]).map_err(failed)? != 0 {
            return Err(corrupt(name, "is longer than was stored"));
        }
        Ok(Some(bytes))
    }
}

fn corrupt(name: &str, problem: &str) -> ProveError {
    ProveError::Corrupt { path: PathBuf::from(name), problem: problem.to_owned() }
}

/// What was imported, beside what a folder holds.
enum Standing {
    /// The same, and it opens.
    Same(Dataset),
    /// The same, and it does not open.
    Damaged,
    /// With other consents.
    Other(Dataset),
    /// Nobody can say: its public half is gone.
    Lost,
}

/// A dataset that is registered and in the artefact store.
pub struct Imported {
    /// Its row.
    pub row: DatasetRow,
    /// Its public half.
    pub dataset: Dataset,
    /// Its files.
    pub archive: Archive,
    /// Whether files were stored now, and not before.
    pub is_new: bool,
}

/// What takes datasets in, and under whose keys their registrations must verify.
pub struct Importer<'a> {
    store: &'a Store,
    artefacts: &'a Arc<dyn Artefacts>,
    keys: PathBuf,
    production: bool,
}

impl<'a> Importer<'a> {
    /// Of a server's configuration.
    #[must_use]
    pub fn of(store: &'a Store, artefacts: &'a Arc<dyn Artefacts>, config: &Config) -> Self {
        Self { store, artefacts, keys: production::cohort_keys(config), production: config.production }
    }

    /// Takes the files of a dataset folder into the artefact store and registers the dataset, which is put on record with `entry`; from then on its
    /// consents are the newest, and no answer under older ones ends. Every file and
    /// every registration proof is checked, what was stored is opened again before it counts, and consents only ever move on: a folder that
    /// was put back is refused, also where the dataset's files were kept long enough and are gone.
    ///
    /// `path` is the name under which it is registered.
    ///
    /// # Errors
    /// A folder that holds no dataset, is damaged, or whose registration does not verify; one with older consents than were imported or
    /// recorded; the tenant was erased; the database or a store does not answer.
    pub async fn import(
        &self,
        tenant: &Tenant,
        folder: &Path,
        path: &str,
        entry: Draft,
        now: Instant,
    ) -> Result<Imported, CohortError> {
        let (store, artefacts) = (self.store, self.artefacts.clone());
        let from = folder.to_owned();
        let public = blocking({
            let from = from.clone();
            move || folder::public_half(&from)
        })
        .await?;
        let digest = *public.digest();
        let row = store.dataset(tenant, &digest).await?;
        let row =
            row.unwrap_or_else(|| DatasetRow { dataset: digest, path: path.to_owned(), registered: now });
        if row.path != path {
            return Err(CohortError::Elsewhere);
        }
        let seal = store.seal(tenant).await?;
        // Before the folder is opened: a folder in whose history this is not was put back.
        let mut known = store.recorded_consents(tenant, &digest).await?;
        let held = store.dataset_files(tenant, &digest).await?;
        if let Some(held) = &held {
            let archive = Archive::of(artefacts.clone(), seal.clone(), digest, held.files.clone());
            let text = public.to_json();
            let (standing, archive) = blocking(move || Ok((archive.standing(&text)?, archive))).await?;
            match standing {
                Standing::Same(dataset) => {
                    // An earlier release imported without recording them.
                    store.note_consents(tenant, &digest, &folder::newest_consents(&dataset), now).await?;
                    return Ok(Imported { row, dataset, archive, is_new: false });
                }
                // The same consents, or what is recorded of them is all that is known: what is damaged is put again.
                Standing::Damaged | Standing::Lost => {}
                Standing::Other(dataset) => known.extend(folder::consents(&dataset)),
            }
        }
        let after = held.map_or(0, |held: DatasetFiles| held.revision);
        let known = Arc::new(known);
        for _ in 0..PUTS {
            let (archive, dataset) = self.take(&from, seal.clone(), digest, known.clone()).await?;
            let consents = folder::newest_consents(&dataset);
            let revision = Revision { files: &archive.files, consents: &consents, after };
            // An error may hide a commit: the files stay on the list, and a purge knows whether they are named.
            let stored =
                store.import_dataset(tenant, &row, self.artefacts, revision, entry.clone(), now).await?;
            if let ImportOutcome::Imported(_) = stored {
                return Ok(Imported { row, dataset, archive, is_new: true });
            }
            blocking(move || {
                archive.discard();
                Ok(())
            })
            .await?;
            if stored == ImportOutcome::Overtaken {
                break;
            }
            tracing::warn!("a file that was put was purged, and is put again");
        }
        Err(StoreError::Busy.into())
    }

    /// Puts a folder's files into the artefact store, each listed before it is there, and checks them and the registration. Given up, it stops at the
    /// next file.
    async fn take(
        &self,
        folder: &Path,
        seal: Seal,
        digest: Keccak,
        known: Arc<Vec<TableVersion>>,
    ) -> Result<(Archive, Dataset), CohortError> {
        let (folder, artefacts) = (folder.to_owned(), self.artefacts.clone());
        let (keys, production) = (self.keys.clone(), self.production);
        let (lister, listing) = listing();
        let taken = blocking(move || {
            let (archive, dataset) = take_in(&folder, (artefacts, lister), seal, digest, &known)?;
            let verified = verifying_keys(&keys).map_err(CohortError::from).and_then(|(keys, _)| {
                verify_registration(&dataset, &keys, production).map_err(CohortError::Release)
            });
            if verified.is_err() {
                archive.discard();
            }
            verified.map(|_| (archive, dataset))
        });
        tokio::join!(taken, listing.serve(self.store)).0
    }
}

/// Stores a folder's files, and opens and verifies what was stored.
fn take_in(
    folder: &Path,
    (artefacts, lister): (Arc<dyn Artefacts>, Lister),
    seal: Seal,
    dataset: Keccak,
    known: &[TableVersion],
) -> Result<(Archive, Dataset), CohortError> {
    // Nobody revokes meanwhile: the files are of one moment.
    let (opened, _lock) = Folder::open_to_change(folder)?;
    folder::expect(folder, opened.public(), &dataset)?;
    // Consents that do not go on from these, version by version, would count somebody who revoked.
    opened.expect_consents(known)?;
    let mut files = Vec::new();
    for name in opened.files() {
        let path = folder.join(&name);
        let failed = |source| CohortError::Prove(ProveError::Io { path: path.clone(), source });
        let file = File::open(&path).map_err(failed)?;
        let bytes = file.metadata().map_err(failed)?.len();
        let sealed = name.starts_with(PRIVATE);
        let put = if sealed {
            let purpose = Purpose { dataset: &dataset, name: &name };
            artefacts.put(&mut lister.before(Sealing::new(file, bytes, &seal, purpose)?))
        } else {
            artefacts.put(&mut lister.before(file))
        };
        let artefact = put.map_err(listing::refusal)?;
        files.push(DatasetFile { name, artefact, bytes, sealed });
    }
    let public = opened.public().to_json();
    drop(opened);
    let archive = Archive::of(artefacts, seal, dataset, files);
    let verify = || -> Result<Dataset, CohortError> {
        let stored = archive.open()?;
        stored.subjects_of(&|name| archive.read(name))?;
        if stored.public().to_json() != public {
            return Err(corrupt(PUBLIC, "changed while it was imported").into());
        }
        Ok(stored.public().clone())
    };
    match verify() {
        Ok(public) => Ok((archive, public)),
        Err(error) => {
            archive.discard();
            Err(error)
        }
    }
}

/// Overwrites and removes the clear private half of a folder that was imported as `imported`, but for its ledger of questions, which is stored nowhere
/// else. What the file system kept of it elsewhere is beyond this program. Returns whether a ledger is left.
///
/// # Errors
/// A folder that was changed since, or is being changed: its private half is stored nowhere else; a file that cannot be written or removed.
pub fn remove_clear(folder: &Path, imported: &Dataset) -> Result<bool, CohortError> {
    // Nobody revokes meanwhile; and who waits for this to change the folder finds that there is nothing to change.
    let held = folder::lock(folder)?;
    // The private half may be what a removal that was interrupted left of it.
    if folder::public_half(folder)?.to_json() != imported.to_json() {
        return Err(CohortError::Path {
            path: folder.to_owned(),
            problem:
                "was changed since it was imported, and its private half is still there; import it again"
                    .to_owned(),
        });
    }
    let (private, ledger, lock) = (folder.join("private"), Ledger::of(folder), folder.join(LOCK));
    let trouble = |path: &Path, error: std::io::Error| CohortError::Path {
        path: path.to_owned(),
        problem: error.to_string(),
    };
    for entry in fs::read_dir(&private).map_err(|error| trouble(&private, error))? {
        let path = entry.map_err(|error| trouble(&private, error))?.path();
        // The lock goes last: without its file somebody else would hold another.
        if path == ledger.path() || path == lock {
            continue;
        }
        let remove = || {
            let mut left = fs::symlink_metadata(&path)?;
            if left.is_file() {
                let mut file = fs::OpenOptions::new().write(true).open(&path)?;
                let zeros = [0; 1 << 16];
                let mut length = left.len();
                while length > 0 {
                    let part = zeros.get(..length.min(zeros.len() as u64) as usize).unwrap_or(&zeros);
                    file.write_all(part)?;
                    length -= part.len() as u64;
                }
                file.sync_all()?;
                left = fs::symlink_metadata(&path)?;
            }
            if left.is_dir() { fs::remove_dir_all(&path) } else { fs::remove_file(&path) }
        };
        remove().map_err(|error| trouble(&path, error))?;
    }
    fs::remove_file(&lock).map_err(|error| trouble(&lock, error))?;
    drop(held);
    if ledger.path().exists() {
        return Ok(true);
    }
    fs::remove_dir(&private).map(|()| false).map_err(|error| trouble(&private, error))
}

async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, CohortError> + Send + 'static,
) -> Result<T, CohortError> {
    let done = tokio::task::spawn_blocking(|| wiping(work)).await;
    done.map_err(|_| CohortError::Bug("reading a dataset panicked"))?
}
