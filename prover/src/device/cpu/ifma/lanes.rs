//! Points of G1 in eight lanes.
//!
//! Accumulators are (x, y) with x below `(1 + 2^-32) p` and y below 2.3 p; what is added to them has x below 4 p and y
//! at most 3 p. Coordinates here are those of the curve `y^2 = x^3 + 3/64`, which `(x, y) -> (x/4, y/8)` takes the
//! points to: arkworks' numbers are then ours but for a shift by two bits and one, which reading them needs anyway.
#![expect(clippy::needless_range_loop, reason = "closures would not be compiled for these instructions")]

use super::{
    field::{Base, Octet, join, split, transposed},
    words::{Ifma, Task, Words, prefetch_far, prefetch_near},
};
use crate::{
    device::cpu::lanes::{Form, Lanes, NEGATIVE, Pending, Place, Work},
    device::points::G1Point,
};
use ark_bn254::{Fq, G1Affine, G1Projective};
use ark_ff::{BigInt, BigInteger, Field, PrimeField};

/// Eight elements of the base field.
pub(crate) type Coordinate = Octet<Base>;

/// Work in the form of a task of this processor.
struct Compiled<W>(W);

impl<W: Work> Task for Compiled<W> {
    type Output = W::Output;

    #[inline(always)]
    fn call(self, _: Ifma) -> W::Output {
        self.0.call()
    }
}

/// Runs work compiled for this processor.
pub(crate) fn run<W: Work>(ifma: Ifma, work: W) -> W::Output {
    ifma.run(Compiled(work))
}

/// Where entries are negative.
#[inline(always)]
pub(crate) fn negative_mask(entries: &[u32; 8]) -> u8 {
    let mut mask = 0;
    for (lane, entry) in entries.iter().enumerate() {
        mask |= ((entry >> 31) as u8) << lane;
    }
    mask
}

/// The number that an entry names a point by.
#[inline(always)]
pub(crate) fn place_of(entry: u32) -> usize {
    (entry & !NEGATIVE) as usize
}

/// The factor that takes our first coordinates to arkworks' numbers: 2^258.
const X_TO_ARK: [u64; 4] = power_of_two(258);
/// The same for the second coordinates: 2^259.
const Y_TO_ARK: [u64; 4] = power_of_two(259);

const fn power_of_two(exponent: u32) -> [u64; 4] {
    super::field::power_of_two(<Base as super::field::Modulus>::P, exponent)
}

/// First coordinates as numbers of arkworks. Normal, bound 4.
#[inline(always)]
pub(crate) fn x_to_ark(x: Coordinate) -> [Fq; 8] {
    numbers(x.times(Octet::splat(x.ifma(), &split(X_TO_ARK))))
}

/// Second coordinates as numbers of arkworks. Normal, bound 4.
#[inline(always)]
pub(crate) fn y_to_ark(y: Coordinate) -> [Fq; 8] {
    numbers(y.times(Octet::splat(y.ifma(), &split(Y_TO_ARK))))
}

#[inline(always)]
fn numbers(values: Coordinate) -> [Fq; 8] {
    values.canonical().scatter().map(|limbs| Fq::new_unchecked(BigInt(limbs)))
}

/// The number in one lane, as the same element in the form of arkworks. Normal, below 2^256.
#[inline(always)]
pub(crate) fn lane_to_ark(values: Coordinate) -> Fq {
    let mut limbs = [0; 5];
    for i in 0..5 {
        limbs[i] = values.0[i].store()[0];
    }
    let mut number = BigInt(join(limbs));
    while number >= Fq::MODULUS {
        number.sub_with_borrow(&Fq::MODULUS);
    }
    // It stands for `number / 2^260`, which arkworks writes as `number / 2^4`.
    Fq::new_unchecked(number) * SIXTEENTH
}

/// The same element of arkworks in all lanes. Normal, bound 1.
#[inline(always)]
pub(crate) fn lanes_of_ark(ifma: Ifma, element: Fq) -> Coordinate {
    Octet::splat(ifma, &split((element * SIXTEEN).0.0))
}

const SIXTEEN: Fq = Fq::new(BigInt([16, 0, 0, 0]));
/// 1/16: `(p - 1) / 16` is an integer for no odd multiple, so it is written out; a test checks the product.
const SIXTEENTH: Fq = Fq::new_unchecked(BigInt(power_of_two(252)));

/// Every lane `distance` places away.
#[inline(always)]
pub(crate) fn turned(values: Coordinate, distance: u64) -> Coordinate {
    let ifma = values.ifma();
    let mut places = [0, 1, 2, 3, 4, 5, 6, 7];
    for place in &mut places {
        *place ^= distance;
    }
    let places = Words::load(ifma, &places);
    let mut turned = values;
    for limb in &mut turned.0 {
        *limb = limb.pick(places);
    }
    turned
}

/// Minus the sum of first coordinates of an accumulator and of what is added: from p to 6 p, not normal.
#[inline(always)]
pub(crate) fn minus_sum(a: Coordinate, b: Coordinate) -> Coordinate {
    Octet::multiple(a.ifma(), 6).minus(a).minus(b)
}

