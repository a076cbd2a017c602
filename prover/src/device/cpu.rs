//! The reference device: arkworks on all cores of rayon's pool.
//!
//! Copies of scalars that this file makes are zeroed; those that arkworks makes inside a multiplication are not.

use super::Device;
use crate::{ProveError, reduction::Domain};
use ark_bn254::{G1Affine, G1Projective, G2Affine, G2Projective};
use ark_ec::VariableBaseMSM;
use ark_ff::{BigInt, PrimeField};
use ark_poly::EvaluationDomain;
use nightingale_circuits::Fr;
use rayon::prelude::*;
use zeroize::Zeroizing;

/// Plain arkworks.
#[derive(Clone, Copy, Debug, Default)]
pub struct Cpu;

fn integers(scalars: &[Fr]) -> Zeroizing<Vec<BigInt<4>>> {
    Zeroizing::new(scalars.par_iter().with_min_len(512).map(|x| x.into_bigint()).collect())
}

fn same_length(bases: usize, scalars: usize) -> Result<(), ProveError> {
    if bases == scalars {
        Ok(())
    } else {
        Err(ProveError::Bug(format!("{bases} bases for {scalars} scalars")))
    }
}

impl Device for Cpu {
    fn name(&self) -> &'static str {
        "cpu"
    }

    fn msm_g1(&self, bases: &[G1Affine], scalars: &[Fr]) -> Result<G1Projective, ProveError> {
        same_length(bases.len(), scalars.len())?;
        Ok(G1Projective::msm_bigint(bases, &integers(scalars)))
    }

    fn msm_g2(&self, bases: &[G2Affine], scalars: &[Fr]) -> Result<G2Projective, ProveError> {
        same_length(bases.len(), scalars.len())?;
        Ok(G2Projective::msm_bigint(bases, &integers(scalars)))
    }

    fn to_coset(&self, domain: &Domain, values: &mut Vec<Fr>) -> Result<(), ProveError> {
        same_length(domain.size(), values.len())?;
        domain.plain.ifft_in_place(values);
        domain.coset.fft_in_place(values);
        Ok(())
    }
}
