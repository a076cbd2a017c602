//! Files for the verifier's tests: a dataset, a proof of each class and a row. Proofs are made of fresh randomness, so they are only
//! verified here; `NIGHTINGALE_BLESS=1` makes new ones, after the keys are up to date.

use super::world::{KEYS, age_by_arm, dataset, dose_and_age, go, verifying_keys};
use nightingale_circuits::cohort::Mode;
use nightingale_prover::cohort::Ask;
use nightingale_verifier::cohort::{
    Dataset, Expectation, QueryProof, RowProof, Venue, verify_query, verify_registration, verify_row,
};
use std::{fs, path::Path};

#[test]
fn cohort_golden_files_verify() {
    let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("../verifier/tests/cohort");
    let questions = [("narrow-plan", age_by_arm(), Mode::Plan), ("wide-exact", dose_and_age(), Mode::Exact)];
    if std::env::var_os("NIGHTINGALE_BLESS").is_some() {
        let dataset = dataset();
        fs::create_dir_all(&directory).unwrap();
        fs::write(directory.join("dataset.json"), dataset.public().to_json()).unwrap();
        for (name, query, mode) in &questions {
            let ask = Ask { table: "adsl".to_owned(), query: query.clone(), mode: *mode, venue: Venue::NONE };
            let proof = dataset.prove(&KEYS, &ask, &mut go).unwrap();
            fs::write(directory.join(format!("{name}.json")), proof.to_json(dataset.public()).unwrap())
                .unwrap();
        }
        let row = dataset.open_row(&KEYS, "adsl", 11).unwrap();
        fs::write(directory.join("row.json"), row.to_json(dataset.public()).unwrap()).unwrap();
    }
    let read = |name: &str| fs::read(directory.join(name)).unwrap();
    let keys = verifying_keys();
    let public = Dataset::from_json(&read("dataset.json")).unwrap();
    verify_registration(&public, &keys, false).unwrap();
    for (name, query, _) in questions {
        let proof = QueryProof::from_json(&read(&format!("{name}.json")), &public).unwrap();
        let expectation = Expectation { query: Some(query), ..Expectation::default() };
        verify_query(&public, &proof, &expectation, &keys).unwrap();
    }
    let row = RowProof::from_json(&read("row.json"), &public).unwrap();
    verify_row(&public, &row, &Expectation::default(), &keys).unwrap();
}
