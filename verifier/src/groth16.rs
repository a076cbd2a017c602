//! The pairing check of Groth16 (eprint 2016/260, section 3.2) with what depends on the key alone computed once.

use ark_bn254::{Bn254, Fr, G1Projective, G2Affine};
use ark_ec::{AffineRepr, CurveGroup, VariableBaseMSM, pairing::Pairing};
use ark_groth16::{Proof, VerifyingKey};

type Target = <Bn254 as Pairing>::TargetField;
type PreparedG2 = <Bn254 as Pairing>::G2Prepared;

/// A key ready for the pairing check.
#[derive(Clone)]
pub(crate) struct Prepared {
    alpha_beta: Target,
    minus_gamma: PreparedG2,
    minus_delta: PreparedG2,
}

impl Prepared {
    pub(crate) fn new(key: &VerifyingKey<Bn254>) -> Self {
        let minus = |point: G2Affine| PreparedG2::from((-point.into_group()).into_affine());
        Self {
            alpha_beta: Bn254::pairing(key.alpha_g1, key.beta_g2).0,
            minus_gamma: minus(key.gamma_g2),
            minus_delta: minus(key.delta_g2),
        }
    }

    /// Whether `e(A, B) = e(alpha, beta) e(inputs, gamma) e(C, delta)`.
    ///
    /// `false` also when the number of inputs is not the key's.
    pub(crate) fn accepts(&self, key: &VerifyingKey<Bn254>, proof: &Proof<Bn254>, inputs: &[Fr]) -> bool {
        let Some((constant, bases)) = key.gamma_abc_g1.split_first() else { return false };
        let Ok(sum) = G1Projective::msm(bases, inputs) else { return false };
        let inputs = (sum + constant).into_affine();
        let product = Bn254::multi_miller_loop(
            [proof.a, inputs, proof.c],
            [PreparedG2::from(proof.b), self.minus_gamma.clone(), self.minus_delta.clone()],
        );
        Bn254::final_exponentiation(product).is_some_and(|value| value.0 == self.alpha_beta)
    }
}
