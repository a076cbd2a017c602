//! An answer on its way out: the proof file, in clear or sealed to the regulator, and its JSON for a screen.

use super::{Folder, Understood};
use crate::error::CohortError;
use nightingale_circuits::cohort::{Answer, Cell, Figures, Mode};
use nightingale_prover::cohort::{CohortKeyStore, Progress};
use nightingale_verifier::cohort::{Dataset, QueryProof, answer::AnswerFile, proof::role};
use serde::Serialize;
use std::time::Instant;

/// A proven answer.
pub struct Released {
    /// The proof with its answer.
    pub proof: QueryProof,
    /// What leaves: the proof file, or the proof file sealed.
    pub file: Vec<u8>,
    /// Whether it is sealed to the regulator.
    pub sealed: bool,
    /// How long the proof took, in milliseconds.
    pub prove_ms: u64,
}

/// An answer as a screen shows it. `query`, `dataset`, `role` and `groups` are what the proof file says.
#[derive(Serialize)]
pub struct AnswerJson {
    query: String,
    dataset: String,
    table: String,
    role: &'static str,
    mode: &'static str,
    threshold: u32,
    consent_version: usize,
    /// Absent where the answer is sealed.
    #[serde(flatten)]
    answer: Option<AnswerFile>,
    sealed: bool,
    key_digest: String,
    key_kind: &'static str,
    prove_ms: u64,
}

/// Proves an allowed question and makes what leaves.
///
/// # Errors
/// Whatever stops a proof; a damaged regulator key.
pub fn prove(
    folder: &Folder,
    keys: &CohortKeyStore,
    understood: &Understood,
    progress: Progress<'_>,
) -> Result<Released, CohortError> {
    let start = Instant::now();
    let proof = folder.dataset.prove(keys, &understood.ask, progress)?;
    let prove_ms = u64::try_from(start.elapsed().as_millis()).unwrap_or(u64::MAX);
    let dataset = folder.dataset.public();
    let json = proof.to_json(dataset).map_err(CohortError::Release)?;
    let regulator = folder.regulator.as_ref().filter(|_| proof.mode == Mode::Exact);
    let file = match regulator {
        Some(key) => key.seal(dataset.digest(), &padded(json, &proof, dataset)?)?,
        None => json.into_bytes(),
    };
    Ok(Released { proof, file, sealed: regulator.is_some(), prove_ms })
}

/// The longest text of a figure in a proof file: 128 bits in decimal with a sign, in quotes.
const FIGURE: usize = 42;

/// A proof file with blanks behind it, as long as the file of any answer to its query: the length of a sealed file would tell how many digits the
/// figures have, and so whether anybody is in a cell.
fn padded(json: String, proof: &QueryProof, dataset: &Dataset) -> Result<Vec<u8>, CohortError> {
    let (cells, values) = (proof.answer.cells.len(), proof.query.values().len());
    let empty = Cell::Shown(Figures::none(values));
    let least = QueryProof { answer: Answer { cells: vec![empty; cells] }, ..proof.clone() };
    let least = least.to_json(dataset).map_err(CohortError::Release)?.len();
    // Count; three figures of each value; pairs, two sums and products of two.
    let figures = 1 + 3 * values + if values == 2 { 4 } else { 0 };
    let mut bytes = json.into_bytes();
    let length = least + cells * figures * FIGURE;
    if bytes.len() > length {
        return Err(CohortError::Bug("an answer longer than any"));
    }
    bytes.resize(length, b' ');
    Ok(bytes)
}

impl Released {
    /// For a screen; without figures where they are sealed.
    ///
    /// # Errors
    /// The dataset is another one.
    pub fn json(&self, dataset: &Dataset, sql: &str) -> Result<AnswerJson, CohortError> {
        let proof = &self.proof;
        let schema = dataset.table(&proof.table).map_err(CohortError::Release)?.schema();
        Ok(AnswerJson {
            query: sql.to_owned(),
            dataset: format!("0x{}", hex::encode(proof.dataset)),
            table: proof.table.clone(),
            role: role(proof.mode),
            mode: proof.mode.name(),
            threshold: proof.threshold,
            consent_version: proof.consent_version,
            answer: (!self.sealed).then(|| AnswerFile::new(schema, &proof.query, &proof.answer)),
            sealed: self.sealed,
            key_digest: proof.proof.key.to_string(),
            key_kind: proof.key_kind.name(),
            prove_ms: self.prove_ms,
        })
    }
}
