//! What the one algorithm of multiplication asks of a processor: affine points in lanes, added many at a time.
//!
//! A value of [`Lanes`] is a vector of `WIDTH` coordinates. The addition of two points is cut in two, [`Lanes::before`]
//! and [`Lanes::after`], because the inversion between them is shared by thousands. Coordinates are not fully reduced,
//! and may be those of an isomorphic curve: only [`Lanes::affine`] gives numbers that mean something outside.

use ark_ec::CurveGroup;
use bytemuck::Pod;

/// Points in lanes. Infinity is all zero bits in both coordinates, which no finite point is.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Place<L> {
    /// The first coordinates.
    pub(crate) x: L,
    /// The second.
    pub(crate) y: L,
}

/// What the addition of two points needs once the denominator is inverted.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Pending<L> {
    /// The denominator of the slope.
    pub(crate) denominator: L,
    /// Its numerator.
    pub(crate) numerator: L,
    /// Minus the sum of the first coordinates.
    pub(crate) minus_sum: L,
}

/// Work that is compiled for the instructions of its lanes. `call` must be `#[inline(always)]`.
pub(crate) trait Work {
    /// What it gives.
    type Output;

    /// Does it.
    fn call(self) -> Self::Output;
}

/// The form in which points lie in memory.
pub(crate) trait Form: Send + Sync + 'static {
    /// Whether it is that of arkworks and the key files, and not that of [`Lanes::put`].
    const ARKWORKS: bool;
}

/// Points as in key files.
pub(crate) struct Arkworks;

/// Points as [`Lanes::put`] leaves them.
pub(crate) struct Own;

impl Form for Arkworks {
    const ARKWORKS: bool = true;
}

impl Form for Own {
    const ARKWORKS: bool = false;
}

/// An entry that names no point.
pub(crate) const NOTHING: u32 = u32::MAX >> 1;

/// The sign of an entry: the point it names is to be negated.
pub(crate) const NEGATIVE: u32 = 1 << 31;

/// A vector of coordinates.
pub(crate) trait Lanes: Copy + Send + Sync + 'static {
    /// The proof that the processor has the instructions.
    type Proof: Copy + Send + Sync;
    /// A point in memory.
    type Point: Pod + Send + Sync;
    /// The group.
    type Group: CurveGroup + Send + Sync;
    /// How many lanes, 1 or 8.
    const WIDTH: usize;
    /// The bits of all lanes.
    const ALL: u8;

    /// Runs work compiled for these lanes.
    fn run<W: Work>(proof: Self::Proof, work: W) -> W::Output;

    /// Asks for a point in the nearest cache.
    fn fetch_near(point: &Self::Point);

    /// Asks for a point in the second cache.
    fn fetch_far(point: &Self::Point);

    /// Zeros.
    fn zero(proof: Self::Proof) -> Self;

    /// Ones.
    fn one(proof: Self::Proof) -> Self;

    /// Products; the left factors are products, inverses or ones.
    fn times<const N: usize>(a: [Self; N], b: [Self; N]) -> [Self; N];

    /// The inverses, or `None` if a lane is zero.
    fn inverse(self) -> Option<Self>;

    /// The points `points[entry mod 2^31]`, negated where the entry is [`NEGATIVE`], in the form to be added *to* an
    /// accumulator. Only the first `WIDTH` entries count. A place outside `points` is taken for infinity.
    fn gather<F: Form>(proof: Self::Proof, points: &[Self::Point], entries: &[u32; 8]) -> Place<Self>;

    /// The same points in the form of an accumulator.
    fn settle(place: Place<Self>) -> Place<Self>;

    /// The addition of `b` to an accumulator `a`.
    fn before(a: &Place<Self>, b: &Place<Self>) -> Pending<Self>;

    /// The doubling of an accumulator.
    fn doubling(a: &Place<Self>) -> Pending<Self>;

    /// The sums, as accumulators, from inverted denominators.
    fn after<const N: usize>(
        a: [&Place<Self>; N],
        inverses: [Self; N],
        numerators: [Self; N],
        minus_sums: [Self; N],
    ) -> [Place<Self>; N];

    /// Where a denominator or a numerator is zero in the field.
    fn vanishes(self) -> u8;

    /// Where a place is infinity.
    fn blank(place: &Place<Self>) -> u8;

    /// `other` where the mask is set, else `self`.
    fn or_where(self, mask: u8, other: Self) -> Self;

    /// Accumulators into memory, in the form [`Own`]; the first `WIDTH` points.
    fn put(place: &Place<Self>) -> [Self::Point; 8];

    /// Accumulators as points of arkworks; the first `WIDTH`.
    fn affine(place: &Place<Self>) -> [<Self::Group as CurveGroup>::Affine; 8];
}
