//! The frame: present rows come first and are N, keys rise strictly, and consent only ever goes.
//!
//! Instance: N. A key is `subject * 2^32 + dimension`; that both are below `2^32` is what the proofs of their columns say.

use super::{
    Auxiliary,
    limbs::{Limbs, occurrences, split_all},
    rules::{Ground, Rules, boolean, number},
};
use crate::cohort::Layout;
use halo2_proofs::{halo2curves::bn256::Fr, plonk::Expression};

/// Present, subject, dimension, consent, predecessor.
pub(super) const SLOTS: usize = 5;

/// What a subject code counts in a key.
const SUBJECT: u64 = 1 << 32;

/// `left`: how many of the N rows are still to come; `seen`: how many limbs are `j`; then the limbs of the distance to the key before.
pub(super) fn auxiliary_columns(layout: Layout) -> usize {
    2 + Limbs::of_key(layout).count()
}

pub(super) fn rules(ground: &Ground) -> Rules {
    let rows = &ground.rows;
    let [present, subject, dimension, consent, predecessor] = [0, 1, 2, 3, 4].map(|slot| ground.slots[slot]);
    let (left, seen, limbs) = (ground.auxiliaries[0], ground.auxiliaries[1], &ground.auxiliaries[2..]);
    let now = present.cur();
    let key = subject.cur() * Fr::from(SUBJECT) + dimension.cur();
    let key_before: Expression<Fr> = subject.prev() * Fr::from(SUBJECT) + dimension.prev();
    let distance = Limbs::of_key(rows.layout()).join(limbs);
    let gates = vec![
        ("present is 0 or 1", rows.record() * boolean(&now)),
        ("the first row is present", rows.first() * (number(1) - now.clone())),
        ("present does not rise", rows.later() * now.clone() * (number(1) - present.prev())),
        ("left starts at N", rows.top() * (left.cur() - ground.instance.cur())),
        ("left waits for the records", rows.carry() * (left.cur() - left.prev())),
        ("left counts down", rows.record() * (left.cur() - left.prev() + now.clone())),
        ("none is left", rows.last() * left.cur()),
        ("the first key names a subject", rows.first() * (key.clone() - number(SUBJECT) - distance.clone())),
        ("keys rise", rows.later() * (now * (key - key_before - number(1)) - distance)),
        ("consent is 0 or 1", rows.record() * boolean(&consent.cur())),
        ("consent was there before", rows.record() * consent.cur() * (number(1) - predecessor.cur())),
    ];
    Rules { gates, fractions: ground.range_checks(limbs, seen) }
}

pub(super) fn auxiliaries(layout: Layout, slots: &[Vec<u64>], numbers: &[u64]) -> Vec<Auxiliary> {
    let (present, subject, dimension) = (&slots[0], &slots[1], &slots[2]);
    let rows = numbers[0];
    let left = present.iter().scan(rows, |left, &present| {
        *left = left.wrapping_sub(present);
        Some(*left)
    });
    let key = |record: usize| subject[record].wrapping_mul(SUBJECT).wrapping_add(dimension[record]);
    let distance = |record: usize| match record.checked_sub(1) {
        None => key(record).wrapping_sub(SUBJECT),
        Some(_) if present[record] == 0 => 0,
        Some(before) => key(record).wrapping_sub(key(before)).wrapping_sub(1),
    };
    let limbs = split_all(Limbs::of_key(layout), (0..layout.capacity()).map(distance));
    let seen = occurrences(layout.capacity(), limbs.iter().flatten());
    let mut auxiliaries = vec![Auxiliary::held(layout, rows, left.collect()), Auxiliary::of(seen)];
    auxiliaries.extend(limbs.into_iter().map(Auxiliary::of));
    auxiliaries
}
