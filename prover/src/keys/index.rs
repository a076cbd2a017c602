//! `keys.json`: `{"keys": [{"class": "claim-2", "digest": "<64 hex digits>", "kind": "development", "proving": "<64 hex digits>"}]}`, and
//! the manifest of each key that was imported.
//!
//! `proving` is the BLAKE3 digest at the end of the proving key's file. A file that was altered on purpose can be given a right
//! digest of its own, and then make some claims' proofs fail and not others; it cannot be given this one.

use super::file::write_atomically;
use crate::{ProveError, ceremony::Manifest};
use nightingale_circuits::claim::SizeClass;
use nightingale_verifier::{KeyDigest, KeyKind, VerifyError, key::class_from_name};
use serde::{Deserialize, Serialize};
use std::{
    collections::BTreeMap,
    fs::{File, TryLockError},
    path::Path,
    thread::sleep,
    time::{Duration, Instant},
};

const FILE: &str = "keys.json";

/// One key of a directory.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Entry {
    /// What it proves.
    pub class: SizeClass,
    /// Its address.
    pub digest: KeyDigest,
    /// Where it comes from.
    pub kind: KeyKind,
    /// BLAKE3 of the proving key's content; lists of earlier versions have none.
    pub proving: Option<[u8; 32]>,
}

