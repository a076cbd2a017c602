//! Points of G2 in eight lanes: coordinates `c0 + c1 u` with `u^2 = -1`, the bounds and the curve's scaling as in G1.
//!
//! A product is two sums of two products, each reduced once. (Karatsuba's three products need two more carries and
//! five more subtractions than the multiply-adds they save.)
#![expect(clippy::needless_range_loop, reason = "closures would not be compiled for these instructions")]

use super::{
    field::{Octet, transposed},
    lanes::{
        Coordinate, lane_to_ark, lanes_of_ark, minus_sum, negative_mask, place_of, run, turned, x_to_ark,
        y_to_ark,
    },
    words::{Ifma, Words, prefetch_far, prefetch_near},
};
use crate::{
    device::cpu::lanes::{Form, Lanes, Pending, Place, Work},
    device::points::G2Point,
};
use ark_bn254::{Fq2, G2Affine, G2Projective};
use ark_ff::Field;

/// Eight elements of the quadratic extension.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Pair {
    c0: Coordinate,
    c1: Coordinate,
}

/// Applies an expression to both coefficients.
macro_rules! both {
    (|$($name:ident),+| $result:expr) => {
        Pair {
            c0: { $(let $name = $name.c0;)+ $result },
            c1: { $(let $name = $name.c1;)+ $result },
        }
    };
}

impl Pair {
    /// Products, not normal: below `((A + 4) B / 84 + 1) p`. Left factors are below 4 p.
    #[inline(always)]
    fn times_each_raw<const N: usize>(a: [Self; N], b: [Self; N]) -> [Self; N] {
        let (a0, a1) = Self::apart(&a);
        let (b0, b1) = Self::apart(&b);
        let mut minus_a1 = a1;
        for n in 0..N {
            minus_a1[n] = Octet::multiple(a1[n].ifma(), 4).minus(a1[n]).normal();
        }
        let c0 = Coordinate::sum_of_products_raw(a0, b0, minus_a1, b1);
        let c1 = Coordinate::sum_of_products_raw(a0, b1, a1, b0);
        Self::together(&c0, &c1)
    }

    #[inline(always)]
    fn apart<const N: usize>(pairs: &[Self; N]) -> ([Coordinate; N], [Coordinate; N]) {
        let (mut c0, mut c1) = ([pairs[0].c0; N], [pairs[0].c1; N]);
        for n in 1..N {
            (c0[n], c1[n]) = (pairs[n].c0, pairs[n].c1);
        }
        (c0, c1)
    }

    #[inline(always)]
    fn together<const N: usize>(c0: &[Coordinate; N], c1: &[Coordinate; N]) -> [Self; N] {
        let mut pairs = [Self { c0: c0[0], c1: c1[0] }; N];
        for n in 1..N {
            pairs[n] = Self { c0: c0[n], c1: c1[n] };
        }
        pairs
    }

    #[inline(always)]
    fn times_one(self, other: Self) -> Self {
        let [product] = Self::times_each_raw([self], [other]);
        both!(|product| product.normal())
    }

    /// Squares, not normal: below `(2 A (A + 2) / 84 + 1) p`. Factors are below 2 p.
    #[inline(always)]
    fn squared_each_raw<const N: usize>(a: [Self; N]) -> [Self; N] {
        let (a0, a1) = Self::apart(&a);
        let (mut sums, mut differences, mut twice) = (a0, a0, a0);
        for n in 0..N {
            sums[n] = a0[n].plus(a1[n]).normal();
            differences[n] = a0[n].minus_from::<2>(a1[n]).normal();
            twice[n] = a0[n].plus(a0[n]).normal();
        }
        let c0 = Coordinate::times_each_raw(sums, differences);
        let c1 = Coordinate::times_each_raw(twice, a1);
        Self::together(&c0, &c1)
    }

    #[inline(always)]
    fn turned(self, distance: u64) -> Self {
        let this = self;
        both!(|this| turned(this, distance))
    }

