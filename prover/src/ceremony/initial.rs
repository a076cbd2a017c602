//! The key before any contribution, as `snarkjs groth16 setup` makes it, as far as the hash is concerned that the
//! contributions' transcript begins with.
//!
//! Contributions change delta, L and H and nothing else. L before them, delta being one, is computed here from the circuit
//! and the Lagrange points; H is hashed as differences of powers; everything else is in the key, and is checked against
//! circuit and powers by [`queries`](super::queries) before it is hashed.

use super::{
    digest::LENGTH,
    encoding::{Group, hashed},
    error::CeremonyError,
    powers::CheckedPowers,
    ptau::Factor,
    zkey::Zkey,
};
use ark_bn254::{G1Affine, G1Projective, G2Affine};
use ark_ec::{AffineRepr, CurveGroup};
use ark_ff::{AdditiveGroup, BigInteger, PrimeField};
use blake2::{Blake2b512, Digest};
use nightingale_circuits::{
    Fr,
    r1cs::{R1cs, Row},
};
use rand::CryptoRng;
use rayon::prelude::*;

/// Width of the digits of a coefficient: odd multiples up to 15.
const DIGIT: usize = 5;
/// From how many rows on the setup hashes one difference too many.
const WHOLE_PIECES: usize = 1 << 15;

/// The hash of the circuit with these powers: what snarkjs prints as `circuit hash`.
pub(super) fn circuit_hash(
    r1cs: &R1cs,
    powers: &CheckedPowers<'_>,
    key: &Zkey<'_>,
    rng: &mut impl CryptoRng,
) -> Result<[u8; LENGTH], CeremonyError> {
    let (g1, g2) = (G1Affine::generator(), G2Affine::generator());
    let mut hash = Blake2b512::new();
    let mut fixed = hashed(&[key.alpha_g1, key.beta_g1]);
    [key.beta_g2, g2].iter().for_each(|point| point.hashed(&mut fixed));
    g1.hashed(&mut fixed);
    g2.hashed(&mut fixed);
    hash.update(fixed);
    let mut add = |number: usize, bytes: Vec<u8>| {
        hash.update((number as u32).to_be_bytes());
        hash.update(bytes);
    };
    add(key.inputs.len(), hashed(&key.inputs));
    add(key.domain - 1, differences(powers, key.domain)?);
    add(key.l.len(), hashed(&l_before(r1cs, powers, key.domain.ilog2(), rng)?));
    add(key.a.len(), hashed(&key.a));
    add(key.b_g1.len(), hashed(&key.b_g1));
    add(key.b_g2.len(), hashed(&key.b_g2));
    Ok(hash.finalize().into())
}

/// What is hashed for H: tau^(i + n) - tau^i, for i below n - 1.
fn differences(powers: &CheckedPowers<'_>, rows: usize) -> Result<Vec<u8>, CeremonyError> {
    let tau = powers.tau();
    let hashed_rows = if rows < WHOLE_PIECES { rows - 1 } else { rows };
    let there = hashed_rows.min(tau.len() - rows);
    let sums: Vec<G1Projective> = tau[rows..rows + there].par_iter().zip(tau).map(|(a, b)| *a - b).collect();
    let mut bytes = hashed(&G1Projective::normalize_batch(&sums));
    if there < hashed_rows {
        bytes.extend(powers.ptau().behind_less(rows + there, there)?);
    }
    Ok(bytes)
}

/// A term of a column: which Lagrange point, and times what.
type Term = (Factor, u32, Fr);

/// L before any contribution: each witness column's beta A + alpha B + C at tau.
fn l_before(
    r1cs: &R1cs,
    powers: &CheckedPowers<'_>,
    power: u32,
    rng: &mut impl CryptoRng,
) -> Result<Vec<G1Affine>, CeremonyError> {
    let first = r1cs.public + 1;
    let mut columns: Vec<Vec<Term>> = vec![Vec::new(); r1cs.variables - first];
    let mut collect = |rows: &[Row], factor: Factor| {
        for (i, row) in (0..).zip(rows) {
            for (coefficient, column) in row {
                if let Some(column) = column.checked_sub(first) {
                    columns[column].push((factor, i, *coefficient));
                }
            }
        }
    };
    collect(&r1cs.a, Factor::Beta);
    collect(&r1cs.b, Factor::Alpha);
    collect(&r1cs.c, Factor::One);
    let one = powers.lagrange_of(Factor::One, power, rng)?;
    let alpha = powers.lagrange_of(Factor::Alpha, power, rng)?;
    let beta = powers.lagrange_of(Factor::Beta, power, rng)?;
    let point = |factor, row: u32| match factor {
        Factor::One => one[row as usize],
        Factor::Alpha => alpha[row as usize],
        Factor::Beta => beta[row as usize],
    };
    let sums: Vec<G1Projective> =
        columns.par_iter().with_min_len(64).map(|terms| combination(terms, point)).collect();
    Ok(G1Projective::normalize_batch(&sums))
}

/// The sum of a column's terms, all doublings shared (Straus).
fn combination(terms: &[Term], point: impl Fn(Factor, u32) -> G1Affine) -> G1Projective {
    let mut single = G1Projective::ZERO;
    let mut many: Vec<(Vec<i64>, [G1Projective; 1 << (DIGIT - 2)])> = Vec::new();
    let mut length = 0;
    for (factor, row, coefficient) in terms {
        let base = point(*factor, *row);
        // The smaller of the coefficient and its negative: half of them are one or minus one.
        let (positive, negative) = (coefficient.into_bigint(), (-*coefficient).into_bigint());
        let (size, base) = if positive <= negative { (positive, base) } else { (negative, -base) };
        if size.num_bits() <= 1 {
            if !size.is_zero() {
                single += base;
            }
            continue;
        }
        let digits = size.find_wnaf(DIGIT).unwrap_or_default();
        let twice = base.into_group().double();
        let mut next = base.into_group();
        let multiples = std::array::from_fn(|_| {
            let this = next;
            next += twice;
            this
        });
        length = length.max(digits.len());
        many.push((digits, multiples));
    }
    let mut sum = G1Projective::ZERO;
    for place in (0..length).rev() {
        sum.double_in_place();
        for (digits, multiples) in &many {
            let digit = digits.get(place).copied().unwrap_or_default();
            let multiple = || multiples[(digit.unsigned_abs() / 2) as usize];
            match digit.signum() {
                1 => sum += multiple(),
                -1 => sum -= multiple(),
                _ => {}
            }
        }
    }
    sum + single
}
