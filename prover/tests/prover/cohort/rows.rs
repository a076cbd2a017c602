//! One row, opened.

use super::world::{KEYS, dataset, verifying_keys};
use nightingale_circuits::cohort::Size;
use nightingale_prover::ProveError;
use nightingale_verifier::cohort::{Commitment, Expectation, RowProof, row::row_point, verify_row};

#[test]
fn a_row_opens_to_its_codes_and_to_nothing_else() {
    let dataset = dataset();
    let (public, keys, expected) = (dataset.public(), verifying_keys(), Expectation::default());
    for (table, row) in [("adsl", 0), ("adsl", 239), ("adae", 7)] {
        let proof = dataset.open_row(&KEYS, table, row).unwrap();
        let codes: Vec<u32> =
            (0..proof.codes.len()).map(|column| dataset.table(table).unwrap().codes(column)[row]).collect();
        assert_eq!(proof.codes, codes);
        let read = RowProof::from_json(proof.to_json(public).unwrap().as_bytes(), public).unwrap();
        verify_row(public, &read, &expected, &keys).unwrap();
        for column in 0..proof.codes.len() {
            let mut other = proof.clone();
            other.codes[column] ^= 1;
            assert!(verify_row(public, &other, &expected, &keys).is_err(), "column {column}");
        }
        let mut other = proof.clone();
        other.consent = !other.consent;
        assert!(verify_row(public, &other, &expected, &keys).is_err());
        let mut other = proof.clone();
        other.row = (row + 1) % 200;
        assert!(verify_row(public, &other, &expected, &keys).is_err());
        let mut other = proof.clone();
        other.opening = Commitment::new(-proof.opening.point()).unwrap();
        assert!(verify_row(public, &other, &expected, &keys).is_err());
    }
}

#[test]
fn opens_no_row_that_is_not_a_record() {
    let dataset = dataset();
    let error = dataset.open_row(&KEYS, "adsl", 240).err().unwrap();
    assert!(matches!(error, ProveError::Release(_)), "{error}");
    let mut proof = dataset.open_row(&KEYS, "adsl", 3).unwrap();
    let layout = Size::Small.layout();
    // Behind the records, in the gap, in the salt, and in the head by way of an overflow.
    for row in [
        240,
        layout.capacity(),
        layout.salt() - layout.head,
        layout.rows() - layout.head,
        layout.rows(),
        usize::MAX,
    ] {
        proof.row = row;
        assert!(verify_row(dataset.public(), &proof, &Expectation::default(), &verifying_keys()).is_err());
        assert!(row < layout.capacity() || row_point(Size::Small, row).is_err());
    }
}
