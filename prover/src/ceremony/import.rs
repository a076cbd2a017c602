//! From a ceremony's files to a proving key: all checks, in the order in which they are cheap.

use super::{
    check,
    digest::FileDigest,
    manifest::{Manifest, Part},
    powers::CheckedPowers,
    terms::Terms,
};
use crate::{ProveError, groth16::Key};
use ark_bn254::Bn254;
use ark_groth16::{ProvingKey, VerifyingKey};
use nightingale_circuits::r1cs::R1cs;
use rand::CryptoRng;

/// A key whose ceremony was checked.
pub struct Imported {
    /// The proving key with its constraint system.
    pub key: Key,
    /// What it was checked against.
    pub manifest: Manifest,
}

/// Reads a key of `r1cs` that was made with `powers`, and checks its whole ceremony.
///
/// Afterwards the key is the one that the circuit and the powers yield for some delta (`queries`), and nobody knows that delta
/// who did not know the secrets of every contribution, those of `terms` among them (`chain`, `terms`). That tau, alpha and beta are
/// unknown rests on the powers' own ceremony.
///
/// # Errors
/// [`ProveError::Ceremony`], whose variant is the check that failed.
pub fn import(
    r1cs: &R1cs,
    file: &[u8],
    powers: &CheckedPowers<'_>,
    terms: &Terms,
    rng: &mut impl CryptoRng,
) -> Result<Imported, ProveError> {
    let (system, key) = check::begin(r1cs, file, powers)?;
    // Of a setup that nobody contributed to, too.
    check::check_delta(&key)?;
    let compared = terms.check(&key.contributions)?;
    check::finish(r1cs, &system, &key, powers, rng)?;
    let manifest = Manifest {
        circuit: hex::encode(system.digest()),
        circuit_hash: hex::encode(key.circuit_hash),
        zkey: FileDigest::of(file).to_string(),
        ptau: powers.digest().to_string(),
        power: powers.ptau().power(),
        minimum_contributors: terms.minimum.max(1),
        contributions: key
            .contributions
            .iter()
            .zip(compared)
            .map(|(made, compared)| Part::new(made, compared))
            .collect(),
    };
    let key = ProvingKey::<Bn254> {
        vk: VerifyingKey {
            alpha_g1: key.alpha_g1,
            beta_g2: key.beta_g2,
            gamma_g2: key.gamma_g2,
            delta_g2: key.delta_g2,
            gamma_abc_g1: key.inputs,
        },
        beta_g1: key.beta_g1,
        delta_g1: key.delta_g1,
        a_query: key.a,
        b_g1_query: key.b_g1,
        b_g2_query: key.b_g2,
        h_query: key.h,
        l_query: key.l,
    };
    Ok(Imported { key: Key::new(system, &key)?, manifest })
}
