//! Honest answers, what is refused from the question alone, and revoked consents.

use super::world::{
    self, KEYS, age_by_arm, dataset, dose_and_age, event_schema, events_by_arm, go, verifying_keys,
};
use nightingale_circuits::cohort::{Class, Mode, Query, disclosure, evaluate};
use nightingale_prover::{ProveError, cohort::Ask};
use nightingale_verifier::cohort::{
    ConsentExpectation, Dataset, Expectation, QueryProof, Venue, verify_query, verify_registration,
};
use std::time::Instant;

fn ask(table: &str, query: Query, mode: Mode) -> Ask {
    Ask { table: table.to_owned(), query, mode, venue: Venue::NONE }
}

#[test]
fn answers_are_those_of_the_reference_and_verify() {
    let dataset = dataset();
    let verifier = verifying_keys();
    // What a stranger has: the public file alone.
    let public = Dataset::from_json(dataset.public().to_json().as_bytes()).unwrap();
    let questions = [
        ("adsl", age_by_arm(), Class::Narrow),
        ("adsl", dose_and_age(), Class::Wide),
        ("adae", events_by_arm(), Class::Wide),
    ];
    for (table, query, class) in questions {
        for mode in [Mode::Plan, Mode::Exact] {
            let begun = Instant::now();
            if mode == Mode::Plan && query.values().len() == 2 {
                // Of two ranges of doses a sum tells how many rows lie in which.
                let error = dataset.prove(&KEYS, &ask(table, query.clone(), mode), &mut go).err().unwrap();
                assert!(error.to_string().contains("the condition on DOSE"), "{error}");
                continue;
            }
            let proof = dataset.prove(&KEYS, &ask(table, query.clone(), mode), &mut go).unwrap();
            let proved = begun.elapsed();
            assert_eq!(proof.class, class);
            let json = proof.to_json(&public).unwrap();
            let read = QueryProof::from_json(json.as_bytes(), &public).unwrap();
            assert_eq!(read.to_json(&public).unwrap(), json);
            let begun = Instant::now();
            let verified = verify_query(&public, &read, &Expectation::default(), &verifier).unwrap();
            eprintln!(
                "{table} {} {mode}: proved in {proved:.2?}, verified in {:.2?}, {} bytes",
                class.name(),
                begun.elapsed(),
                json.len()
            );
            let threshold = if mode == Mode::Exact { 1 } else { 11 };
            let totals = evaluate::evaluate(&query, dataset.table(table).unwrap());
            assert_eq!(verified.answer, disclosure::answer(&totals, &disclosure::hidden(&totals, threshold)));
        }
    }
}

#[test]
fn the_registration_verifies_and_takes_every_proof_it_needs() {
    let dataset = dataset();
    let begun = Instant::now();
    let verified = verify_registration(dataset.public(), &verifying_keys(), false).unwrap();
    eprintln!("registration: {} proofs verified in {:.2?}", verified.proofs, begun.elapsed());
    // adsl: frame, one batch of columns, the wide dose; adae: frame and one batch.
    assert_eq!(verified.proofs, 5);
    assert_eq!(verified.sponsor, Some(world::sponsor()));
    let mut less = dataset.public().clone();
    less.tables_mut()[0].proofs.pop();
    assert!(verify_registration(&less, &verifying_keys(), false).is_err());
    let mut swapped = dataset.public().clone();
    swapped.tables_mut()[0].proofs.swap(0, 1);
    assert!(verify_registration(&swapped, &verifying_keys(), false).is_err());
    let mut other = dataset.public().clone();
    let frame = other.tables()[1].consents[0].frame.clone();
    other.tables_mut()[0].consents[0].frame = frame;
    assert!(verify_registration(&other, &verifying_keys(), false).is_err());
    assert!(verify_registration(dataset.public(), &verifying_keys(), true).is_err());
}

#[test]
fn refuses_from_the_question_what_is_not_released() {
    let dataset = dataset();
    let unplanned = Query::new(&event_schema(), Vec::new(), Vec::new(), vec![1]).unwrap();
    let refused = vec![ask("adae", unplanned, Mode::Plan), ask("nothing", age_by_arm(), Mode::Plan)];
    for ask in refused {
        let error = dataset.prove(&KEYS, &ask, &mut go).err().unwrap();
        assert!(matches!(error, ProveError::Release(_)), "{error}");
    }
}

#[test]
fn a_revoked_subject_is_in_no_later_answer_and_older_proofs_say_so() {
    let mut dataset = world::register();
    let question = ask("adsl", age_by_arm(), Mode::Exact);
    let before = dataset.prove(&KEYS, &question, &mut go).unwrap();
    let revised = dataset.revoke_subjects(&KEYS, &[5, 9], &mut go).unwrap();
    assert_eq!(revised, ["adsl", "adae"]);
    assert!(dataset.revoke_subjects(&KEYS, &[5, 9], &mut go).unwrap().is_empty());
    let after = dataset.prove(&KEYS, &question, &mut go).unwrap();
    let keys = verifying_keys();
    assert!(verify_registration(dataset.public(), &keys, false).is_err(), "new consents that nobody signed");
    world::signed(&mut dataset);
    let public = dataset.public();
    assert_eq!(verify_registration(public, &keys, false).unwrap().proofs, 7);
    assert_eq!(after.consent_version, 1);
    let counts = |proof: &QueryProof| {
        proof.answer.cells.iter().filter_map(|cell| cell.figures()).map(|f| f.count).sum::<u64>()
    };
    assert!(counts(&after) < counts(&before));
    verify_query(public, &after, &Expectation::default(), &keys).unwrap();
    assert!(verify_query(public, &before, &Expectation::default(), &keys).is_err());
    let old = Expectation { consent: ConsentExpectation::Version(0), ..Expectation::default() };
    verify_query(public, &before, &old, &keys).unwrap();
    let mut relabelled = before.clone();
    relabelled.consent_version = 1;
    assert!(verify_query(public, &relabelled, &Expectation::default(), &keys).is_err());
    let mut swapped = public.clone();
    swapped.tables_mut()[0].consents.swap(0, 1);
    assert!(verify_registration(&swapped, &keys, false).is_err());
}

#[test]
fn a_cancelled_proof_is_an_error_and_nothing_else() {
    let mut steps = 0;
    let mut stop = |_| {
        steps += 1;
        if steps == 2 { std::ops::ControlFlow::Break(()) } else { std::ops::ControlFlow::Continue(()) }
    };
    let error = dataset().prove(&KEYS, &ask("adsl", age_by_arm(), Mode::Plan), &mut stop).err().unwrap();
    assert!(matches!(error, ProveError::Cancelled), "{error}");
}