impl Lanes for Coordinate {
    type Proof = Ifma;
    type Point = G1Point;
    type Group = G1Projective;
    const WIDTH: usize = 8;
    const ALL: u8 = 0xff;

    fn run<W: Work>(proof: Ifma, work: W) -> W::Output {
        run(proof, work)
    }

    #[inline(always)]
    fn fetch_near(point: &G1Point) {
        prefetch_near(point);
    }

    #[inline(always)]
    fn fetch_far(point: &G1Point) {
        prefetch_far(point);
    }

    #[inline(always)]
    fn zero(proof: Ifma) -> Self {
        Self::zero(proof)
    }

    #[inline(always)]
    fn one(proof: Ifma) -> Self {
        Self::one(proof)
    }

    #[inline(always)]
    fn times<const N: usize>(a: [Self; N], b: [Self; N]) -> [Self; N] {
        let mut products = Self::times_each_raw(a, b);
        for product in &mut products {
            *product = product.normal();
        }
        products
    }

    #[inline(always)]
    fn inverse(self) -> Option<Self> {
        // The product of all lanes in every lane, by halves; one inversion; each lane times the product of the others.
        let fours = turned(self, 4);
        let two = self.times(fours);
        let twos = turned(two, 2);
        let four = two.times(twos);
        let ones = turned(four, 1);
        let all = four.times(ones);
        let inverse = lane_to_ark(all).inverse()?;
        let others = fours.times(twos).times(ones);
        Some(lanes_of_ark(self.ifma(), inverse).times(others))
    }

    #[inline(always)]
    fn gather<F: Form>(proof: Ifma, points: &[G1Point], entries: &[u32; 8]) -> Place<Self> {
        let mut rows = [Words::splat(proof, 0); 8];
        for lane in 0..8 {
            if let Some(point) = points.get(place_of(entries[lane])) {
                rows[lane] = Words::load(proof, &point.0);
            }
        }
        let [a, b, c, d, e, f, g, h] = transposed(rows);
        let (x, y) = if F::ARKWORKS {
            (Self::from_words_quadrupled([a, b, c, d]), Self::from_words_doubled([e, f, g, h]))
        } else {
            (Self::from_words([a, b, c, d]), Self::from_words([e, f, g, h]))
        };
        Place { x, y: y.negated_where(negative_mask(entries)) }
    }

    #[inline(always)]
    fn settle(place: Place<Self>) -> Place<Self> {
        // Infinity must keep its bits.
        let blank = Self::blank(&place);
        let x = place.x.settled();
        let y = place.y.settled();
        let zero = Self::zero(place.x.ifma());
        Place { x: x.or_where(blank, zero), y: y.or_where(blank, zero) }
    }

    #[inline(always)]
    fn before(a: &Place<Self>, b: &Place<Self>) -> Pending<Self> {
        Pending {
            denominator: b.x.minus_from::<2>(a.x).normal(),
            numerator: b.y.minus_from::<3>(a.y).normal(),
            minus_sum: minus_sum(a.x, b.x),
        }
    }

    #[inline(always)]
    fn doubling(a: &Place<Self>) -> Pending<Self> {
        let square = a.x.squared_raw();
        Pending {
            denominator: a.y.plus(a.y).normal(),
            numerator: square.plus(square).plus(square).normal(),
            minus_sum: minus_sum(a.x, a.x),
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
            x[n] = x[n].plus(minus_sums[n]).reduced();
            steps[n] = a[n].x.minus_from::<2>(x[n]).normal();
        }
        let mut y = Self::times_each_raw(slopes, steps);
        for n in 0..N {
            y[n] = y[n].minus_from::<3>(a[n].y).less::<2>().normal();
        }
        let mut sums = [*a[0]; N];
        for n in 0..N {
            sums[n] = Place { x: x[n], y: y[n] };
        }
        sums
    }

    #[inline(always)]
    fn vanishes(self) -> u8 {
        self.times(Self::one(self.ifma())).is_zero()
    }

    #[inline(always)]
    fn blank(place: &Place<Self>) -> u8 {
        !(place.x.any_bit() | place.y.any_bit())
    }

    #[inline(always)]
    fn or_where(self, mask: u8, other: Self) -> Self {
        self.or_where(mask, other)
    }

    #[inline(always)]
    fn put(place: &Place<Self>) -> [G1Point; 8] {
        let [a, b, c, d] = place.x.to_words();
        let [e, f, g, h] = place.y.to_words();
        let rows = transposed([a, b, c, d, e, f, g, h]);
        let mut points = [G1Point([0; 8]); 8];
        for lane in 0..8 {
            rows[lane].store_to(&mut points[lane].0);
        }
        points
    }

    #[inline(always)]
    fn affine(place: &Place<Self>) -> [G1Affine; 8] {
        let (blank, x, y) = (Self::blank(place), x_to_ark(place.x), y_to_ark(place.y));
        std::array::from_fn(|lane| {
            if blank >> lane & 1 == 1 {
                return G1Affine::identity();
            }
            G1Affine::new_unchecked(x[lane], y[lane])
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use ark_ff::{One, Zero};

    #[test]
    fn a_sixteenth_is_a_sixteenth() {
        assert_eq!(SIXTEEN * SIXTEENTH, Fq::one());
        assert!(!SIXTEENTH.is_zero());
    }
}
