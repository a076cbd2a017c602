//! The rules of a wide key, each broken alone.

use super::case::{LAYOUT, SUMS, failures_of, failures_with};
use nightingale_circuits::cohort::registration::Part;

/// Four rows of subjects out of 100,000.
fn slots() -> Vec<Vec<u64>> {
    vec![vec![1, 1, 1, 1], vec![1, 17, 90_000, 100_000]]
}

fn broken(row: usize, code: u64) -> Vec<String> {
    let mut slots = slots();
    slots[1].resize(LAYOUT.capacity(), 0);
    slots[1][row] = code;
    failures_of(Part::Keys, slots, &[100_000])
}

#[test]
fn accepts_keys_up_to_the_bound_and_no_further() {
    assert!(failures_of(Part::Keys, slots(), &[100_000]).is_empty());
    assert!(failures_of(Part::Keys, slots(), &[u64::from(u32::MAX)]).is_empty());
    assert_eq!(broken(3, 100_001), ["codes are within the bound", SUMS]);
}

#[test]
fn refuses_a_row_without_a_key() {
    assert_eq!(broken(1, 0), ["codes are not missing where present", SUMS]);
}

#[test]
fn refuses_a_key_where_no_row_is() {
    assert_eq!(broken(4, 5), ["codes are zero where not present"]);
}

#[test]
fn refuses_another_bound_than_the_instance() {
    let failures = failures_with(Part::Keys, slots(), &[100_000], |witness| witness.numbers[0] = 99_999);
    assert_eq!(failures, ["the bound is the instance"]);
    let failures = failures_with(Part::Keys, slots(), &[100_000], |witness| {
        witness.numbers[0] = 99_999;
        witness.auxiliaries[0].head[..10].fill(99_999);
    });
    assert_eq!(failures, ["the bound is one"]);
}

#[test]
fn refuses_a_distance_in_limbs_that_are_no_rows() {
    // Limb 0 takes the whole distance from 17 to 100,000, which no row's number is.
    let failures = failures_with(Part::Keys, slots(), &[100_000], |witness| {
        let distance = 100_000 - 17;
        let mut seen = std::mem::take(&mut witness.auxiliaries[1].records);
        for (place, limb) in witness.auxiliaries[2..7].iter_mut().enumerate() {
            let replacement = if place == 0 { distance } else { 0 };
            let limb = std::mem::replace(&mut limb.records[1], replacement);
            seen[usize::try_from(limb).unwrap()] -= 1;
        }
        seen[0] += 4;
        witness.auxiliaries[1].records = seen;
    });
    assert_eq!(failures, [SUMS]);
}
