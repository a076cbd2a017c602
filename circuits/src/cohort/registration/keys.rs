//! One wide key: from 1 to its bound where present, zero elsewhere.
//!
//! Instance: the bound. No query may name a key, so that it has neither ranks nor a dictionary, and its flag is `present`.

use super::{
    Auxiliary,
    limbs::{Limbs, occurrences, split_all},
    rules::{Ground, Rules, number},
};
use crate::cohort::Layout;

/// Present, codes.
pub(super) const SLOTS: usize = 2;

/// `bound` in every row; `seen`: how many limbs are `j`; the limbs of the distance to the bound, then of that from `present`.
pub(super) fn auxiliary_columns(layout: Layout) -> usize {
    2 + 2 * Limbs::of_code(layout).count()
}

pub(super) fn rules(ground: &Ground) -> Rules {
    let rows = &ground.rows;
    let (present, code) = (ground.slots[0].cur(), ground.slots[1].cur());
    let (bound, seen, both) = (ground.auxiliaries[0], ground.auxiliaries[1], &ground.auxiliaries[2..]);
    let limbs = Limbs::of_code(rows.layout());
    let (room, base) = both.split_at(limbs.count());
    let gates = vec![
        ("codes are zero where not present", rows.record() * code.clone() * (number(1) - present.clone())),
        ("the bound is the instance", rows.top() * (bound.cur() - ground.instance.cur())),
        ("the bound is one", (rows.carry() + rows.record()) * (bound.cur() - bound.prev())),
        ("codes are within the bound", rows.record() * (bound.cur() - code.clone() - limbs.join(room))),
        ("codes are not missing where present", rows.record() * (code - present - limbs.join(base))),
    ];
    Rules { gates, fractions: ground.range_checks(both, seen) }
}

pub(super) fn auxiliaries(layout: Layout, slots: &[Vec<u64>], numbers: &[u64]) -> Vec<Auxiliary> {
    let (present, codes) = (&slots[0], &slots[1]);
    let (bound, capacity) = (numbers[0], layout.capacity());
    let cut = Limbs::of_code(layout);
    let mut limbs = split_all(cut, codes.iter().map(|code| bound.wrapping_sub(*code)));
    limbs
        .extend(split_all(cut, codes.iter().zip(present).map(|(code, present)| code.wrapping_sub(*present))));
    let seen = occurrences(capacity, limbs.iter().flatten());
    let mut auxiliaries = vec![Auxiliary::held(layout, bound, vec![bound; capacity]), Auxiliary::of(seen)];
    auxiliaries.extend(limbs.into_iter().map(Auxiliary::of));
    auxiliaries
}
