//! The query ledger of a dataset folder, `private/ledger.jsonl`: who asked what, appended to before an answer is released.
//!
//! One JSON object a line. Each names the SHA-256 of the line before it, so that a line that was changed or removed shows, unless all lines behind
//! it are gone, too: whoever must know keeps the last line's digest elsewhere. A ledger that does not hold together lets nothing be answered.
//! It holds questions, never figures.

use super::{Understood, now, timestamp};
use crate::error::CohortError;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use std::{
    fs::{File, OpenOptions},
    io::{Read, Seek, SeekFrom, Write},
    os::unix::fs::OpenOptionsExt,
    path::{Path, PathBuf},
};

const FIRST: &str = "0000000000000000000000000000000000000000000000000000000000000000";

/// What became of a question.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// It was answered under this version of the consents.
    Answered {
        /// From 0.
        consent_version: usize,
    },
    /// It was refused for this fixed reason.
    Refused(&'static str),
}

/// A line.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Entry {
    /// From 1.
    pub number: u64,
    /// When, in UTC.
    pub at: String,
    /// As whom.
    pub role: String,
    /// The table.
    pub table: String,
    /// The query in its canonical text.
    pub query: String,
    /// The query's digest.
    pub digest: String,
    /// The disclosure threshold that was asked for.
    pub threshold: u32,
    /// `answered` or `refused`.
    pub outcome: String,
    /// Why it was refused.
    pub reason: Option<String>,
    /// The version of the consents that answered.
    pub consent_version: Option<usize>,
    /// SHA-256 of the line before; zeros in the first.
    pub previous: String,
}

/// A folder's ledger.
pub struct Ledger {
    path: PathBuf,
}

impl Ledger {
    /// Of a dataset folder.
    #[must_use]
    pub fn of(folder: &Path) -> Self {
        Self { path: folder.join("private/ledger.jsonl") }
    }

    /// Where it is, if anything was asked.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// All lines, checked; none where nothing was asked yet.
    ///
    /// # Errors
    /// A file that cannot be read, or whose lines do not hold together.
    pub fn entries(&self) -> Result<Vec<Entry>, CohortError> {
        match File::open(&self.path) {
            Ok(mut file) => Ok(self.read(&mut file)?.0),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(Vec::new()),
            Err(error) => Err(self.io(&error)),
        }
    }

    /// Appends a line and brings it to the disk. Other processes wait meanwhile.
    ///
    /// # Errors
    /// As [`Ledger::entries`]; a disk that takes nothing.
    pub fn append(&self, understood: &Understood, outcome: &Outcome) -> Result<(), CohortError> {
        let options = OpenOptions::new().read(true).append(true).create(true).mode(0o600).open(&self.path);
        let mut file = options.map_err(|error| self.io(&error))?;
        file.lock().map_err(|error| self.io(&error))?;
        let (entries, previous) = self.read(&mut file)?;
        let (reason, consent_version) = match *outcome {
            Outcome::Answered { consent_version } => (None, Some(consent_version)),
            Outcome::Refused(reason) => (Some(reason.to_owned()), None),
        };
        let entry = Entry {
            number: entries.last().map_or(0, |entry| entry.number) + 1,
            at: timestamp(now()),
            role: understood.role.name().to_owned(),
            table: understood.ask.table.clone(),
            query: understood.sql.clone(),
            digest: hex::encode(understood.digest),
            threshold: understood.threshold,
            outcome: if reason.is_none() { "answered" } else { "refused" }.to_owned(),
            reason,
            consent_version,
            previous,
        };
        let mut line =
            serde_json::to_string(&entry).map_err(|_| CohortError::Bug("a ledger line that is no JSON"))?;
        line.push('\n');
        let end = file.seek(SeekFrom::End(0)).map_err(|error| self.io(&error))?;
        file.write_all(line.as_bytes()).and_then(|()| file.sync_all()).map_err(|error| {
            // Half a line would lock the ledger for good.
            let _ = file.set_len(end);
            self.io(&error)
        })
    }

    /// All lines, and the digest of the last.
    fn read(&self, file: &mut File) -> Result<(Vec<Entry>, String), CohortError> {
        let mut text = String::new();
        file.rewind().and_then(|()| file.read_to_string(&mut text)).map_err(|error| self.io(&error))?;
        let mut previous = FIRST.to_owned();
        let mut entries = Vec::new();
        for (number, line) in (1..).zip(text.split_inclusive('\n')) {
            let broken = || CohortError::Ledger { path: self.path.clone(), line: number };
            let entry: Entry = serde_json::from_str(line).map_err(|_| broken())?;
            if entry.number != number || entry.previous != previous || !line.ends_with('\n') {
                return Err(broken());
            }
            previous = hex::encode(Sha256::digest(line.trim_end_matches('\n').as_bytes()));
            entries.push(entry);
        }
        Ok((entries, previous))
    }

    fn io(&self, error: &std::io::Error) -> CohortError {
        CohortError::Path { path: self.path.clone(), problem: error.to_string() }
    }
}
