//! Eight scalars side by side in AVX-512 registers, five limbs of 52 bits each.
//!
//! A product with a known factor w needs no Montgomery form: with w' = floor(w 2^260 / p) made beforehand, q the upper
//! half of x w' is x w / p but for a few units, and x w - q p is left in the lower half (Shoup's trick; V. Shoup, NTL;
//! D. Harvey, "Faster arithmetic for number-theoretic transforms", 2014). So elements stay in arkworks' own form, and
//! 75 or 84 multiply-adds do instead of 105. As 2^260 is above 84 p, sums are left unreduced between layers; each
//! function names the bounds it needs and gives, in multiples of p.

#![expect(unsafe_code, reason = "a reinterpretation of words as registers")]

pub(super) mod layout;

use ark_bn254::Fr;
use ark_ff::PrimeField;
use std::arch::x86_64::{
    __m512i, _mm512_add_epi64, _mm512_and_si512, _mm512_madd52hi_epu64, _mm512_madd52lo_epu64,
    _mm512_mask_blend_epi64, _mm512_movepi64_mask, _mm512_set1_epi64, _mm512_setzero_si512,
    _mm512_slli_epi64, _mm512_srai_epi64, _mm512_srli_epi64, _mm512_sub_epi64,
};

/// What a value may be at most, in hundredths of p, before a product or a reduction: 2^260 is 84.64 p.
pub(super) const LIMIT: u32 = 84_60;
/// The multiple of p that is above all that [`Lanes::times`] leaves: that is at most 10.01 p.
pub(super) const ABOVE_PRODUCT: usize = 11;
/// What [`Lanes::times_tightly`] leaves at most, in hundredths of p.
pub(super) const TIGHT: u32 = 2_01;

const MASK: u64 = (1 << 52) - 1;

pub(super) const fn split(words: [u64; 4]) -> [u64; 5] {
    let [a, b, c, d] = words;
    [a & MASK, (a >> 52 | b << 12) & MASK, (b >> 40 | c << 24) & MASK, (c >> 28 | d << 36) & MASK, d >> 16]
}

const MODULUS: [u64; 5] = split(Fr::MODULUS.0);

/// `a b mod 2^260`, of normal limbs.
const fn low_product(a: [u64; 5], b: [u64; 5]) -> [u64; 5] {
    let mut out = [0; 5];
    let mut carry = 0u128;
    let mut column = 0;
    while column < 5 {
        let mut i = 0;
        while i <= column {
            carry += a[i] as u128 * b[column - i] as u128;
            i += 1;
        }
        out[column] = carry as u64 & MASK;
        carry >>= 52;
        column += 1;
    }
    out
}

/// `-a mod 2^260`.
const fn negative(a: [u64; 5]) -> [u64; 5] {
    let mut out = [0; 5];
    let mut borrow = 0;
    let mut i = 0;
    while i < 5 {
        let limb = (1 << 52) - borrow - a[i];
        out[i] = limb & MASK;
        borrow = if limb >> 52 == 0 { 1 } else { 0 };
        i += 1;
    }
    out
}

/// `-1/p mod 2^260`, by Newton's iteration on the inverse.
const NEGATIVE_INVERSE: [u64; 5] = {
    let mut inverse = [1, 0, 0, 0, 0];
    let mut bits = 1;
    while bits < 260 {
        let mut two_minus = negative(low_product(MODULUS, inverse));
        // -a + 2, with the carry.
        let mut carry = 2;
        let mut i = 0;
        while i < 5 {
            let limb = two_minus[i] + carry;
            two_minus[i] = limb & MASK;
            carry = limb >> 52;
            i += 1;
        }
        inverse = low_product(inverse, two_minus);
        bits *= 2;
    }
    negative(inverse)
};

/// `2^260 - p`: adding its multiples modulo 2^260 subtracts those of p.
const NEGATIVE_MODULUS: [u64; 5] = negative(MODULUS);

/// `floor(2^305 / p)`, or a little less.
const RECIPROCAL: u64 = {
    let words = Fr::MODULUS.0;
    // p / 2^190, rounded up.
    let top = (words[2] >> 62 | words[3] << 2) + 1;
    ((1u128 << 115) / top as u128) as u64
};

