//! Groth16 keys from secrets that one program knows: the development setup, and nothing else.
//!
//! **The development secrets come from a public text, so anybody can forge proofs under these keys.** Production keys
//! come from a ceremony. tau, alpha, beta and gamma are shared by all classes, as keys from one powers-of-tau file
//! share them (gamma is one, as in snarkjs), so that proofs of several classes batch into one pairing check; delta is
//! each class's own. Generators are the curve's own. Nothing is random: a class has the same key on every machine.

use crate::{ProveError, fixed_base::FixedBase, reduction::Domain};
use ark_bn254::{Bn254, G1Affine, G2Affine};
use ark_ec::{AffineRepr, CurveGroup};
use ark_ff::{AdditiveGroup, Field};
use ark_groth16::{ProvingKey, VerifyingKey};
use ark_poly::{EvaluationDomain, Radix2EvaluationDomain};
use nightingale_circuits::{
    Fr,
    r1cs::{R1cs, Row},
};
use nightingale_verifier::development::secret;
use rayon::prelude::*;

/// What must be forgotten after a real setup. The development ones are public.
pub struct Secrets {
    tau: Fr,
    alpha: Fr,
    beta: Fr,
    gamma: Fr,
    delta: Fr,
}

impl Secrets {
    /// The development secrets of a class: [`secret`].
    ///
    /// # Errors
    /// Never in practice: values that a setup must refuse.
    pub fn development(class: &str) -> Result<Self, ProveError> {
        let delta = secret(&format!("delta/{class}"));
        Self::new(secret("tau"), secret("alpha"), secret("beta"), Fr::ONE, delta)
    }

    /// Given secrets.
    ///
    /// # Errors
    /// A zero, or gamma and delta that are equal or opposite: with those anybody can forge.
    pub fn new(tau: Fr, alpha: Fr, beta: Fr, gamma: Fr, delta: Fr) -> Result<Self, ProveError> {
        if [tau, alpha, beta, gamma, delta].contains(&Fr::ZERO) {
            return Err(ProveError::Bug("a setup secret is zero".to_owned()));
        }
        if gamma == delta || gamma == -delta {
            return Err(ProveError::Bug("gamma and delta of a setup are equal or opposite".to_owned()));
        }
        Ok(Self { tau, alpha, beta, gamma, delta })
    }
}

/// The proving key (with the verifying key inside) of a constraint system.
///
/// # Errors
/// A system above 2^27 constraints, or a tau that is in its domain.
pub fn generate(r1cs: &R1cs, secrets: &Secrets) -> Result<ProvingKey<Bn254>, ProveError> {
    let bug = |what: &str| ProveError::Bug(what.to_owned());
    let Secrets { tau, alpha, beta, gamma, delta } = secrets;
    let domain = Domain::new(r1cs.a.len() + r1cs.public + 1)
        .ok_or_else(|| bug("a constraint system above 2^27 rows"))?;
    let (Some(inverse_gamma), Some(inverse_delta)) = (gamma.inverse(), delta.inverse()) else {
        return Err(bug("a setup secret is zero"));
    };
    let double = Radix2EvaluationDomain::<Fr>::new(2 * domain.size())
        .ok_or_else(|| bug("no domain of twice the size"))?;
    if double.evaluate_vanishing_polynomial(*tau) == Fr::ZERO {
        return Err(bug("tau is in the domain"));
    }
    // Each column's polynomials A, B and C at tau.
    let lagrange = domain.plain.evaluate_all_lagrange_coefficients(*tau);
    let mut a = columns(&r1cs.a, &lagrange, r1cs.variables);
    let b = columns(&r1cs.b, &lagrange, r1cs.variables);
    let c = columns(&r1cs.c, &lagrange, r1cs.variables);
    for (a, row) in a.iter_mut().zip(&lagrange[r1cs.a.len()..=r1cs.a.len() + r1cs.public]) {
        *a += row;
    }
    let combined = |range: std::ops::Range<usize>, factor: Fr| -> Vec<Fr> {
        range.into_par_iter().map(|i| (*beta * a[i] + *alpha * b[i] + c[i]) * factor).collect()
    };
    let inputs = combined(0..r1cs.public + 1, inverse_gamma);
    let l = combined(r1cs.public + 1..r1cs.variables, inverse_delta);
    let h: Vec<Fr> = (double.evaluate_all_lagrange_coefficients(*tau).into_iter().skip(1).step_by(2))
        .map(|value| value * inverse_delta)
        .collect();
    let (g1, g2) = (G1Affine::generator(), G2Affine::generator());
    let (in_g1, in_g2) = (FixedBase::new(g1), FixedBase::new(g2));
    Ok(ProvingKey {
        vk: VerifyingKey {
            alpha_g1: (g1 * alpha).into_affine(),
            beta_g2: (g2 * beta).into_affine(),
            gamma_g2: (g2 * gamma).into_affine(),
            delta_g2: (g2 * delta).into_affine(),
            gamma_abc_g1: in_g1.multiples(&inputs),
        },
        beta_g1: (g1 * beta).into_affine(),
        delta_g1: (g1 * delta).into_affine(),
        a_query: in_g1.multiples(&a),
        b_g1_query: in_g1.multiples(&b),
        b_g2_query: in_g2.multiples(&b),
        h_query: in_g1.multiples(&h),
        l_query: in_g1.multiples(&l),
    })
}

/// Sums `coefficient * weight of the row` into each column.
fn columns(rows: &[Row], weights: &[Fr], variables: usize) -> Vec<Fr> {
    let mut columns = vec![Fr::ZERO; variables];
    for (row, weight) in rows.iter().zip(weights) {
        for (coefficient, column) in row {
            columns[*column] += *coefficient * weight;
        }
    }
    columns
}
