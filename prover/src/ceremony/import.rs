//! From a ceremony's files to a proving key: all checks, in the order in which they are cheap.

use super::{
    chain,
    digest::FileDigest,
    error::CeremonyError,
    export::first_empty_row,
    initial::circuit_hash,
    manifest::{Manifest, Part},
    powers::CheckedPowers,
    queries,
    terms::Terms,
    zkey::Zkey,
};
use crate::{ProveError, groth16::Key, reduction::System};
use ark_bn254::{Bn254, G2Affine};
use ark_ec::AffineRepr;
use ark_ff::{Field, PrimeField};
use ark_groth16::{ProvingKey, VerifyingKey};
use nightingale_circuits::{Fr, r1cs::R1cs};
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
    if let Some(row) = first_empty_row(r1cs) {
        return Err(CeremonyError::EmptyRow(row).into());
    }
    let system = System::new(r1cs)?;
    let key = Zkey::parse(file)?;
    check_circuit(r1cs, &system, &key)?;
    check_setup(powers, &key)?;
    chain::check(&key.circuit_hash, &key.contributions, (key.delta_g1, key.delta_g2))?;
    let compared = terms.check(&key.contributions)?;
    powers.reach(system.domain().size().ilog2())?;
    queries::check(&system, powers, &key, rng)?;
    if circuit_hash(r1cs, powers, &key, rng)? != key.circuit_hash {
        return Err(CeremonyError::CircuitHash.into());
    }
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

/// The key's sizes and coefficients are those of the circuit.
fn check_circuit(r1cs: &R1cs, system: &System, key: &Zkey<'_>) -> Result<(), CeremonyError> {
    if (key.variables, key.public) != (system.variables(), system.public()) {
        return Err(CeremonyError::OtherCircuit("it has other numbers of variables or public inputs"));
    }
    if key.domain != system.domain().size() {
        return Err(CeremonyError::OtherCircuit("it has another number of constraints"));
    }
    if key.coefficients != coefficients(r1cs) {
        return Err(CeremonyError::OtherCircuit("its coefficients are others"));
    }
    Ok(())
}

/// The section of A's and B's coefficients as snarkjs writes it: constraint by constraint, then the inputs' rows. Values are
/// multiplied with R^2, so that a Montgomery product with a canonical value yields a Montgomery form.
fn coefficients(r1cs: &R1cs) -> Vec<u8> {
    // R as an element: the Montgomery form of one is R itself.
    let r = Fr::from_bigint(Fr::ONE.0).unwrap_or_default();
    let mut out = vec![0; 4];
    let mut term = |matrix: u32, row: usize, column: usize, value: Fr| {
        out.extend(matrix.to_le_bytes());
        out.extend((row as u32).to_le_bytes());
        out.extend((column as u32).to_le_bytes());
        (value * r).0.0.iter().for_each(|limb| out.extend(limb.to_le_bytes()));
    };
    let mut number = 0_u32;
    for (row, (a, b)) in r1cs.a.iter().zip(&r1cs.b).enumerate() {
        for (matrix, form) in [(0, a), (1, b)] {
            for (coefficient, column) in form {
                term(matrix, row, *column, *coefficient);
                number += 1;
            }
        }
    }
    for input in 0..=r1cs.public {
        term(0, r1cs.a.len() + input, input, Fr::ONE);
        number += 1;
    }
    out[..4].copy_from_slice(&number.to_le_bytes());
    out
}

/// Gamma and delta do not make a forgery kit, and alpha and beta are those of the powers.
fn check_setup(powers: &CheckedPowers<'_>, key: &Zkey<'_>) -> Result<(), CeremonyError> {
    let generator = G2Affine::generator();
    for gamma in [key.gamma_g2, generator] {
        if key.delta_g2 == gamma || key.delta_g2 == -gamma {
            return Err(CeremonyError::GammaIsDelta);
        }
    }
    if key.gamma_g2 != generator {
        return Err(CeremonyError::Gamma);
    }
    let first = |factor| Ok::<_, CeremonyError>(powers.multiples(factor, 1)?[0]);
    if key.alpha_g1 != first(super::ptau::Factor::Alpha)? {
        return Err(CeremonyError::OtherSetup("alpha"));
    }
    if key.beta_g1 != first(super::ptau::Factor::Beta)? || key.beta_g2 != powers.ptau().beta_g2 {
        return Err(CeremonyError::OtherSetup("beta"));
    }
    Ok(())
}
