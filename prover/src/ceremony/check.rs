//! What is checked of a `.zkey` file at every moment of a ceremony: all but who contributed and how it ended.

use super::{
    chain::{self, Contribution},
    digest::{ContributionHash, FileDigest},
    error::CeremonyError,
    export::first_empty_row,
    initial::circuit_hash,
    powers::CheckedPowers,
    ptau::Factor,
    queries,
    zkey::Zkey,
};
use crate::{ProveError, reduction::System};
use ark_bn254::G2Affine;
use ark_ec::AffineRepr;
use ark_ff::{Field, PrimeField};
use nightingale_circuits::{Fr, r1cs::R1cs};
use rand::CryptoRng;

/// What a file of a ceremony says of it, every point of which was checked.
#[derive(Clone, Debug)]
pub struct Checked {
    digest: FileDigest,
    circuit_hash: [u8; 64],
    contributions: Vec<Contribution>,
}

impl Checked {
    /// The file's digest: whoever publishes it says which file was checked.
    #[must_use]
    pub const fn digest(&self) -> &FileDigest {
        &self.digest
    }

    /// What snarkjs calls the circuit.
    #[must_use]
    pub const fn circuit_hash(&self) -> &[u8; 64] {
        &self.circuit_hash
    }

    /// Who contributed up to then, in order; nobody, after the setup.
    #[must_use]
    pub fn contributions(&self) -> &[Contribution] {
        &self.contributions
    }

    /// What they published.
    pub(super) fn hashes(&self) -> Vec<ContributionHash> {
        self.contributions.iter().map(Contribution::hash).collect()
    }
}

/// Checks a file of a ceremony that is under way, or was: what a contributor does before contributing, and what an import does with the files that
/// contributors kept. A contribution divides whatever points it is handed by its secret, and a point too many, or another in its place, can be
/// taken out again afterwards, when the finished key shows no trace of it.
///
/// # Errors
/// [`ProveError::Ceremony`], whose variant is the check that failed.
pub fn check(
    r1cs: &R1cs,
    file: &[u8],
    powers: &CheckedPowers<'_>,
    rng: &mut impl CryptoRng,
) -> Result<Checked, ProveError> {
    let (system, key) = begin(r1cs, file, powers)?;
    finish(r1cs, &system, &key, powers, rng)?;
    Ok(Checked {
        digest: FileDigest::of(file),
        circuit_hash: key.circuit_hash,
        contributions: key.contributions,
    })
}

/// The checks that take no time: the circuit, the setup, the chain of contributions.
pub(super) fn begin<'a>(
    r1cs: &R1cs,
    file: &'a [u8],
    powers: &CheckedPowers<'_>,
) -> Result<(System, Zkey<'a>), ProveError> {
    if let Some(row) = first_empty_row(r1cs) {
        return Err(CeremonyError::EmptyRow(row).into());
    }
    let system = System::new(r1cs)?;
    let key = Zkey::parse(file)?;
    check_circuit(r1cs, &system, &key)?;
    if !key.contributions.is_empty() {
        check_delta(&key)?;
    }
    check_setup(powers, &key)?;
    chain::check(&key.circuit_hash, &key.contributions, (key.delta_g1, key.delta_g2))?;
    Ok((system, key))
}

/// The checks of all points.
pub(super) fn finish(
    r1cs: &R1cs,
    system: &System,
    key: &Zkey<'_>,
    powers: &CheckedPowers<'_>,
    rng: &mut impl CryptoRng,
) -> Result<(), ProveError> {
    powers.reach(system.domain().size().ilog2())?;
    queries::check(system, powers, key, rng)?;
    if circuit_hash(r1cs, powers, key, rng)? != key.circuit_hash {
        return Err(CeremonyError::CircuitHash.into());
    }
    Ok(())
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

/// Gamma and delta do not make a forgery kit, as they do until somebody contributes.
pub(super) fn check_delta(key: &Zkey<'_>) -> Result<(), CeremonyError> {
    if [key.gamma_g2, -key.gamma_g2].contains(&key.delta_g2) {
        return Err(CeremonyError::GammaIsDelta);
    }
    Ok(())
}

/// Gamma is the generator, and alpha and beta are those of the powers.
fn check_setup(powers: &CheckedPowers<'_>, key: &Zkey<'_>) -> Result<(), CeremonyError> {
    if key.gamma_g2 != G2Affine::generator() {
        return Err(CeremonyError::Gamma);
    }
    let first = |factor| Ok::<_, CeremonyError>(powers.multiples(factor, 1)?[0]);
    if key.alpha_g1 != first(Factor::Alpha)? {
        return Err(CeremonyError::OtherSetup("alpha"));
    }
    if key.beta_g1 != first(Factor::Beta)? || key.beta_g2 != powers.ptau().beta_g2 {
        return Err(CeremonyError::OtherSetup("beta"));
    }
    Ok(())
}