/// All keys of a directory.
#[derive(Default)]
pub(super) struct Index {
    pub(super) entries: Vec<Entry>,
    pub(super) manifests: BTreeMap<KeyDigest, Manifest>,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct IndexFile {
    keys: Vec<EntryFile>,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct EntryFile {
    class: String,
    digest: String,
    kind: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    proving: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    manifest: Option<Manifest>,
}

impl Index {
    pub(super) fn read(directory: &Path) -> Result<Self, ProveError> {
        let path = directory.join(FILE);
        let bytes = std::fs::read(&path).map_err(|source| ProveError::Io { path: path.clone(), source })?;
        let corrupt = |problem: String| ProveError::Corrupt {
            path: path.clone(),
            problem: format!(
                "{problem}; restore the file, or remove it to have development keys listed anew"
            ),
        };
        let file: IndexFile = serde_json::from_slice(&bytes).map_err(|e| corrupt(e.to_string()))?;
        let entries: Vec<Entry> =
            file.keys.iter().map(entry).collect::<Result<_, _>>().map_err(|e| corrupt(e.to_string()))?;
        let manifests = entries.iter().zip(file.keys);
        let manifests = manifests.filter_map(|(entry, file)| Some((entry.digest, file.manifest?))).collect();
        Ok(Self { entries, manifests })
    }

    /// The empty index where there is no file.
    pub(super) fn read_or_empty(directory: &Path) -> Result<Self, ProveError> {
        match Self::read(directory) {
            Err(ProveError::Io { source, .. }) if source.kind() == std::io::ErrorKind::NotFound => {
                Ok(Self::default())
            }
            other => other,
        }
    }

    /// Changes the list of a directory as it is at this moment: two programs that change it wait for each other.
    pub(super) fn change(directory: &Path, change: impl FnOnce(&mut Self)) -> Result<Self, ProveError> {
        let _locked = locked(directory)?;
        let mut index = Self::read_or_empty(directory)?;
        change(&mut index);
        index.write(directory)?;
        Ok(index)
    }

    fn write(&self, directory: &Path) -> Result<(), ProveError> {
        let keys = self.entries.iter().map(|entry| EntryFile {
            class: entry.class.name().to_owned(),
            digest: entry.digest.to_string(),
            kind: entry.kind.name().to_owned(),
            proving: entry.proving.map(hex::encode),
            manifest: self.manifests.get(&entry.digest).cloned(),
        });
        let mut text = serde_json::to_string_pretty(&IndexFile { keys: keys.collect() })
            .map_err(|e| ProveError::Bug(format!("keys.json: {e}")))?;
        text.push('\n');
        write_atomically(&directory.join(FILE), &[text.as_bytes()])
    }

    pub(super) fn current(&self, class: SizeClass) -> Option<&Entry> {
        self.entries.iter().rev().find(|entry| entry.class == class)
    }

    /// Lists a key as its class's current one. A development key never takes a production key's place: one may have been imported while it
    /// was made.
    pub(super) fn add(&mut self, entry: Entry) {
        let current = self.current(entry.class).map(|current| current.kind);
        if (entry.kind, current) == (KeyKind::Development, Some(KeyKind::Production)) {
            return;
        }
        self.entries.retain(|known| known.digest != entry.digest);
        self.entries.push(entry);
    }
}

/// How long one who changes a list waits for another who does.
const PATIENCE: Duration = Duration::from_secs(60);

/// Keeps other programs of this kind from changing a directory's list until the file is dropped: a lock of the directory itself, which leaves
/// nothing behind.
///
/// # Errors
/// A directory that cannot be opened; another program that keeps it locked for longer than a minute.
pub(crate) fn locked(directory: &Path) -> Result<File, ProveError> {
    let io = |source| ProveError::Io { path: directory.to_owned(), source };
    let file = File::open(directory).map_err(io)?;
    let start = Instant::now();
    loop {
        match file.try_lock() {
            Ok(()) => return Ok(file),
            Err(TryLockError::WouldBlock) if start.elapsed() < PATIENCE => sleep(Duration::from_millis(20)),
            Err(TryLockError::WouldBlock) => {
                return Err(ProveError::Locked { directory: directory.to_owned() });
            }
            Err(TryLockError::Error(source)) => return Err(io(source)),
        }
    }
}

fn entry(file: &EntryFile) -> Result<Entry, VerifyError> {
    let proving = file.proving.as_ref().map(|digest| digest.parse::<KeyDigest>()).transpose()?;
    Ok(Entry {
        class: class_from_name(&file.class)?,
        digest: file.digest.parse()?,
        kind: file.kind.parse()?,
        proving: proving.map(|digest| digest.0),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ceremony::Part;

    #[test]
    fn those_who_change_a_list_at_once_lose_nothing_of_each_other() -> Result<(), ProveError> {
        let directory = tempfile::tempdir().map_err(|e| ProveError::Bug(e.to_string()))?;
        let add = |number: u8| {
            let digest = KeyDigest([number; 32]);
            let entry = Entry { class: SizeClass::Two, digest, kind: KeyKind::Production, proving: None };
            Index::change(directory.path(), |index| index.add(entry)).map(drop)
        };
        std::thread::scope(|scope| {
            let all: Vec<_> = (0..16).map(|number| scope.spawn(move || add(number))).collect();
            all.into_iter().try_for_each(|one| {
                one.join().map_err(|_| ProveError::Bug("a thread panicked".to_owned()))?
            })
        })?;
        assert_eq!(Index::read(directory.path())?.entries.len(), 16);
        // A development key that was being made when these were imported stays out of their way.
        let entry = Entry {
            class: SizeClass::Two,
            digest: KeyDigest([99; 32]),
            kind: KeyKind::Development,
            proving: None,
        };
        let index = Index::change(directory.path(), |index| index.add(entry))?;
        assert_eq!(index.current(SizeClass::Two).map(|entry| entry.kind), Some(KeyKind::Production));
        Ok(())
    }

    #[test]
    fn a_list_is_read_as_it_was_written_and_lists_of_earlier_versions_are_read() -> Result<(), ProveError> {
        let directory = tempfile::tempdir().map_err(|e| ProveError::Bug(e.to_string()))?;
        let digest = KeyDigest([7; 32]);
        let entry =
            Entry { class: SizeClass::Two, digest, kind: KeyKind::Production, proving: Some([9; 32]) };
        let made = |beacon| Part {
            hash: "ab".repeat(64),
            name: None,
            published: true,
            named: false,
            checked: false,
            beacon,
        };
        let manifest = Manifest {
            circuit: "00".to_owned(),
            circuit_hash: "01".to_owned(),
            zkey: "02".to_owned(),
            ptau: "03".to_owned(),
            power: 17,
            minimum_contributors: 2,
            contributions: vec![made(None), made(Some(("ff".to_owned(), 10)))],
        };
        let mut index = Index::read_or_empty(directory.path())?;
        index.add(entry);
        index.manifests.insert(digest, manifest.clone());
        index.write(directory.path())?;
        let read = Index::read(directory.path())?;
        assert_eq!((&*read.entries, read.manifests.get(&digest)), (&[entry][..], Some(&manifest)));

        let old =
            format!(r#"{{"keys": [{{"class": "claim-2", "digest": "{digest}", "kind": "development"}}]}}"#);
        write_atomically(&directory.path().join(FILE), &[old.as_bytes()])?;
        let read = Index::read(directory.path())?;
        assert_eq!((read.entries[0].proving, read.manifests.len()), (None, 0));
        Ok(())
    }
}
