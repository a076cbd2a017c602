//! Multi-scalar multiplication: Pippenger's buckets with signed digits, affine additions that share inversions, and
//! optional tables of multiples of fixed points. One algorithm for both groups and for any processor ([`Lanes`]).

mod buckets;
mod digits;
mod plan;
mod reduce;
mod tables;
#[cfg(test)]
mod tests;

pub(crate) use digits::Integers;

use super::{
    batch::Bench,
    kernel::Kernel,
    lanes::{Lanes, NOTHING},
    portable::Single,
};
use crate::device::points::{G1Point, G2Point, Slab};
use ark_bn254::{Fq, Fq2, G1Projective, G2Projective};
use ark_ec::{CurveGroup, PrimeGroup};
use ark_ff::{AdditiveGroup, Zero};
use buckets::BLOCK;
use digits::{Layout, Parcel, Sorted};
use rayon::prelude::*;
use reduce::{Reduce, Sums};
use std::ops::Range;

/// Points whose entries are made together: what a task reads and writes stays in its second cache.
const PARCEL: usize = 16384;

/// The group G1.
#[derive(Clone, Copy, Debug)]
pub(crate) enum G1 {}

/// The group G2.
#[derive(Clone, Copy, Debug)]
pub(crate) enum G2 {}

/// A group and the lanes that add in it.
pub(crate) trait Curve: 'static {
    /// A point in memory.
    type Point: bytemuck::Pod + Send + Sync;
    /// A sum.
    type Group: CurveGroup + Send + Sync;
    /// One at a time.
    type Portable: Lanes<Point = Self::Point, Group = Self::Group, Proof = ()>;
    /// Eight at a time.
    #[cfg(target_arch = "x86_64")]
    type Ifma: Lanes<Point = Self::Point, Group = Self::Group, Proof = super::ifma::words::Ifma>;
}

impl Curve for G1 {
    type Point = G1Point;
    type Group = G1Projective;
    type Portable = Single<Fq>;
    #[cfg(target_arch = "x86_64")]
    type Ifma = super::ifma::lanes::Coordinate;
}

impl Curve for G2 {
    type Point = G2Point;
    type Group = G2Projective;
    type Portable = Single<Fq2>;
    #[cfg(target_arch = "x86_64")]
    type Ifma = super::ifma::pair::Pair;
}

/// Points ready for many multiplications.
pub(crate) struct Prepared<C: Curve> {
    points: Slab<C::Point>,
    /// Places of the points that are not infinity, where some are.
    finite: Option<Vec<u32>>,
    kernel: Kernel,
    /// Multiples, in the form of the kernel's lanes; empty for none.
    table: Slab<C::Point>,
    /// The layout that the table is for.
    layout: Option<Layout>,
}

impl<C: Curve> Prepared<C> {
    /// Takes points; `table_budget_bytes` is what tables of their multiples may take.
    #[must_use]
    pub(crate) fn new(points: &Slab<C::Point>, kernel: Kernel, table_budget_bytes: usize) -> Self {
        #[cfg(target_arch = "x86_64")]
        if kernel == Kernel::Ifma
            && let Some(proof) = super::ifma::words::Ifma::detect()
        {
            return Self::with::<C::Ifma>(proof, points, kernel, table_budget_bytes);
        }
        Self::with::<C::Portable>((), points, Kernel::Portable, table_budget_bytes)
    }

    fn with<L: Lanes<Point = C::Point>>(
        proof: L::Proof,
        points: &Slab<C::Point>,
        kernel: Kernel,
        budget: usize,
    ) -> Self {
        let finite: Vec<u32> = points
            .iter()
            .enumerate()
            .filter(|(_, point)| bytemuck::bytes_of(*point).iter().any(|byte| *byte != 0))
            .map(|(i, _)| i as u32)
            .collect();
        // Places in a table have 31 bits, and one of them names nothing.
        let most = NOTHING as usize / points.len().max(1);
        let copies = (budget / size_of_val::<[C::Point]>(points).max(1)).min(most);
        let layout = plan::with_table(finite.len(), copies);
        let table = layout.map_or_else(
            || Slab::from(Vec::new()),
            |layout| tables::multiples::<L>(proof, points, &Layout { copy: points.len(), ..layout }),
        );
        Self {
            points: points.clone(),
            finite: (finite.len() < points.len()).then_some(finite),
            kernel,
            table,
            layout: layout.map(|layout| Layout { copy: points.len(), ..layout }),
        }
    }

    /// How many points.
    #[must_use]
    pub(crate) fn len(&self) -> usize {
        self.points.len()
    }

