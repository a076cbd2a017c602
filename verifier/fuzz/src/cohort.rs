//! Datasets, cohort proofs, opened rows and answers.
#![expect(clippy::panic, reason = "a property that does not hold ends the process")]

use nightingale_verifier::{
    cohort::{
        CohortKeys, Dataset, Expectation, Link, QueryProof, RowProof, answer::AnswerFile, verify_query,
        verify_registration, verify_row, verify_sponsor,
    },
    statistics::{Source, Statistics},
};
use std::sync::LazyLock;

macro_rules! golden {
    ($name:literal) => {
        include_bytes!(concat!("../../tests/cohort/", $name))
    };
}

static KEYS: LazyLock<CohortKeys> = LazyLock::new(CohortKeys::development);
static DATASET: LazyLock<Dataset> = LazyLock::new(|| known(Dataset::from_json(golden!("dataset.json"))));
static PROOFS: LazyLock<[QueryProof; 2]> = LazyLock::new(|| {
    let files: [&[u8]; 2] = [golden!("narrow-plan.json"), golden!("wide-exact.json")];
    files.map(|file| known(QueryProof::from_json(file, &DATASET)))
});

fn known<T, E: std::fmt::Display>(read: Result<T, E>) -> T {
    read.unwrap_or_else(|error| panic!("a file of this repository: {error}"))
}

/// A dataset file: what is read is written so that it reads as the same, and another registration of the known dataset is refused.
pub fn dataset(bytes: &[u8]) {
    let Ok(read) = Dataset::from_json(bytes) else { return };
    let written = read.to_json();
    let again = Dataset::from_json(written.as_bytes());
    assert!(again.is_ok_and(|again| again.digest() == read.digest() && again.to_json() == written));
    let _ = verify_sponsor(&read, None);
    let same_columns = read.digest() == DATASET.digest();
    if same_columns && written != DATASET.to_json() {
        assert!(verify_registration(&read, &KEYS, false).is_err(), "an altered registration verifies");
    }
}

/// A proof file: what verifies is what was proven.
pub fn cohort_proof(bytes: &[u8]) {
    let Ok(proof) = QueryProof::from_json(bytes, &DATASET) else { return };
    let written = known(proof.to_json(&DATASET));
    let again = QueryProof::from_json(written.as_bytes(), &DATASET);
    assert!(again.is_ok_and(|again| again.to_json(&DATASET).is_ok_and(|text| text == written)));
    judge(&proof);
}

/// One of the known proofs, altered: the first byte says which, then threes of bytes where and how, the place counted through the
/// proof, its link and the codes of the answer.
pub fn halo2_proof(bytes: &[u8]) {
    let Some((which, edits)) = bytes.split_first() else { return };
    let [narrow, wide] = &*PROOFS;
    let mut proof = if which & 1 == 0 { narrow.clone() } else { wide.clone() };
    let (honest, mut link) = (proof.proof.proof.len(), proof.proof.link.to_bytes());
    if which & 2 != 0 {
        // A proof of another length.
        proof.proof.proof.resize(edits.len() * 8 % (2 * honest), *which);
    }
    for edit in edits.chunks_exact(3).take(64) {
        let [high, low, change] = edit else { continue };
        let place = usize::from(u16::from_be_bytes([*high, *low]));
        let length = proof.proof.proof.len();
        if let Some(byte) = proof.proof.proof.get_mut(place) {
            *byte ^= change;
        } else if let Some(byte) = link.get_mut(place.wrapping_sub(length)) {
            *byte ^= change;
        }
    }
    let Ok(link) = Link::from_bytes(&link) else { return };
    proof.proof.link = link;
    judge(&proof);
}

/// A proof that verifies is one of those that this project made: neither its bytes, its link, its terms nor its answer can change.
fn judge(proof: &QueryProof) {
    if verify_query(&DATASET, proof, &Expectation::default(), &KEYS).is_ok() {
        let text = known(proof.to_json(&DATASET));
        let is_known = PROOFS.iter().any(|known_proof| known(known_proof.to_json(&DATASET)) == text);
        assert!(is_known, "an altered proof verifies");
    }
}

/// An opened row, and an answer to either query: figures that are read back as written, and statistics of them without a panic.
pub fn answers(bytes: &[u8]) {
    if let Ok(row) = RowProof::from_json(bytes, &DATASET) {
        let written = known(row.to_json(&DATASET));
        let again = RowProof::from_json(written.as_bytes(), &DATASET);
        assert!(again.is_ok_and(|again| again.to_json(&DATASET).is_ok_and(|text| text == written)));
        let honest = known(RowProof::from_json(golden!("row.json"), &DATASET));
        if verify_row(&DATASET, &row, &Expectation::default(), &KEYS).is_ok() {
            assert!(known(honest.to_json(&DATASET)) == written, "an altered row verifies");
        }
    }
    let Ok(file) = serde_json::from_slice::<AnswerFile>(bytes) else { return };
    for proof in PROOFS.iter() {
        let schema = known(DATASET.table(&proof.table)).schema();
        let Ok(answer) = file.answer(schema, &proof.query) else { continue };
        assert!(
            AnswerFile::new(schema, &proof.query, &answer) == file,
            "an answer changes when it is written"
        );
        if let Ok(source) = Source::new(schema.clone(), proof.query.clone(), answer, proof.threshold) {
            let report = Statistics::of(std::slice::from_ref(&source));
            let _ = (report.to_string(), serde_json::to_string(&report), source.sql());
        }
    }
}
