//! Whether a key's points are those of the circuit and the powers.
//!
//! A query's points are a linear image of the powers, known from the circuit. So for weights that the file could not know, the
//! weighted sum of its points must be that of the powers with weights computed from the circuit; where one point is another, the
//! two differ but for a chance of 1/r. L and H are divided by delta, which the pairing takes out again.

use super::{
    chain::same_ratio,
    error::CeremonyError,
    powers::{CheckedPowers, scalars},
    ptau::Factor,
    zkey::Zkey,
};
use crate::{matrix::Matrix, reduction::System};
use ark_bn254::{Bn254, G1Affine, G1Projective, G2Affine, G2Projective};
use ark_ec::{AffineRepr, CurveGroup, VariableBaseMSM, pairing::Pairing};
use ark_ff::{AdditiveGroup, Zero};
use ark_poly::{EvaluationDomain, Radix2EvaluationDomain};
use nightingale_circuits::Fr;
use rand::CryptoRng;
use rayon::prelude::*;

struct Queries<'a> {
    system: &'a System,
    powers: &'a CheckedPowers<'a>,
}

/// Checks all queries of a key.
pub(super) fn check(
    system: &System,
    powers: &CheckedPowers<'_>,
    key: &Zkey<'_>,
    rng: &mut impl CryptoRng,
) -> Result<(), CeremonyError> {
    let queries = Queries { system, powers };
    let (g1, g2) = (G1Affine::generator(), G2Affine::generator());
    let weights = scalars(system.variables(), rng);
    let b_g1 = G1Projective::msm_unchecked(&key.b_g1, &weights);
    if G1Projective::msm_unchecked(&key.a, &weights) != queries.sum(Factor::One, queries.a(&weights)?)? {
        return Err(CeremonyError::Query("A points"));
    }
    if b_g1 != queries.sum(Factor::One, queries.polynomial(system.b(), &weights, false)?)? {
        return Err(CeremonyError::Query("B points in G1"));
    }
    let b_g2 = G2Projective::msm_unchecked(&key.b_g2, &weights);
    if !same_ratio_or_zero((g1, b_g1.into_affine()), (g2, b_g2.into_affine())) {
        return Err(CeremonyError::Query("B points in G2"));
    }
    let first = system.public() + 1;
    let (inputs, witness) = weights.split_at(first);
    let padded = |head: &[Fr], tail: &[Fr]| [head, tail].concat();
    let of_inputs = queries.combined(&padded(inputs, &vec![Fr::ZERO; witness.len()]))?;
    if G1Projective::msm_unchecked(&key.inputs, inputs) != of_inputs {
        return Err(CeremonyError::Query("points of the public inputs"));
    }
    let of_witness = queries.combined(&padded(&vec![Fr::ZERO; first], witness))?;
    let l = G1Projective::msm_unchecked(&key.l, witness);
    if !same_ratio_or_zero((l.into_affine(), of_witness.into_affine()), (g2, key.delta_g2)) {
        return Err(CeremonyError::Query("L points"));
    }
    queries.check_h(key, rng)
}

/// As [`same_ratio`], where both points of G1 may be infinite, or the second of each.
fn same_ratio_or_zero((a, b): (G1Affine, G1Affine), (c, d): (G2Affine, G2Affine)) -> bool {
    (b.is_zero() && (a.is_zero() || d.is_zero())) || same_ratio((a, b), (c, d))
}

impl Queries<'_> {
    /// The coefficients of the sum of the columns' polynomials, each times its weight.
    fn polynomial(
        &self,
        matrix: &Matrix,
        weights: &[Fr],
        with_inputs: bool,
    ) -> Result<Vec<Fr>, CeremonyError> {
        let domain = &self.system.domain().plain;
        let mut values = vec![Fr::ZERO; domain.size()];
        let rows = matrix.rows();
        values[..matrix.len()]
            .par_iter_mut()
            .enumerate()
            .for_each(|(row, value)| *value = rows.product(row, weights));
        if with_inputs {
            let first = matrix.len();
            let last = first + self.system.public();
            values[first..=last].copy_from_slice(&weights[..=self.system.public()]);
        }
        domain.ifft_in_place(&mut values);
        Ok(values)
    }

    /// Of A, with the rows that keep the inputs' polynomials independent.
    fn a(&self, weights: &[Fr]) -> Result<Vec<Fr>, CeremonyError> {
        self.polynomial(self.system.a(), weights, true)
    }

    fn sum(&self, factor: Factor, coefficients: Vec<Fr>) -> Result<G1Projective, CeremonyError> {
        let powers = self.powers.multiples(factor, coefficients.len())?;
        Ok(G1Projective::msm_unchecked(&powers, &coefficients))
    }

    /// The weighted sum of beta A + alpha B + C at tau.
    fn combined(&self, weights: &[Fr]) -> Result<G1Projective, CeremonyError> {
        let a = self.sum(Factor::Beta, self.a(weights)?)?;
        let b = self.sum(Factor::Alpha, self.polynomial(self.system.b(), weights, false)?)?;
        let c = self.sum(Factor::One, self.polynomial(self.system.c(), weights, false)?)?;
        Ok(a + b + c)
    }

    /// The points of H are the Lagrange points of the odd points w^(2i + 1) of the domain of twice the size, by delta.
    ///
    /// Those have degree 2n - 1. A file of just enough powers ends one below it, and snarkjs leaves the highest term out then. So the
    /// points are those of one of two forms, all of them and to the last term; docs/ceremony.md says why these are sound, and why no
    /// other is: not even the one that needs no highest term. The highest power is the product of two that every file has, one of
    /// them in G2.
    fn check_h(&self, key: &Zkey<'_>, rng: &mut impl CryptoRng) -> Result<(), CeremonyError> {
        let refused = || CeremonyError::Query("H points");
        let rows = key.domain;
        let domain = Radix2EvaluationDomain::<Fr>::new(2 * rows).ok_or_else(refused)?;
        let weights = scalars(rows, rng);
        let mut coefficients = vec![Fr::ZERO; 2 * rows];
        coefficients.iter_mut().skip(1).step_by(2).zip(&weights).for_each(|(value, weight)| *value = *weight);
        domain.ifft_in_place(&mut coefficients);
        let highest = coefficients.pop().ok_or_else(refused)?;
        let h = G1Projective::msm_unchecked(&key.h, &weights).into_affine();
        let tau = self.powers.tau();
        let others = G1Projective::msm_unchecked(&tau[..coefficients.len()], &coefficients);
        let (h, one, tau_in_g2) = ((h, key.delta_g2), G2Affine::generator(), self.powers.in_g2(rows - 1)?);
        let whole = [h, ((-others).into_affine(), one), ((-(tau[rows] * highest)).into_affine(), tau_in_g2)];
        let is_one = |pairs: &[(G1Affine, G2Affine)]| {
            let (in_g1, in_g2): (Vec<_>, Vec<_>) = pairs.iter().copied().unzip();
            Bn254::multi_pairing(in_g1, in_g2).is_zero()
        };
        if is_one(&whole) || is_one(&whole[..2]) { Ok(()) } else { Err(refused()) }
    }
}
