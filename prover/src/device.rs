//! The seam between the prover and whatever does its group and polynomial work.
//!
//! [`Cpu`] is plain arkworks: the reference that every other device must equal. A device is a value, chosen by
//! configuration; it has exactly the operations that the prover calls.

mod cpu;

pub use cpu::Cpu;

use crate::{ProveError, reduction::Domain};
use ark_bn254::{G1Affine, G1Projective, G2Affine, G2Projective};
use nightingale_circuits::Fr;
use std::sync::Arc;

/// What the Groth16 prover needs. Inputs may hold zeros, points at infinity and repeated points.
pub trait Device: Send + Sync {
    /// Its name in configuration and logs.
    fn name(&self) -> &'static str;

    /// `sum scalars[i] * bases[i]` in G1.
    ///
    /// # Errors
    /// Different lengths; whatever fails in the device.
    fn msm_g1(&self, bases: &[G1Affine], scalars: &[Fr]) -> Result<G1Projective, ProveError>;

    /// `sum scalars[i] * bases[i]` in G2.
    ///
    /// # Errors
    /// Different lengths; whatever fails in the device.
    fn msm_g2(&self, bases: &[G2Affine], scalars: &[Fr]) -> Result<G2Projective, ProveError>;

    /// Takes a polynomial's values on the domain to its values on the domain's coset, both in natural order.
    ///
    /// # Errors
    /// A length that is not the domain's; whatever fails in the device.
    fn to_coset(&self, domain: &Domain, values: &mut Vec<Fr>) -> Result<(), ProveError>;
}

/// The device with this name.
///
/// # Errors
/// There is none.
pub fn open(name: &str) -> Result<Arc<dyn Device>, ProveError> {
    match name {
        "cpu" => Ok(Arc::new(Cpu)),
        _ => Err(ProveError::UnknownDevice(name.to_owned())),
    }
}
