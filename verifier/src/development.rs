//! The development secrets, which everybody knows, and the points that give a key away that was made from them.
//!
//! A key's kind is a label that whoever writes the file chooses. So what is labelled a production key is compared with these points:
//! a development key under a production label would be a key that anybody can forge proofs under, and that `--production` lets pass.

use crate::{VerifyError, encoding::g2_to_words};
use ark_bn254::{Bn254, Fr, G1Affine, G2Affine};
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

/// Points that only development keys have.
struct Points {
    alpha: G1Affine,
    /// Of tau, beta and each class's delta.
    others: Vec<G2Affine>,
    /// The words of tau in G2, as in EIP-197.
    tau: [[u8; 32]; 4],
}

fn points() -> &'static Points {
    static POINTS: OnceLock<Points> = OnceLock::new();
    POINTS.get_or_init(|| {
        let in_g2 = |name: &str| (G2Affine::generator() * secret(name)).into_affine();
        let deltas = SizeClass::ALL.map(|class| in_g2(&format!("delta/{}", class.name())));
        Points {
            alpha: (G1Affine::generator() * secret("alpha")).into_affine(),
            others: [in_g2("tau"), in_g2("beta")].into_iter().chain(deltas).collect(),
            tau: {
                let [[a, b], [c, d]] = g2_to_words(&in_g2("tau"));
                [a, b, c, d]
            },
        }
    })
}

const MADE_FROM_PUBLIC_SECRETS: VerifyError = VerifyError::UnsafeKey(
    "it is labelled a production key and was made from the development secrets, so anybody can forge proofs",
);

/// Whether one of these is a development secret's multiple of a generator, up to sign: alpha's in G1, any other's in G2.
#[must_use]
pub fn has_secret(alpha: &G1Affine, others: &[G2Affine]) -> bool {
    let points = points();
    let known = |point: &G2Affine| points.others.iter().any(|other| point.x == other.x);
    alpha.x == points.alpha.x || others.iter().any(known)
}

/// Refuses a Groth16 key that has any of the development points, up to sign. That it was made from the development tau is not seen
/// in it: who imports a key asks its powers of tau.
pub(crate) fn refuse_claim_key(key: &VerifyingKey<Bn254>) -> Result<(), VerifyError> {
    if has_secret(&key.alpha_g1, &[key.beta_g2, key.gamma_g2, key.delta_g2]) {
        return Err(MADE_FROM_PUBLIC_SECRETS);
    }
    Ok(())
}

/// Refuses a KZG setup with the development tau, given as words; its abscissa is enough.
pub(crate) fn refuse_setup(tau: &[[u8; 32]; 4]) -> Result<(), VerifyError> {
    if tau[..2] == points().tau[..2] { Err(MADE_FROM_PUBLIC_SECRETS) } else { Ok(()) }
}
