//! The frame's rules, each broken alone.

use super::case::{LAYOUT, SUMS, failures_of, failures_with};
use nightingale_circuits::cohort::registration::Part;

const PRESENT: usize = 0;
const SUBJECT: usize = 1;
const DIMENSION: usize = 2;
const CONSENT: usize = 3;
const PREDECESSOR: usize = 4;

/// Auxiliaries: left, seen, then limbs of 7 bits.
const LEFT: usize = 0;
const SEEN: usize = 1;
const LIMBS: usize = 2;

/// Five rows; the fourth withdrew earlier, the second does now.
fn slots() -> Vec<Vec<u64>> {
    vec![
        vec![1, 1, 1, 1, 1],
        vec![1, 1, 2, 7, 7],
        vec![1, 3, 2, 1, 2],
        vec![1, 0, 1, 0, 1],
        vec![1, 1, 1, 0, 1],
    ]
}

fn broken(changes: &[(usize, usize, u64)], rows: u64) -> Vec<String> {
    let mut slots = slots();
    for &(slot, row, value) in changes {
        slots[slot].resize(LAYOUT.capacity(), 0);
        slots[slot][row] = value;
    }
    failures_of(Part::Frame, slots, &[rows])
}

#[test]
fn accepts_a_true_frame() {
    assert!(broken(&[], 5).is_empty());
    // The same subject again in another dimension, or the next subject in a lower one.
    assert!(broken(&[(DIMENSION, 1, 2)], 5).is_empty());
    assert!(broken(&[(DIMENSION, 2, 0)], 5).is_empty());
}

#[test]
fn refuses_a_number_of_rows_that_is_not_the_tables() {
    assert_eq!(broken(&[], 4), ["left counts down", "none is left"]);
    assert_eq!(broken(&[], 6), ["none is left"]);
}

#[test]
fn refuses_to_lose_a_row_between_the_head_and_the_records() {
    let failures = failures_with(Part::Frame, slots(), &[6], |witness| {
        let left = &mut witness.auxiliaries[LEFT];
        left.records.iter_mut().for_each(|left| *left -= 1);
    });
    assert_eq!(failures, ["left counts down"]);
    let failures = failures_with(Part::Frame, slots(), &[6], |witness| {
        let left = &mut witness.auxiliaries[LEFT];
        left.head.iter_mut().chain(&mut left.records).for_each(|left| *left -= 1);
    });
    assert_eq!(failures, ["left starts at N"]);
    let failures = failures_with(Part::Frame, slots(), &[6], |witness| {
        let left = &mut witness.auxiliaries[LEFT];
        left.head[20..].iter_mut().chain(&mut left.records).for_each(|left| *left -= 1);
    });
    assert_eq!(failures, ["left waits for the records"]);
}

#[test]
fn refuses_rows_with_a_hole() {
    // The hole has no codes, so that nothing but its place is wrong; without it there are four rows.
    let hole = [(PRESENT, 2, 0), (SUBJECT, 2, 0), (DIMENSION, 2, 0), (CONSENT, 2, 0)];
    assert_eq!(broken(&hole, 4), ["present does not rise"]);
}

#[test]
fn refuses_rows_that_do_not_start_at_the_top() {
    let failures = broken(&[(PRESENT, 0, 0)], 4);
    assert_eq!(failures, ["present does not rise", "the first row is present"]);
}

#[test]
fn refuses_an_empty_table() {
    let failures = failures_of(Part::Frame, Vec::new(), &[0]);
    assert!(failures.contains(&"the first row is present".to_owned()), "{failures:?}");
}

#[test]
fn refuses_a_row_that_counts_twice() {
    let failures = broken(&[(PRESENT, 4, 2)], 6);
    assert!(failures.contains(&"present is 0 or 1".to_owned()), "{failures:?}");
}

#[test]
fn refuses_a_subject_twice() {
    let without_dimension = (0..5).map(|row| (DIMENSION, row, 0));
    let changes: Vec<_> =
        without_dimension.chain([(SUBJECT, 1, 2), (SUBJECT, 2, 3), (SUBJECT, 4, 8)]).collect();
    assert!(broken(&changes, 5).is_empty());
    let twice: Vec<_> = changes.into_iter().chain([(SUBJECT, 2, 2)]).collect();
    assert_eq!(broken(&twice, 5), ["keys rise"]);
}

#[test]
fn refuses_a_dimension_twice() {
    assert_eq!(broken(&[(DIMENSION, 4, 1)], 5), ["keys rise"]);
}

#[test]
fn refuses_rows_that_are_not_sorted() {
    assert_eq!(broken(&[(SUBJECT, 3, 1)], 5), ["keys rise"]);
    assert_eq!(broken(&[(DIMENSION, 4, 0)], 5), ["keys rise"]);
}

#[test]
fn refuses_a_first_row_without_a_subject() {
    assert_eq!(broken(&[(SUBJECT, 0, 0)], 5), ["the first key names a subject"]);
}

#[test]
fn refuses_a_distance_in_limbs_that_are_no_rows() {
    // From (2, 2) to (7, 1): a true distance, but as one limb.
    let distance = (7 << 32) + 1 - ((2 << 32) + 2) - 1;
    let failures = failures_with(Part::Frame, slots(), &[5], |witness| {
        let mut uncounted = Vec::new();
        for limb in &mut witness.auxiliaries[LIMBS..] {
            uncounted.push(std::mem::take(&mut limb.records[3]));
        }
        let seen = &mut witness.auxiliaries[SEEN].records;
        seen[0] += uncounted.len() as u64 - 1;
        uncounted.into_iter().for_each(|limb| seen[usize::try_from(limb).unwrap()] -= 1);
        witness.auxiliaries[LIMBS].records[3] = distance;
    });
    assert_eq!(failures, [SUMS]);
}

#[test]
fn refuses_a_limb_that_was_not_counted() {
    let failures =
        failures_with(Part::Frame, slots(), &[5], |witness| witness.auxiliaries[SEEN].records[0] -= 1);
    assert_eq!(failures, [SUMS]);
}

#[test]
fn refuses_consent_that_was_not_there_before() {
    assert_eq!(broken(&[(CONSENT, 3, 1)], 5), ["consent was there before"]);
    // Nor in a row that is not there: the predecessor of the first version is `present`.
    assert_eq!(broken(&[(CONSENT, 5, 1)], 5), ["consent was there before"]);
    assert!(broken(&[(CONSENT, 3, 1), (PREDECESSOR, 3, 1)], 5).is_empty());
}

#[test]
fn refuses_consent_that_counts_twice() {
    assert_eq!(broken(&[(CONSENT, 0, 2)], 5), ["consent is 0 or 1"]);
}