const MULTIPLES: [[u64; 5]; 16] = {
    let mut out = [[0; 5]; 16];
    let mut k = 0;
    while k < 16 {
        out[k] = low_product(MODULUS, [k as u64, 0, 0, 0, 0]);
        k += 1;
    }
    out
};

/// A factor known beforehand, the same for all lanes.
#[derive(Clone, Copy)]
pub(super) struct Factor {
    value: [u64; 5],
    quotient: [u64; 5],
}

impl Factor {
    /// The factor's value and `floor(value 2^260 / p)`, which is `-(value 2^260 mod p) / p mod 2^260`.
    pub(super) fn new(factor: Fr) -> Self {
        let remainder = split((factor * Fr::from(16u64)).0.0);
        Self { value: split(factor.into_bigint().0), quotient: low_product(remainder, NEGATIVE_INVERSE) }
    }
}

/// A factor for each lane, known beforehand.
#[derive(Clone, Copy)]
pub(super) struct Factors {
    value: Lanes,
    quotient: Lanes,
}

impl Factors {
    pub(super) fn new(factors: [Fr; 8]) -> Self {
        let factors = factors.map(Factor::new);
        let lanes = |limbs: fn(&Factor) -> &[u64; 5]| {
            Lanes::from_words(std::array::from_fn(|limb| {
                std::array::from_fn(|lane| limbs(&factors[lane])[limb])
            }))
        };
        Self { value: lanes(|f| &f.value), quotient: lanes(|f| &f.quotient) }
    }
}

/// Eight values; limbs may be above 52 bits or negative, their weighted sum is meant.
#[derive(Clone, Copy)]
#[repr(transparent)]
pub(super) struct Lanes([__m512i; 5]);

/// The product of carried `$x` with a factor whose limbs the functions give; `$tight` as a constant.
macro_rules! product {
    ($x:expr, $value:expr, $quotient:expr, $tight:expr) => {{
        let zero = _mm512_setzero_si512();
        let x = $x;
        let mut q = [zero; 5];
        if $tight {
            for i in 0..5 {
                q[0] = _mm512_madd52lo_epu64(q[0], x[i], $quotient(4 - i));
            }
            for i in 0..4 {
                q[0] = _mm512_madd52hi_epu64(q[0], x[i], $quotient(3 - i));
            }
            q[0] = _mm512_srli_epi64::<52>(q[0]);
        }
        for i in 0..5 {
            for j in 4 - i..5 {
                q[i + j - 4] = _mm512_madd52hi_epu64(q[i + j - 4], x[i], $quotient(j));
            }
            for j in 5 - i..5 {
                q[i + j - 5] = _mm512_madd52lo_epu64(q[i + j - 5], x[i], $quotient(j));
            }
        }
        for i in 0..4 {
            q[i + 1] = _mm512_add_epi64(q[i + 1], _mm512_srli_epi64::<52>(q[i]));
        }
        let mut r = [zero; 5];
        for i in 0..5 {
            for j in 0..5 - i {
                r[i + j] = _mm512_madd52lo_epu64(r[i + j], x[i], $value(j));
            }
            for j in 0..4 - i {
                r[i + j + 1] = _mm512_madd52hi_epu64(r[i + j + 1], x[i], $value(j));
            }
        }
        for i in 0..5 {
            for j in 0..5 - i {
                r[i + j] = _mm512_madd52lo_epu64(r[i + j], q[i], every(NEGATIVE_MODULUS[j]));
            }
            for j in 0..4 - i {
                r[i + j + 1] = _mm512_madd52hi_epu64(r[i + j + 1], q[i], every(NEGATIVE_MODULUS[j]));
            }
        }
        r[4] = modulo_top(r[4]);
        Lanes(r)
    }};
}

#[inline]
#[target_feature(enable = "avx512f,avx512ifma")]
fn every(word: u64) -> __m512i {
    _mm512_set1_epi64(word.cast_signed())
}

/// The top limb modulo 2^52, signed: the value is far below 2^259, so a negative one only awaits a carry.
#[inline]
#[target_feature(enable = "avx512f,avx512ifma")]
fn modulo_top(limb: __m512i) -> __m512i {
    _mm512_srai_epi64::<12>(_mm512_slli_epi64::<12>(limb))
}

impl Lanes {
    /// Limb by limb, lane by lane.
    pub(super) fn from_words(words: [[u64; 8]; 5]) -> Self {
        // SAFETY: both are 320 bytes without padding, and every pattern of bits is a register's.
        Self(unsafe { std::mem::transmute::<[[u64; 8]; 5], [__m512i; 5]>(words) })
    }

