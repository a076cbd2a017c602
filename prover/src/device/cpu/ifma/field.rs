//! Eight elements of a 254-bit prime field at a time: five limbs of 52 bits each, Montgomery form with R = 2^260.
//!
//! The one thing to know is the bounds. An element stands for any value below its bound, a small multiple of p, and R is
//! more than 84 p. Every operand of a product must be *normal*: limbs from 0 to 2^52 - 1, a value from 0 to 84 p. With
//! bounds A and B (in p) a product lies below `A B / 84 + 1` (in p), so below 2 p where `A B <= 84`. Sums and
//! differences are not reduced and not normal ([`Octet::plus`], [`Octet::minus`] work limb by limb); [`Octet::normal`]
//! carries, [`Octet::reduced`] does both at the price of little more.
//!
//! arkworks keeps R = 2^256; to pass between the two is to multiply by a constant.

#![expect(
    clippy::needless_range_loop,
    reason = "a limb of several numbers at a time, and closures would not be compiled for their instructions"
)]

pub(crate) use super::modulus::{Base, Constants, LIMB, Modulus, Scalar, join, power_of_two, split};
use super::words::{Ifma, Words};
use std::{fmt, marker::PhantomData};

/// By how much a top limb must exceed that of a multiple of p to be sure of the whole number: limbs below are from
/// -2^54 on.
const MARGIN: u64 = 8;

/// Eight elements.
#[derive(Clone, Copy)]
#[repr(C, align(64))]
pub(crate) struct Octet<M>(pub(crate) [Words; 5], PhantomData<M>);

impl<M> fmt::Debug for Octet<M> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Octet").field(&self.0).finish()
    }
}

impl<M: Modulus> Octet<M> {
    /// From limbs of 52 bits.
    #[inline(always)]
    pub(crate) fn from_limbs(limbs: [Words; 5]) -> Self {
        Self(limbs, PhantomData)
    }

    /// Eight times the same limbs.
    #[inline(always)]
    pub(crate) fn splat(ifma: Ifma, limbs: &[u64; 5]) -> Self {
        let mut words = [Words::splat(ifma, limbs[0]); 5];
        for i in 1..5 {
            words[i] = Words::splat(ifma, limbs[i]);
        }
        Self::from_limbs(words)
    }

    /// Zeros.
    #[inline(always)]
    pub(crate) fn zero(ifma: Ifma) -> Self {
        Self::splat(ifma, &[0; 5])
    }

    /// Ones.
    #[inline(always)]
    pub(crate) fn one(ifma: Ifma) -> Self {
        Self::splat(ifma, &Constants::<M>::ONE)
    }

    /// The proof by which this value exists.
    #[inline(always)]
    pub(crate) fn ifma(&self) -> Ifma {
        self.0[0].ifma()
    }

    /// `k p`, k at most 16.
    #[inline(always)]
    pub(crate) fn multiple(ifma: Ifma, k: usize) -> Self {
        Self::splat(ifma, &Constants::<M>::MULTIPLES[k])
    }

    /// The sum, limb by limb: not normal. Bounds add up.
    #[inline(always)]
    pub(crate) fn plus(self, other: Self) -> Self {
        let mut limbs = self.0;
        for i in 0..5 {
            limbs[i] = limbs[i].add(other.0[i]);
        }
        Self::from_limbs(limbs)
    }

    /// The difference, limb by limb: not normal, perhaps below zero.
    #[inline(always)]
    pub(crate) fn minus(self, other: Self) -> Self {
        let mut limbs = self.0;
        for i in 0..5 {
            limbs[i] = limbs[i].sub(other.0[i]);
        }
        Self::from_limbs(limbs)
    }

    /// `self + K p - other`, not normal, where `other` is at most `K p`: bound `A + K`.
    #[inline(always)]
    pub(crate) fn minus_from<const K: usize>(self, other: Self) -> Self {
        self.plus(Self::multiple(self.ifma(), K)).minus(other)
    }

