//! A dataset folder: what the prover keeps of a dataset, and beside it who its subjects are and to whom exact answers are sealed.
//!
//! Opening checks every file against its digest before anything is proven.

use super::{Ledger, RegulatorKey};
use crate::{error::CohortError, store::consents::versions::TableVersion};
use nightingale_circuits::cohort::{Keccak, Unit};
use nightingale_prover::{ProveError, cohort::CohortDataset};
use nightingale_records::trial::Subjects;
use nightingale_verifier::{
    VerifyError,
    cohort::{Dataset, TableRecord, text},
};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use std::{
    fs::{self, File, OpenOptions, TryLockError},
    io::Write,
    os::unix::fs::OpenOptionsExt,
    path::{Path, PathBuf},
};
use zeroize::Zeroizing;

const FORMAT: &str = "nightingale dataset folder 1";
const REGISTRATION: &str = "private/registration.json";
const SUBJECTS: &str = "private/subjects.json";
const REGULATOR: &str = "public/regulator.key";
pub(super) const LOCK: &str = "private/lock";

/// Gives the content of a folder's file by its name, or `None` where there is none.
pub type FileReader<'a> = dyn Fn(&str) -> Result<Option<Zeroizing<Vec<u8>>>, ProveError> + 'a;

/// An open folder. No `Debug`: it holds codes and salts.
pub struct Folder {
    /// Where it is.
    pub path: PathBuf,
    /// The dataset.
    pub dataset: CohortDataset,
    /// To whom exact answers are sealed.
    pub regulator: Option<RegulatorKey>,
    subjects_digest: String,
}

