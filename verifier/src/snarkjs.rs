//! A key, a proof and its public inputs in the three JSON files that `snarkjs groth16 verify` reads, so that a second
//! implementation can confirm a verdict. Numbers are decimal strings; the real part of a G2 coordinate comes first.

use crate::{ClaimProof, VerifyingKey};
use ark_bn254::{Fq, G1Affine, G2Affine};
use ark_ec::AffineRepr;
use serde_json::{Value, json};

fn decimal(x: &Fq) -> Value {
    Value::String(x.to_string())
}

fn g1(point: &G1Affine) -> Value {
    let (x, y) = point.xy().unwrap_or_default();
    json!([decimal(&x), decimal(&y), "1"])
}

fn g2(point: &G2Affine) -> Value {
    let (x, y) = point.xy().unwrap_or_default();
    json!([[decimal(&x.c0), decimal(&x.c1)], [decimal(&y.c0), decimal(&y.c1)], ["1", "0"]])
}

/// `verification_key.json`.
#[must_use]
pub fn verification_key(key: &VerifyingKey) -> Value {
    let groth16 = key.groth16();
    json!({
        "protocol": "groth16",
        "curve": "bn128",
        "nPublic": crate::key::public_inputs(key.class()),
        "vk_alpha_1": g1(&groth16.alpha_g1),
        "vk_beta_2": g2(&groth16.beta_g2),
        "vk_gamma_2": g2(&groth16.gamma_g2),
        "vk_delta_2": g2(&groth16.delta_g2),
        "IC": groth16.gamma_abc_g1.iter().map(g1).collect::<Vec<_>>(),
    })
}

/// `proof.json`.
#[must_use]
pub fn proof(proof: &ClaimProof) -> Value {
    json!({
        "protocol": "groth16",
        "curve": "bn128",
        "pi_a": g1(&proof.proof.a),
        "pi_b": g2(&proof.proof.b),
        "pi_c": g1(&proof.proof.c),
    })
}

/// `public.json`.
#[must_use]
pub fn public(proof: &ClaimProof) -> Value {
    Value::Array(proof.public.to_vec().iter().map(|x| Value::String(x.to_string())).collect())
}
