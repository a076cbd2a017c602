//! Columns that one lookup holds, eight at a time: zero where not present, within their bounds, flags true.
//!
//! Instance: the eight bounds, each below the capacity; 0 for a place that is not used, whose slots are zero.
//! `bounded` of a column is 1 before record row `bound` and 0 from there on, so that row `j` may be met when the row before it is bounded.

use super::{
    Auxiliary, BATCH,
    limbs::occurrences,
    rules::{Fraction, Ground, Opening, Rules, boolean, number},
};
use crate::cohort::Layout;
use halo2_proofs::{
    halo2curves::bn256::Fr,
    plonk::{Advice, Column, Expression},
};

/// Present, then codes and flag of each column.
pub(super) const SLOTS: usize = 1 + 2 * BATCH;
/// `seen` of each column: how many rows have code `j`; then `bounded` of each.
pub(super) const AUXILIARIES: usize = 2 * BATCH;

pub(super) fn rules(ground: &Ground) -> Rules {
    let rows = &ground.rows;
    let present = ground.slots[0];
    let (seen, bounded) = ground.auxiliaries.split_at(BATCH);
    let mut gates = Vec::with_capacity(4 * BATCH);
    let mut fractions = Vec::with_capacity(BATCH + 1);
    for (place, pair) in ground.slots[1..].chunks_exact(2).enumerate() {
        let (code, flag) = (pair[0].cur(), pair[1].cur());
        let beyond = number(1) - bounded[place].prev();
        gates.extend([
            ("codes are zero where not present", rows.record() * code.clone() * (number(1) - present.cur())),
            ("flags are 0 or 1", rows.record() * boolean(&flag)),
            ("codes are within the bound", rows.record() * seen[place].cur() * beyond),
            ("bounded starts at 1", rows.start() * (number(1) - bounded[place].cur())),
        ]);
        let numerator = number(1) + ground.eta.clone() * flag;
        fractions.push(Fraction { numerator, pole: code, weight: BATCH + place, opening: Opening::Zero });
    }
    fractions.push(table(ground, seen, bounded));
    Rules { gates, fractions }
}

/// All that has its pole in the row's number. Weights are those of the columns' own fractions, `theta^(8 + place)`, for what is seen, and
/// `theta^(7 - place)` for the bounds, as the opening gives them.
fn table(ground: &Ground, seen: &[Column<Advice>], bounded: &[Column<Advice>]) -> Fraction {
    let horner = |sum: Expression<Fr>, term: Expression<Fr>| sum * ground.theta.clone() + term;
    // At pole `j` the flags of all rows with code `j`: all of them set, except for code 0.
    let counted = number(1) + ground.eta.clone() * ground.rows.later();
    let counts = seen.iter().rev().map(|seen| seen.cur()).fold(number(0), horner) * counted;
    let steps = bounded.iter().map(|bounded| bounded.prev() - bounded.cur()).fold(number(0), horner);
    Fraction {
        numerator: -(ground.weight(BATCH) * counts + steps),
        pole: ground.rows.index(),
        weight: 0,
        opening: Opening::Instances,
    }
}

pub(super) fn auxiliaries(layout: Layout, slots: &[Vec<u64>], numbers: &[u64]) -> Vec<Auxiliary> {
    let capacity = layout.capacity();
    let seen = slots[1..].chunks_exact(2).map(|pair| Auxiliary::of(occurrences(capacity, pair[0].iter())));
    let step = |bound: u64| (0..capacity as u64).map(|j| u64::from(j < bound)).collect();
    let bounded = numbers.iter().map(|&bound| Auxiliary::held(layout, 1, step(bound)));
    seen.chain(bounded).collect()
}
