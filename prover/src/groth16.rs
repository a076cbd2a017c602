//! The Groth16 prover (eprint 2016/260, section 3.2) over a [`Device`]. For equal randomness its proofs are byte for
//! byte those of `ark-groth16`; a test holds it to that.

mod key;

pub use key::{Key, Query};

use crate::{
    Device, ProveError,
    device::{Summation, Sums},
    progress::Progress,
};
use ark_bn254::{Bn254, G1Projective};
use ark_ec::CurveGroup;
use ark_ff::PrimeField;
use ark_groth16::Proof;
use nightingale_circuits::Fr;
use rand::CryptoRng;
use std::sync::Arc;
use zeroize::{Zeroize, ZeroizeOnDrop, Zeroizing};

/// The two random scalars that hide the witness in a proof. Fresh for each proof, zeroed on drop.
#[derive(Zeroize, ZeroizeOnDrop)]
pub struct Blinding {
    r: Fr,
    s: Fr,
}

impl Blinding {
    /// Draws both.
    pub fn random(rng: &mut impl CryptoRng) -> Self {
        let mut draw = || {
            // 512 bits: reduced mod r they are uniform up to 2^-258.
            let mut bytes = Zeroizing::new([0u8; 64]);
            rng.fill_bytes(&mut *bytes);
            Fr::from_le_bytes_mod_order(&*bytes)
        };
        Self { r: draw(), s: draw() }
    }

    /// Given ones, for comparing provers.
    #[must_use]
    pub const fn fixed(r: Fr, s: Fr) -> Self {
        Self { r, s }
    }
}

/// A key that a device holds ready. Many threads may prove with one at once.
pub struct Prover {
    key: Arc<Key>,
    resident: Box<dyn Summation>,
}

impl Prover {
    /// Takes the key onto the device.
    ///
    /// # Errors
    /// The device's.
    pub fn new(key: Arc<Key>, device: &dyn Device) -> Result<Self, ProveError> {
        let resident = device.groth16(&key)?;
        Ok(Self { key, resident })
    }

    /// Its key.
    #[must_use]
    pub fn key(&self) -> &Arc<Key> {
        &self.key
    }

    /// Proves an assignment `[1, public.., witness..]`. The proof is not verified here.
    ///
    /// # Errors
    /// An assignment of the wrong length or that breaks a constraint, a cancelled proof, and the device's errors.
    pub fn prove(
        &self,
        values: &[Fr],
        blinding: &Blinding,
        progress: Progress<'_>,
    ) -> Result<Proof<Bn254>, ProveError> {
        let mut proofs = self.prove_batch(&[(values, blinding)], progress)?;
        proofs.pop().ok_or_else(|| ProveError::Bug("a device lost a proof of its batch".to_owned()))
    }

    /// Proves several assignments, in one call of the device. No proof is verified here.
    ///
    /// # Errors
    /// As [`Prover::prove`], for the whole batch.
    pub fn prove_batch(
        &self,
        batch: &[(&[Fr], &Blinding)],
        progress: Progress<'_>,
    ) -> Result<Vec<Proof<Bn254>>, ProveError> {
        let assignments: Vec<&[Fr]> = batch.iter().map(|(values, _)| *values).collect();
        assignments.iter().try_for_each(|values| self.key.system.fits(values))?;
        let sums = self.resident.sums(&assignments, progress)?;
        if sums.len() != batch.len() {
            return Err(ProveError::Bug("a device answered with another number of proofs".to_owned()));
        }
        Ok(sums.into_iter().zip(batch).map(|(sums, (_, blinding))| self.finish(sums, blinding)).collect())
    }

    /// Blinds the sums of one assignment.
    fn finish(&self, sums: Sums, Blinding { r, s }: &Blinding) -> Proof<Bn254> {
        let (key, vk) = (&*self.key, &self.key.verifying);
        let a: G1Projective = sums.a + vk.alpha_g1 + key.delta_g1 * r;
        let b_g1: G1Projective = sums.b_g1 + key.beta_g1 + key.delta_g1 * s;
        let c = || (sums.c + a * s + b_g1 * r - key.delta_g1 * (*r * s)).into_affine();
        let b = || (sums.b_g2 + vk.beta_g2 + vk.delta_g2 * s).into_affine();
        let (c, b) = rayon::join(c, b);
        Proof { a: a.into_affine(), b, c }
    }
}
