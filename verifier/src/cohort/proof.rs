//! A query's proof as a file, `schemas/cohort-proof.schema.json`: what was asked, what is released, and the proof.
//!
//! Every element of it is bound by the proof or checked against the dataset: none can be changed and still verify.

use super::{
    answer::AnswerFile,
    circuit_name::class_from_name,
    dataset::{Dataset, LinkedProof, TableRecord, bytes_from_hex, bytes_to_hex, mode_number},
    link::Link,
    schema_file::{QueryFile, mode_from_name},
};
use crate::{
    KeyDigest, KeyKind, VerifyError,
    encoding::{from_hex, to_hex},
    json,
};
use nightingale_circuits::{
    claim::Address,
    cohort::{Answer, Class, Keccak, Mode, Query, digest::Words},
};
use serde::{Deserialize, Serialize};

const FORMAT: &str = "nightingale cohort proof 1";

/// Where a proof is meant to be shown; zero for off-chain.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Venue {
    /// The chain.
    pub chain_id: u64,
    /// The contract.
    pub contract: Address,
}

impl Venue {
    /// No chain.
    pub const NONE: Self = Self { chain_id: 0, contract: Address([0; 20]) };
}

/// A query's proof.
#[derive(Clone)]
pub struct QueryProof {
    /// The dataset's digest.
    pub dataset: Keccak,
    /// The table's name.
    pub table: String,
    /// What was asked.
    pub query: Query,
    /// In which mode.
    pub mode: Mode,
    /// The disclosure threshold; 1 in mode `exact`.
    pub threshold: u32,
    /// Under which version of the consents, from 0.
    pub consent_version: usize,
    /// For which chain and contract.
    pub venue: Venue,
    /// The circuit's class.
    pub class: Class,
    /// What is released.
    pub answer: Answer,
    /// The proof.
    pub proof: LinkedProof,
    /// What the key is said to be.
    pub key_kind: KeyKind,
}

impl QueryProof {
    /// What the link's challenge binds besides proof and points.
    ///
    /// # Errors
    /// The table has no consents of this version.
    pub fn context(&self, table: &TableRecord) -> Result<Keccak, VerifyError> {
        context(table, &self.query, self.consent_version, self.mode, self.threshold, self.venue)
    }

    /// The file, for a proof about this dataset.
    ///
    /// # Errors
    /// The dataset has no such table.
    pub fn to_json(&self, dataset: &Dataset) -> Result<String, VerifyError> {
        let table = dataset.table(&self.table)?;
        let file = ProofFile {
            format: FORMAT.to_owned(),
            dataset: to_hex(&self.dataset),
            table: self.table.clone(),
            query: QueryFile::new(table.schema(), &self.query),
            role: role(self.mode).to_owned(),
            mode: self.mode.name().to_owned(),
            threshold: self.threshold,
            consent_version: self.consent_version,
            chain_id: self.venue.chain_id,
            contract: bytes_to_hex(&self.venue.contract.0),
            class: self.class.name().to_owned(),
            answer: AnswerFile::new(table.schema(), &self.query, &self.answer),
            proof: bytes_to_hex(&self.proof.proof),
            link: bytes_to_hex(&self.proof.link.to_bytes()),
            key_digest: self.proof.key.to_string(),
            key_kind: self.key_kind.name().to_owned(),
        };
        let mut text = serde_json::to_string_pretty(&file).unwrap_or_default();
        text.push('\n');
        Ok(text)
    }

    /// Reads a file about this dataset.
    ///
    /// # Errors
    /// Names the first element that is wrong.
    pub fn from_json(bytes: &[u8], dataset: &Dataset) -> Result<Self, VerifyError> {
        let unreadable = |problem: String| VerifyError::Unreadable { what: "cohort proof", problem };
        let file: ProofFile = json::read(bytes).map_err(|error| unreadable(error.to_string()))?;
        if file.format != FORMAT {
            return Err(unreadable(format!("its format is not `{FORMAT}`")));
        }
        let named = from_hex::<32>(&file.dataset, "dataset")?;
        if named != *dataset.digest() {
            return Err(VerifyError::Context {
                what: "dataset",
                expected: to_hex(dataset.digest()),
                found: file.dataset,
            });
        }
        let table = dataset.table(&file.table)?;
        if table.name() != file.table {
            return Err(VerifyError::malformed("table", "must be spelled as in the dataset"));
        }
        if file.chain_id >= 1 << 53 {
            return Err(VerifyError::malformed(
                "chain_id",
                "must be below 2^53: readers of JSON round numbers beyond",
            ));
        }
        let query = file.query.query(table.schema())?;
        let mode = mode_from_name(&file.mode)?;
        if file.role != role(mode) {
            return Err(VerifyError::malformed("role", "is not the one that asks in this mode"));
        }
        let answer = file.answer.answer(table.schema(), &query)?;
        let proof = LinkedProof {
            key: file.key_digest.parse::<KeyDigest>()?,
            proof: bytes_from_hex(&file.proof, "proof")?,
            link: Link::from_bytes(&bytes_from_hex(&file.link, "link")?)?,
        };
        Ok(Self {
            dataset: named,
            table: file.table,
            query,
            mode,
            threshold: file.threshold,
            consent_version: file.consent_version,
            venue: Venue {
                chain_id: file.chain_id,
                contract: Address(from_hex(&file.contract, "contract")?),
            },
            class: class_from_name(&file.class)?,
            answer,
            proof,
            key_kind: file.key_kind.parse()?,
        })
    }
}

/// The context of a query's link.
///
/// # Errors
/// The table has no consents of this version.
pub fn context(
    table: &TableRecord,
    query: &Query,
    consent_version: usize,
    mode: Mode,
    threshold: u32,
    venue: Venue,
) -> Result<Keccak, VerifyError> {
    let missing = || VerifyError::malformed("consent_version", "is not one of the table's");
    let consent = table.consents.get(consent_version).ok_or_else(missing)?;
    let mut contract = [0; 32];
    for (byte, value) in contract.iter_mut().skip(12).zip(venue.contract.0) {
        *byte = value;
    }
    Ok(Words::of("nightingale.cohort.context.1")
        .digest(&query.digest(table.digest()))
        .number(u128::try_from(consent_version).unwrap_or(u128::MAX))
        .words(&consent.commitment.words())
        .number(u128::from(mode_number(mode)))
        .number(u128::from(threshold))
        .number(u128::from(venue.chain_id))
        .digest(&contract)
        .finish())
}

/// Who asks in a mode.
#[must_use]
pub const fn role(mode: Mode) -> &'static str {
    match mode {
        Mode::Exact => "regulator",
        Mode::Plan => "researcher",
    }
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct ProofFile {
    format: String,
    dataset: String,
    table: String,
    query: QueryFile,
    role: String,
    mode: String,
    threshold: u32,
    consent_version: usize,
    chain_id: u64,
    contract: String,
    class: String,
    answer: AnswerFile,
    proof: String,
    link: String,
    key_digest: String,
    key_kind: String,
}
