//! The crate's one error. Its variant says what to do: ask differently, choose another key, call the operator, stop.

use crate::{ceremony::CeremonyError, device::DeviceError};
use nightingale_circuits::{
    claim::{Refusal, SizeClass},
    cohort::circuit::Unprovable,
};
use nightingale_verifier::VerifyError;
use std::path::PathBuf;
use thiserror::Error;

/// Why there is no proof or no key.
#[derive(Debug, Error)]
pub enum ProveError {
    /// The request cannot be proven as it stands: the caller's to change.
    #[error(transparent)]
    Refused(#[from] Refusal),
    /// The request is of another size class than the key.
    #[error("the claim is of class {claim}, the key of class {key}; prove it with the key of its class", claim = .claim.name(), key = .key.name())]
    WrongClass {
        /// The claim's class.
        claim: SizeClass,
        /// The key's class.
        key: SizeClass,
    },
    /// Another program changes the keys of a directory and takes long.
    #[error("{directory} is being changed by another program; try again when that has ended", directory = .directory.display())]
    Locked {
        /// The directory.
        directory: PathBuf,
    },
    /// The key directory has no key for the class.
    #[error("{directory} has no key for {class}; make development keys there or import a ceremony's", directory = .directory.display(), class = .class.name())]
    NoKey {
        /// Where it was looked for.
        directory: PathBuf,
        /// The class.
        class: SizeClass,
    },
    /// The directory has no setup of a ceremony for cohort statistics.
    #[error("{directory} has no setup of a ceremony; import powers of tau there with `nightingale keys import-ptau`", directory = .directory.display())]
    NoSetup {
        /// Where it was looked for.
        directory: PathBuf,
    },
    /// A device that this build does not know: the operator's to change.
    #[error(
        "device `{0}` is unknown here; use `auto`, `cpu`, `cpu-portable`, `reference`, `cuda:0`, `icicle:CUDA:0`, or `checked:A,B` with two of them to compare"
    )]
    UnknownDevice(String),
    /// A device gave no result; its error says whether another may.
    #[error(transparent)]
    Device(#[from] DeviceError),
    /// The assignment breaks a constraint, so there is nothing to prove: a mistake of whoever made it. The number of the
    /// constraint says nothing of a record; what it is about, only its owner should look up.
    #[error("the assignment does not satisfy the circuit")]
    Unsatisfied {
        /// The first constraint that it breaks.
        row: usize,
    },
    /// A file that cannot be read or written: the operator's to mend, then the same call can be repeated.
    #[error("{path}: {source}; check the path, its permissions and the free space, then try again", path = .path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// A key file that is not what it says: the operator's to replace.
    #[error("{path}: {problem}", path = .path.display())]
    Corrupt {
        /// The file.
        path: PathBuf,
        /// What is wrong and what to do.
        problem: String,
    },
    /// A key's parameters that must not be used.
    #[error(transparent)]
    UnsafeKey(VerifyError),
    /// A file of a ceremony that must not be used; its error says which check failed.
    #[error(transparent)]
    Ceremony(#[from] CeremonyError),
    /// A processor that cannot run the cohort prover: the operator's to change.
    #[error(
        "this processor lacks BMI2 or ADX, which proving cohort statistics needs; use one made after 2014"
    )]
    Processor,
    /// A query that the dataset does not release, or a table or row that it does not have: the caller's to change.
    #[error(transparent)]
    Release(VerifyError),
    /// A query or table that no circuit takes: the caller's to change.
    #[error(transparent)]
    Unprovable(#[from] Unprovable),
    /// The caller's progress callback asked to stop.
    #[error("cancelled")]
    Cancelled,
    /// A mistake in this program; nothing was let out. Stop and report it.
    #[error("a mistake in the prover, please report it: {0}")]
    Bug(String),
}
