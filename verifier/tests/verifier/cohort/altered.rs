//! No part of a proof file is free.

use super::{DATASET, KEYS, PROOFS, bytes, judge, proof};
use nightingale_circuits::{
    claim::Address,
    cohort::{Cell, Figures, Mode},
};
use nightingale_verifier::{
    VerifyError,
    cohort::{ConsentExpectation, Dataset, Expectation, QueryProof, TableRecord, Venue, verify_query},
};
use serde_json::{Value, json};

fn refused(proof: &QueryProof) -> VerifyError {
    verify_query(&DATASET, proof, &Expectation::default(), &KEYS).unwrap_err()
}

fn accepts(proof: &QueryProof, expectation: &Expectation) -> bool {
    verify_query(&DATASET, proof, expectation, &KEYS).is_ok()
}

#[test]
fn the_files_hold_as_they_are() {
    for name in PROOFS {
        judge(&bytes(name)).unwrap();
    }
}

#[test]
fn every_word_of_the_proof_and_its_link_counts() {
    for name in PROOFS {
        let honest = proof(name);
        for place in (0..honest.proof.proof.len()).step_by(61) {
            let mut altered = honest.clone();
            altered.proof.proof[place] ^= 1;
            refused(&altered);
        }
        let mut short = honest.clone();
        short.proof.proof.truncate(honest.proof.proof.len() - 32);
        refused(&short);
        let mut long = honest.clone();
        long.proof.proof.extend([0; 32]);
        refused(&long);
        let mut empty = honest.clone();
        empty.proof.proof.clear();
        refused(&empty);
        let link = honest.proof.link.to_bytes();
        for place in (0..link.len()).step_by(7) {
            let mut other = link.clone();
            other[place] ^= 1;
            if let Ok(link) = nightingale_verifier::cohort::Link::from_bytes(&other) {
                let mut altered = honest.clone();
                altered.proof.link = link;
                assert!(matches!(refused(&altered), VerifyError::Link));
            }
        }
    }
}

#[test]
fn any_character_of_the_file_counts() {
    for name in PROOFS {
        let whole = bytes(name);
        let honest: Value = serde_json::from_slice(&whole).unwrap();
        // Every seventh character of what is short, and some of the long proof.
        let proof_text = String::from_utf8(whole.clone()).unwrap();
        let start = proof_text.find("\"proof\": \"").unwrap() + 10;
        let end = start + proof_text[start..].find('"').unwrap();
        let places =
            (0..start).step_by(13).chain((start..end).step_by(997)).chain((end..whole.len()).step_by(7));
        for place in places {
            for bit in [1, 32] {
                let mut altered = whole.clone();
                altered[place] ^= bit;
                let same = serde_json::from_slice::<Value>(&altered).is_ok_and(|value| value == honest);
                assert!(same || judge(&altered).is_err(), "{name}: bit {bit} of byte {place}");
            }
        }
        for length in [0, 1, whole.len() / 2, whole.len() - 3] {
            assert!(judge(&whole[..length]).is_err());
        }
        let mut longer = whole.clone();
        longer.extend(b"{}");
        assert!(judge(&longer).is_err());
    }
}

#[test]
fn other_fields_are_refused() {
    let changes: [(&str, Value); 16] = [
        ("/dataset", json!(format!("0x{}", "00".repeat(32)))),
        ("/table", json!("adae")),
        ("/table", json!("ADSL")),
        ("/query/sql", json!("SELECT COUNT(*) FROM adsl")),
        ("/query/values", json!([])),
        ("/query/groups", json!(["SEX"])),
        ("/query/terms", json!([])),
        ("/role", json!("sponsor")),
        ("/mode", json!("exact")),
        ("/threshold", json!(12)),
        ("/threshold", json!(10)),
        ("/consent_version", json!(1)),
        ("/chain_id", json!(1)),
        ("/contract", json!(format!("0x{}", "11".repeat(20)))),
        ("/class", json!("wide")),
        ("/key_kind", json!("production")),
    ];
    let honest: Value = serde_json::from_slice(&bytes("narrow-plan.json")).unwrap();
    for (pointer, value) in changes {
        let mut altered = honest.clone();
        *altered.pointer_mut(pointer).unwrap() = value;
        assert!(judge(altered.to_string().as_bytes()).is_err(), "{pointer}");
    }
    let mut more = honest.clone();
    more["more"] = json!(1);
    assert!(judge(more.to_string().as_bytes()).is_err());
}

