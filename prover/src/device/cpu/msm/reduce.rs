//! Weighted sums of buckets: `sum b * B_b` and `sum B_b` over pieces of `2^m` buckets.
//!
//! Fold the upper half onto the lower: `sum b B_b = sum_{b < h} b (B_b + B_{b+h}) + h sum_{b >= h} B_b`. Both sums on
//! the right are of half the size, and all their additions independent: as many as the two running sums of the textbook
//! need, but thousands at a time. Halves are of whole vectors, so no lane ever moves.
#![expect(clippy::needless_range_loop, reason = "closures would not be compiled for these instructions")]

use crate::device::cpu::{
    batch::{Additions, Bench},
    lanes::{Lanes, Own, Place, Work},
};
use ark_ff::AdditiveGroup;

/// The two sums of a piece.
#[derive(Clone, Copy)]
pub(crate) struct Sums<G> {
    /// Of `b * B_b`, b counted from 0 in the piece.
    pub(crate) weighted: G,
    /// Of the buckets.
    pub(crate) plain: G,
}

/// Adds up pieces of `piece` buckets (a power of two, at least the width of the lanes).
pub(crate) struct Reduce<'a, L: Lanes> {
    /// The processor.
    pub(crate) proof: L::Proof,
    /// Memory.
    pub(crate) bench: &'a mut Bench<L>,
    /// How many additions at a time it has memory for.
    pub(crate) capacity: usize,
    /// In the lanes' own form.
    pub(crate) buckets: &'a [L::Point],
    /// How many of them make a piece.
    pub(crate) piece: usize,
}

impl<L: Lanes> Work for Reduce<'_, L> {
    type Output = Vec<Sums<L::Group>>;

    #[inline(always)]
    fn call(self) -> Self::Output {
        let vectors = self.buckets.len() / L::WIDTH;
        let mut places = Vec::with_capacity(vectors);
        for vector in 0..vectors {
            let mut entries = [0; 8];
            for lane in 0..L::WIDTH {
                entries[lane] = (vector * L::WIDTH + lane) as u32;
            }
            places.push(L::gather::<Own>(self.proof, self.buckets, &entries));
        }
        let size = self.piece / L::WIDTH;
        let levels = size.trailing_zeros();
        let mut pairs = Vec::new();
        for round in 0..levels {
            pairs.clear();
            for piece in (0..vectors).step_by(size) {
                let half = size >> (round + 1);
                pairs.extend((0..half).map(|v| [(piece + v) as u32, (piece + v + half) as u32]));
                // What earlier rounds folded away lies behind, and has been halved down to twice this by now.
                for level in 0..round {
                    let start = piece + (size >> (level + 1));
                    pairs.extend((0..half).map(|v| [(start + v) as u32, (start + v + half) as u32]));
                }
            }
            for pairs in pairs.chunks(self.capacity) {
                self.bench.add(self.proof, &mut Pairs { places: &mut places, pairs }, false);
            }
        }
        let mut sums = Vec::with_capacity(vectors / size);
        for piece in (0..vectors).step_by(size) {
            // The half of round l counts size >> (l + 1) times.
            let mut halves = L::Group::ZERO;
            for level in 0..levels {
                halves = halves.double() + total(&places[piece + (size >> (level + 1))]);
            }
            for _ in 0..L::WIDTH.ilog2() {
                halves.double_in_place();
            }
            let (mut plain, mut weighted) = (L::Group::ZERO, L::Group::ZERO);
            for point in L::affine(&places[piece])[..L::WIDTH].iter().rev() {
                weighted += plain;
                plain += point;
            }
            sums.push(Sums { weighted: weighted + halves, plain });
        }
        let zero = L::zero(self.proof);
        places.fill(Place { x: zero, y: zero });
        std::hint::black_box(&mut places);
        sums
    }
}

/// The sum over the lanes.
#[inline(always)]
fn total<L: Lanes>(place: &Place<L>) -> L::Group {
    let mut sum = L::Group::ZERO;
    for point in &L::affine(place)[..L::WIDTH] {
        sum += point;
    }
    sum
}

/// Places added to places.
struct Pairs<'a, L> {
    places: &'a mut [Place<L>],
    pairs: &'a [[u32; 2]],
}

impl<L: Lanes> Additions<L> for Pairs<'_, L> {
    const DOUBLINGS: bool = false;
    const WATCHED: bool = true;

    #[inline(always)]
    fn len(&self) -> usize {
        self.pairs.len()
    }

    #[inline(always)]
    fn first(&self, vector: usize) -> &Place<L> {
        &self.places[self.pairs[vector][0] as usize]
    }

    #[inline(always)]
    fn second(&self, vector: usize) -> (Place<L>, u8) {
        (self.places[self.pairs[vector][1] as usize], 0)
    }

    #[inline(always)]
    fn put(&mut self, vector: usize, sum: Place<L>) {
        self.places[self.pairs[vector][0] as usize] = sum;
    }

    #[inline(always)]
    fn expect(&self, _: usize) {}

    #[inline(always)]
    fn passed(&self, _: usize) {}
}
