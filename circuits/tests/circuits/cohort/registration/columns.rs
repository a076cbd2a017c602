//! The rules of narrow columns, each broken alone.

use super::case::{LAYOUT, SUMS, failures_of, failures_with};
use nightingale_circuits::cohort::registration::{BATCH, Part};

/// Slots of the column in the second place; those of the first hold a column whose bound is 1.
const CODES: usize = 3;
const FLAG: usize = 4;
/// Auxiliaries: what is seen of each column, then where each is bounded.
const SEEN: usize = 1;
const BOUNDED: usize = BATCH + 1;

/// Four rows of two columns, bounded by 1 and by 9; the other six places link to zero.
fn slots() -> Vec<Vec<u64>> {
    vec![vec![1, 1, 1, 1], vec![1, 0, 1, 1], vec![1, 0, 1, 1], vec![9, 3, 0, 3], vec![1, 1, 0, 1]]
}

fn broken(changes: &[(usize, usize, u64)], bound: u64) -> Vec<String> {
    failures_of(Part::Columns, changed(changes), &[1, bound])
}

fn changed(changes: &[(usize, usize, u64)]) -> Vec<Vec<u64>> {
    let mut slots = slots();
    slots.resize(Part::Columns.slots(), Vec::new());
    for &(slot, row, value) in changes {
        slots[slot].resize(LAYOUT.capacity(), 0);
        slots[slot][row] = value;
    }
    slots
}

#[test]
fn accepts_codes_up_to_the_bound_and_no_further() {
    assert!(broken(&[], 9).is_empty());
    assert!(broken(&[], 10).is_empty());
    assert_eq!(broken(&[], 8), ["codes are within the bound"]);
    assert_eq!(broken(&[(CODES, 0, 10)], 9), ["codes are within the bound"]);
}

#[test]
fn bounds_a_column_by_nothing_and_by_one() {
    let empty = [(CODES, 0, 0), (FLAG, 0, 0), (CODES, 1, 0), (FLAG, 1, 0), (CODES, 3, 0), (FLAG, 3, 0)];
    assert!(broken(&empty, 0).is_empty());
    let one = [empty.as_slice(), &[(CODES, 2, 1), (FLAG, 2, 1)]].concat();
    assert!(broken(&one, 1).is_empty());
    assert_eq!(broken(&one, 0), ["codes are within the bound"]);
}

#[test]
fn bounds_a_column_by_the_last_code_that_a_lookup_holds() {
    let highest = LAYOUT.capacity() as u64 - 1;
    assert!(broken(&[(CODES, 0, highest)], highest).is_empty());
    assert_eq!(broken(&[(CODES, 0, highest)], highest - 1), ["codes are within the bound"]);
    // A column with one code more is wide: there is no proof for its bound.
    assert_eq!(broken(&[(CODES, 0, highest)], highest + 1), [SUMS]);
}

#[test]
fn refuses_a_code_that_no_lookup_holds() {
    assert_eq!(broken(&[(CODES, 0, LAYOUT.capacity() as u64)], 9), [SUMS]);
    assert_eq!(broken(&[(CODES, 0, u64::MAX)], 9), [SUMS]);
}

#[test]
fn refuses_a_code_where_no_row_is() {
    assert_eq!(broken(&[(CODES, 4, 3), (FLAG, 4, 1)], 9), ["codes are zero where not present"]);
    let last = LAYOUT.capacity() - 1;
    assert_eq!(broken(&[(CODES, last, 3), (FLAG, last, 1)], 9), ["codes are zero where not present"]);
}

#[test]
fn refuses_a_flag_where_the_code_is_missing() {
    assert_eq!(broken(&[(FLAG, 2, 1)], 9), [SUMS]);
    assert_eq!(broken(&[(FLAG, 100, 1)], 9), [SUMS]);
}