#[test]
fn every_figure_of_the_answer_counts() {
    for name in PROOFS {
        let honest = proof(name);
        for cell in 0..honest.answer.cells.len() {
            let Cell::Shown(figures) = &honest.answer.cells[cell] else {
                // A hidden cell that is shown as empty.
                let mut altered = honest.clone();
                altered.answer.cells[cell] = Cell::Shown(Figures::none(honest.query.values().len()));
                refused(&altered);
                continue;
            };
            let changed = |change: &dyn Fn(&mut nightingale_circuits::cohort::Figures)| {
                let (mut altered, mut figures) = (honest.clone(), figures.clone());
                change(&mut figures);
                altered.answer.cells[cell] = Cell::Shown(figures);
                refused(&altered);
            };
            changed(&|figures| figures.count += 1);
            for value in 0..figures.values.len() {
                changed(&|figures| figures.values[value].nonmissing += 1);
                changed(&|figures| figures.values[value].codes += 1);
                changed(&|figures| figures.values[value].squared_codes += 1);
                // One field's carry into the next.
                changed(&|figures| figures.values[value].codes += 1 << 52);
            }
            if figures.pair.is_some() {
                changed(&|figures| {
                    if let Some(pair) = &mut figures.pair {
                        pair.pairs += 1
                    }
                });
                changed(&|figures| {
                    if let Some(pair) = &mut figures.pair {
                        pair.second_codes += 1
                    }
                });
                changed(&|figures| {
                    if let Some(pair) = &mut figures.pair {
                        pair.product_codes += 1
                    }
                });
            }
            let mut altered = honest.clone();
            altered.answer.cells[cell] = Cell::Hidden;
            refused(&altered);
        }
        let mut fewer = honest.clone();
        fewer.answer.cells.pop();
        refused(&fewer);
        let last = honest.answer.cells.len() - 1;
        let other = honest.answer.cells.iter().position(|cell| *cell != honest.answer.cells[last]).unwrap();
        let mut swapped = honest.clone();
        swapped.answer.cells.swap(other, last);
        refused(&swapped);
    }
}

#[test]
fn a_proof_is_for_one_venue_mode_and_consent_version() {
    let honest = proof("narrow-plan.json");
    assert!(accepts(
        &honest,
        &Expectation { consent: ConsentExpectation::Any, mode: Some(Mode::Plan), ..Expectation::default() }
    ));
    let venue = Venue { chain_id: 31337, contract: Address([5; 20]) };
    let refusals = [
        Expectation { venue: Some(venue), ..Expectation::default() },
        Expectation { mode: Some(Mode::Exact), ..Expectation::default() },
        Expectation { threshold: Some(12), ..Expectation::default() },
        Expectation { consent: ConsentExpectation::Version(1), ..Expectation::default() },
        Expectation { production_only: true, ..Expectation::default() },
        Expectation { query: Some(proof("wide-exact.json").query), ..Expectation::default() },
    ];
    assert!(refusals.iter().all(|expectation| !accepts(&honest, expectation)));
    // Relabelled for the venue that is expected, the link refuses.
    let relabelled = QueryProof { venue, ..honest };
    let expected = Expectation { venue: Some(venue), ..Expectation::default() };
    let error = verify_query(&DATASET, &relabelled, &expected, &KEYS).unwrap_err();
    assert!(matches!(error, VerifyError::Link), "{error}");
}

#[test]
fn a_proof_of_one_dataset_is_none_of_another() {
    // The same schema and rows, another commitment: as if the sponsor had committed to changed data.
    let table = &DATASET.tables()[0];
    let columns = nightingale_circuits::cohort::columns::committed(table.schema(), table.size().layout());
    for changed in 0..columns.len() {
        let commitments = columns.iter().enumerate().map(|(place, column)| {
            let column = if place == changed { columns[(changed + 1) % columns.len()] } else { *column };
            table.commitment(column).unwrap()
        });
        let mut other = TableRecord::new(
            table.schema().clone(),
            table.size(),
            table.rows(),
            commitments.collect(),
            table.sponsor(),
        )
        .unwrap();
        other.consents = table.consents.clone();
        let plan = vec![("adsl".to_owned(), proof("narrow-plan.json").query)];
        let dataset = Dataset::new(vec![other], plan, vec![Mode::Exact, Mode::Plan]).unwrap();
        for name in PROOFS {
            let mut altered = proof(name);
            assert!(QueryProof::from_json(&bytes(name), &dataset).is_err());
            altered.dataset = *dataset.digest();
            let error = verify_query(&dataset, &altered, &Expectation::default(), &KEYS).unwrap_err();
            assert!(matches!(error, VerifyError::Link), "{error}");
        }
    }
}

#[test]
fn a_query_outside_the_plan_is_refused_even_with_a_valid_proof() {
    let tables = DATASET.tables().to_vec();
    let dataset = Dataset::new(tables, Vec::new(), vec![Mode::Exact, Mode::Plan]).unwrap();
    let mut planned = proof("narrow-plan.json");
    planned.dataset = *dataset.digest();
    let error = verify_query(&dataset, &planned, &Expectation::default(), &KEYS).unwrap_err();
    assert!(error.to_string().contains("plan"), "{error}");
    // The regulator asks what it wants: the same tables answer.
    let mut exact = proof("wide-exact.json");
    exact.dataset = *dataset.digest();
    verify_query(&dataset, &exact, &Expectation::default(), &KEYS).unwrap();
    let no_exact = Dataset::new(DATASET.tables().to_vec(), Vec::new(), vec![Mode::Plan]).unwrap();
    exact.dataset = *no_exact.digest();
    assert!(verify_query(&no_exact, &exact, &Expectation::default(), &KEYS).is_err());
}
