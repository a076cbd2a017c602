//! The two primes of BN254 and what follows from them, computed by the compiler.

use std::{fmt, marker::PhantomData};

/// A prime from 2^253 to 2^254.
pub(crate) trait Modulus: Copy + Send + Sync + fmt::Debug + 'static {
    /// Its little-endian limbs.
    const P: [u64; 4];
}

/// The base field of BN254.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Base;

/// The scalar field of BN254.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Scalar;

impl Modulus for Base {
    const P: [u64; 4] = <ark_bn254::FqConfig as ark_ff::MontConfig<4>>::MODULUS.0;
}

impl Modulus for Scalar {
    const P: [u64; 4] = <ark_bn254::FrConfig as ark_ff::MontConfig<4>>::MODULUS.0;
}

/// The low 52 bits.
pub(crate) const LIMB: u64 = (1 << 52) - 1;

/// Five limbs of 52 bits; the last holds what is left.
pub(crate) const fn split(words: [u64; 4]) -> [u64; 5] {
    let [a, b, c, d] = words;
    [a & LIMB, (a >> 52 | b << 12) & LIMB, (b >> 40 | c << 24) & LIMB, (c >> 28 | d << 36) & LIMB, d >> 16]
}

/// What [`split`] splits: five limbs of 52 bits that make a number below 2^256.
pub(crate) const fn join(limbs: [u64; 5]) -> [u64; 4] {
    let [a, b, c, d, e] = limbs;
    [a | b << 52, b >> 12 | c << 40, c >> 24 | d << 28, d >> 36 | e << 16]
}

/// `factor * p` in limbs of 52 bits.
const fn times(p: [u64; 4], factor: u64) -> [u64; 5] {
    let mut limbs = split(p);
    let (mut carry, mut i) = (0, 0);
    while i < 5 {
        let sum = limbs[i] * factor + carry;
        limbs[i] = if i < 4 { sum & LIMB } else { sum };
        carry = sum >> 52;
        i += 1;
    }
    limbs
}

/// `2^exponent mod p`.
pub(crate) const fn power_of_two(p: [u64; 4], exponent: u32) -> [u64; 4] {
    let mut value = [1, 0, 0, 0];
    let mut e = 0;
    while e < exponent {
        let mut doubled = [0; 4];
        let (mut carry, mut i) = (0, 0);
        while i < 4 {
            doubled[i] = value[i] << 1 | carry;
            carry = value[i] >> 63;
            i += 1;
        }
        let mut difference = [0; 4];
        let (mut borrow, mut i) = (0, 0);
        while i < 4 {
            let full = doubled[i] as i128 - p[i] as i128 - borrow;
            difference[i] = full as u64;
            borrow = if full < 0 { 1 } else { 0 };
            i += 1;
        }
        value = if borrow == 1 { doubled } else { difference };
        e += 1;
    }
    value
}

/// `-1/p mod 2^52`.
const fn negative_inverse(p: u64) -> u64 {
    let (mut inverse, mut i) = (1_u64, 0);
    while i < 6 {
        inverse = inverse.wrapping_mul(2_u64.wrapping_sub(p.wrapping_mul(inverse)));
        i += 1;
    }
    inverse.wrapping_neg() & LIMB
}

/// The constants of a field.
pub(crate) struct Constants<M>(PhantomData<M>);

impl<M: Modulus> Constants<M> {
    /// `k p` for k = 0..=16.
    pub(crate) const MULTIPLES: [[u64; 5]; 17] = {
        let (mut all, mut k) = ([[0; 5]; 17], 0);
        while k < 17 {
            all[k] = times(M::P, k as u64);
            k += 1;
        }
        all
    };
    /// The limbs of `0, p, .., 7 p`, limb by limb.
    pub(super) const STEPS: [[u64; 8]; 5] = {
        let (mut all, mut k) = ([[0; 8]; 5], 0);
        while k < 8 {
            let mut i = 0;
            while i < 5 {
                all[i][k] = Self::MULTIPLES[k][i];
                i += 1;
            }
            k += 1;
        }
        all
    };
    /// 2^52 over a little more than the top limb of p: times a top limb, over 2^52, how many p there are in a number;
    /// never too many.
    pub(super) const QUOTIENT: u64 = ((1_u128 << 94) / ((Self::MULTIPLES[1][4] as u128 + 16) << 42)) as u64;
    /// `-1/p mod 2^52`.
    pub(super) const NEGATIVE_INVERSE: u64 = negative_inverse(M::P[0]);
    /// One.
    pub(crate) const ONE: [u64; 5] = split(power_of_two(M::P, 260));
    /// The product of it and the form of arkworks is ours.
    #[cfg(test)]
    pub(super) const FROM_ARK: [u64; 5] = split(power_of_two(M::P, 264));
    /// The product of it and our form is that of arkworks.
    #[cfg(test)]
    pub(super) const TO_ARK: [u64; 5] = split(power_of_two(M::P, 256));
}
