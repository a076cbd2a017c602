//! The pairing check of Groth16 (eprint 2016/260, section 3.2) with what depends on the key alone computed once.

use ark_bn254::{Bn254, Fr, G1Affine, G1Projective, G2Affine};
use ark_ec::{AffineRepr, CurveGroup, pairing::Pairing};
use ark_ff::{AdditiveGroup, PrimeField};
use ark_groth16::{Proof, VerifyingKey};
use std::iter::successors;

type Target = <Bn254 as Pairing>::TargetField;
type PreparedG2 = <Bn254 as Pairing>::G2Prepared;

/// Bits of a digit of a public input.
const DIGIT: usize = 4;

/// A key ready for the pairing check.
#[derive(Clone)]
pub(crate) struct Prepared {
    alpha_beta: Target,
    minus_gamma: PreparedG2,
    minus_delta: PreparedG2,
    constant: G1Affine,
    /// For each public input, its point times 1 to 15.
    multiples: Vec<Vec<G1Affine>>,
}

impl Prepared {
    /// Of a key whose points were checked: a pairing of what is no point need not have a value at all, and ends the process.
    pub(crate) fn new(key: &VerifyingKey<Bn254>) -> Self {
        let minus = |point: G2Affine| PreparedG2::from((-point.into_group()).into_affine());
        let multiples = |point: &G1Affine| {
            let all: Vec<G1Projective> = successors(Some(point.into_group()), |last| Some(*last + point))
                .take((1 << DIGIT) - 1)
                .collect();
            G1Projective::normalize_batch(&all)
        };
        Self {
            alpha_beta: Bn254::pairing(key.alpha_g1, key.beta_g2).0,
            minus_gamma: minus(key.gamma_g2),
            minus_delta: minus(key.delta_g2),
            constant: key.gamma_abc_g1.first().copied().unwrap_or_default(),
            multiples: key.gamma_abc_g1.iter().skip(1).map(multiples).collect(),
        }
    }

    /// Whether `e(A, B) = e(alpha, beta) e(inputs, gamma) e(C, delta)`.
    ///
    /// `false` also when the number of inputs is not the key's.
    pub(crate) fn accepts(&self, proof: &Proof<Bn254>, inputs: &[Fr]) -> bool {
        if inputs.len() != self.multiples.len() {
            return false;
        }
        let inputs = (self.combine(inputs) + self.constant).into_affine();
        let product = Bn254::multi_miller_loop(
            [proof.a, inputs, proof.c],
            [PreparedG2::from(proof.b), self.minus_gamma.clone(), self.minus_delta.clone()],
        );
        Bn254::final_exponentiation(product).is_some_and(|value| value.0 == self.alpha_beta)
    }

    /// The sum of each input times its point, all inputs digit by digit from the highest down (Straus 1964).
    fn combine(&self, inputs: &[Fr]) -> G1Projective {
        let digits: Vec<Vec<usize>> = inputs.iter().map(digits).collect();
        let mut sum = G1Projective::ZERO;
        for place in (0..256 / DIGIT).rev() {
            for _ in 0..DIGIT {
                sum.double_in_place();
            }
            for (digits, multiples) in digits.iter().zip(&self.multiples) {
                let digit = digits.get(place).copied().unwrap_or_default();
                // A digit of zero has no multiple, and adds none.
                if let Some(multiple) = digit.checked_sub(1).and_then(|digit| multiples.get(digit)) {
                    sum += multiple;
                }
            }
        }
        sum
    }
}

/// The digits of a scalar, the lowest first.
fn digits(scalar: &Fr) -> Vec<usize> {
    let limbs = scalar.into_bigint().0;
    let of_limb = |limb: u64| (0..64).step_by(DIGIT).map(move |shift| limb >> shift & ((1 << DIGIT) - 1));
    // A digit is below 16.
    limbs.into_iter().flat_map(of_limb).map(|digit| usize::try_from(digit).unwrap_or_default()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use ark_ff::Field;

    #[test]
    fn combines_inputs_like_single_multiplications() {
        let g = G1Affine::generator();
        let (g1, g2) = (g, G2Affine::generator());
        let points: Vec<G1Affine> = (1..=6u64).map(|i| (g * Fr::from(i * i + 1)).into_affine()).collect();
        let key = VerifyingKey {
            alpha_g1: g1,
            beta_g2: g2,
            gamma_g2: g2,
            delta_g2: g2,
            gamma_abc_g1: points.clone(),
        };
        let inputs =
            [Fr::ZERO, Fr::ONE, -Fr::ONE, Fr::from(0x0fed_cba9_8765_4321_u64), Fr::from(3u64).pow([500])];
        let expected: G1Projective = points.iter().skip(1).zip(&inputs).map(|(point, k)| *point * k).sum();
        assert_eq!(Prepared::new(&key).combine(&inputs), expected);
    }
}
