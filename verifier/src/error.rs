//! The crate's one error: why a proof, a key or a file is not accepted, and what to do about it.

use crate::{cohort::SetupDigest, key::KeyDigest};
use std::path::PathBuf;
use thiserror::Error;

/// Why something is not accepted.
#[derive(Debug, Error)]
pub enum VerifyError {
    /// A file that cannot be read at all.
    #[error("{path}: {source}; check the path and its permissions")]
    Io {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// Bytes that are not the kind of file they should be.
    #[error("not a {what}: {problem}")]
    Unreadable {
        /// What was expected.
        what: &'static str,
        /// Where it goes wrong.
        problem: String,
    },
    /// A file of the right kind with a wrong element.
    #[error("{element}: {problem}")]
    Malformed {
        /// The element.
        element: String,
        /// What it must be.
        problem: &'static str,
    },
    /// A key that no proof may be trusted under.
    #[error("verifying key: {0}; do not use it, get the key from its publisher again")]
    UnsafeKey(&'static str),
    /// Keys of a setup that is none of those that the caller named.
    #[error(
        "the keys are of setup {0}, which was not asked for; get the setup's keys from their publisher again, or name this digest once its publisher confirms it"
    )]
    UnpinnedSetup(SetupDigest),
    /// No file holds the key that the proof names.
    #[error("no key {class}.{digest}.vk in {directory}; get the key with this digest from its publisher")]
    UnknownKey {
        /// The class that the proof names.
        class: &'static str,
        /// The digest that the proof names.
        digest: KeyDigest,
        /// Where it was looked for.
        directory: PathBuf,
    },
    /// The proof is for another key than the one given.
    #[error("the proof is for key {proof}, not for {key}; give the key that it names")]
    WrongKey {
        /// The key that the proof names.
        proof: KeyDigest,
        /// The key given.
        key: KeyDigest,
    },
    /// The key's class is not the proof's.
    #[error("the proof is of class {proof}, its key of class {key}")]
    WrongClass {
        /// The proof's class.
        proof: &'static str,
        /// The key's class.
        key: &'static str,
    },
    /// A version of the statement that this verifier does not know.
    #[error("statement version {found}; this verifier knows version {known}")]
    Version {
        /// The proof's.
        found: u8,
        /// Ours.
        known: u8,
    },
    /// A development key where only production keys are trusted.
    #[error(
        "key {0} is a development key: anybody can forge its proofs; ask for a proof under a production key"
    )]
    DevelopmentKey(KeyDigest),
    /// The proof is about something else than expected.
    #[error("another context: {what} is {found}, expected {expected}")]
    Context {
        /// The public input.
        what: &'static str,
        /// What the reader knows it must be.
        expected: String,
        /// What the proof says.
        found: String,
    },
    /// The proof's consent root is not recent enough; the text says why.
    #[error("consent: {0}")]
    Consent(String),
    /// Public inputs that no run of the statement yields.
    #[error("public inputs contradict each other: {0}")]
    Inconsistent(&'static str),
    /// The opening does not belong to the proof's outcome commitment.
    #[error("opening: {0}")]
    Opening(&'static str),
    /// The pairing equation does not hold.
    #[error(
        "the proof does not verify under its key: proof or public inputs were altered, or it never was valid"
    )]
    Invalid,
    /// The proof holds, but of other columns than the registered ones.
    #[error(
        "the proof is not about the registered columns: its link does not hold for this dataset, query and terms of release"
    )]
    Link,
    /// Something of a cohort dataset or query that does not fit; the text says what.
    #[error("{0}")]
    Cohort(String),
    /// An audit log that does not hold together, or is not the anchored one.
    #[error("audit log, entry {sequence}: {problem}")]
    Audit {
        /// The first entry that is wrong or missing.
        sequence: u64,
        /// What is wrong.
        problem: String,
    },
    /// An explanation that does not belong to the proof.
    #[error("explanation: {element} {problem}")]
    Explanation {
        /// The element.
        element: String,
        /// What is wrong.
        problem: String,
    },
}

impl VerifyError {
    pub(crate) fn malformed(element: impl Into<String>, problem: &'static str) -> Self {
        Self::Malformed { element: element.into(), problem }
    }

    /// Whether the input could not even be read, rather than read and found wrong.
    #[must_use]
    pub const fn is_unreadable(&self) -> bool {
        matches!(self, Self::Io { .. } | Self::Unreadable { .. } | Self::UnknownKey { .. })
    }
}