    /// Eight words for every lane.
    #[inline(always)]
    fn rows(self) -> [Words; 8] {
        let ([a, b, c, d], [e, f, g, h]) = (self.c0.to_words(), self.c1.to_words());
        transposed([a, b, c, d, e, f, g, h])
    }

    #[inline(always)]
    fn any_bit(self) -> u8 {
        self.c0.any_bit() | self.c1.any_bit()
    }
}

impl Lanes for Pair {
    type Proof = Ifma;
    type Point = G2Point;
    type Group = G2Projective;
    const WIDTH: usize = 8;
    const ALL: u8 = 0xff;

    fn run<W: Work>(proof: Ifma, work: W) -> W::Output {
        run(proof, work)
    }

    #[inline(always)]
    fn fetch_near(point: &G2Point) {
        let lines: &[[u64; 8]; 2] = bytemuck::cast_ref(&point.0);
        prefetch_near(&lines[0]);
        prefetch_near(&lines[1]);
    }

    #[inline(always)]
    fn fetch_far(point: &G2Point) {
        let lines: &[[u64; 8]; 2] = bytemuck::cast_ref(&point.0);
        prefetch_far(&lines[0]);
        prefetch_far(&lines[1]);
    }

    #[inline(always)]
    fn zero(proof: Ifma) -> Self {
        Self { c0: Octet::zero(proof), c1: Octet::zero(proof) }
    }

    #[inline(always)]
    fn one(proof: Ifma) -> Self {
        Self { c0: Octet::one(proof), c1: Octet::zero(proof) }
    }

    #[inline(always)]
    fn times<const N: usize>(a: [Self; N], b: [Self; N]) -> [Self; N] {
        let mut products = Self::times_each_raw(a, b);
        for n in 0..N {
            let product = products[n];
            products[n] = both!(|product| product.normal());
        }
        products
    }

    #[inline(always)]
    fn inverse(self) -> Option<Self> {
        let fours = self.turned(4);
        let two = self.times_one(fours);
        let twos = two.turned(2);
        let four = two.times_one(twos);
        let ones = four.turned(1);
        let all = four.times_one(ones);
        let inverse = Fq2::new(lane_to_ark(all.c0), lane_to_ark(all.c1)).inverse()?;
        let others = fours.times_one(twos).times_one(ones);
        let ifma = self.c0.ifma();
        let inverse = Self { c0: lanes_of_ark(ifma, inverse.c0), c1: lanes_of_ark(ifma, inverse.c1) };
        Some(inverse.times_one(others))
    }

    #[inline(always)]
    fn gather<F: Form>(proof: Ifma, points: &[G2Point], entries: &[u32; 8]) -> Place<Self> {
        let (mut x, mut y) = ([Words::splat(proof, 0); 8], [Words::splat(proof, 0); 8]);
        for lane in 0..8 {
            if let Some(point) = points.get(place_of(entries[lane])) {
                let halves: &[[u64; 8]; 2] = bytemuck::cast_ref(&point.0);
                (x[lane], y[lane]) = (Words::load(proof, &halves[0]), Words::load(proof, &halves[1]));
            }
        }
        let [a, b, c, d, e, f, g, h] = transposed(x);
        let [i, j, k, l, m, n, o, p] = transposed(y);
        let (x, y) = if F::ARKWORKS {
            (
                Self {
                    c0: Octet::from_words_quadrupled([a, b, c, d]),
                    c1: Octet::from_words_quadrupled([e, f, g, h]),
                },
                Self {
                    c0: Octet::from_words_doubled([i, j, k, l]),
                    c1: Octet::from_words_doubled([m, n, o, p]),
                },
            )
        } else {
            (
                Self { c0: Octet::from_words([a, b, c, d]), c1: Octet::from_words([e, f, g, h]) },
                Self { c0: Octet::from_words([i, j, k, l]), c1: Octet::from_words([m, n, o, p]) },
            )
        };
        let mask = negative_mask(entries);
        Place { x, y: both!(|y| y.negated_where(mask)) }
    }

