//! The rules of a wide column, each broken alone.

use super::case::{LAYOUT, SUMS, failures_of, failures_with};
use nightingale_circuits::cohort::registration::Part;

const CODES: usize = 1;
const FLAG: usize = 2;
const RANK: usize = 3;
const DICTIONARY: usize = 4;

const BOUND: u64 = 5_000;
/// Auxiliaries: the bound, how often each limb is seen, how often each entry is used, five limbs each to the bound and to the entry before.
const IN_FORCE: usize = 0;
const USED: usize = 2;

/// Five rows: 4,000 and 700 twice, and one that is missing.
fn slots() -> Vec<Vec<u64>> {
    let mut dictionary = vec![0, 700, 4_000];
    dictionary.extend((3..LAYOUT.capacity() as u64).map(|j| (1 << 32) + j));
    vec![
        vec![1, 1, 1, 1, 1],
        vec![4_000, 700, 0, 700, 4_000],
        vec![1, 1, 0, 1, 1],
        vec![2, 1, 0, 1, 2],
        dictionary,
    ]
}

fn broken(changes: &[(usize, usize, u64)]) -> Vec<String> {
    failures_of(Part::Dictionary, changed(changes), &[BOUND])
}

fn changed(changes: &[(usize, usize, u64)]) -> Vec<Vec<u64>> {
    let mut slots = slots();
    for &(slot, row, value) in changes {
        slots[slot].resize(LAYOUT.capacity(), 0);
        slots[slot][row] = value;
    }
    slots
}

#[test]
fn accepts_a_true_column() {
    assert!(broken(&[]).is_empty());
    // And one without any code.
    let mut empty = slots();
    empty[CODES].fill(0);
    empty[FLAG].fill(0);
    empty[RANK].fill(0);
    empty[DICTIONARY] = std::iter::once(0).chain((1..208).map(|j| (1 << 32) + j)).collect();
    assert!(failures_of(Part::Dictionary, empty, &[BOUND]).is_empty());
}

#[test]
fn accepts_codes_up_to_the_bound_and_no_further() {
    assert!(failures_of(Part::Dictionary, slots(), &[4_000]).is_empty());
    assert_eq!(failures_of(Part::Dictionary, slots(), &[3_999]), ["codes are within the bound", SUMS]);
    let highest = u64::from(u32::MAX);
    let wide = changed(&[(CODES, 0, highest), (CODES, 4, highest), (DICTIONARY, 2, highest)]);
    assert!(failures_of(Part::Dictionary, wide.clone(), &[highest]).is_empty());
    assert_eq!(failures_of(Part::Dictionary, wide, &[highest - 1]), ["codes are within the bound", SUMS]);
}

#[test]
fn refuses_another_bound_than_the_instance() {
    let above = changed(&[(CODES, 0, 6_000), (CODES, 4, 6_000), (DICTIONARY, 2, 6_000)]);
    assert!(failures_of(Part::Dictionary, above.clone(), &[6_000]).is_empty());
    let failures =
        failures_with(Part::Dictionary, above.clone(), &[6_000], |witness| witness.numbers[0] = BOUND);
    assert_eq!(failures, ["the bound is the instance"]);
    // The bound goes up on its way to the row that needs it.
    let failures = failures_with(Part::Dictionary, above, &[6_000], |witness| {
        witness.numbers[0] = BOUND;
        witness.auxiliaries[IN_FORCE].head.fill(BOUND);
    });
    assert_eq!(failures, ["the bound is one"]);
}

#[test]
fn refuses_a_code_where_no_row_is() {
    let failures = broken(&[(CODES, 5, 700), (FLAG, 5, 1), (RANK, 5, 1)]);
    assert_eq!(failures, ["codes are zero where not present"]);
}

#[test]
fn refuses_a_code_that_is_not_in_the_dictionary() {
    assert_eq!(broken(&[(CODES, 1, 701)]), [SUMS]);
    assert_eq!(broken(&[(CODES, 1, 3)]), [SUMS]);
}

#[test]
fn refuses_the_rank_of_another_code() {
    assert_eq!(broken(&[(RANK, 1, 2)]), [SUMS]);
    assert_eq!(broken(&[(RANK, 1, 0)]), [SUMS]);
    assert_eq!(broken(&[(RANK, 2, 1)]), [SUMS]);
    // Two rows exchange their ranks, so that each entry is used as often as before.
    assert_eq!(broken(&[(RANK, 0, 1), (RANK, 1, 2)]), [SUMS]);
    assert_eq!(broken(&[(RANK, 1, LAYOUT.capacity() as u64)]), [SUMS]);
    assert_eq!(broken(&[(RANK, 100, 1)]), [SUMS]);
}

#[test]
fn refuses_flags_that_are_not_the_codes() {
    assert_eq!(broken(&[(FLAG, 2, 1)]), [SUMS]);
    assert_eq!(broken(&[(FLAG, 1, 0)]), [SUMS]);
    assert_eq!(broken(&[(FLAG, 1, 0), (FLAG, 2, 1)]), [SUMS]);
    assert_eq!(broken(&[(FLAG, 1, 0), (FLAG, 3, 2)]), ["flags are 0 or 1"]);
}

#[test]
fn refuses_a_dictionary_that_does_not_start_with_0() {
    let mut shifted = slots();
    // The first entry, 700, is taken for the missing value.
    let dictionary = &mut shifted[DICTIONARY];
    dictionary.remove(0);
    dictionary.push((1 << 32) + 208);
    shifted[CODES] = vec![700; LAYOUT.capacity()];
    shifted[FLAG] = vec![0; LAYOUT.capacity()];
    shifted[RANK] = vec![0; LAYOUT.capacity()];
    shifted[0] = vec![1; LAYOUT.capacity()];
    let failures = failures_of(Part::Dictionary, shifted, &[BOUND]);
    assert_eq!(failures, ["the dictionary starts with 0"]);
}

#[test]
fn refuses_a_dictionary_that_does_not_rise() {
    // 700 has two ranks, so that "at most 700" could mean either.
    let repeated = [(DICTIONARY, 2, 700), (CODES, 0, 700), (CODES, 4, 700)];
    assert_eq!(broken(&repeated), ["the dictionary rises", SUMS]);
    let falling = [(DICTIONARY, 1, 4_000), (DICTIONARY, 2, 700)];
    let exchanged: Vec<_> =
        falling.into_iter().chain((0..5).map(|row| (RANK, row, [1, 2, 0, 2, 1][row]))).collect();
    assert_eq!(broken(&exchanged), ["the dictionary rises", SUMS]);
}

#[test]
fn refuses_an_entry_that_was_not_used() {
    let failures = failures_with(Part::Dictionary, slots(), &[BOUND], |witness| {
        let used = &mut witness.auxiliaries[USED].records;
        used[1] += 1;
        used[2] -= 1;
    });
    assert_eq!(failures, [SUMS]);
}
