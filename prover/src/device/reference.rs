//! The reference device: plain arkworks on all cores of rayon's pool. The oracle of every other device, never deleted.
//!
//! Copies of scalars that this file makes are zeroed; those that arkworks makes inside a multiplication are not.

use super::{
    Bases, Device, DeviceError, G1Point, G2Point, Pointwise, Scalars, Slab, Summation, Transform, Vector,
    composed::Composed, transform::Direction,
};
use crate::groth16;
use ark_bn254::{G1Affine, G1Projective, G2Affine, G2Projective};
use ark_ec::{AffineRepr, VariableBaseMSM};
use ark_ff::{BigInt, Field, PrimeField};
use ark_poly::{EvaluationDomain, Radix2EvaluationDomain};
use nightingale_circuits::Fr;
use rayon::prelude::*;
use std::{any::Any, sync::Arc};
use zeroize::Zeroizing;

/// Plain arkworks.
#[derive(Clone, Copy, Debug, Default)]
pub struct Reference;

/// Arkworks' own points.
struct Points<A>(Vec<A>);

/// Arkworks' own elements.
struct Elements(Zeroizing<Vec<Fr>>);

/// The scalars in this process's memory, if they are as many as the points.
pub(super) fn host<'a>(scalars: Scalars<'a>, points: usize) -> Result<&'a [Fr], DeviceError> {
    let elements = match scalars {
        Scalars::Host(elements) => elements,
        Scalars::Resident(vector) => own(vector)?,
    };
    same_length(points, elements.len())?;
    Ok(elements)
}

fn own(vector: &dyn Vector) -> Result<&[Fr], DeviceError> {
    let own = vector.as_any().downcast_ref::<Elements>();
    own.map(|own| own.0.as_slice()).ok_or_else(|| DeviceError::Input("a vector of another device".to_owned()))
}

pub(super) fn same_length(expected: usize, found: usize) -> Result<(), DeviceError> {
    if expected == found {
        return Ok(());
    }
    Err(DeviceError::Input(format!("{found} elements where there must be {expected}")))
}

impl<A: AffineRepr<ScalarField = Fr>> Bases<A::Group> for Points<A>
where
    A::Group: VariableBaseMSM<MulBase = A>,
{
    fn len(&self) -> usize {
        self.0.len()
    }

    fn multiply(&self, batch: &[Scalars<'_>]) -> Result<Vec<A::Group>, DeviceError> {
        let sum = |scalars: &Scalars<'_>| {
            let scalars = host(*scalars, self.0.len())?;
            let integers: Zeroizing<Vec<BigInt<4>>> =
                Zeroizing::new(scalars.par_iter().with_min_len(512).map(|x| x.into_bigint()).collect());
            Ok(A::Group::msm_bigint(&self.0, &integers))
        };
        batch.iter().map(sum).collect()
    }
}

impl Vector for Elements {
    fn len(&self) -> usize {
        self.0.len()
    }

    fn read(&self, out: &mut [Fr]) -> Result<(), DeviceError> {
        same_length(self.0.len(), out.len())?;
        out.copy_from_slice(&self.0);
        Ok(())
    }

    fn transform(&mut self, transform: &Transform) -> Result<(), DeviceError> {
        same_length(transform.size(), self.0.len())?;
        let unknown = || DeviceError::Input("a transform of a size without a domain".to_owned());
        let plain = Radix2EvaluationDomain::<Fr>::new(transform.size()).ok_or_else(unknown)?;
        let (root, inverse) = (transform.root(), transform.root().inverse().ok_or_else(unknown)?);
        // Any root of the right order will do, whichever generator it comes from.
        let domain = Radix2EvaluationDomain { group_gen: root, group_gen_inv: inverse, ..plain };
        let domain = domain.get_coset(transform.coset()).ok_or_else(unknown)?;
        match transform.direction() {
            Direction::Forward => domain.fft_in_place(&mut *self.0),
            Direction::Inverse => domain.ifft_in_place(&mut *self.0),
        }
        Ok(())
    }

    fn combine(&mut self, operation: Pointwise, other: &dyn Vector) -> Result<(), DeviceError> {
        let other = own(other)?;
        same_length(self.0.len(), other.len())?;
        self.0.par_iter_mut().zip(other).with_min_len(512).for_each(|(a, b)| match operation {
            Pointwise::Add => *a += b,
            Pointwise::Subtract => *a -= b,
            Pointwise::Multiply => *a *= b,
        });
        Ok(())
    }

    fn as_any(&self) -> &dyn Any {
        self
    }
}

impl Device for Reference {
    fn name(&self) -> &str {
        "reference"
    }

    fn bases_g1(&self, points: &Slab<G1Point>) -> Result<Box<dyn Bases<G1Projective>>, DeviceError> {
        Ok(Box::new(Points(points.iter().map(|point| G1Affine::from(*point)).collect())))
    }

    fn bases_g2(&self, points: &Slab<G2Point>) -> Result<Box<dyn Bases<G2Projective>>, DeviceError> {
        Ok(Box::new(Points(points.iter().map(|point| G2Affine::from(*point)).collect())))
    }

    fn vector(&self, elements: &[Fr]) -> Result<Box<dyn Vector>, DeviceError> {
        Ok(Box::new(Elements(Zeroizing::new(elements.to_vec()))))
    }

    fn groth16(&self, key: &Arc<groth16::Key>) -> Result<Box<dyn Summation>, DeviceError> {
        Ok(Box::new(Composed::new(*self, key)?))
    }
}
