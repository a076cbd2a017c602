//! The development secrets, which everybody knows, and the points that give a key away that was made from them.
//!
//! A key's kind is a label that whoever writes the file chooses. So what is labelled a production key is compared with these points:
//! a development key under a production label would be a key that anybody can forge proofs under, and that `--production` lets pass.

use crate::{VerifyError, encoding::g2_to_words};
use ark_bn254::{Bn254, Fq, Fq2, Fr, G1Affine, G2Affine};
use ark_ec::{AffineRepr, CurveGroup};
use ark_ff::PrimeField;
use ark_groth16::VerifyingKey;
use nightingale_circuits::claim::SizeClass;
use sha2::{Digest, Sha256};
use std::sync::OnceLock;

/// The public text that the development secrets are drawn from.
pub const SEED: &str = "nightingale development setup 1: public, forgeable, never for production";

/// A development secret: `SHA-256(0 | text) | SHA-256(1 | text)` mod r, of `<seed>/<name>`. `tau`, `alpha` and `beta` are those of all
/// setups, `delta/<class>` is a class's own.
#[must_use]
pub fn secret(name: &str) -> Fr {
    let half = |n: u8| {
        let hash = Sha256::new().chain_update([n]).chain_update(SEED).chain_update("/");
        hash.chain_update(name).finalize()
    };
    Fr::from_le_bytes_mod_order(&[half(0), half(1)].concat())
}

/// What gives a development secret away in whatever place it stands: the abscissas of its multiples of the generators.
struct Points {
    in_g1: Vec<Fq>,
    in_g2: Vec<Fq2>,
    /// Those in G2 as words of EIP-197.
    words: Vec<[[u8; 32]; 2]>,
}

fn points() -> &'static Points {
    static POINTS: OnceLock<Points> = OnceLock::new();
    POINTS.get_or_init(|| {
        let deltas = SizeClass::ALL.map(|class| format!("delta/{}", class.name()));
        let names = ["tau", "alpha", "beta"].into_iter().chain(deltas.iter().map(String::as_str));
        let secrets: Vec<Fr> = names.map(secret).collect();
        let in_g2: Vec<G2Affine> =
            secrets.iter().map(|secret| (G2Affine::generator() * secret).into_affine()).collect();
        Points {
            in_g1: secrets.iter().map(|secret| (G1Affine::generator() * secret).into_affine().x).collect(),
            words: in_g2.iter().map(|point| g2_to_words(point)[0]).collect(),
            in_g2: in_g2.iter().map(|point| point.x).collect(),
        }
    })
}

const MADE_FROM_PUBLIC_SECRETS: VerifyError = VerifyError::UnsafeKey(
    "it is labelled a production key and was made from the development secrets, so anybody can forge proofs",
);

/// Whether one of these is a multiple of its generator by any development secret, up to sign.
#[must_use]
pub fn has_secret(in_g1: &[G1Affine], in_g2: &[G2Affine]) -> bool {
    let points = points();
    in_g1.iter().any(|point| points.in_g1.contains(&point.x))
        || in_g2.iter().any(|point| points.in_g2.contains(&point.x))
}

/// Refuses a Groth16 key that has any of the development points, up to sign. That it was made from the development tau is not seen
/// in it: who imports a key asks its powers of tau.
pub(crate) fn refuse_claim_key(key: &VerifyingKey<Bn254>) -> Result<(), VerifyError> {
    if has_secret(&[key.alpha_g1], &[key.beta_g2, key.gamma_g2, key.delta_g2]) {
        return Err(MADE_FROM_PUBLIC_SECRETS);
    }
    Ok(())
}

/// Refuses a KZG setup whose tau, given as words, is any development secret's; its abscissa is enough.
pub(crate) fn refuse_setup(tau: &[[u8; 32]; 4]) -> Result<(), VerifyError> {
    let known = points().words.iter().any(|x| tau[..2] == *x);
    if known { Err(MADE_FROM_PUBLIC_SECRETS) } else { Ok(()) }
}
