//! Numbers that are not negative: sums of limbs, each of which is the number of a record row and therefore not negative.
//!
//! A limb may be any row's number, also above the base: all that matters is that the sum is an integer from 0 up to far less than
//! the field's size, so that a negative difference has none.

use super::super::Layout;
use halo2_proofs::{
    halo2curves::bn256::Fr,
    plonk::{Advice, Column, Expression},
};

/// How a number is cut: `sum limb_l * 2^(bits * l)`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Limbs {
    bits: u32,
    count: usize,
}

impl Limbs {
    /// Limbs for a code, or for the distance between two entries of a dictionary: its last entries are `2^32 + j`.
    pub(super) fn of_code(layout: Layout) -> Self {
        Self::below((1 << 32) + layout.capacity() as u128, layout)
    }

    /// Limbs for the distance between two keys of 64 bits.
    pub(super) fn of_key(layout: Layout) -> Self {
        Self::below(1 << 64, layout)
    }

    /// The fewest limbs that hold every number below `limit`.
    fn below(limit: u128, layout: Layout) -> Self {
        let capacity = layout.capacity().max(2) as u128;
        let bits = capacity.ilog2();
        let mut count = 1;
        let mut held = capacity;
        while held < limit {
            held <<= bits;
            count += 1;
        }
        Self { bits, count }
    }

    /// The number of limbs.
    pub(super) const fn count(self) -> usize {
        self.count
    }

    /// The limbs of `number`, lowest first; the highest takes all that is left.
    pub(super) fn split(self, number: u64) -> Vec<u64> {
        let mut rest = number;
        let mut limbs: Vec<u64> = Vec::with_capacity(self.count);
        for _ in 1..self.count {
            limbs.push(rest & ((1 << self.bits) - 1));
            rest >>= self.bits;
        }
        limbs.push(rest);
        limbs
    }

    /// The number whose limbs are in these columns, lowest first.
    pub(super) fn join(self, columns: &[Column<Advice>]) -> Expression<Fr> {
        let base = Fr::from(1 << self.bits);
        let zero = Expression::Constant(Fr::zero());
        columns.iter().rev().fold(zero, |sum, limb| sum * base + limb.cur())
    }
}

/// The limbs of each number, limb by limb.
pub(super) fn split_all(limbs: Limbs, numbers: impl Iterator<Item = u64>) -> Vec<Vec<u64>> {
    let mut columns = vec![Vec::new(); limbs.count()];
    for number in numbers {
        for (column, limb) in columns.iter_mut().zip(limbs.split(number)) {
            column.push(limb);
        }
    }
    columns
}

/// How often each number from 0 to `capacity - 1` is there; others are not counted, and no proof is found where there are any.
pub(super) fn occurrences<'a>(capacity: usize, numbers: impl Iterator<Item = &'a u64>) -> Vec<u64> {
    let mut occurrences = vec![0; capacity];
    for &number in numbers {
        if let Some(count) = usize::try_from(number).ok().and_then(|place| occurrences.get_mut(place)) {
            *count += 1;
        }
    }
    occurrences
}
