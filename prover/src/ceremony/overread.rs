//! A quirk that a circuit hash depends on: the setup of snarkjs 0.7 hashes the differences of powers in pieces of 2^14, and
//! its last piece is as long as the others, so that for domains of 2^15 rows and more it hashes one difference too many. Where the
//! powers are just as many as the circuit needs, the first point of that difference lies behind them: the header of the next section, read as
//! coordinates. Those are not below the modulus, and what becomes of them is a matter of how wasmcurves adds and multiplies.
//!
//! It is followed here to the bit, for else a ceremony with the smallest sufficient powers could not be checked. The number
//! stands for nothing; the hash only has to be the same. A test holds this file to snarkjs.

use super::encoding::{G1, Group, WORD, limbs};
use ark_bn254::{Fq, G1Affine};
use ark_ff::{AdditiveGroup, BigInt, BigInteger, Field, MontConfig, PrimeField};

/// 256 bits that stand for an element in Montgomery form and need not be below the modulus.
type Raw = BigInt<4>;

fn modulus() -> Raw {
    Fq::MODULUS
}

/// Reduces once where the sum has a carry or is not below the modulus.
fn add(x: Raw, y: Raw) -> Raw {
    let mut sum = x;
    if sum.add_with_carry(&y) || sum >= modulus() {
        sum.sub_with_borrow(&modulus());
    }
    sum
}

/// Adds the modulus once where the difference is negative.
fn subtract(x: Raw, y: Raw) -> Raw {
    let mut difference = x;
    if difference.sub_with_borrow(&y) {
        difference.add_with_carry(&modulus());
    }
    difference
}

/// Montgomery's product, reduced once.
fn multiply(x: Raw, y: Raw) -> Raw {
    let q = modulus().0;
    let mut sum = [0_u64; 9];
    let add_product = |at: usize, factor: u64, limbs: &[u64; 4], sum: &mut [u64; 9]| {
        let mut carry = 0_u128;
        for (limb, out) in limbs.iter().zip(&mut sum[at..]) {
            let value = u128::from(*limb) * u128::from(factor) + u128::from(*out) + carry;
            *out = value as u64;
            carry = value >> 64;
        }
        for out in &mut sum[at + 4..] {
            let value = u128::from(*out) + carry;
            *out = value as u64;
            carry = value >> 64;
        }
    };
    for (i, limb) in x.0.iter().enumerate() {
        add_product(i, *limb, &y.0, &mut sum);
        let factor = sum[i].wrapping_mul(<ark_bn254::FqConfig as MontConfig<4>>::INV);
        add_product(i, factor, &q, &mut sum);
    }
    let mut product = BigInt([sum[4], sum[5], sum[6], sum[7]]);
    if sum[8] != 0 || product >= modulus() {
        product.sub_with_borrow(&modulus());
    }
    product
}

/// The element that 256 bits in Montgomery form stand for.
fn element(x: Raw) -> Fq {
    // Times one, which makes them the canonical form.
    let mut canonical = multiply(x, BigInt::from(1_u64));
    while canonical >= modulus() {
        canonical.sub_with_borrow(&modulus());
    }
    Fq::new(canonical)
}

/// What is hashed of `behind`, taken for a point, less a point.
pub(super) fn difference(behind: &[u8], point: &G1Affine) -> Vec<u8> {
    let (x1, y1) = (limbs(&behind[..WORD]), limbs(&behind[WORD..]));
    let (x2, y2) = (point.x.0, (-point.y).0);
    // The addition of two affine points without a common x, as g1m_addAffine has it (2007 Bernstein-Lange).
    let h = subtract(x2, x1);
    let twice_h = add(h, h);
    let hh = multiply(h, h);
    let i = add(add(hh, hh), add(hh, hh));
    let j = multiply(h, i);
    let slope = subtract(y2, y1);
    let r = add(slope, slope);
    let v = multiply(x1, i);
    let x3 = subtract(subtract(multiply(r, r), j), add(v, v));
    let y1_j = multiply(y1, j);
    let y3 = subtract(multiply(subtract(v, x3), r), add(y1_j, y1_j));
    let Some(inverse) = element(twice_h).inverse() else { return vec![0; G1] };
    let squared = inverse * inverse;
    let affine = G1Affine::new_unchecked(element(x3) * squared, element(y3) * squared * inverse);
    let mut hashed = Vec::with_capacity(G1);
    if affine.x == Fq::ZERO && affine.y == Fq::ZERO {
        return vec![0; G1];
    }
    affine.hashed(&mut hashed);
    hashed
}

#[cfg(test)]
mod tests;