    pub(super) const fn zero() -> Self {
        // SAFETY: as above.
        Self(unsafe { std::mem::transmute::<[[u64; 8]; 5], [__m512i; 5]>([[0; 8]; 5]) })
    }

    /// The same value, its limbs' low 52 bits those of the normal form. Needs a value of 0 to 2^260.
    #[inline]
    #[target_feature(enable = "avx512f,avx512ifma")]
    fn carried(&self) -> [__m512i; 5] {
        let mut limbs = self.0;
        for i in 0..4 {
            limbs[i + 1] = _mm512_add_epi64(limbs[i + 1], _mm512_srai_epi64::<52>(limbs[i]));
        }
        limbs
    }

    /// The normal form. Needs a value of 0 to 2^260, or the top limb is left negative.
    #[inline]
    #[target_feature(enable = "avx512f,avx512ifma")]
    fn normal(&self) -> Self {
        let mut limbs = self.carried();
        for limb in &mut limbs[..4] {
            *limb = _mm512_and_si512(*limb, every(MASK));
        }
        Self(limbs)
    }

    #[inline]
    #[target_feature(enable = "avx512f,avx512ifma")]
    pub(super) fn plus(&self, other: &Self) -> Self {
        let mut limbs = self.0;
        for (limb, other) in limbs.iter_mut().zip(other.0) {
            *limb = _mm512_add_epi64(*limb, other);
        }
        Self(limbs)
    }

    /// `self - other + MULTIPLE p`, which must not be negative.
    #[inline]
    #[target_feature(enable = "avx512f,avx512ifma")]
    pub(super) fn minus<const MULTIPLE: usize>(&self, other: &Self) -> Self {
        let mut limbs = self.0;
        for ((limb, multiple), other) in limbs.iter_mut().zip(MULTIPLES[MULTIPLE]).zip(other.0) {
            *limb = _mm512_sub_epi64(_mm512_add_epi64(*limb, every(multiple)), other);
        }
        Self(limbs)
    }

    /// The product with `factor`, at most 10.01 p. The value may be up to 2^260.
    #[inline]
    #[target_feature(enable = "avx512f,avx512ifma")]
    pub(super) fn times(&self, factor: &Factor) -> Self {
        product!(
            self.carried(),
            |i: usize| every(factor.value[i]),
            |i: usize| every(factor.quotient[i]),
            false
        )
    }

    /// The product with `factor`, at most [`TIGHT`]. The value may be up to 2^260.
    #[inline]
    #[target_feature(enable = "avx512f,avx512ifma")]
    pub(super) fn times_tightly(&self, factor: &Factor) -> Self {
        product!(
            self.carried(),
            |i: usize| every(factor.value[i]),
            |i: usize| every(factor.quotient[i]),
            true
        )
    }

    /// The product with each lane's factor, at most [`TIGHT`]. The value may be up to 2^260.
    #[inline]
    #[target_feature(enable = "avx512f,avx512ifma")]
    pub(super) fn times_each(&self, factors: &Factors) -> Self {
        product!(self.carried(), |i: usize| factors.value.0[i], |i: usize| factors.quotient.0[i], true)
    }

    /// The same element, at most 1.01 p. The value may be up to 2^260.
    #[inline]
    #[target_feature(enable = "avx512f,avx512ifma")]
    pub(super) fn reduced(&self) -> Self {
        let mut limbs = self.normal().0;
        let estimate = _mm512_madd52hi_epu64(_mm512_setzero_si512(), limbs[4], every(RECIPROCAL));
        let quotient = _mm512_srli_epi64::<45>(estimate);
        for (limb, modulus) in limbs.iter_mut().zip(NEGATIVE_MODULUS) {
            *limb = _mm512_madd52lo_epu64(*limb, quotient, every(modulus));
        }
        for i in 0..4 {
            limbs[i + 1] = _mm512_madd52hi_epu64(limbs[i + 1], quotient, every(NEGATIVE_MODULUS[i]));
        }
        limbs[4] = modulo_top(limbs[4]);
        Self(limbs)
    }

