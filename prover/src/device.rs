//! The seam between the provers and whatever does their group and polynomial work.
//!
//! [`Reference`] is plain arkworks: the oracle that every other device must equal, in one conformance suite. A device is
//! a value, chosen by configuration, never by `cfg`. All of its methods may be called from several threads at once.

mod checked;
mod composed;
mod cpu;
pub mod cuda;
mod error;
pub mod failover;
pub mod icicle;
mod mapping;
mod pairing;
mod patient;
pub mod points;
mod reference;
pub mod select;
mod self_test;
mod threshold;
mod transform;
mod workload;

pub use checked::Checked;
pub use cpu::{Cpu, Kernel};
pub use cuda::Cuda;
pub use error::DeviceError;
pub use failover::Failover;
pub use icicle::Icicle;
pub(crate) use mapping::map;
pub use patient::Patient;
pub use points::{G1Point, G2Point, Slab};
pub use reference::Reference;
pub use select::{Options, Selection};
pub use self_test::{Figure, SelfTest, self_test};
pub use threshold::Threshold;
pub use transform::{Direction, Transform};

use crate::{ProveError, groth16, progress::Progress};
use ark_bn254::{G1Projective, G2Projective};
use nightingale_circuits::Fr;
use std::{any::Any, fmt, sync::Arc};
use zeroize::{Zeroize, ZeroizeOnDrop};

/// A processor or an accelerator.
pub trait Device: Send + Sync {
    /// Its name in configuration, logs and metrics: `cpu`, `cuda:0`.
    fn name(&self) -> &str;

    /// Keeps points of G1 ready for many multiplications. Infinity, repeated and opposite points are allowed.
    ///
    /// # Errors
    /// What fails in the device.
    fn bases_g1(&self, points: &Slab<G1Point>) -> Result<Box<dyn Bases<G1Projective>>, DeviceError>;

    /// Keeps points of G2 ready.
    ///
    /// # Errors
    /// What fails in the device.
    fn bases_g2(&self, points: &Slab<G2Point>) -> Result<Box<dyn Bases<G2Projective>>, DeviceError>;

    /// Takes a vector onto the device.
    ///
    /// # Errors
    /// What fails in the device.
    fn vector(&self, elements: &[Fr]) -> Result<Box<dyn Vector>, DeviceError>;

    /// Keeps a whole Groth16 key ready, for one proof or many at a time.
    ///
    /// # Errors
    /// What fails in the device.
    fn groth16(&self, key: &Arc<groth16::Key>) -> Result<Box<dyn Summation>, DeviceError>;
}

/// Points that a device holds ready.
pub trait Bases<Sum>: Send + Sync {
    /// How many there are.
    fn len(&self) -> usize;

    /// Whether there are none.
    fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// For each vector of scalars `sum scalars[i] * points[i]`.
    ///
    /// # Errors
    /// A vector of another length or of another device; what fails in the device.
    fn multiply(&self, batch: &[Scalars<'_>]) -> Result<Vec<Sum>, DeviceError>;
}

/// Where the scalars of a multiplication are.
#[derive(Clone, Copy)]
pub enum Scalars<'a> {
    /// In this process's memory.
    Host(&'a [Fr]),
    /// In a vector of the same device.
    Resident(&'a dyn Vector),
}

/// Field elements that a device holds. They are zeroed when it is dropped.
pub trait Vector: Send + Sync {
    /// How many there are.
    fn len(&self) -> usize;

    /// Whether there are none.
    fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Copies them out.
    ///
    /// # Errors
    /// Another length; what fails in the device.
    fn read(&self, out: &mut [Fr]) -> Result<(), DeviceError>;

    /// Transforms them in place.
    ///
    /// # Errors
    /// A transform of another size; what fails in the device.
    fn transform(&mut self, transform: &Transform) -> Result<(), DeviceError>;

    /// Puts `self[i] operation other[i]` into every place i.
    ///
    /// # Errors
    /// Another length, a vector of another device; what fails in the device.
    fn combine(&mut self, operation: Pointwise, other: &dyn Vector) -> Result<(), DeviceError>;

    /// For the device that made it to know it again.
    fn as_any(&self) -> &dyn Any;
}

/// An operation on two vectors, element by element.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Pointwise {
    /// `a + b`.
    Add,
    /// `a - b`.
    Subtract,
    /// `a * b`.
    Multiply,
}

/// A Groth16 key on a device: what of a proof costs.
pub trait Summation: Send + Sync {
    /// For each assignment `[1, public.., witness..]` the sums of its proof; all assignments are of the key's length.
    ///
    /// # Errors
    /// [`ProveError::Device`], and [`ProveError::Cancelled`] when `progress` breaks.
    fn sums(&self, assignments: &[&[Fr]], progress: Progress<'_>) -> Result<Vec<Sums>, ProveError>;
}

/// The five multi-scalar multiplications of a Groth16 proof; those of C are added. Before they are blinded a guessed witness can be
/// held against them, so they are zeroed when dropped, and not shown.
#[derive(Clone, PartialEq, Eq, Zeroize, ZeroizeOnDrop)]
pub struct Sums {
    /// The assignment over the A query.
    pub a: G1Projective,
    /// The assignment over the B query in G1.
    pub b_g1: G1Projective,
    /// The assignment over the B query in G2.
    pub b_g2: G2Projective,
    /// The witness over the L query and the quotient over the H query.
    pub c: G1Projective,
}

impl fmt::Debug for Sums {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Sums").finish_non_exhaustive()
    }
}

/// The device with this name, all by itself.
///
/// # Errors
/// A name that is none, a device that is not here.
pub fn open(name: &str, options: &Options) -> Result<Arc<dyn Device>, ProveError> {
    Ok(select::open(&name.parse()?, options)?)
}