#[test]
fn refuses_a_code_without_its_flag() {
    assert_eq!(broken(&[(FLAG, 0, 0)], 9), [SUMS]);
    // As many flags as codes, one of them astray: the flags of each code count.
    assert_eq!(broken(&[(FLAG, 0, 0), (FLAG, 2, 1)], 9), [SUMS]);
}

#[test]
fn refuses_flags_of_one_code_that_make_up_for_each_other() {
    assert_eq!(broken(&[(FLAG, 1, 0), (FLAG, 3, 2)], 9), ["flags are 0 or 1"]);
}

#[test]
fn refuses_a_key_that_is_missing_where_a_row_is() {
    // The flag of a key is `present`.
    let mut key = slots();
    key[FLAG] = key[0].clone();
    assert_eq!(failures_of(Part::Columns, key.clone(), &[1, 9]), [SUMS]);
    key[CODES][2] = 5;
    assert!(failures_of(Part::Columns, key, &[1, 9]).is_empty());
}

#[test]
fn refuses_data_in_a_place_that_is_not_used() {
    let unused = 1 + 2 * 5;
    assert_eq!(broken(&[(unused, 0, 1), (unused + 1, 0, 1)], 9), ["codes are within the bound"]);
    assert_eq!(broken(&[(unused + 1, 0, 1)], 9), [SUMS]);
}

#[test]
fn refuses_a_code_above_the_bound_that_was_not_seen() {
    let failures = failures_with(Part::Columns, changed(&[(CODES, 0, 10)]), &[1, 9], |witness| {
        witness.auxiliaries[SEEN].records[10] = 0;
    });
    assert_eq!(failures, [SUMS]);
    let failures = failures_with(Part::Columns, changed(&[(CODES, 0, 10)]), &[1, 9], |witness| {
        let seen = &mut witness.auxiliaries[SEEN].records;
        seen[10] = 0;
        seen[9] += 1;
    });
    assert_eq!(failures, [SUMS]);
}

#[test]
fn refuses_to_be_bounded_for_longer() {
    for rows in [9..10, 9..LAYOUT.capacity()] {
        let failures = failures_with(Part::Columns, changed(&[(CODES, 0, 10)]), &[1, 9], |witness| {
            witness.auxiliaries[BOUNDED].records[rows].fill(1);
        });
        assert_eq!(failures, [SUMS]);
    }
    // Nor to be bounded again after the end.
    let failures = failures_with(Part::Columns, changed(&[(CODES, 0, 20)]), &[1, 9], |witness| {
        witness.auxiliaries[BOUNDED].records[19] = 1;
    });
    assert_eq!(failures, [SUMS]);
}

#[test]
fn refuses_to_start_bounded_twice() {
    // With 2 before the first record, the step at the bound could be paid back before it.
    let failures =
        failures_with(Part::Columns, slots(), &[1, 9], |witness| witness.auxiliaries[BOUNDED].head.fill(2));
    assert!(failures.contains(&"bounded starts at 1".to_owned()), "{failures:?}");
}

#[test]
fn keeps_the_bounds_of_columns_apart() {
    // Both bounds are right, in the other order.
    let mut exchanged = slots();
    exchanged.swap(1, CODES);
    exchanged.swap(2, FLAG);
    assert!(failures_of(Part::Columns, exchanged.clone(), &[9, 1]).is_empty());
    assert_eq!(failures_of(Part::Columns, exchanged, &[1, 9]), ["codes are within the bound"]);
    let failures = failures_with(Part::Columns, slots(), &[1, 9], |witness| witness.numbers.swap(0, 1));
    assert_eq!(failures, [SUMS]);
}

#[test]
fn keeps_the_lookups_of_columns_apart() {
    // What one column saw too much, the other saw too little.
    let failures = failures_with(Part::Columns, slots(), &[9, 9], |witness| {
        witness.auxiliaries[0].records[3] += 1;
        witness.auxiliaries[SEEN].records[3] -= 1;
    });
    assert_eq!(failures, [SUMS]);
}
