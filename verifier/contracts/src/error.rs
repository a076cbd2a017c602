//! The crate's errors; the variants say who has to act.

use alloy_primitives::{Address, Bytes};
use thiserror::Error;

/// What went wrong.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum Error {
    /// A key that no contract would accept: use another key.
    #[error("verifying key refused: {0}")]
    KeyRefused(&'static str),
    /// The number of public inputs is not the one that is needed.
    #[error("expected {expected} public inputs, got {found}")]
    InputCount {
        /// What is needed.
        expected: usize,
        /// What there is.
        found: usize,
    },
    /// Entries that are not whole.
    #[error("entries: {0} bytes are not a whole number of entries of this key")]
    EntriesMalformed(usize),
    /// A checked-in artefact cannot be read: rebuild it with `node verifier/contracts/build.mjs`.
    #[error("artefact {artefact} is corrupt: {reason}")]
    ArtefactCorrupt {
        /// Which.
        artefact: &'static str,
        /// Why.
        reason: String,
    },
    /// The deployment cannot be made as it was asked for.
    #[error("deployment refused: {0}")]
    DeploymentRefused(&'static str),
    /// A step of a deployment was confirmed without the address of the contract that it creates.
    #[error("deployment step \"{0}\" created no contract: look at its transaction")]
    NothingCreated(String),
    /// The contract reverted; [`crate::bindings::explain`] says why.
    #[error("reverted: {}", crate::bindings::explain(.0))]
    Reverted(Bytes),
    /// Execution stopped without a reason from the contract: out of gas, most often.
    #[error("halted after {gas} gas: {reason}")]
    Halted {
        /// The machine's reason.
        reason: String,
        /// Gas used.
        gas: u64,
    },
    /// The transaction is not valid at all.
    #[error("transaction refused: {0}")]
    TransactionRefused(String),
    /// An answer that the binding does not describe.
    #[error("{contract} answered something else than its interface says: {reason}")]
    AnswerMalformed {
        /// Which contract.
        contract: Address,
        /// Why.
        reason: String,
    },
}
