//! Whether sums are those of a proof, by the pairing equation of Groth16 (eprint 2016/260, section 3.2) with both blinding
//! scalars zero: e(A, B) = e(alpha, beta) e(public, gamma) e(C, delta), and B the same in both groups.

use super::Sums;
use crate::groth16::Key;
use ark_bn254::{Bn254, G1Affine, G1Projective, G2Affine};
use ark_ec::{
    AffineRepr, CurveGroup, VariableBaseMSM,
    pairing::{Pairing, PairingOutput},
};
use ark_ff::Zero;
use nightingale_circuits::Fr;

/// Whether the sums are those of the assignment's proof. About 2 ms.
pub(super) fn accepts(key: &Key, values: &[Fr], sums: &Sums) -> bool {
    let vk = key.verifying();
    let Some(public) = values.get(..vk.gamma_abc_g1.len()) else { return false };
    let Ok(public) = G1Projective::msm(&vk.gamma_abc_g1, public) else { return false };
    // Both equations at once: the second times a number that the device cannot know.
    let weight = Fr::from(rand::random::<u128>());
    let b_g1 = sums.b_g1 + key.beta_g1;
    let g1: [G1Projective; 5] = [
        sums.a + vk.alpha_g1 - G1Affine::generator() * weight,
        b_g1 * weight,
        -vk.alpha_g1.into_group(),
        -public,
        -sums.c,
    ];
    let g2: [G2Affine; 5] =
        [(sums.b_g2 + vk.beta_g2).into_affine(), G2Affine::generator(), vk.beta_g2, vk.gamma_g2, vk.delta_g2];
    // Points off the curve are no argument for a pairing; a device can hand them out.
    let g1 = G1Projective::normalize_batch(&g1);
    if !g1.iter().all(G1Affine::is_on_curve) || !g2[0].is_on_curve() {
        return false;
    }
    Bn254::multi_pairing(g1, g2) == PairingOutput::zero()
}
