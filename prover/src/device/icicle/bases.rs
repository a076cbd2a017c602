//! Points that stay on the device, in both groups.

use super::{
    super::{Bases, DeviceError, G1Point, G2Point, Scalars},
    abi::Function,
    forms,
    memory::Buffer,
    session::Session,
    vector,
};
use ark_bn254::{G1Projective, G2Projective};
use ark_ff::AdditiveGroup;
use std::{marker::PhantomData, sync::Arc};

/// A group that ICICLE multiplies in.
pub(super) trait Group: Send + Sync {
    /// Its points as keys have them.
    type Point: bytemuck::Pod;
    /// Its sums as arkworks has them.
    type Sum: AdditiveGroup;

    /// The sum; `None` when the device answered with what is no point.
    fn multiply(
        session: &Session,
        scalars: &Buffer,
        points: &Buffer,
        count: usize,
    ) -> Result<Option<Self::Sum>, DeviceError>;
}

/// G1.
pub(super) struct G1;

/// G2, over the quadratic extension.
pub(super) struct G2;

impl Group for G1 {
    type Point = G1Point;
    type Sum = G1Projective;

    fn multiply(
        session: &Session,
        scalars: &Buffer,
        points: &Buffer,
        count: usize,
    ) -> Result<Option<G1Projective>, DeviceError> {
        let sum: [u64; 12] = session.multiply(Function::Msm, scalars, points, count)?;
        Ok(forms::point(&sum))
    }
}

impl Group for G2 {
    type Point = G2Point;
    type Sum = G2Projective;

    fn multiply(
        session: &Session,
        scalars: &Buffer,
        points: &Buffer,
        count: usize,
    ) -> Result<Option<G2Projective>, DeviceError> {
        let sum: [u64; 24] = session.multiply(Function::G2Msm, scalars, points, count)?;
        Ok(forms::point(&sum))
    }
}

/// Points of a group on the device; no memory for no points.
pub(super) struct Points<G> {
    session: Arc<Session>,
    points: Option<Buffer>,
    len: usize,
    group: PhantomData<G>,
}

impl<G: Group> Points<G> {
    pub(super) fn new(session: &Arc<Session>, points: &[G::Point]) -> Result<Self, DeviceError> {
        let words = forms::coordinates(bytemuck::cast_slice(points));
        let buffer = if points.is_empty() { None } else { Some(Buffer::new(session, &words, false)?) };
        Ok(Self { session: Arc::clone(session), points: buffer, len: points.len(), group: PhantomData })
    }

    fn sum(&self, scalars: Scalars<'_>) -> Result<G::Sum, DeviceError> {
        let uploaded;
        let scalars = match scalars {
            Scalars::Host(elements) => {
                super::same_length(self.len, elements.len())?;
                uploaded = vector::upload(&self.session, elements)?;
                uploaded.as_ref()
            }
            Scalars::Resident(vector) => vector::own(&self.session, vector, self.len)?,
        };
        let (Some(points), Some(scalars)) = (&self.points, scalars) else { return Ok(G::Sum::ZERO) };
        let sum = G::multiply(&self.session, scalars, points, self.len)?;
        sum.ok_or_else(|| self.session.broken("a sum is no point of the curve".to_owned()))
    }
}

impl<G: Group> Bases<G::Sum> for Points<G> {
    fn len(&self) -> usize {
        self.len
    }

    fn multiply(&self, batch: &[Scalars<'_>]) -> Result<Vec<G::Sum>, DeviceError> {
        batch.iter().map(|scalars| self.sum(*scalars)).collect()
    }
}
