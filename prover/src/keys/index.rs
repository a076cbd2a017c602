//! `keys.json`: `{"keys": [{"class": "claim-2", "digest": "<64 hex digits>", "kind": "development"}]}`.

use super::file::write_atomically;
use crate::ProveError;
use nightingale_circuits::claim::SizeClass;
use nightingale_verifier::{KeyDigest, KeyKind, VerifyError, key::class_from_name};
use serde::{Deserialize, Serialize};
use std::path::Path;

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
}

/// All keys of a directory.
#[derive(Default)]
pub(super) struct Index {
    pub(super) entries: Vec<Entry>,
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
        let entries =
            file.keys.iter().map(entry).collect::<Result<_, _>>().map_err(|e| corrupt(e.to_string()))?;
        Ok(Self { entries })
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

    pub(super) fn write(&self, directory: &Path) -> Result<(), ProveError> {
        let keys = self.entries.iter().map(|entry| EntryFile {
            class: entry.class.name().to_owned(),
            digest: entry.digest.to_string(),
            kind: entry.kind.name().to_owned(),
        });
        let mut text = serde_json::to_string_pretty(&IndexFile { keys: keys.collect() })
            .map_err(|e| ProveError::Bug(format!("keys.json: {e}")))?;
        text.push('\n');
        write_atomically(&directory.join(FILE), &[text.as_bytes()])
    }

    pub(super) fn current(&self, class: SizeClass) -> Option<&Entry> {
        self.entries.iter().rev().find(|entry| entry.class == class)
    }
}

fn entry(file: &EntryFile) -> Result<Entry, VerifyError> {
    Ok(Entry { class: class_from_name(&file.class)?, digest: file.digest.parse()?, kind: file.kind.parse()? })
}
