//! The Groth16 prover (eprint 2016/260, section 3.2) over a [`Device`]. For equal randomness its proofs are byte for
//! byte those of `ark-groth16`; a test holds it to that.

use crate::{
    Device, ProveError,
    progress::{Phase, Progress, tell},
    reduction::System,
};
use ark_bn254::{Bn254, G1Projective};
use ark_ec::CurveGroup;
use ark_ff::PrimeField;
use ark_groth16::{Proof, ProvingKey};
use nightingale_circuits::Fr;
use rand::CryptoRng;
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

/// A constraint system with its proving key.
pub struct Groth16 {
    system: System,
    key: ProvingKey<Bn254>,
}

impl Groth16 {
    /// Joins the two.
    ///
    /// # Errors
    /// Sizes that do not fit each other: the key is for another system.
    pub fn new(system: System, key: ProvingKey<Bn254>) -> Result<Self, ProveError> {
        let (public, variables) = (system.public(), system.variables());
        let fits = [&key.a_query, &key.b_g1_query].iter().all(|query| query.len() == variables)
            && key.b_g2_query.len() == variables
            && key.l_query.len() + public + 1 == variables
            && key.vk.gamma_abc_g1.len() == public + 1
            && key.h_query.len() == system.domain().size();
        if fits {
            Ok(Self { system, key })
        } else {
            Err(ProveError::Bug("a proving key for another constraint system".to_owned()))
        }
    }

    /// Its constraint system.
    #[must_use]
    pub const fn system(&self) -> &System {
        &self.system
    }

    /// Its key.
    #[must_use]
    pub const fn key(&self) -> &ProvingKey<Bn254> {
        &self.key
    }

    /// Proves an assignment `[1, public.., witness..]`. The proof is not verified here.
    ///
    /// # Errors
    /// An assignment of the wrong length, a cancelled proof, and the device's errors.
    pub fn prove(
        &self,
        device: &dyn Device,
        values: &[Fr],
        blinding: &Blinding,
        progress: Progress<'_>,
    ) -> Result<Proof<Bn254>, ProveError> {
        let (key, Blinding { r, s }) = (&self.key, blinding);
        tell(progress, Phase::Transforming)?;
        let h = self.system.quotient(device, values)?;
        tell(progress, Phase::Multiplying(0))?;
        let b_g2 = device.msm_g2(&key.b_g2_query, values)? + key.vk.beta_g2 + key.vk.delta_g2 * s;
        tell(progress, Phase::Multiplying(1))?;
        let h = device.msm_g1(&key.h_query, &h)?;
        tell(progress, Phase::Multiplying(2))?;
        let a: G1Projective = device.msm_g1(&key.a_query, values)? + key.vk.alpha_g1 + key.delta_g1 * r;
        tell(progress, Phase::Multiplying(3))?;
        let b_g1: G1Projective = device.msm_g1(&key.b_g1_query, values)? + key.beta_g1 + key.delta_g1 * s;
        tell(progress, Phase::Multiplying(4))?;
        let l = device.msm_g1(&key.l_query, &values[self.system.public() + 1..])?;
        let c = l + h + a * s + b_g1 * r - key.delta_g1 * (*r * s);
        Ok(Proof { a: a.into_affine(), b: b_g2.into_affine(), c: c.into_affine() })
    }
}
