//! Cohort files that this verifier's prover made (`verifier/tests/cohort`), judged, altered and judged again.

mod altered;
mod command;
mod formats;
mod signature;
mod speed;

use nightingale_verifier::{
    VerifyError,
    cohort::{CohortKeys, Dataset, Expectation, QueryProof, verify_query},
};
use std::{path::PathBuf, sync::LazyLock};

pub(super) const PROOFS: [&str; 2] = ["narrow-plan.json", "wide-exact.json"];

pub(super) static KEYS: LazyLock<CohortKeys> = LazyLock::new(CohortKeys::development);
pub(super) static DATASET: LazyLock<Dataset> =
    LazyLock::new(|| Dataset::from_json(&bytes("dataset.json")).unwrap());

pub(super) fn path(name: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/cohort").join(name)
}

pub(super) fn bytes(name: &str) -> Vec<u8> {
    std::fs::read(path(name)).unwrap()
}

pub(super) fn proof(name: &str) -> QueryProof {
    QueryProof::from_json(&bytes(name), &DATASET).unwrap()
}

/// Reads and judges a proof file.
pub(super) fn judge(bytes: &[u8]) -> Result<(), VerifyError> {
    let proof = QueryProof::from_json(bytes, &DATASET)?;
    verify_query(&DATASET, &proof, &Expectation::default(), &KEYS).map(drop)
}
