//! Between arkworks' forms and ICICLE's. ICICLE's CPU backend ignores the flag that says "Montgomery form" for points, so
//! everything is given in standard form; its sums are homogeneous projective, arkworks' are Jacobian.

use ark_bn254::{Fq, Fq2};
use ark_ec::short_weierstrass::{Projective, SWCurveConfig};
use ark_ff::{AdditiveGroup, BigInt, Field, PrimeField, Zero};
use nightingale_circuits::Fr;
use rayon::prelude::*;
use zeroize::{Zeroize, Zeroizing};

/// Elements a thread takes at least.
const CHUNK: usize = 1 << 10;

/// An element as a plain integer.
pub(super) fn standard(element: Fr) -> [u64; 4] {
    element.into_bigint().0
}

/// Elements as plain integers, four words each. The copy is zeroed on drop.
pub(super) fn scalars(elements: &[Fr]) -> Zeroizing<Vec<u64>> {
    let mut words = Zeroizing::new(vec![0; 4 * elements.len()]);
    words.par_chunks_mut(4).with_min_len(CHUNK).zip(elements).for_each(|(words, element)| {
        let mut integer = element.into_bigint();
        words.copy_from_slice(&integer.0);
        integer.zeroize();
    });
    words
}

/// Plain integers as elements; `None` when one is not below the modulus.
pub(super) fn elements(words: &[u64], out: &mut [Fr]) -> Option<()> {
    out.par_iter_mut().with_min_len(CHUNK).zip(words.par_chunks(4)).try_for_each(|(out, words)| {
        *out = Fr::from_bigint(integer(words))?;
        Some(())
    })
}

/// Coordinates of points from Montgomery form to plain integers; infinity stays all zeros, which ICICLE takes for it, too.
pub(super) fn coordinates(montgomery: &[u64]) -> Vec<u64> {
    let mut words = vec![0; montgomery.len()];
    words.par_chunks_mut(4).with_min_len(CHUNK).zip(montgomery.par_chunks(4)).for_each(|(words, limbs)| {
        words.copy_from_slice(&Fq::new_unchecked(integer(limbs)).into_bigint().0);
    });
    words
}

fn integer(words: &[u64]) -> BigInt<4> {
    let mut limbs = [0; 4];
    limbs.copy_from_slice(words);
    BigInt(limbs)
}

/// A field that coordinates are in.
pub(super) trait Coordinate: Field {
    /// Words of one.
    const WORDS: usize;

    /// One of plain integers; `None` when they are not below the modulus.
    fn of(words: &[u64]) -> Option<Self>;
}

impl Coordinate for Fq {
    const WORDS: usize = 4;

    fn of(words: &[u64]) -> Option<Self> {
        Self::from_bigint(integer(words))
    }
}

impl Coordinate for Fq2 {
    const WORDS: usize = 8;

    fn of(words: &[u64]) -> Option<Self> {
        Some(Self::new(Fq::of(&words[..4])?, Fq::of(&words[4..])?))
    }
}

/// The sum that homogeneous coordinates (X : Y : Z) say, x = X/Z and y = Y/Z; `None` when they are no point of the curve.
pub(super) fn point<P: SWCurveConfig>(words: &[u64]) -> Option<Projective<P>>
where
    P::BaseField: Coordinate,
{
    let of = |i: usize| P::BaseField::of(&words[i * P::BaseField::WORDS..(i + 1) * P::BaseField::WORDS]);
    let [x, y, z] = [of(0)?, of(1)?, of(2)?];
    let on_curve =
        y.square() * z == x.square() * x + P::COEFF_A * x * z.square() + P::COEFF_B * z.square() * z;
    // (0 : 0 : 0) is no point, and satisfies the equation.
    if !on_curve || (z.is_zero() && y.is_zero()) {
        return None;
    }
    if z.is_zero() {
        return Some(Projective::ZERO);
    }
    // Jacobian: x = X/Z^2, y = Y/Z^3.
    Some(Projective::new_unchecked(x * z, y * z.square(), z))
}