/// The right to change a folder, until it is dropped.
pub struct Lock(#[expect(dead_code, reason = "it is held, not read")] File);

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct RegistrationFile {
    format: String,
    dataset: String,
    regulator: Option<String>,
    subjects: String,
}

/// A file of the folder that is not as it was written.
fn damaged(path: PathBuf, problem: &str) -> CohortError {
    CohortError::Prove(ProveError::Corrupt {
        path,
        problem: format!("{problem}; restore the dataset directory from its copy"),
    })
}

impl Folder {
    /// Opens a folder that `nightingale dataset commit` wrote.
    ///
    /// # Errors
    /// There is none; a file that cannot be read or is damaged.
    pub fn open(path: &Path) -> Result<Self, CohortError> {
        if !path.join("private").is_dir() || !path.join("public").is_dir() {
            return Err(CohortError::NoDataset(path.to_owned()));
        }
        let dataset = CohortDataset::open(path)?;
        Self::assemble(path, dataset, &|name| match fs::read(path.join(name)) {
            Ok(bytes) => Ok(Some(Zeroizing::new(bytes))),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
            Err(source) => Err(ProveError::Io { path: path.join(name), source }),
        })
    }

    /// Opens a dataset whose files are kept elsewhere: `read` gives a file by its name in the folder, or `None` where there is none, and
    /// answers for it being what was written. The folder's ledger and its subjects are not there.
    ///
    /// # Errors
    /// What `read` fails with; a file that is missing or not of this dataset.
    pub fn read(read: &FileReader<'_>) -> Result<Self, CohortError> {
        let needed = |name: &str| {
            let missing =
                || ProveError::Corrupt { path: PathBuf::from(name), problem: "is missing".to_owned() };
            read(name)?.ok_or_else(missing)
        };
        Self::assemble(Path::new(""), CohortDataset::read(&needed)?, read)
    }

    fn assemble(path: &Path, dataset: CohortDataset, read: &FileReader<'_>) -> Result<Self, CohortError> {
        let file = path.join(REGISTRATION);
        let bytes = read(REGISTRATION)?.ok_or_else(|| damaged(file.clone(), "is missing"))?;
        let registration: RegistrationFile =
            serde_json::from_slice(&bytes).map_err(|_| damaged(file.clone(), "is damaged"))?;
        if registration.format != FORMAT || registration.dataset != hex::encode(dataset.public().digest()) {
            return Err(damaged(file, "is not of this dataset"));
        }
        let published = read(REGULATOR)?.map(|bytes| String::from_utf8_lossy(&bytes).into_owned());
        // Without this, removing a file would let exact answers leave in clear.
        if published != registration.regulator {
            return Err(damaged(path.join(REGULATOR), "is not the key that was registered"));
        }
        let regulator = published.as_deref().map(RegulatorKey::parse).transpose()?;
        Ok(Self { path: path.to_owned(), dataset, regulator, subjects_digest: registration.subjects })
    }

    /// The folder's files that hold the dataset, by name: everything but locks, lists and the ledger.
    #[must_use]
    pub fn files(&self) -> Vec<String> {
        let own = [REGISTRATION, SUBJECTS].map(str::to_owned);
        let regulator = self.regulator.map(|_| REGULATOR.to_owned());
        self.dataset.files().into_iter().chain(own).chain(regulator).collect()
    }

    /// Opens a folder to change it. While the lock is held nobody else does: of two revocations at once, each would be of the consents before the
    /// other, and one of them lost.
    ///
    /// # Errors
    /// As [`Folder::open`]; a folder that another command is changing.
    pub fn open_to_change(path: &Path) -> Result<(Self, Lock), CohortError> {
        let lock = lock(path)?;
        Ok((Self::open(path)?, lock))
    }

    /// Waits until nobody changes the folder, and keeps it so while the lock is held. `None` where the consents are not those any more with which
    /// this was opened: what was made from it counts somebody who revoked.
    ///
    /// # Errors
    /// The folder is gone or damaged.
    pub fn hold(&self) -> Result<Option<Lock>, CohortError> {
        let lock = lock_file(&self.path)?;
        lock.lock().map_err(|error| trouble(&self.path.join(LOCK), &error))?;
        let held = public_half(&self.path)?;
        expect(&self.path, &held, self.public().digest())?;
        Ok((newest_consents(&held) == self.newest_consents()).then_some(Lock(lock)))
    }

    /// Opens the folder of a dataset that was registered.
    ///
    /// # Errors
    /// As [`Folder::open`]; a folder that holds another dataset by now.
    pub fn open_registered(path: &Path, dataset: &Keccak) -> Result<Self, CohortError> {
        let folder = Self::open(path)?;
        expect(path, folder.public(), dataset)?;
        Ok(folder)
    }

    /// Refuses a folder whose consents are older than those that were recorded as the newest, or were not made from them.
    ///
    /// # Errors
    /// What was recorded is not in the history of one of its tables.
    pub fn expect_consents(&self, recorded: &[TableVersion]) -> Result<(), CohortError> {
        for wanted in recorded {
            let table = self.public().table(&wanted.table).map_err(CohortError::Release)?;
            let place = usize::try_from(wanted.version).ok();
            let held = place.and_then(|place| table.consents.get(place));
            if held.is_none_or(|held| held.commitment.words().concat() != wanted.commitment) {
                let table = wanted.table.clone();
                return Err(CohortError::OlderConsents { path: self.path.clone(), table });
            }
        }
        Ok(())
    }

    /// The newest consents of each table.
    #[must_use]
    pub fn newest_consents(&self) -> Vec<TableVersion> {
        newest_consents(self.public())
    }

    /// Writes a new folder.
    ///
    /// # Errors
    /// A folder that is there already and not empty; a file that cannot be written.
    pub fn create(
        path: &Path,
        dataset: CohortDataset,
        subjects: &Subjects,
        regulator: Option<RegulatorKey>,
    ) -> Result<Self, CohortError> {
        vacant(path)?;
        dataset.write(path)?;
        let names: Zeroizing<Vec<u8>> = Zeroizing::new(
            serde_json::to_vec(&subjects.iter().collect::<Vec<_>>())
                .map_err(|_| CohortError::Bug("keys that are no JSON"))?,
        );
        let subjects_digest = hex::encode(Sha256::digest(&*names));
        write(&path.join(SUBJECTS), &names, 0o600)?;
        let key = regulator.map(RegulatorKey::to_text);
        if let Some(key) = &key {
            write(&path.join(REGULATOR), key.as_bytes(), 0o644)?;
        }
        let registration = RegistrationFile {
            format: FORMAT.to_owned(),
            dataset: hex::encode(dataset.public().digest()),
            regulator: key,
            subjects: subjects_digest.clone(),
        };
        let text = serde_json::to_vec_pretty(&registration)
            .map_err(|_| CohortError::Bug("a registration that is no JSON"))?;
        write(&path.join(REGISTRATION), &text, 0o600)?;
        Ok(Self { path: path.to_owned(), dataset, regulator, subjects_digest })
    }

    /// Who the subjects are.
    ///
    /// # Errors
    /// A file that is damaged.
    pub fn subjects(&self) -> Result<Subjects, CohortError> {
        let path = self.path.join(SUBJECTS);
        self.subjects_of(&|_| {
            Ok(Some(Zeroizing::new(
                fs::read(&path).map_err(|source| ProveError::Io { path: path.clone(), source })?,
            )))
        })
    }

    /// Who the subjects are, where the folder's files are kept elsewhere.
    ///
    /// # Errors
    /// What `read` fails with; a file that is damaged.
    pub fn subjects_of(&self, read: &FileReader<'_>) -> Result<Subjects, CohortError> {
        let path = self.path.join(SUBJECTS);
        let bytes = read(SUBJECTS)?.ok_or_else(|| damaged(path.clone(), "is missing"))?;
        if hex::encode(Sha256::digest(&*bytes)) != self.subjects_digest {
            return Err(damaged(path, "is damaged: its digest is not the registered one"));
        }
        let keys: Option<Vec<String>> = serde_json::from_slice(&bytes).ok();
        keys.and_then(Subjects::new).ok_or_else(|| damaged(path, "is damaged"))
    }

    /// Codes of subjects by their keys.
    ///
    /// # Errors
    /// A key that the dataset does not have, by its place in the list.
    pub fn codes(&self, keys: &[String]) -> Result<Vec<u32>, CohortError> {
        let subjects = self.subjects()?;
        let code =
            |(place, key): (usize, &String)| subjects.code(key).ok_or(CohortError::NoSubject { place });
        (1..).zip(keys).map(code).collect()
    }

    /// The row of a table, from 0, that a subject has; with a dimension, the one of this word.
    ///
    /// # Errors
    /// There is no such row, or it takes a word of the dimension to tell which.
    pub fn row(&self, table: &str, subject: &str, word: Option<&str>) -> Result<usize, CohortError> {
        let subject = self.codes(&[subject.to_owned()])?.first().copied().unwrap_or_default();
        let table = self.dataset.table(table)?;
        let schema = table.schema();
        let rows: Vec<usize> = (0..)
            .zip(table.codes(schema.subject()))
            .filter(|(_, code)| **code == subject)
            .map(|(row, _)| row)
            .collect();
        let chosen: Vec<usize> = match (schema.unit(), word) {
            (Unit::SubjectAnd(dimension), Some(word)) => {
                let column =
                    schema.columns().get(dimension).ok_or(CohortError::Bug("a unit without its column"))?;
                let codes = table.codes(dimension);
                let is = |row: &usize| {
                    codes.get(*row).and_then(|code| text::value(column, *code)).as_deref() == Some(word)
                };
                rows.into_iter().filter(is).collect()
            }
            _ => rows,
        };
        match chosen[..] {
            [row] => Ok(row),
            [] => Err(CohortError::NoRow("the table has no such row")),
            _ => Err(CohortError::NoRow(
                "the subject has several rows there; name one with --dimension WORD, or with --row",
            )),
        }
    }

    /// What everybody sees.
    #[must_use]
    pub const fn public(&self) -> &Dataset {
        self.dataset.public()
    }

    /// Who asked what.
    #[must_use]
    pub fn ledger(&self) -> Ledger {
        Ledger::of(&self.path)
    }
}

/// The public half of a folder, or of a `public/` folder alone.
///
/// # Errors
/// There is none, or it is damaged.
pub fn public(path: &Path) -> Result<Dataset, CohortError> {
    let places = [path.join("public/dataset.json"), path.join("dataset.json"), path.to_owned()];
    let found = places.into_iter().find(|place| place.is_file());
    parse(found.ok_or_else(|| CohortError::NoDataset(path.to_owned()))?)
}

/// The public half of a folder, where it always is: whoever names a folder of a server's must not have another file read.
///
/// # Errors
/// There is none, or it is damaged.
pub(super) fn public_half(folder: &Path) -> Result<Dataset, CohortError> {
    let file = folder.join("public/dataset.json");
    if file.is_file() { parse(file) } else { Err(CohortError::NoDataset(folder.to_owned())) }
}

fn parse(file: PathBuf) -> Result<Dataset, CohortError> {
    Dataset::from_json(&read(&file)?).map_err(|error| match error {
        // What stands there instead may be of a record: only where it stands is told.
        VerifyError::Unreadable { problem, .. } => {
            let place = problem.rfind(" at line ").and_then(|place| problem.get(place..)).unwrap_or_default();
            damaged(file, &format!("is no description of a dataset{place}"))
        }
        other => damaged(file, &other.to_string()),
    })
}

/// The consents of each table of a dataset, of all versions.
#[must_use]
pub fn consents(dataset: &Dataset) -> Vec<TableVersion> {
    let mut versions = Vec::new();
    for table in dataset.tables() {
        for (version, held) in (0..).zip(&table.consents) {
            let (table, commitment) = (table.name().to_owned(), held.commitment.words().concat());
            versions.push(TableVersion { table, version, commitment });
        }
    }
    versions
}

/// The newest consents of each table of a dataset.
#[must_use]
pub fn newest_consents(dataset: &Dataset) -> Vec<TableVersion> {
    let newest = |table: &TableRecord| {
        Some(TableVersion {
            table: table.name().to_owned(),
            version: u32::try_from(table.newest_consent()?).ok()?,
            commitment: table.consents.last()?.commitment.words().concat(),
        })
    };
    dataset.tables().iter().filter_map(newest).collect()
}

/// Refuses another dataset than the one that was registered.
///
/// # Errors
/// It is another.
pub fn expect(path: &Path, found: &Dataset, registered: &Keccak) -> Result<(), CohortError> {
    if found.digest() == registered {
        Ok(())
    } else {
        Err(damaged(path.to_owned(), "holds another dataset than the one that was registered"))
    }
}

/// Refuses a folder that holds anything: a registration is never overwritten.
///
/// # Errors
/// It does, or is no folder.
pub fn vacant(path: &Path) -> Result<(), CohortError> {
    let first = fs::read_dir(path).map(|mut entries| entries.next());
    match first {
        Ok(None) => Ok(()),
        Ok(Some(_)) => Err(CohortError::Path {
            path: path.to_owned(),
            problem: "is there already, and a registration is never overwritten; choose another --out"
                .to_owned(),
        }),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(()),
        Err(error) => Err(trouble(path, &error)),
    }
}

/// Keeps others from changing a folder, whatever is left of it, while it is held.
///
/// # Errors
/// Another command is changing it; there is no private half.
pub fn lock(folder: &Path) -> Result<Lock, CohortError> {
    let lock = lock_file(folder)?;
    lock.try_lock().map_err(|error| match error {
        TryLockError::WouldBlock => CohortError::Busy(folder.to_owned()),
        TryLockError::Error(error) => trouble(&folder.join(LOCK), &error),
    })?;
    Ok(Lock(lock))
}

fn lock_file(folder: &Path) -> Result<File, CohortError> {
    let file = folder.join(LOCK);
    let opened = OpenOptions::new().write(true).create(true).truncate(false).mode(0o600).open(&file);
    opened.map_err(|error| match error.kind() {
        std::io::ErrorKind::NotFound => CohortError::NoDataset(folder.to_owned()),
        _ => trouble(&file, &error),
    })
}

fn trouble(path: &Path, error: &std::io::Error) -> CohortError {
    CohortError::Path { path: path.to_owned(), problem: error.to_string() }
}

fn read(path: &Path) -> Result<Vec<u8>, CohortError> {
    fs::read(path).map_err(|error| trouble(path, &error))
}

fn write(path: &Path, bytes: &[u8], mode: u32) -> Result<(), CohortError> {
    let write = || {
        let mut file = OpenOptions::new().write(true).create_new(true).mode(mode).open(path)?;
        file.write_all(bytes)?;
        file.sync_all()
    };
    write().map_err(|error: std::io::Error| trouble(path, &error))
}