    #[inline(always)]
    fn settle(place: Place<Self>) -> Place<Self> {
        let blank = Self::blank(&place);
        let zero = <Self as Lanes>::zero(place.x.c0.ifma());
        let Place { x, y } = place;
        Place {
            x: Lanes::or_where(both!(|x| x.settled()), blank, zero),
            y: Lanes::or_where(both!(|y| y.settled()), blank, zero),
        }
    }

    #[inline(always)]
    fn before(a: &Place<Self>, b: &Place<Self>) -> Pending<Self> {
        let (ax, bx, ay, by) = (a.x, b.x, a.y, b.y);
        Pending {
            denominator: both!(|bx, ax| bx.minus_from::<2>(ax).normal()),
            numerator: both!(|by, ay| by.minus_from::<3>(ay).normal()),
            minus_sum: both!(|ax, bx| minus_sum(ax, bx)),
        }
    }

    #[inline(always)]
    fn doubling(a: &Place<Self>) -> Pending<Self> {
        let (x, y) = (a.x, a.y);
        let [square] = Self::squared_each_raw([x]);
        Pending {
            denominator: both!(|y| y.plus(y).normal()),
            numerator: both!(|square| square.plus(square).plus(square).normal()),
            minus_sum: both!(|x| minus_sum(x, x)),
        }
    }

    #[inline(always)]
    fn after<const N: usize>(
        a: [&Place<Self>; N],
        inverses: [Self; N],
        numerators: [Self; N],
        minus_sums: [Self; N],
    ) -> [Place<Self>; N] {
        let slopes = <Self as Lanes>::times(inverses, numerators);
        let mut x = Self::squared_each_raw(slopes);
        let mut steps = x;
        for n in 0..N {
            let (square, sum, old) = (x[n], minus_sums[n], a[n].x);
            let new = both!(|square, sum| square.plus(sum).reduced());
            steps[n] = both!(|old, new| old.minus_from::<2>(new).normal());
            x[n] = new;
        }
        let y = Self::times_each_raw(slopes, steps);
        let mut sums = [*a[0]; N];
        for n in 0..N {
            let (new, old) = (y[n], a[n].y);
            sums[n] = Place { x: x[n], y: both!(|new, old| new.minus_from::<3>(old).less::<2>().normal()) };
        }
        sums
    }

    #[inline(always)]
    fn vanishes(self) -> u8 {
        self.c0.vanishes() & self.c1.vanishes()
    }

    #[inline(always)]
    fn blank(place: &Place<Self>) -> u8 {
        !(place.x.any_bit() | place.y.any_bit())
    }

    #[inline(always)]
    fn or_where(self, mask: u8, other: Self) -> Self {
        let this = self;
        both!(|this, other| this.or_where(mask, other))
    }

    #[inline(always)]
    fn put(place: &Place<Self>) -> [G2Point; 8] {
        let (x, y) = (place.x.rows(), place.y.rows());
        let mut points = [G2Point([0; 16]); 8];
        for lane in 0..8 {
            let halves: &mut [[u64; 8]; 2] = bytemuck::cast_mut(&mut points[lane].0);
            x[lane].store_to(&mut halves[0]);
            y[lane].store_to(&mut halves[1]);
        }
        points
    }

    #[inline(always)]
    fn affine(place: &Place<Self>) -> [G2Affine; 8] {
        let blank = Self::blank(place);
        let (x0, x1) = (x_to_ark(place.x.c0), x_to_ark(place.x.c1));
        let (y0, y1) = (y_to_ark(place.y.c0), y_to_ark(place.y.c1));
        std::array::from_fn(|lane| {
            if blank >> lane & 1 == 1 {
                return G2Affine::identity();
            }
            G2Affine::new_unchecked(Fq2::new(x0[lane], x1[lane]), Fq2::new(y0[lane], y1[lane]))
        })
    }
}
