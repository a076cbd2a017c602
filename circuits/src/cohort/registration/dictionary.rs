//! One wide column: zero where not present, within its bound, flags true, and every code in its dictionary at its rank.
//!
//! Instance: the bound. The dictionary starts with 0 and rises strictly, so that a code has one rank, and code 0 is rank 0.

use super::{
    Auxiliary,
    limbs::{Limbs, occurrences, split_all},
    rules::{Fraction, Ground, Opening, Rules, boolean, number},
};
use crate::cohort::Layout;

/// Present, codes, flag, rank, dictionary.
pub(super) const SLOTS: usize = 5;

/// `bound` in every row; `seen`: how many limbs are `j`; `used`: how many rows have rank `j`; the limbs of the distance to the bound, then of
/// that to the entry before.
pub(super) fn auxiliary_columns(layout: Layout) -> usize {
    3 + 2 * Limbs::of_code(layout).count()
}

pub(super) fn rules(ground: &Ground) -> Rules {
    let rows = &ground.rows;
    let [present, codes, flag, rank, dictionary] = [0, 1, 2, 3, 4].map(|slot| ground.slots[slot]);
    let [bound, seen, used] = [0, 1, 2].map(|place| ground.auxiliaries[place]);
    let limbs = Limbs::of_code(rows.layout());
    let both = &ground.auxiliaries[3..];
    let (room, rise) = both.split_at(limbs.count());
    let (code, entry) = (codes.cur(), dictionary.cur());
    let gates = vec![
        ("codes are zero where not present", rows.record() * code.clone() * (number(1) - present.cur())),
        ("flags are 0 or 1", rows.record() * boolean(&flag.cur())),
        ("the bound is the instance", rows.top() * (bound.cur() - ground.instance.cur())),
        ("the bound is one", (rows.carry() + rows.record()) * (bound.cur() - bound.prev())),
        ("codes are within the bound", rows.record() * (bound.cur() - code.clone() - limbs.join(room))),
        ("the dictionary starts with 0", rows.first() * entry.clone()),
        (
            "the dictionary rises",
            rows.later() * (entry.clone() - dictionary.prev() - number(1) - limbs.join(rise)),
        ),
    ];
    let mut fractions = ground.range_checks(both, seen);
    // At each entry the flags of all rows with its code: all of them set, except for the entry 0.
    let counted = number(1) + ground.eta.clone() * rows.later();
    fractions.push(Fraction {
        numerator: number(1) + ground.eta.clone() * flag.cur(),
        pole: rank.cur() + ground.delta.clone() * code,
        weight: 1,
        opening: Opening::Zero,
    });
    fractions.push(Fraction {
        numerator: -(used.cur() * counted),
        pole: rows.index() + ground.delta.clone() * entry,
        weight: 1,
        opening: Opening::Zero,
    });
    Rules { gates, fractions }
}

pub(super) fn auxiliaries(layout: Layout, slots: &[Vec<u64>], numbers: &[u64]) -> Vec<Auxiliary> {
    let (codes, rank, dictionary) = (&slots[1], &slots[3], &slots[4]);
    let (bound, capacity) = (numbers[0], layout.capacity());
    let cut = Limbs::of_code(layout);
    let mut limbs = split_all(cut, codes.iter().map(|code| bound.wrapping_sub(*code)));
    let rise = |record: usize| match record.checked_sub(1) {
        None => 0,
        Some(before) => dictionary[record].wrapping_sub(dictionary[before]).wrapping_sub(1),
    };
    limbs.extend(split_all(cut, (0..capacity).map(rise)));
    let seen = occurrences(capacity, limbs.iter().flatten());
    let mut auxiliaries = vec![
        Auxiliary::held(layout, bound, vec![bound; capacity]),
        Auxiliary::of(seen),
        Auxiliary::of(occurrences(capacity, rank.iter())),
    ];
    auxiliaries.extend(limbs.into_iter().map(Auxiliary::of));
    auxiliaries
}
