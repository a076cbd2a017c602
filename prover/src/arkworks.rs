//! The same reduction as a type that `ark-groth16` takes, so that its prover can run on the same keys: the oracle of
//! the tests and a peer of `compare`. It is written with `ark-poly` alone and shares no code with
//! [`reduction`](crate::reduction).

use ark_ff::PrimeField;
use ark_groth16::r1cs_to_qap::{LibsnarkReduction, R1CSToQAP, evaluate_constraint};
use ark_poly::EvaluationDomain;
use ark_relations::gr1cs::{ConstraintSystemRef, Matrix, Result, SynthesisError};
use nightingale_circuits::r1cs::R1cs;
use rayon::prelude::*;

/// The reduction of circom and snarkjs.
pub struct CircomReduction;

impl R1CSToQAP for CircomReduction {
    fn instance_map_with_evaluation<F: PrimeField, D: EvaluationDomain<F>>(
        cs: ConstraintSystemRef<F>,
        t: &F,
    ) -> Result<(Vec<F>, Vec<F>, Vec<F>, F, usize, usize)> {
        LibsnarkReduction::instance_map_with_evaluation::<F, D>(cs, t)
    }

    fn witness_map_from_matrices<F: PrimeField, D: EvaluationDomain<F>>(
        matrices: &[Matrix<F>],
        num_inputs: usize,
        num_constraints: usize,
        full_assignment: &[F],
    ) -> Result<Vec<F>> {
        let domain = D::new(num_constraints + num_inputs).ok_or(SynthesisError::PolynomialDegreeTooLarge)?;
        let shift =
            F::get_root_of_unity(2 * domain.size() as u64).ok_or(SynthesisError::PolynomialDegreeTooLarge)?;
        let coset = domain.get_coset(shift).ok_or(SynthesisError::PolynomialDegreeTooLarge)?;
        let mut a = vec![F::zero(); domain.size()];
        let mut b = a.clone();
        let rows = matrices[0].par_iter().zip(&matrices[1]);
        a[..num_constraints].par_iter_mut().zip(&mut b[..num_constraints]).zip(rows).for_each(
            |((a, b), (ai, bi))| {
                *a = evaluate_constraint(ai, full_assignment);
                *b = evaluate_constraint(bi, full_assignment);
            },
        );
        a[num_constraints..num_constraints + num_inputs].copy_from_slice(&full_assignment[..num_inputs]);
        let mut c = domain.mul_polynomials_in_evaluation_domain(&a, &b);
        for polynomial in [&mut a, &mut b, &mut c] {
            domain.ifft_in_place(polynomial);
            coset.fft_in_place(polynomial);
        }
        let mut product = domain.mul_polynomials_in_evaluation_domain(&a, &b);
        product.par_iter_mut().zip(c).for_each(|(product, c)| *product -= c);
        Ok(product)
    }

    fn h_query_scalars<F: PrimeField, D: EvaluationDomain<F>>(
        max_power: usize,
        t: F,
        _: F,
        delta_inverse: F,
    ) -> Result<Vec<F>> {
        let domain = D::new(2 * (max_power + 1)).ok_or(SynthesisError::PolynomialDegreeTooLarge)?;
        let mut power = delta_inverse;
        let mut scalars = Vec::with_capacity(domain.size());
        for _ in 0..domain.size() {
            scalars.push(power);
            power *= t;
        }
        domain.ifft_in_place(&mut scalars);
        Ok(scalars.into_iter().skip(1).step_by(2).collect())
    }
}

/// The constraint system's matrices as `ark-groth16` takes them.
#[must_use]
pub fn matrices(r1cs: &R1cs) -> [Matrix<nightingale_circuits::Fr>; 3] {
    [r1cs.a.clone(), r1cs.b.clone(), r1cs.c.clone()]
}