    /// Carries: the same value in normal limbs. The value must be from 0 to 2^260 - 1, limbs may be signed.
    #[inline(always)]
    pub(crate) fn normal(self) -> Self {
        let mask = Words::splat(self.ifma(), LIMB);
        let mut limbs = self.0;
        for i in 0..4 {
            let carry = limbs[i].right_signed::<52>();
            limbs[i] = limbs[i].and(mask);
            limbs[i + 1] = limbs[i + 1].add(carry);
        }
        Self::from_limbs(limbs)
    }

    /// Normal, and below `(1 + 2^-32) p`. The value must be from p / 8 to 8 p, limbs may be signed and of 60 bits.
    #[inline(always)]
    pub(crate) fn reduced(self) -> Self {
        let ifma = self.ifma();
        // The top limb lacks the carries to come, some units of 2^45; the constant allows for those below zero.
        let quotient =
            Words::splat(ifma, 0).add_high(self.0[4], Words::splat(ifma, Constants::<M>::QUOTIENT));
        let mut limbs = self.0;
        for i in 0..5 {
            limbs[i] = limbs[i].sub(Words::load(ifma, &Constants::<M>::STEPS[i]).pick(quotient));
        }
        Self::from_limbs(limbs).normal()
    }

    /// `self - K p` where that is not below zero; bounds `max(K, A - K)`, but for a part in 2^32. Limbs may be of
    /// 60 bits; the result is not normal.
    #[inline(always)]
    pub(crate) fn less<const K: usize>(self) -> Self {
        let ifma = self.ifma();
        let multiple = Self::multiple(ifma, K);
        let mask = self.0[4].at_least(multiple.0[4].add(Words::splat(ifma, MARGIN)));
        let mut limbs = self.0;
        for i in 0..5 {
            limbs[i] = limbs[i].sub_where(mask, multiple.0[i]);
        }
        Self::from_limbs(limbs)
    }

    /// `3 p - self` where the mask is set, else `self`; not normal.
    #[inline(always)]
    pub(crate) fn negated_where(self, mask: u8) -> Self {
        let multiple = Self::multiple(self.ifma(), 3);
        let mut limbs = self.0;
        for i in 0..5 {
            limbs[i] = limbs[i].taken_from_where(mask, multiple.0[i]);
        }
        Self::from_limbs(limbs)
    }

    /// As [`Self::reduced`], of any value below 7 p.
    #[inline(always)]
    pub(crate) fn settled(self) -> Self {
        self.plus(Self::multiple(self.ifma(), 1)).reduced()
    }

    /// `other` where the mask is set, else `self`.
    #[inline(always)]
    pub(crate) fn or_where(self, mask: u8, other: Self) -> Self {
        let mut limbs = self.0;
        for i in 0..5 {
            limbs[i] = limbs[i].or_where(mask, other.0[i]);
        }
        Self::from_limbs(limbs)
    }

    /// Fully reduced: the one value below p. `self` is normal and below 2 p.
    #[inline(always)]
    pub(crate) fn canonical(self) -> Self {
        let less = self.minus(Self::multiple(self.ifma(), 1)).normal();
        // The top limb is not masked: it is negative where the difference is.
        let negative = !less.0[4].at_least(Words::splat(self.ifma(), 0));
        less.or_where(negative, self)
    }

    /// Where the value is zero in the field. `self` is normal and below 2 p.
    #[inline(always)]
    pub(crate) fn is_zero(self) -> u8 {
        !self.canonical().any_bit()
    }

    /// Where any limb is not zero.
    #[inline(always)]
    pub(crate) fn any_bit(self) -> u8 {
        let [a, b, c, d, e] = self.0;
        a.or(b).or(c.or(d)).or(e).nonzero()
    }

    /// The product, not normal: below `(A B / 84 + 1) p`, limbs of up to 57 bits.
    #[inline(always)]
    pub(crate) fn times_raw(self, other: Self) -> Self {
        let [product] = Self::times_each_raw([self], [other]);
        product
    }

