//! The crate's errors; the variants say who has to act.

use alloy_primitives::{Address, B256, Bytes};
use nightingale_verifier::VerifyError;
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
    /// A cohort dataset or proof that does not hold together, or does not release what is to be logged.
    #[error("cohort dataset: {0}")]
    Dataset(String),
    /// No contract verifies answers about tables of this size.
    #[error(
        "there is no verifier on-chain for tables of 2^{k} rows: ask this table off-chain, or generate one (verifier/contracts/README.md, Sizes)"
    )]
    SizeWithoutVerifier {
        /// The logarithm of the number of rows.
        k: u32,
    },
    /// No verifier was generated from this key.
    #[error(
        "no halo2 verifier was generated from key {key} for 2^{k} rows: generate one (verifier/contracts/README.md, Sizes)"
    )]
    KeyWithoutVerifier {
        /// The key's digest.
        key: B256,
        /// The logarithm of the number of rows.
        k: u32,
    },
    /// A table of which no answer can be logged need not be registered on-chain.
    #[error("table {table} has nothing to log on-chain: {problem}; answer its queries off-chain")]
    NothingToLog {
        /// The table's name.
        table: String,
        /// Why.
        problem: &'static str,
    },
    /// A table needs somebody who answers for it.
    #[error("the sponsor is the zero address: name the account that will publish the table's consents")]
    SponsorMissing,
    /// The table's digest names its sponsor, and the registry knows no table without one.
    #[error(
        "the dataset was registered without a sponsor: register it again with its sponsor's key (dataset commit --sponsor-key), or answer its queries off-chain"
    )]
    DatasetUnsigned,
    /// A version of the consents that the dataset does not have.
    #[error(
        "table {table} has {versions} versions of its consents, from 0, and none with number {version}: get the newest dataset.json"
    )]
    ConsentVersionUnknown {
        /// The table's name.
        table: String,
        /// The version.
        version: usize,
        /// How many there are.
        versions: usize,
    },
    /// The first consents are published and confirmed with the table.
    #[error(
        "the first consents of table {table} are published and confirmed by its registration: do that for versions from 1 on"
    )]
    FirstConsents {
        /// The table's name.
        table: String,
    },
    /// An answer that was proven for another chain or log, or for none.
    #[error("the answer was proven for {proven}: prove it again with --chain-id {chain_id} --contract {log}")]
    OtherVenue {
        /// What it was proven for.
        proven: String,
        /// The log's chain.
        chain_id: u64,
        /// The log.
        log: Address,
    },
    /// An answer that no contract verifies.
    #[error("the answer cannot be logged on-chain: {0}")]
    AnswerNotForContracts(&'static str),
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

impl From<VerifyError> for Error {
    /// What the verifier says of a dataset or a key, in its words.
    fn from(error: VerifyError) -> Self {
        Self::Dataset(error.to_string())
    }
}
