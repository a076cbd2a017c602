//! Keys and proofs, from arkworks' types into the words that the verifier reads.

use super::word;
use crate::{Error, artefacts};
use alloy_primitives::Bytes;
use ark_bn254::{Bn254, Fq, Fr, G1Affine, G2Affine};
use ark_ec::AffineRepr;
use ark_ff::{BigInteger, PrimeField};
use ark_groth16::{Proof, VerifyingKey};

/// A key's constants, as they are appended to the verifier's code: alpha, -beta, -gamma, -delta, and the IC points.
///
/// # Errors
/// A key that forges (gamma, delta or beta equal but for the sign), or that has a point at infinity where that would leave
/// something unchecked. The registry refuses the same.
pub fn constants(key: &VerifyingKey<Bn254>) -> Result<Vec<u8>, Error> {
    let (beta, gamma, delta) = (key.beta_g2, key.gamma_g2, key.delta_g2);
    if key.alpha_g1.is_zero() || beta.is_zero() || gamma.is_zero() || delta.is_zero() {
        return Err(Error::KeyRefused("a point is the point at infinity"));
    }
    if gamma.x == delta.x || beta.x == gamma.x || beta.x == delta.x {
        return Err(Error::KeyRefused("beta, gamma and delta must differ: anybody can forge under this key"));
    }
    if key.gamma_abc_g1.iter().skip(1).any(AffineRepr::is_zero) {
        return Err(Error::KeyRefused("a public input is not constrained"));
    }
    let mut bytes = Vec::with_capacity(448 + 64 * key.gamma_abc_g1.len());
    put_g1(&mut bytes, key.alpha_g1);
    for point in [-beta, -gamma, -delta] {
        put_g2(&mut bytes, point);
    }
    for point in &key.gamma_abc_g1 {
        put_g1(&mut bytes, *point);
    }
    Ok(bytes)
}

/// The creation code of a key's verifier.
///
/// # Errors
/// As for [`constants`]; or the checked-in artefact is corrupt.
pub fn verifier_creation_code(key: &VerifyingKey<Bn254>) -> Result<Bytes, Error> {
    let mut code = artefacts::claim_verifier()?.bytecode.to_vec();
    code.extend(constants(key)?);
    Ok(code.into())
}

/// One proof and its public inputs, as the verifier reads them: several in a row, and nothing else, are its calldata.
#[must_use]
pub fn entry(proof: &Proof<Bn254>, inputs: &[Fr]) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(256 + 32 * inputs.len());
    put_g1(&mut bytes, proof.a);
    put_g2(&mut bytes, proof.b);
    put_g1(&mut bytes, proof.c);
    for input in inputs {
        bytes.extend(word(*input));
    }
    bytes
}

fn put(bytes: &mut Vec<u8>, element: Fq) {
    bytes.extend(element.into_bigint().to_bytes_be());
}

/// The point at infinity is (0, 0) to the precompiles.
fn put_g1(bytes: &mut Vec<u8>, point: G1Affine) {
    let (x, y) = point.xy().unwrap_or_default();
    put(bytes, x);
    put(bytes, y);
}

fn put_g2(bytes: &mut Vec<u8>, point: G2Affine) {
    let (x, y) = point.xy().unwrap_or_default();
    for element in [x.c1, x.c0, y.c1, y.c0] {
        put(bytes, element);
    }
}
