//! Made-up proofs of any size, for measuring devices where there is no record to prove: the mix of values of a claim's
//! assignment, under a key that proves nothing.

use crate::{ProveError, groth16::Key, reduction::System};
use ark_bn254::{Bn254, G1Affine, G1Projective, G2Affine, G2Projective};
use ark_ec::{AffineRepr, CurveGroup, PrimeGroup};
use ark_ff::Field;
use ark_groth16::{ProvingKey, VerifyingKey};
use nightingale_circuits::{Fr, r1cs::R1cs};
use std::sync::Arc;

/// A constraint system of `constraints` products with an assignment that satisfies it. A third of the values are 0 or 1, the
/// others are of full size.
pub(super) fn system(public: usize, constraints: usize) -> (R1cs, Vec<Fr>) {
    let seed = Fr::from(0x6e69_6768_7469_6e67_u64).pow([0x1234_5678_u64]);
    let mut values = vec![Fr::ONE];
    values.extend((0..public).map(|i| seed + Fr::from(i as u64)));
    let (zero, first) = (values.len(), values.len() + 1);
    values.extend([Fr::from(0u64), seed]);
    let mut full = first;
    let mut r1cs = R1cs { public, ..R1cs::default() };
    for row in 0..constraints {
        let (left, right) = match row % 6 {
            0 => (0, 0),
            3 => (0, zero),
            _ => (full, first),
        };
        r1cs.a.push(vec![(Fr::ONE, left)]);
        r1cs.b.push(vec![(Fr::ONE, right)]);
        r1cs.c.push(vec![(Fr::ONE, values.len())]);
        if right == first {
            full = values.len();
        }
        values.push(values[left] * values[right]);
    }
    r1cs.variables = values.len();
    (r1cs, values)
}

/// The first `n` multiples of the generator.
pub(super) fn multiples<G: CurveGroup>(n: usize) -> Vec<G::Affine> {
    let generator = <G as PrimeGroup>::generator();
    let step = |sum: &mut G, _| {
        *sum += generator;
        Some(*sum)
    };
    let points: Vec<G> = (0..n).scan(G::zero(), step).collect();
    G::normalize_batch(&points)
}

/// A key whose points are multiples of the generators, with an assignment of its system.
pub(super) fn proof(public: usize, constraints: usize) -> Result<(Arc<Key>, Vec<Fr>), ProveError> {
    let (r1cs, values) = system(public, constraints);
    let system = System::new(&r1cs)?;
    let (g1, g2) = (G1Affine::generator(), G2Affine::generator());
    let points = multiples::<G1Projective>(values.len().max(system.domain().size()));
    let g2_points = multiples::<G2Projective>(values.len());
    // A quarter of B is infinity, as in a claim's key.
    let present = |i: usize| i % 4 != 3;
    let key = ProvingKey::<Bn254> {
        vk: VerifyingKey {
            alpha_g1: g1,
            beta_g2: g2,
            gamma_g2: g2,
            delta_g2: g2,
            gamma_abc_g1: points[..=public].to_vec(),
        },
        beta_g1: g1,
        delta_g1: g1,
        a_query: points[..values.len()].to_vec(),
        b_g1_query: (0..values.len())
            .map(|i| if present(i) { points[i] } else { G1Affine::zero() })
            .collect(),
        b_g2_query: (0..values.len())
            .map(|i| if present(i) { g2_points[i] } else { G2Affine::zero() })
            .collect(),
        h_query: points[..system.domain().size()].to_vec(),
        l_query: points[..values.len() - public - 1].to_vec(),
    };
    Ok((Arc::new(Key::new(system, &key)?), values))
}