    /// The element's only form below p, with normal limbs. The value may be up to 2^260.
    #[inline]
    #[target_feature(enable = "avx512f,avx512dq,avx512ifma")]
    pub(super) fn canonical(&self) -> Self {
        let value = self.reduced().normal();
        let mut less = value.0;
        for (limb, modulus) in less.iter_mut().zip(MODULUS) {
            *limb = _mm512_sub_epi64(*limb, every(modulus));
        }
        let less = Self(less).normal();
        let negative = _mm512_movepi64_mask(less.0[4]);
        let mut limbs = less.0;
        for (limb, other) in limbs.iter_mut().zip(value.0) {
            *limb = _mm512_mask_blend_epi64(negative, *limb, other);
        }
        Self(limbs)
    }

    /// `16 self`. The value may be up to 5 p.
    #[inline]
    #[target_feature(enable = "avx512f,avx512ifma")]
    pub(super) fn sixteenfold(&self) -> Self {
        let mut limbs = self.normal().0;
        for limb in &mut limbs {
            *limb = _mm512_slli_epi64::<4>(*limb);
        }
        Self(limbs)
    }

    /// Montgomery's product with radix 2^260: a sixteenth of the product of elements in arkworks' form. At most
    /// `a b / 84 p + 1 p` for values up to `a` and `b`, each up to 2^260.
    #[inline]
    #[target_feature(enable = "avx512f,avx512ifma")]
    pub(super) fn sixteenth_product(&self, other: &Self) -> Self {
        let zero = _mm512_setzero_si512();
        let (a, b) = (self.carried(), other.carried());
        let mut t = [zero; 6];
        for factor in b {
            for i in 0..5 {
                t[i] = _mm512_madd52lo_epu64(t[i], a[i], factor);
            }
            for i in 0..5 {
                t[i + 1] = _mm512_madd52hi_epu64(t[i + 1], a[i], factor);
            }
            t = shift(t);
        }
        Self([t[0], t[1], t[2], t[3], t[4]])
    }
}

/// One step of Montgomery's reduction: a multiple of p makes the lowest limb a multiple of 2^52, which is dropped.
#[inline]
#[target_feature(enable = "avx512f,avx512ifma")]
fn shift(mut t: [__m512i; 6]) -> [__m512i; 6] {
    let zero = _mm512_setzero_si512();
    let multiple = _mm512_madd52lo_epu64(zero, t[0], every(NEGATIVE_INVERSE[0]));
    for i in 0..5 {
        t[i] = _mm512_madd52lo_epu64(t[i], multiple, every(MODULUS[i]));
    }
    let carry = _mm512_srli_epi64::<52>(t[0]);
    for i in 0..5 {
        t[i + 1] = _mm512_madd52hi_epu64(t[i + 1], multiple, every(MODULUS[i]));
    }
    [_mm512_add_epi64(t[1], carry), t[2], t[3], t[4], t[5], zero]
}

/// Sums of products, not reduced: ten limbs.
pub(super) struct Sums([__m512i; 10]);

impl Sums {
    /// So many products fit: a limb gets up to ten parts below 2^52 of each, and signed shifts read it.
    pub(super) const TERMS: usize = 127;

    #[inline]
    #[target_feature(enable = "avx512f,avx512ifma")]
    pub(super) fn zero() -> Self {
        Self([_mm512_setzero_si512(); 10])
    }

    /// Adds a product of values with normal limbs: one up to 16 p, one up to p.
    #[inline]
    #[target_feature(enable = "avx512f,avx512ifma")]
    pub(super) fn add_product(&mut self, a: &Lanes, b: &Lanes) {
        for i in 0..5 {
            for j in 0..5 {
                self.0[i + j] = _mm512_madd52lo_epu64(self.0[i + j], a.0[i], b.0[j]);
                self.0[i + j + 1] = _mm512_madd52hi_epu64(self.0[i + j + 1], a.0[i], b.0[j]);
            }
        }
    }

    /// The sum over 2^260, by Montgomery's reduction. At most 26 p.
    #[inline]
    #[target_feature(enable = "avx512f,avx512ifma")]
    pub(super) fn reduced(&self) -> Lanes {
        let mut t = [self.0[0], self.0[1], self.0[2], self.0[3], self.0[4], self.0[5]];
        for upper in 6..10 {
            t = shift(t);
            t[5] = self.0[upper];
        }
        t = shift(t);
        Lanes([t[0], t[1], t[2], t[3], t[4]])
    }
}

#[cfg(test)]
mod tests;
