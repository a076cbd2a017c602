//! The anchors of a log: which head stood at which sequence, as somebody else kept it. On-chain it is the contract `AuditAnchors`; the poster
//! writes this file from its events.

use super::{Hash, from_hex};
use crate::{VerifyError, json};
use serde::{Deserialize, Serialize};

/// The largest file that is read.
pub const MOST_ANCHOR_BYTES: usize = 64 << 20;
const FORMAT: &str = "nightingale audit anchors 1";

/// One anchor.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Anchor {
    /// The entry.
    pub sequence: u64,
    /// Its hash.
    pub head: Hash,
    /// Where it is kept: a transaction and block, or what its keeper calls it.
    pub place: String,
    /// When it was kept, in seconds since 1970-01-01 UTC, where that is known: everything up to this entry is older.
    pub at: Option<u64>,
}

/// Anchors of one log, in the order of their sequence.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Anchors {
    /// Of which log. `None` where only the heads are known.
    pub log: Option<Hash>,
    /// Who keeps them, in words: whether it is the right one, the reader has to know.
    pub keeper: String,
    /// The anchors.
    pub all: Vec<Anchor>,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    format: String,
    chain_id: u64,
    contract: String,
    custodian: String,
    log: String,
    anchors: Vec<Line>,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Line {
    sequence: u64,
    head: String,
    transaction: String,
    block: u64,
    at: Option<u64>,
}

impl Anchors {
    /// One head that its keeper wrote down.
    #[must_use]
    pub fn of_head(sequence: u64, head: Hash) -> Self {
        let place = "the given head".to_owned();
        Self { log: None, keeper: place.clone(), all: vec![Anchor { sequence, head, place, at: None }] }
    }

    /// Reads the file that `nightingale-poster audit-anchors` writes.
    ///
    /// # Errors
    /// It is something else; sequences do not rise.
    pub fn from_json(bytes: &[u8]) -> Result<Self, VerifyError> {
        let unreadable = |problem: String| VerifyError::Unreadable { what: "file of anchors", problem };
        if bytes.len() > MOST_ANCHOR_BYTES {
            return Err(unreadable("it is larger than 64 MiB".into()));
        }
        let file: File = json::read(bytes).map_err(|error| unreadable(error.to_string()))?;
        if file.format != FORMAT {
            return Err(unreadable(format!("its format is not `{FORMAT}`")));
        }
        let digest = |element: &str, text: &str| {
            let digits = text.strip_prefix("0x").and_then(from_hex);
            digits.ok_or_else(|| VerifyError::malformed(element, "expected 0x and 64 lower-case digits"))
        };
        let mut all: Vec<Anchor> = Vec::with_capacity(file.anchors.len());
        for line in file.anchors {
            if line.sequence == 0 || all.last().is_some_and(|last| last.sequence >= line.sequence) {
                return Err(VerifyError::malformed("anchors", "expected rising sequences from 1"));
            }
            all.push(Anchor {
                sequence: line.sequence,
                head: digest("anchors.head", &line.head)?,
                place: format!("transaction {}, block {}", line.transaction, line.block),
                at: line.at,
            });
        }
        let (custodian, contract, chain) = (&file.custodian, &file.contract, file.chain_id);
        let keeper = format!("account {custodian}, contract {contract}, chain {chain}");
        Ok(Self { log: Some(digest("log", &file.log)?), keeper, all })
    }

    /// How many of them an export from entry `first` on says nothing about. The entry before its first it names as well.
    #[must_use]
    pub fn before(&self, first: u64) -> usize {
        self.all.partition_point(|anchor| anchor.sequence.saturating_add(1) < first)
    }

    /// The newest.
    #[must_use]
    pub fn newest(&self) -> Option<&Anchor> {
        self.all.last()
    }
}