    /// [`Self::times_raw`] of several pairs, interleaved: one alone waits for its own results most of the time.
    #[inline(always)]
    pub(crate) fn times_each_raw<const N: usize>(a: [Self; N], b: [Self; N]) -> [Self; N] {
        let zero = Words::splat(a[0].ifma(), 0);
        let mut sums = [[zero; 6]; N];
        for i in 0..5 {
            for j in 0..5 {
                for n in 0..N {
                    sums[n][j] = sums[n][j].add_low(a[n].0[j], b[n].0[i]);
                }
            }
            for j in 0..5 {
                for n in 0..N {
                    sums[n][j + 1] = sums[n][j + 1].add_high(a[n].0[j], b[n].0[i]);
                }
            }
            sums = Self::fold_each(sums);
        }
        Self::lower_each(&sums)
    }

    /// `(a b + c d) / R` of several, interleaved, not normal: below `(A B / 84 + C D / 84 + 1) p`.
    #[inline(always)]
    pub(crate) fn sum_of_products_raw<const N: usize>(
        a: [Self; N],
        b: [Self; N],
        c: [Self; N],
        d: [Self; N],
    ) -> [Self; N] {
        let zero = Words::splat(a[0].ifma(), 0);
        let mut sums = [[zero; 6]; N];
        for i in 0..5 {
            for j in 0..5 {
                for n in 0..N {
                    let sum = sums[n][j].add_low(a[n].0[j], b[n].0[i]);
                    sums[n][j] = sum.add_low(c[n].0[j], d[n].0[i]);
                }
            }
            for j in 0..5 {
                for n in 0..N {
                    let sum = sums[n][j + 1].add_high(a[n].0[j], b[n].0[i]);
                    sums[n][j + 1] = sum.add_high(c[n].0[j], d[n].0[i]);
                }
            }
            sums = Self::fold_each(sums);
        }
        Self::lower_each(&sums)
    }

    /// The lower five columns.
    #[inline(always)]
    fn lower_each<const N: usize>(sums: &[[Words; 6]; N]) -> [Self; N] {
        let mut lower = [Self::from_limbs([sums[0][0]; 5]); N];
        for n in 0..N {
            for i in 0..5 {
                lower[n].0[i] = sums[n][i];
            }
        }
        lower
    }

    /// One step of Montgomery's reduction: adds a multiple of p that clears the lowest limb, and drops it.
    #[inline(always)]
    fn fold_each<const N: usize>(mut sums: [[Words; 6]; N]) -> [[Words; 6]; N] {
        let ifma = sums[0][0].ifma();
        let zero = Words::splat(ifma, 0);
        let p = Self::multiple(ifma, 1).0;
        let inverse = Words::splat(ifma, Constants::<M>::NEGATIVE_INVERSE);
        let mut m = [zero; N];
        for n in 0..N {
            m[n] = zero.add_low(sums[n][0], inverse);
        }
        for j in 0..5 {
            for n in 0..N {
                sums[n][j] = sums[n][j].add_low(m[n], p[j]);
            }
        }
        for j in 0..5 {
            for n in 0..N {
                sums[n][j + 1] = sums[n][j + 1].add_high(m[n], p[j]);
            }
        }
        for n in 0..N {
            let t = sums[n];
            sums[n] = [t[1].add(t[0].right::<52>()), t[2], t[3], t[4], t[5], zero];
        }
        sums
    }

    /// The square, not normal: as [`Self::times_raw`] of it by itself, in four fifths of the time.
    #[inline(always)]
    pub(crate) fn squared_raw(self) -> Self {
        let [square] = Self::squared_each_raw([self]);
        square
    }

