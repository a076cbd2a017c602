//! Endpoints: where each lies in the dictionary of its term.
//!
//! The row of endpoint `e` shows `dictionary[position - 1] < e <= dictionary[position]`; its two continuations hold the differences in
//! limbs. An endpoint above the whole dictionary is *beyond*: its position is `capacity`, and only the first half is shown.

use super::{
    row::{Row, Value},
    shape::{LIMBS, Shape},
};
use halo2_proofs::halo2curves::bn256::Fr;

/// Places of the free variables of an endpoint's main row.
pub(super) const POSITION: usize = 0;
/// The entry at the position before.
pub(super) const BELOW: usize = 1;
/// The entry at the position; 0 when beyond.
pub(super) const ABOVE: usize = 2;
/// Whether the endpoint is above the whole dictionary.
pub(super) const BEYOND: usize = 3;
/// The position; 0 when beyond.
pub(super) const PLACE: usize = 4;

/// The row of an endpoint whose value is `endpoint`.
pub(super) fn gates<R: Row>(row: &R, endpoint: R::Value) -> Vec<R::Value> {
    let shape = row.shape();
    let [position, below, above, beyond, place] =
        [POSITION, BELOW, ABOVE, BEYOND, PLACE].map(|p| row.free(p));
    let inside = row.one() - beyond.clone();
    let difference = |continuation: usize| row.advice(shape.slots(), continuation * shape.stride());
    vec![
        beyond.clone() * inside.clone(),
        beyond * (position.clone() - R::Value::number(shape.layout.capacity() as u64)),
        place - inside.clone() * position,
        difference(1) - (endpoint.clone() - row.one() - below),
        difference(2) - inside * (above - endpoint),
    ]
}

/// A row of limbs: the difference is `sum limb * 2^(bits * place)`, each limb a row's number, so that it is not negative.
pub(super) fn limb_gate<R: Row>(row: &R) -> R::Value {
    let base = Fr::from(1 << row.shape().limb_bits());
    let sum = (1..=LIMBS)
        .rev()
        .fold(R::Value::number(0), |sum, limb| sum * R::Value::constant(base) + row.free(limb));
    row.free(0) - sum
}

/// The limbs of a difference.
pub(super) fn split(shape: Shape, difference: u64) -> [u64; LIMBS] {
    let bits = shape.limb_bits();
    [difference & ((1 << bits) - 1), difference >> bits & ((1 << bits) - 1), difference >> (2 * bits)]
}
