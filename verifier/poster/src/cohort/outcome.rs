//! What became of answers, in types and in words.

use crate::{How, Mined};
use alloy_primitives::{Address, B256};

/// What was asked of the log, and what became of it.
#[derive(Clone, Debug)]
pub struct Logging {
    /// The log.
    pub log: Address,
    /// Every answer, in the order in which they were given.
    pub entries: Vec<Entry>,
}

/// One answer.
#[derive(Clone, Debug)]
pub struct Entry {
    /// The query's digest, which names the table's.
    pub query: B256,
    /// The table's digest.
    pub table: B256,
    /// The table's name.
    pub name: String,
    /// The version of the consents, from 0.
    pub version: usize,
    /// What became of it.
    pub outcome: Outcome,
}

/// What became of an answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// This outbox logged it, now or before.
    Logged {
        /// Where.
        mined: Mined,
        /// Whether it was sent now.
        how: How,
    },
    /// Somebody else logged the same answer, as deep as wanted.
    LoggedElsewhere {
        /// The transaction.
        transaction: B256,
        /// Its block.
        block: u64,
    },
    /// The log does not have it.
    Refused(Refusal),
}

/// Why the log does not have an answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// The verifier refuses the proof, for this reason.
    ProofInvalid(String),
    /// It was proven for another chain or log, or for none.
    OtherVenue(String),
    /// No contract verifies such an answer.
    NotForContracts(String),
    /// The registry has no such table.
    TableNotRegistered,
    /// The query is not in the plan that was registered with the table.
    QueryNotPlanned,
    /// The registry does not know the proof's key for tables of this size, or it is disabled.
    KeyNotUsable,
    /// The chain has newer consents than the answer.
    ConsentNotNewest {
        /// The answer's version.
        proven: usize,
        /// The chain's.
        newest: usize,
    },
    /// The answer is under consents that the chain does not know yet.
    ConsentNotPublished {
        /// The answer's version.
        proven: usize,
        /// The chain's.
        newest: usize,
    },
    /// No registrar has confirmed the answer's consents, which are the newest.
    ConsentUnconfirmed {
        /// Their number.
        version: usize,
    },
    /// The chain has other consents under the same number.
    ConsentsDiffer {
        /// The number.
        version: usize,
    },
    /// The log has another answer to the query under these consents.
    LoggedDifferently {
        /// By this transaction.
        by: B256,
    },
    /// The log has an answer to the query under these consents, and the node does not show which.
    AlreadyAnswered,
    /// Somebody else logged an answer, but only in blocks that are not deep enough to count on.
    LoggedNotDeep,
    /// The contracts refuse what verifies here, for this reason.
    RefusedOnChain(String),
    /// A transaction of this outbox has it, and did something else than to log it.
    Unexpected {
        /// The transaction.
        by: B256,
    },
    /// Its transactions failed or lost their nonces, again and again.
    NotPosted,
}

impl Logging {
    /// Whether the log has every answer, by whoever.
    #[must_use]
    pub fn all_logged(&self) -> bool {
        self.entries.iter().all(|entry| !matches!(entry.outcome, Outcome::Refused(_)))
    }
}

impl Refusal {
    /// Its name in reports: the contract's, where the reason is the contract's.
    #[must_use]
    pub const fn name(&self) -> &'static str {
        match self {
            Self::ProofInvalid(_) => "ProofInvalid",
            Self::OtherVenue(_) => "OtherVenue",
            Self::NotForContracts(_) => "NotForContracts",
            Self::TableNotRegistered => "TableNotRegistered",
            Self::QueryNotPlanned => "QueryNotPlanned",
            Self::KeyNotUsable => "KeyNotUsable",
            Self::ConsentNotNewest { .. } => "ConsentNotNewest",
            Self::ConsentNotPublished { .. } => "ConsentNotPublished",
            Self::ConsentUnconfirmed { .. } => "ConsentUnconfirmed",
            Self::ConsentsDiffer { .. } => "ConsentsDiffer",
            Self::LoggedDifferently { .. } => "LoggedDifferently",
            Self::AlreadyAnswered => "AlreadyAnswered",
            Self::LoggedNotDeep => "LoggedNotDeep",
            Self::RefusedOnChain(_) => "RefusedOnChain",
            Self::Unexpected { .. } => "Unexpected",
            Self::NotPosted => "NotPosted",
        }
    }

    /// The transaction that the reason is about.
    #[must_use]
    pub const fn transaction(&self) -> Option<B256> {
        match self {
            Self::LoggedDifferently { by } | Self::Unexpected { by } => Some(*by),
            _ => None,
        }
    }

    /// What it means and what to do, in a sentence.
    #[must_use]
    pub fn advice(&self) -> String {
        match self {
            Self::ProofInvalid(reason) | Self::OtherVenue(reason) | Self::NotForContracts(reason) => {
                reason.clone()
            }
            Self::TableNotRegistered => {
                "the registry has no such table; whoever may register it does, with register-dataset".to_owned()
            }
            Self::QueryNotPlanned => {
                "the query is not in the plan that was registered with the table, which stays; answer it off-chain"
                    .to_owned()
            }
            Self::KeyNotUsable => {
                "the registry does not trust the proof's key for tables of this size; have it proven under the key of the \
                 deployment file, or check that file"
                    .to_owned()
            }
            Self::ConsentNotNewest { proven, newest } => format!(
                "the chain has version {newest} of the consents, the proof is under {proven}; have it proven again under the newest"
            ),
            Self::ConsentNotPublished { proven, newest } => format!(
                "the proof is under version {proven} of the consents, the chain has {newest}; the sponsor publishes it, with \
                 publish-dataset-consents"
            ),
            Self::ConsentUnconfirmed { version } => format!(
                "version {version} of the consents is published and not confirmed yet; a registrar does that, with confirm-dataset-consents"
            ),
            Self::ConsentsDiffer { version } => format!(
                "the chain has other consents as version {version} than the dataset; get the dataset file from its sponsor again"
            ),
            Self::LoggedDifferently { by } => format!(
                "transaction {by} logged other figures for this query under these consents: one of the two was forged; \
                 tell whoever registered the key, and believe neither"
            ),
            Self::AlreadyAnswered => {
                "the log has an answer under these consents, and this node does not show its event; give a node that does"
                    .to_owned()
            }
            Self::LoggedNotDeep => {
                "somebody else logged it, not as deep as wanted yet; run the command again".to_owned()
            }
            Self::RefusedOnChain(reason) => format!(
                "the contracts refuse it though it verifies here ({reason}); check the deployment file and the dataset"
            ),
            Self::Unexpected { by } => format!(
                "transaction {by} was mined without this answer's event; look at it and at the deployment file"
            ),
            Self::NotPosted => {
                "its transactions failed, or others used the account's nonces; run the command again"
                    .to_owned()
            }
        }
    }
}