    /// [`Self::squared_raw`] of several, interleaved.
    #[inline(always)]
    pub(crate) fn squared_each_raw<const N: usize>(a: [Self; N]) -> [Self; N] {
        let zero = Words::splat(a[0].ifma(), 0);
        let mut wide = [[zero; 10]; N];
        for i in 0..5 {
            for j in i + 1..5 {
                for n in 0..N {
                    wide[n][i + j] = wide[n][i + j].add_low(a[n].0[i], a[n].0[j]);
                    wide[n][i + j + 1] = wide[n][i + j + 1].add_high(a[n].0[i], a[n].0[j]);
                }
            }
        }
        // Twice a limb is too long for a factor, so the sums of the mixed products are doubled.
        for columns in &mut wide {
            for column in columns {
                *column = column.add(*column);
            }
        }
        for i in 0..5 {
            for n in 0..N {
                wide[n][2 * i] = wide[n][2 * i].add_low(a[n].0[i], a[n].0[i]);
                wide[n][2 * i + 1] = wide[n][2 * i + 1].add_high(a[n].0[i], a[n].0[i]);
            }
        }
        let mut sums = [[zero; 6]; N];
        for n in 0..N {
            for i in 0..6 {
                sums[n][i] = wide[n][i];
            }
        }
        for i in 0..5 {
            sums = Self::fold_each(sums);
            if i < 4 {
                for n in 0..N {
                    sums[n][5] = wide[n][i + 6];
                }
            }
        }
        Self::lower_each(&sums)
    }

    /// The product, normal.
    #[inline(always)]
    pub(crate) fn times(self, other: Self) -> Self {
        self.times_raw(other).normal()
    }

    /// The square, normal.
    #[cfg(test)]
    #[inline(always)]
    pub(crate) fn squared(self) -> Self {
        self.squared_raw().normal()
    }

    /// From limbs of 64 bits, one word vector per limb: the number itself, normal.
    #[inline(always)]
    pub(crate) fn from_words(words: [Words; 4]) -> Self {
        let [a, b, c, d] = words;
        let mask = Words::splat(a.ifma(), LIMB);
        Self::from_limbs([
            a.and(mask),
            a.funnel_right::<52>(b).and(mask),
            b.funnel_right::<40>(c).and(mask),
            c.funnel_right::<28>(d).and(mask),
            d.right::<16>(),
        ])
    }

    /// As [`Self::from_words`], of twice the number.
    #[inline(always)]
    pub(crate) fn from_words_doubled(words: [Words; 4]) -> Self {
        let [a, b, c, d] = words;
        let mask = Words::splat(a.ifma(), LIMB);
        Self::from_limbs([
            a.left::<1>().and(mask),
            a.funnel_right::<51>(b).and(mask),
            b.funnel_right::<39>(c).and(mask),
            c.funnel_right::<27>(d).and(mask),
            d.right::<15>(),
        ])
    }

    /// As [`Self::from_words`], of four times the number.
    #[inline(always)]
    pub(crate) fn from_words_quadrupled(words: [Words; 4]) -> Self {
        let [a, b, c, d] = words;
        let mask = Words::splat(a.ifma(), LIMB);
        Self::from_limbs([
            a.left::<2>().and(mask),
            a.funnel_right::<50>(b).and(mask),
            b.funnel_right::<38>(c).and(mask),
            c.funnel_right::<26>(d).and(mask),
            d.right::<14>(),
        ])
    }

    /// The limbs of 64 bits of a normal number below 2^256.
    #[inline(always)]
    pub(crate) fn to_words(self) -> [Words; 4] {
        let [a, b, c, d, e] = self.0;
        [
            a.or(b.left::<52>()),
            b.right::<12>().or(c.left::<40>()),
            c.right::<24>().or(d.left::<28>()),
            d.right::<36>().or(e.left::<16>()),
        ]
    }

    /// From arkworks' Montgomery form, taken as a number (normal): below `(A / 84 + 1) p`.
    #[cfg(test)]
    #[inline(always)]
    pub(crate) fn out_of_ark(self) -> Self {
        self.times(Self::splat(self.ifma(), &Constants::<M>::FROM_ARK))
    }

