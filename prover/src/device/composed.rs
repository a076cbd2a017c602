//! A Groth16 key on a device that has the parts only: products on the host, then the device's transforms and
//! multiplications one after the other. The reference works so, and any device without a better way.

use super::{Bases, Device, DeviceError, Pointwise, Scalars, Summation, Sums};
use crate::{
    ProveError, groth16,
    progress::{Phase, Progress, tell},
};
use ark_bn254::{G1Projective, G2Projective};
use nightingale_circuits::Fr;
use std::sync::Arc;
use zeroize::Zeroizing;

/// The key's queries on the device.
pub(super) struct Composed<D> {
    device: D,
    key: Arc<groth16::Key>,
    a: Box<dyn Bases<G1Projective>>,
    b_g1: Box<dyn Bases<G1Projective>>,
    b_g2: Box<dyn Bases<G2Projective>>,
    l: Box<dyn Bases<G1Projective>>,
    h: Box<dyn Bases<G1Projective>>,
}

impl<D: Device> Composed<D> {
    /// Takes the queries onto the device.
    pub(super) fn new(device: D, key: &Arc<groth16::Key>) -> Result<Self, DeviceError> {
        Ok(Self {
            a: device.bases_g1(&key.a.points)?,
            b_g1: device.bases_g1(&key.b_g1.points)?,
            b_g2: device.bases_g2(&key.b_g2.points)?,
            l: device.bases_g1(&key.l.points)?,
            h: device.bases_g1(&key.h)?,
            key: Arc::clone(key),
            device,
        })
    }

    fn one(&self, values: &[Fr], progress: Progress<'_>) -> Result<Sums, ProveError> {
        let key = &*self.key;
        tell(progress, Phase::Transforming)?;
        let [mut a, mut b, mut c] = {
            let [a, b] = key.system().factors(values)?;
            let [a, b] = [self.device.vector(&a)?, self.device.vector(&b)?];
            // On H the products are C's values: the assignment satisfies the constraints.
            let mut c = self.device.vector(&Zeroizing::new(vec![Fr::default(); a.len()]))?;
            c.combine(Pointwise::Add, &*a)?;
            c.combine(Pointwise::Multiply, &*b)?;
            [a, b, c]
        };
        let to_coset = key.system().domain().to_coset()?;
        for polynomial in [&mut a, &mut b, &mut c] {
            to_coset.iter().try_for_each(|transform| polynomial.transform(transform))?;
        }
        a.combine(Pointwise::Multiply, &*b)?;
        a.combine(Pointwise::Subtract, &*c)?;
        tell(progress, Phase::Multiplying)?;
        let of = |columns: &[u32]| -> Zeroizing<Vec<Fr>> {
            Zeroizing::new(columns.iter().map(|column| values[*column as usize]).collect())
        };
        let h = only(self.h.multiply(&[Scalars::Resident(&*a)])?)?;
        let l = only(self.l.multiply(&[Scalars::Host(&of(&key.l.columns))])?)?;
        Ok(Sums {
            a: only(self.a.multiply(&[Scalars::Host(&of(&key.a.columns))])?)?,
            b_g1: only(self.b_g1.multiply(&[Scalars::Host(&of(&key.b_g1.columns))])?)?,
            b_g2: only(self.b_g2.multiply(&[Scalars::Host(&of(&key.b_g2.columns))])?)?,
            c: l + h,
        })
    }
}

fn only<S>(mut sums: Vec<S>) -> Result<S, ProveError> {
    sums.pop().ok_or_else(|| ProveError::Bug("a device answered with no sum".to_owned()))
}

impl<D: Device> Summation for Composed<D> {
    fn sums(&self, assignments: &[&[Fr]], progress: Progress<'_>) -> Result<Vec<Sums>, ProveError> {
        assignments.iter().map(|values| self.one(values, progress)).collect()
    }
}
