//! Points one at a time in arkworks' arithmetic: the same algorithm on any processor.

use super::lanes::{Form, Lanes, NEGATIVE, Pending, Place, Work};
use crate::device::points::{G1Point, G2Point};
use ark_bn254::{Fq, Fq2, G1Affine, G1Projective, G2Affine, G2Projective};
use ark_ff::{BigInt, BigInteger, Field, PrimeField};

/// One coordinate.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Single<F>(F);

/// The number behind limbs, reduced: a foreign file may hold others, and inverting zero in disguise does not end.
fn reduced(value: Fq) -> Fq {
    let mut number = BigInt(value.0.0);
    while number >= Fq::MODULUS {
        number.sub_with_borrow(&Fq::MODULUS);
    }
    Fq::new_unchecked(number)
}

/// What differs between the two groups.
pub(crate) trait Coordinates: Field {
    /// The point in memory.
    type Memory: bytemuck::Pod + Send + Sync;
    /// The group.
    type Group: ark_ec::CurveGroup + Send + Sync;

    /// Each of its numbers reduced.
    fn settled(self) -> Self;
    /// Out of memory.
    fn read(point: &Self::Memory) -> (Self, Self);
    /// Into memory.
    fn write(x: Self, y: Self) -> Self::Memory;
    /// A point of arkworks, not infinity.
    fn affine(x: Self, y: Self) -> <Self::Group as ark_ec::CurveGroup>::Affine;
    /// Infinity.
    fn identity() -> <Self::Group as ark_ec::CurveGroup>::Affine;
}

fn element(limbs: &[u64; 4]) -> Fq {
    Fq::new_unchecked(BigInt(*limbs))
}

impl Coordinates for Fq {
    type Memory = G1Point;
    type Group = G1Projective;

    fn settled(self) -> Self {
        reduced(self)
    }

    fn read(point: &G1Point) -> (Self, Self) {
        let [x, y]: &[[u64; 4]; 2] = bytemuck::cast_ref(&point.0);
        (element(x), element(y))
    }

    fn write(x: Self, y: Self) -> G1Point {
        G1Point(bytemuck::cast([x.0.0, y.0.0]))
    }

    fn affine(x: Self, y: Self) -> G1Affine {
        G1Affine::new_unchecked(x, y)
    }

    fn identity() -> G1Affine {
        G1Affine::identity()
    }
}

impl Coordinates for Fq2 {
    type Memory = G2Point;
    type Group = G2Projective;

    fn settled(self) -> Self {
        Self::new(reduced(self.c0), reduced(self.c1))
    }

    fn read(point: &G2Point) -> (Self, Self) {
        let [x0, x1, y0, y1]: &[[u64; 4]; 4] = bytemuck::cast_ref(&point.0);
        (Self::new(element(x0), element(x1)), Self::new(element(y0), element(y1)))
    }

    fn write(x: Self, y: Self) -> G2Point {
        G2Point(bytemuck::cast([x.c0.0.0, x.c1.0.0, y.c0.0.0, y.c1.0.0]))
    }

    fn affine(x: Self, y: Self) -> G2Affine {
        G2Affine::new_unchecked(x, y)
    }

    fn identity() -> G2Affine {
        G2Affine::identity()
    }
}

impl<F: Coordinates> Lanes for Single<F> {
    type Proof = ();
    type Point = F::Memory;
    type Group = F::Group;
    const WIDTH: usize = 1;
    const ALL: u8 = 1;

    fn run<W: Work>((): (), work: W) -> W::Output {
        work.call()
    }

    fn fetch_near(_: &F::Memory) {}

    fn fetch_far(_: &F::Memory) {}

    fn zero((): ()) -> Self {
        Self(F::ZERO)
    }

    fn one((): ()) -> Self {
        Self(F::ONE)
    }

    fn times<const N: usize>(a: [Self; N], b: [Self; N]) -> [Self; N] {
        std::array::from_fn(|n| Self(a[n].0 * b[n].0))
    }

    fn inverse(self) -> Option<Self> {
        self.0.settled().inverse().map(Self)
    }

    fn gather<S: Form>((): (), points: &[F::Memory], entries: &[u32; 8]) -> Place<Self> {
        let (x, y) = points.get((entries[0] & !NEGATIVE) as usize).map_or((F::ZERO, F::ZERO), F::read);
        Place { x: Self(x), y: Self(if entries[0] & NEGATIVE == 0 { y } else { -y }) }
    }

    fn settle(place: Place<Self>) -> Place<Self> {
        place
    }

    fn before(a: &Place<Self>, b: &Place<Self>) -> Pending<Self> {
        Pending {
            denominator: Self(b.x.0 - a.x.0),
            numerator: Self(b.y.0 - a.y.0),
            minus_sum: Self(-(a.x.0 + b.x.0)),
        }
    }

    fn doubling(a: &Place<Self>) -> Pending<Self> {
        let square = a.x.0.square();
        Pending {
            denominator: Self(a.y.0.double()),
            numerator: Self(square.double() + square),
            minus_sum: Self(-a.x.0.double()),
        }
    }

    fn after<const N: usize>(
        a: [&Place<Self>; N],
        inverses: [Self; N],
        numerators: [Self; N],
        minus_sums: [Self; N],
    ) -> [Place<Self>; N] {
        std::array::from_fn(|n| {
            let slope = numerators[n].0 * inverses[n].0;
            let x = slope.square() + minus_sums[n].0;
            Place { x: Self(x), y: Self(slope * (a[n].x.0 - x) - a[n].y.0) }
        })
    }

    fn vanishes(self) -> u8 {
        u8::from(self.0.settled().is_zero())
    }

    fn blank(place: &Place<Self>) -> u8 {
        u8::from(place.x.0.is_zero() && place.y.0.is_zero())
    }

    fn or_where(self, mask: u8, other: Self) -> Self {
        if mask & 1 == 1 { other } else { self }
    }

    fn put(place: &Place<Self>) -> [F::Memory; 8] {
        [F::write(place.x.0, place.y.0); 8]
    }

    fn affine(place: &Place<Self>) -> [<F::Group as ark_ec::CurveGroup>::Affine; 8] {
        if Self::blank(place) == 1 {
            return [F::identity(); 8];
        }
        [F::affine(place.x.0, place.y.0); 8]
    }
}