    /// To arkworks' Montgomery form, fully reduced. `self` is normal, bound 84.
    #[cfg(test)]
    #[inline(always)]
    pub(crate) fn to_ark(self) -> Self {
        self.times(Self::splat(self.ifma(), &Constants::<M>::TO_ARK)).canonical()
    }

    /// The numbers of eight neighbours in memory, limbs of 64 bits.
    #[inline(always)]
    pub(crate) fn load(ifma: Ifma, elements: &[[u64; 4]; 8]) -> Self {
        let words: &[[u64; 8]; 4] = bytemuck::cast_ref(elements);
        let (a, b) = (Words::load(ifma, &words[0]), Words::load(ifma, &words[1]));
        let (c, d) = (Words::load(ifma, &words[2]), Words::load(ifma, &words[3]));
        let low = Words::load(ifma, &[0, 4, 8, 12, 1, 5, 9, 13]);
        let high = Words::load(ifma, &[2, 6, 10, 14, 3, 7, 11, 15]);
        let (first, second) = (a.pick_of_both(low, b), c.pick_of_both(low, d));
        let (third, fourth) = (a.pick_of_both(high, b), c.pick_of_both(high, d));
        Self::from_words([
            first.halves_low(second),
            first.halves_high(second),
            third.halves_low(fourth),
            third.halves_high(fourth),
        ])
    }

    /// Puts eight numbers below 2^256 beside one another in memory.
    #[inline(always)]
    pub(crate) fn store(self, elements: &mut [[u64; 4]; 8]) {
        store_words(self.to_words(), elements);
    }

    /// The numbers, each in limbs of 64 bits.
    #[inline(always)]
    pub(crate) fn scatter(self) -> [[u64; 4]; 8] {
        let mut elements = [[0; 4]; 8];
        self.store(&mut elements);
        elements
    }
}

/// Puts eight numbers of four words, a vector for each word, beside one another in memory.
#[inline(always)]
pub(crate) fn store_words(words: [Words; 4], elements: &mut [[u64; 4]; 8]) {
    let [a, b, c, d] = words;
    let ifma = a.ifma();
    let (first, second) = (a.halves_low(b), c.halves_low(d));
    let (third, fourth) = (a.halves_high(b), c.halves_high(d));
    let low = Words::load(ifma, &[0, 4, 8, 12, 1, 5, 9, 13]);
    let high = Words::load(ifma, &[2, 6, 10, 14, 3, 7, 11, 15]);
    let words: &mut [[u64; 8]; 4] = bytemuck::cast_mut(elements);
    first.pick_of_both(low, second).store_to(&mut words[0]);
    first.pick_of_both(high, second).store_to(&mut words[1]);
    third.pick_of_both(low, fourth).store_to(&mut words[2]);
    third.pick_of_both(high, fourth).store_to(&mut words[3]);
}

#[inline(always)]
fn half_transposed(rows: [Words; 4]) -> [Words; 4] {
    let [a, b, c, d] = rows;
    let (low, high) = (a.pair_low(b), a.pair_high(b));
    let (low2, high2) = (c.pair_low(d), c.pair_high(d));
    [low.pairs_even(low2), high.pairs_even(high2), low.pairs_odd(low2), high.pairs_odd(high2)]
}

/// Turns eight rows of eight words into columns.
#[inline(always)]
pub(crate) fn transposed(rows: [Words; 8]) -> [Words; 8] {
    let [a, b, c, d, e, f, g, h] = rows;
    let [p0, p1, p2, p3] = half_transposed([a, b, c, d]);
    let [q0, q1, q2, q3] = half_transposed([e, f, g, h]);
    [
        p0.pairs_even(q0),
        p1.pairs_even(q1),
        p2.pairs_even(q2),
        p3.pairs_even(q3),
        p0.pairs_odd(q0),
        p1.pairs_odd(q1),
        p2.pairs_odd(q2),
        p3.pairs_odd(q3),
    ]
}

#[cfg(test)]
mod tests {
    use super::{super::words::Task, *};
    use ark_bn254::{Fq, Fr};
    use ark_ff::{BigInt, PrimeField, UniformRand, Zero};
    use ark_std::test_rng;