    /// What the tables take.
    #[must_use]
    pub(crate) fn table_bytes(&self) -> usize {
        size_of_val::<[C::Point]>(&self.table)
    }

    /// `sum scalars[columns[i]] * points[i]`; without `columns` it is `scalars[i]`. A scalar that is not there is zero.
    #[must_use]
    pub(crate) fn multiply(&self, scalars: &Integers, columns: Option<&[u32]>) -> C::Group {
        #[cfg(target_arch = "x86_64")]
        if self.kernel == Kernel::Ifma
            && let Some(proof) = super::ifma::words::Ifma::detect()
        {
            return self.multiply_in::<C::Ifma>(proof, scalars, columns);
        }
        self.multiply_in::<C::Portable>((), scalars, columns)
    }

    fn multiply_in<L: Lanes<Point = C::Point, Group = C::Group>>(
        &self,
        proof: L::Proof,
        scalars: &Integers,
        columns: Option<&[u32]>,
    ) -> C::Group {
        let count = self.finite.as_ref().map_or(self.points.len(), Vec::len);
        if count == 0 {
            return C::Group::zero();
        }
        let layout = self.layout.unwrap_or_else(|| plan::without_table(count));
        let group = plan::sets_at_a_time(&layout, count);
        let mut total = C::Group::zero();
        // The sets of the highest windows first.
        for start in (0..layout.sets).step_by(group).rev() {
            let sets = start..layout.sets.min(start + group);
            for sum in self.sets::<L>(proof, &layout, sets, scalars, columns).into_iter().rev() {
                for _ in 0..layout.bits {
                    total.double_in_place();
                }
                total += sum;
            }
        }
        total
    }

    /// The sums of some sets of buckets.
    fn sets<L: Lanes<Point = C::Point, Group = C::Group>>(
        &self,
        proof: L::Proof,
        layout: &Layout,
        sets: Range<usize>,
        scalars: &Integers,
        columns: Option<&[u32]>,
    ) -> Vec<C::Group> {
        let buckets = sets.len() << layout.set_bits();
        let tasks = buckets.div_ceil(1 << layout.task_bits);
        let count = self.finite.as_ref().map_or(self.points.len(), Vec::len);
        let parcels: Vec<Parcel> = (0..count.div_ceil(PARCEL))
            .into_par_iter()
            .map(|parcel| {
                let places = parcel * PARCEL..count.min((parcel + 1) * PARCEL);
                let chosen = places.filter_map(|place| {
                    let point = self.finite.as_ref().map_or(place as u32, |finite| finite[place]);
                    let column = match columns {
                        None => point,
                        Some(columns) => *columns.get(point as usize)?,
                    };
                    Some((point, scalars.numbers().get(column as usize)?))
                });
                Parcel::new(layout, sets.clone(), tasks, chosen)
            })
            .collect();
        let piece = 1 << layout.task_bits.min(layout.set_bits());
        let sums: Vec<Vec<Sums<C::Group>>> = (0..tasks)
            .into_par_iter()
            .map(|task| {
                let size = (buckets - (task << layout.task_bits)).min(1 << layout.task_bits);
                let sorted = Sorted::new(&parcels, task, size);
                let mut bench = L::run(proof, NewBench::<L>(proof));
                let (points, own) =
                    if self.table.is_empty() { (&*self.points, false) } else { (&*self.table, true) };
                let mut sums =
                    buckets::sums::<L>(proof, &mut bench, points, own, &sorted.entries, &sorted.ends);
                let capacity = BLOCK / L::WIDTH;
                let reduced =
                    L::run(proof, Reduce { proof, bench: &mut bench, capacity, buckets: &sums, piece });
                digits::wipe(&mut sums);
                reduced
            })
            .collect();
        let mut totals = vec![C::Group::zero(); sets.len()];
        let pieces_of_set = (1 << layout.set_bits()) / piece;
        for (place, sums) in sums.iter().flatten().enumerate() {
            // A digit d is in bucket d - 1.
            let first = (place % pieces_of_set * piece + 1) as u64;
            totals[place / pieces_of_set] += sums.weighted + sums.plain.mul_bigint([first]);
        }
        totals
    }
}

/// Makes a bench where its instructions are.
struct NewBench<L: Lanes>(L::Proof);

impl<L: Lanes> super::lanes::Work for NewBench<L> {
    type Output = Bench<L>;

    #[inline(always)]
    fn call(self) -> Bench<L> {
        Bench::new(self.0, BLOCK / L::WIDTH)
    }
}