    /// Every operation on eight pairs, in arkworks' form.
    struct Operations<M>([[u64; 4]; 8], [[u64; 4]; 8], PhantomData<M>);

    impl<M: Modulus> Task for Operations<M> {
        type Output = [[[u64; 4]; 8]; 8];

        #[inline(always)]
        fn call(self, ifma: Ifma) -> Self::Output {
            let a = Octet::<M>::load(ifma, &self.0).out_of_ark();
            let b = Octet::<M>::load(ifma, &self.1).out_of_ark();
            let six = b.minus_from::<2>(a).plus(Octet::multiple(ifma, 1));
            [
                a.times(b),
                a.squared(),
                six.reduced(),
                a.plus(b).normal(),
                b.plus(b).minus_from::<4>(a.plus(a)).normal().times(a.plus(b).plus(a).normal()),
                Octet::sum_of_products_raw([a], [b], [b], [b])[0].normal(),
                b.minus_from::<2>(a).less::<2>().normal(),
                six.normal().squared(),
            ]
            .map(|result| result.to_ark().scatter())
        }
    }

    fn agrees<M: Modulus, F: PrimeField<BigInt = BigInt<4>>>(limbs: fn(F) -> [u64; 4]) {
        let Some(ifma) = Ifma::detect() else { return };
        let mut rng = test_rng();
        let mut edges =
            vec![F::zero(), F::one(), -F::one(), F::from(2_u64), -F::from(2_u64), F::from(1_u64 << 52)];
        edges.extend((0..34).map(|i| F::one() / F::from(2_u64).pow([i * 7])));
        for round in 0..2000 {
            let mut draw = || if round < 500 { edges[usize::rand(&mut rng) % 40] } else { F::rand(&mut rng) };
            let a: [F; 8] = std::array::from_fn(|_| draw());
            let b: [F; 8] = std::array::from_fn(|_| draw());
            let results = ifma.run(Operations::<M>(a.map(limbs), b.map(limbs), PhantomData));
            for lane in 0..8 {
                let (a, b) = (a[lane], b[lane]);
                let expected = [
                    a * b,
                    a.square(),
                    b - a,
                    a + b,
                    (b.double() - a.double()) * (a.double() + b),
                    a * b + b.square(),
                    b - a,
                    (b - a).square(),
                ];
                assert_eq!(results.map(|result| result[lane]), expected.map(limbs));
            }
        }
    }

    #[test]
    fn base_field_equals_arkworks() {
        agrees::<Base, Fq>(|element| element.0.0);
    }

    #[test]
    fn scalar_field_equals_arkworks() {
        agrees::<Scalar, Fr>(|element| element.0.0);
    }

    /// Transposes and back; finds zeros in both of their forms.
    struct Shapes([[u64; 8]; 8]);

    impl Task for Shapes {
        type Output = ([[u64; 8]; 8], [u8; 3]);

        #[inline(always)]
        fn call(self, ifma: Ifma) -> Self::Output {
            let rows = self.0.map(|row| Words::load(ifma, &row));
            let zeros = [
                Octet::<Base>::zero(ifma).is_zero(),
                Octet::<Base>::multiple(ifma, 1).is_zero(),
                Octet::<Base>::one(ifma).is_zero(),
            ];
            (transposed(rows).map(Words::store), zeros)
        }
    }

    #[test]
    fn rows_become_columns_and_zero_is_known_in_both_forms() {
        let Some(ifma) = Ifma::detect() else { return };
        let rows = std::array::from_fn(|i| std::array::from_fn(|j| (8 * i + j) as u64));
        let (columns, zeros) = ifma.run(Shapes(rows));
        assert_eq!(columns, std::array::from_fn(|i| std::array::from_fn(|j| (8 * j + i) as u64)));
        assert_eq!(zeros, [255, 255, 0]);
        assert!(Fq::zero().is_zero());
    }
}
